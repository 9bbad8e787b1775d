"""Which documents are about a record: looked up from its side, and told in its own metadata as IsCitedBy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import rewrite
from tomarium.catalogue.entities import entity_of, may_see_entity
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import ANYBODY, Reader
from tomarium.catalogue.reader_tables import document_members
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.tables import entities
from tomarium.errors import FormatError, StoreUnavailable
from tomarium.model import Record, Related
from tomarium.model.entity import PUBLICATIONS, Entity
from tomarium.standards.identifiers import DOI


def note_members(connection: Connection, entity: Entity) -> None:
    """Keep what a document is about in the table by which it is found from the other side."""
    if entity.kind != "document":
        return
    connection.execute(delete(document_members).where(document_members.c.document == entity.id))
    members = dict.fromkeys(entity.facts.get("members", ()))
    if members:
        connection.execute(
            insert(document_members), [{"document": entity.id, "member": one} for one in members]
        )


def is_publication(entity: Entity) -> bool:
    """Tell whether a document was published elsewhere, and so cites what it is about: no tutorial, no lesson."""
    return bool(entity.facts.get("paper_doi")) or str(entity.facts.get("type", "")).lower() in PUBLICATIONS


def publications_about(connection: Connection, reader: Reader, record: str) -> list[Entity]:
    """List the publications that cite a record and that a reader may see, the last one first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    record : str
        Identifier of a record that the reader may see.

    Returns
    -------
    list of Entity
        Documents.
    """
    asked = (
        select(entities.c.id)
        .join(document_members, document_members.c.document == entities.c.id)
        .where(document_members.c.member == record, may_see_entity(reader))
    )
    held = (entity_of(connection, reader, id) for id in connection.execute(asked).scalars().all())
    found = [one.entity for one in held if one is not None and is_publication(one.entity)]
    return sorted(found, key=lambda one: (str(one.facts.get("year", "")), one.name), reverse=True)


def tell_citations(
    catalogue: Catalogue, reader: Reader, names: Iterable[str], gone: Iterable[str] = ()
) -> list[str]:
    """Write into records by which published works they are cited, so that every export tells it and DataCite is told.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Records that are not this reader's to change are left as they are; their pages tell it all the same.
    names : iterable of str
        Identifiers of records.
    gone : iterable of str
        DOIs of works that may not cite them any more.

    Returns
    -------
    list of str
        Why a record could not be written, one line for each.
    """
    problems, lost = [], {one.lower() for one in gone}
    for name in dict.fromkeys(names):
        with catalogue.reading() as connection:
            place = place_of(connection, reader, name)
            if place is None or not place.mine:
                continue
            about = publications_about(connection, ANYBODY, name)
        wanted = [doi for one in about if (doi := str(one.facts.get("paper_doi", "")))]
        try:
            if _told(before := read_record(place.folder), wanted, lost) == before:
                continue
            rewrite(
                catalogue,
                reader,
                name,
                "cited by",
                lambda _connection, record, wanted=wanted: _told(record, wanted, lost),  # type: ignore[misc]
                wanted,
            )
        except (FormatError, StoreUnavailable, OSError) as problem:
            problems.append(f"{name}: does not tell in its files that it is cited ({problem})")
    return problems


def follow_document(catalogue: Catalogue, reader: Reader, before: Entity | None, after: Entity) -> None:
    """Let records tell what a document says of them now, after it was changed or published."""
    if after.kind != "document":
        return
    told: list[Entity] = [one for one in (before, after) if one is not None]
    members = [member for one in told for member in one.facts.get("members", ())]
    dois = {str(one.facts.get("paper_doi", "")) for one in told} - {""}
    tell_citations(catalogue, reader, members, dois)


def cited_dois(record: Record) -> list[str]:
    """List the bare DOIs of what a record itself says it is cited by."""
    told = [one.identifier for one in record.related if one.relation == "IsCitedBy"]
    return [found[1] if (found := DOI.fullmatch(one.strip())) else one for one in told]


def _told(record: Record, wanted: list[str], lost: set[str]) -> Record:
    """Return a record that is cited by what is wanted, and not by what was lost and is not wanted."""
    keep = {one.lower() for one in wanted}
    kept = []
    for one in record.related:
        found = DOI.fullmatch(one.identifier.strip())
        doi = found[1].lower() if found else ""
        if one.relation == "IsCitedBy" and doi in lost and doi not in keep:
            continue
        kept.append(one)
    there = {one.lower() for one in cited_dois(replace(record, related=tuple(kept)))}
    new = [Related("IsCitedBy", one) for one in dict.fromkeys(wanted) if one.lower() not in there]
    return replace(record, related=(*kept, *new))


def all_publications(connection: Connection, reader: Reader) -> list[Entity]:
    """List all publications that a reader may see, the last one first."""
    asked = select(entities.c.id).where(entities.c.kind == "document", may_see_entity(reader))
    held = (entity_of(connection, reader, id) for id in connection.execute(asked).scalars().all())
    found = [one.entity for one in held if one is not None and is_publication(one.entity)]
    return sorted(found, key=lambda one: (str(one.facts.get("year", "")), one.name), reverse=True)
