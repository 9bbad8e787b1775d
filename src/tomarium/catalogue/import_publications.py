"""Publications of a file of references become documents, linked to the records they used; duplicates are merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, func, select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.entities import demand_entity
from tomarium.catalogue.entity_edit import change_entity, make_entity, publish_entity
from tomarium.catalogue.reader import Reader, demand_role, may_see
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tables import dois, entities, records
from tomarium.catalogue.words import fold
from tomarium.errors import InputError, ParameterError
from tomarium.model.entity import KINDS, Entity
from tomarium.standards.works import Work, bare_doi

SINGLE: Final = ("type", "year", "journal", "volume", "pages", "publisher", "paper_doi", "address")
"""Facts of a document that a work tells, beside its authors and what it is about."""


@dataclass(frozen=True)
class Imported:
    """What became of a work.

    Attributes
    ----------
    place, title, doi : str
        Where it stood in the file, and what it is.
    document : str
        Identifier of its document; "" where there is none.
    state : str
        "new", "changed", "same" or "failed".
    records : tuple of str
        Identifiers of the records that it is linked to now.
    conflicts : tuple of str
        What the file says otherwise than the document, which is kept.
    problem : str
        Why it failed.
    """

    place: str
    title: str
    doi: str
    document: str
    state: str
    records: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    problem: str = ""


def import_works(
    catalogue: Catalogue,
    reader: Reader,
    works: Sequence[Work],
    *,
    data: Sequence[str] = (),
    publish: bool = True,
    dry_run: bool = False,
    progress: Callable[[str, int, int], object] | None = None,
) -> list[Imported]:
    """Make documents of works, and link them to the records that they used.

    A work is linked to a record whose DOI, or the address of whose page, it names, and to those that are told. One
    whose DOI a document has already, or that has none and the title and year of one, is merged with it: what the
    document does not tell is added, and what it tells otherwise is kept and listed.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        A curator or an administrator.
    works : sequence of Work
        As `standards.read_works.read_works` gives them.
    data : sequence of str
        Identifiers of records that all of these works used.
    publish : bool
        Whether new documents are seen by everybody at once, as the works are.
    dry_run : bool
        Whether it is only told what would be done.
    progress : callable, optional
        `progress(stage, done, total)` is called after each work. Where it is stopped, those that were taken stay, and
        the same import goes on with the others.

    Returns
    -------
    list of Imported
        One for each work; one that failed keeps no other from being taken.

    Raises
    ------
    InputError
        A record that was told is not there.
    NotAllowed
        The reader is no curator.
    """
    demand_role(reader, "curator", to="import publications")
    with catalogue.reading() as connection:
        record_ids, documents = _known_records(connection, reader, data), Documents.all_of(connection)
    results = []
    for number, work in enumerate(works, 1):
        try:
            results.append(
                _import(catalogue, reader, work, record_ids, documents, publish=publish, dry_run=dry_run)
            )
        except InputError as problem:
            results.append(Imported(work.place, work.title, work.doi, "", "failed", problem=str(problem)))
        if progress is not None:
            progress("publications", number, len(works))
    return results


def _import(
    catalogue: Catalogue,
    reader: Reader,
    work: Work,
    record_ids: Sequence[str],
    documents: Documents,
    *,
    publish: bool,
    dry_run: bool,
) -> Imported:
    document = documents.find(work)
    with catalogue.reading() as connection:
        used = tuple(dict.fromkeys((*record_ids, *linked_records(connection, reader, work))))
    facts = _facts(work, used)
    if document is None:
        result = Imported(work.place, work.title, work.doi, "", "new", used)
        if dry_run:
            return result
        entity = make_entity(catalogue, reader, "document", work.title, facts)
        if publish:
            publish_entity(catalogue, reader, entity.id, doi=False)
        documents.read(catalogue, entity.id)
        return replace(result, document=entity.id)
    changes, conflicts = _merged(document.facts, facts)
    if fold(document.name) != fold(work.title):
        conflicts.insert(0, f"title: kept “{document.name}”, the file says “{work.title}”")
    members = tuple(dict.fromkeys((*document.facts.get("members", ()), *used)))
    state = "changed" if changes else "same"
    if changes and not dry_run:
        change_entity(catalogue, reader, document.id, changes)
        documents.read(catalogue, document.id)
    if publish and document.published_utc is None and not dry_run:
        publish_entity(catalogue, reader, document.id, doi=False)
        state = "changed"
    return Imported(work.place, work.title, work.doi, document.id, state, members, tuple(conflicts))


class Documents:
    """The documents of a catalogue by DOI and by title, read once for a whole import."""

    def __init__(self, rows: Iterable[Row[Any]]) -> None:
        self._by_doi: dict[str, Row[Any]] = {}
        self._by_title: dict[tuple[str, ...], dict[str, Row[Any]]] = {}
        for row in rows:
            self._add(row)

    @classmethod
    def all_of(cls, connection: Connection) -> Documents:
        """Read all documents."""
        query = select(entities).where(entities.c.kind == "document").order_by(entities.c.id)
        return cls(connection.execute(query).all())

    def read(self, catalogue: Catalogue, id: str) -> None:
        """Read one that was made or changed."""
        with catalogue.reading() as connection:
            self._add(connection.execute(select(entities).where(entities.c.id == id)).one())

    def find(self, work: Work) -> Row[Any] | None:
        """Find the document of a work: by its DOI, or by title and year where one of the two has no DOI."""
        if (document := self._by_doi.get(work.doi)) is not None:
            return document
        for row in self._by_title.get(fold(work.title), {}).values():
            years = {str(row.facts.get("year", "")), work.year} - {""}
            if len(years) <= 1 and not (work.doi and row.facts.get("paper_doi")):
                return row
        return None

    def _add(self, row: Row[Any]) -> None:
        if doi := bare_doi(str(row.facts.get("paper_doi", ""))):
            self._by_doi[doi] = row
        self._by_title.setdefault(fold(row.name), {})[row.id] = row


def linked_records(connection: Connection, reader: Reader, work: Work) -> list[str]:
    """List the records that a work names by their DOIs, of a version or of all versions, or by their pages."""
    named = list(work.data)
    home = all_settings(connection)["address"]
    pages = [text.rpartition("/")[2] for text in named if home and _same_place(text, home)]
    lower = [text.lower() for text in named if text.startswith("10.")]
    if not (pages or lower):
        return []
    by_doi = select(dois.c.record).where(func.lower(dois.c.doi).in_(lower))
    query = select(records.c.id).where(
        func.lower(records.c.doi).in_(lower) | records.c.id.in_(by_doi) | records.c.id.in_(pages),
        may_see(reader),
    )
    return sorted(connection.execute(query).scalars())


def _same_place(address: str, home: str) -> bool:
    return urlsplit(address).netloc.lower() == urlsplit(home).netloc.lower()


def _known_records(connection: Connection, reader: Reader, ids: Sequence[str]) -> list[str]:
    query = select(records.c.id).where(records.c.id.in_(list(ids)), may_see(reader))
    known_ids = set(connection.execute(query).scalars())
    if unknown := [text for text in ids if text not in known_ids]:
        raise ParameterError(
            f"there is no record {unknown[0][:80]!r} in this catalogue; search for it by a word"
        )
    return list(ids)


def _facts(work: Work, used: Sequence[str]) -> dict[str, str]:
    single = (
        work.type,
        work.year,
        work.journal,
        work.volume,
        work.pages,
        work.publisher,
        work.doi,
        work.address,
    )
    facts = dict(zip(SINGLE, single, strict=True))
    facts["authors"] = "\n".join(author.replace(";", ",") for author in work.authors)
    facts["members"] = "\n".join(used)
    return {key: text for key, text in facts.items() if text}


def _merged(before: Mapping[str, Any], facts: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Tell what is to be added to a document, and what a file says otherwise."""
    labels = {fact.key: fact.label for fact in KINDS["document"].facts}
    changes: dict[str, str] = {}
    conflicts = []
    for key, text in facts.items():
        present = before.get(key) or ""
        if key == "members":
            joined = list(dict.fromkeys((*(present or ()), *text.splitlines())))
            if joined != list(present or ()):
                changes[key] = "\n".join(joined)
            continue
        shown, new = (
            ("; ".join(present) if isinstance(present, list) else str(present)),
            text.replace("\n", "; "),
        )
        if not shown:
            changes[key] = text
        elif fold(shown) != fold(new):
            conflicts.append(
                f"{labels[key].partition(':')[0].lower()}: kept “{shown}”, the file says “{new}”"
            )
    return changes, conflicts


def link_publication(
    catalogue: Catalogue, reader: Reader, publication: str, names: Sequence[str], *, remove: bool = False
) -> Entity:
    """Say that a publication used some records, or take it back.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who keeps the document, or a curator.
    publication : str
        DOI of the publication, or identifier of its document.
    names : sequence of str
        Identifiers of records.
    remove : bool
        Whether the links are taken back.

    Returns
    -------
    Entity
        The document as it is now.

    Raises
    ------
    InputError
        There is no such publication or record.
    """
    with catalogue.reading() as connection:
        doi = bare_doi(publication)
        document = Documents.all_of(connection).find(Work("", doi=doi)) if doi else None
        if doi and document is None:
            raise InputError(
                f"no document has the DOI {doi[:80]}; import it with: tomarium publications import FILE"
            )
        held_entity = demand_entity(connection, reader, document.id if document is not None else publication)
        if held_entity.entity.kind != "document":
            raise InputError(
                f"{held_entity.entity.id}: is a {held_entity.entity.kind}; a document was expected"
            )
        before = list(held_entity.entity.facts.get("members", ()))
        record_ids = list(names) if remove else _known_records(connection, reader, names)
    members = (
        [member for member in before if member not in record_ids]
        if remove
        else list(dict.fromkeys((*before, *record_ids)))
    )
    return change_entity(catalogue, reader, held_entity.entity.id, {"members": "\n".join(members)})
