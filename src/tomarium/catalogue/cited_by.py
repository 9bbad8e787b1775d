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
            insert(document_members), [{"document": entity.id, "member": member} for member in members]
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
    query = (
        select(entities.c.id)
        .join(document_members, document_members.c.document == entities.c.id)
        .where(document_members.c.member == record, may_see_entity(reader))
    )
    held_entities = (entity_of(connection, reader, id) for id in connection.execute(query).scalars().all())
    publications = [
        held_entity.entity
        for held_entity in held_entities
        if held_entity is not None and is_publication(held_entity.entity)
    ]
    return sorted(
        publications,
        key=lambda publication: (str(publication.facts.get("year", "")), publication.name),
        reverse=True,
    )


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
    problems, lost_dois = [], {doi.lower() for doi in gone}
    for name in dict.fromkeys(names):
        with catalogue.reading() as connection:
            place = place_of(connection, reader, name)
            if place is None or not place.mine:
                continue
            about = publications_about(connection, ANYBODY, name)
        dois = [doi for publication in about if (doi := str(publication.facts.get("paper_doi", "")))]
        try:
            if _with_citations(before := read_record(place.folder), dois, lost_dois) == before:
                continue
            rewrite(
                catalogue,
                reader,
                name,
                "cited by",
                lambda _connection, record, dois=dois: _with_citations(record, dois, lost_dois),  # type: ignore[misc]
                dois,
            )
        except (FormatError, StoreUnavailable, OSError) as problem:
            problems.append(f"{name}: does not tell in its files that it is cited ({problem})")
    return problems


def follow_document(catalogue: Catalogue, reader: Reader, before: Entity | None, after: Entity) -> None:
    """Update the records that a document is about, after it was changed or published."""
    if after.kind != "document":
        return
    documents: list[Entity] = [document for document in (before, after) if document is not None]
    members = [member for document in documents for member in document.facts.get("members", ())]
    dois = {str(document.facts.get("paper_doi", "")) for document in documents} - {""}
    tell_citations(catalogue, reader, members, dois)


def cited_dois(record: Record) -> list[str]:
    """List the bare DOIs of what a record itself says it is cited by."""
    identifiers = [related.identifier for related in record.related if related.relation == "IsCitedBy"]
    return [
        match[1] if (match := DOI.fullmatch(identifier.strip())) else identifier for identifier in identifiers
    ]


def _with_citations(record: Record, dois: list[str], lost_dois: set[str]) -> Record:
    """Return a record that is cited by what is wanted, and not by what was lost and is not wanted."""
    keep = {doi.lower() for doi in dois}
    kept_relations = []
    for related in record.related:
        match = DOI.fullmatch(related.identifier.strip())
        doi = match[1].lower() if match else ""
        if related.relation == "IsCitedBy" and doi in lost_dois and doi not in keep:
            continue
        kept_relations.append(related)
    cited = {doi.lower() for doi in cited_dois(replace(record, related=tuple(kept_relations)))}
    new = [Related("IsCitedBy", doi) for doi in dict.fromkeys(dois) if doi.lower() not in cited]
    return replace(record, related=(*kept_relations, *new))


def all_publications(connection: Connection, reader: Reader) -> list[Entity]:
    """List all publications that a reader may see, the last one first."""
    query = select(entities.c.id).where(entities.c.kind == "document", may_see_entity(reader))
    held_entities = (entity_of(connection, reader, id) for id in connection.execute(query).scalars().all())
    publications = [
        held_entity.entity
        for held_entity in held_entities
        if held_entity is not None and is_publication(held_entity.entity)
    ]
    return sorted(
        publications,
        key=lambda publication: (str(publication.facts.get("year", "")), publication.name),
        reverse=True,
    )
