"""Drafts of the catalogue that a beamtime's facts reach afterwards; what a person has edited in them is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from tomarium.catalogue.audit import lines
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import place_for, rewrite
from tomarium.catalogue.entities import choose, may_see_entity
from tomarium.catalogue.reader import Reader, owns
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.stated_facts import KEY, with_facts
from tomarium.catalogue.tables import entities
from tomarium.model import Record

_ACTION: Final = "state facts"


def state_facts(catalogue: Catalogue, reader: Reader, id: str, stated: Mapping[str, Any]) -> tuple[str, ...]:
    """Fill in what a draft of the catalogue does not say, but for what a person has edited in it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose the draft is.
    id : str
        Identifier of the record. One that was published is left as it is.
    stated : mapping
        As for `with_facts`.

    Returns
    -------
    tuple of str
        Names of what was filled in now.

    Raises
    ------
    InputError
        There is no such record.
    """
    with catalogue.reading() as connection:
        record = read_record(place_for(connection, reader, id))
        edited = _edited(connection, id)
    if record.publication is not None:
        return ()
    before = (record.provenance.get(KEY) or {}).get("stated", {})
    # A fact that was stated once, and is gone, was taken out by somebody.
    filled = with_facts(record, stated, {*edited, *before})
    new = tuple(name for name in (filled.provenance.get(KEY) or {}).get("stated", {}) if name not in before)
    if not new:
        return ()
    kept = {*edited, *before}
    rewrite(catalogue, reader, id, _ACTION, lambda _, current: with_facts(current, stated, kept), list(new))
    return new


def link_entities(catalogue: Catalogue, reader: Reader, record: Record) -> tuple[Record, tuple[str, ...]]:
    """Assign a draft that was made in a beamtime to the proposal and the instrument of the catalogue that it names.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose the draft is.
    record : Record
        In the catalogue. Nothing is done where it was made in no beamtime, was published, has one of this kind, or
        where a person has edited it.

    Returns
    -------
    tuple of Record and tuple of str
        As it is now, and what is not in the catalogue, with the command that puts it there.
    """
    if KEY not in record.provenance or record.publication is not None:
        return record, ()
    notes = []
    for kind in ("proposal", "instrument"):
        value = record.parameters.get(kind)
        if record.entity(kind) is not None or value is None or not str(value.value).strip():
            continue
        name = " ".join(str(value.value).split())
        with catalogue.reading() as connection:
            if kind in _edited(connection, record.id):
                continue
            found = _named(connection, reader, kind, name)
        if len(found) == 1:
            [chosen] = found

            def assign(connection: Connection, now: Record, kind: str = kind, id: str = chosen) -> Record:
                return choose(connection, reader, now, kind, id)

            record = rewrite(catalogue, reader, record.id, _ACTION, assign, [kind])
        elif kind == "proposal":
            which = f"has {len(found)} proposals" if found else "has no proposal"
            notes.append(
                f"the catalogue {which} {name!r} of yours, so its records are in none; "
                + ("assign it with: tomarium edit RECORD --proposal ID" if found else
                   f"make it with: tomarium entity new proposal {name!r} --fact number={name!r}, and ingest again")
            )  # fmt: skip
    return record, tuple(notes)


def _named(connection: Connection, reader: Reader, kind: str, name: str) -> list[str]:
    """List identifiers of the entities that a reader may give to a record and that are called so."""
    usable = entities.c.published_utc.is_not(None) | owns(reader, entities.c)
    query = select(entities.c.id, entities.c.name, entities.c.facts).where(
        entities.c.kind == kind, may_see_entity(reader), usable
    )
    wanted = name.casefold()
    found = []
    for row in connection.execute(query):
        names = (row.id, row.name, str((row.facts or {}).get("number", "")))
        if wanted in (" ".join(text.split()).casefold() for text in names):
            found.append(row.id)
    return found


def _edited(connection: Connection, id: str) -> set[str]:
    """List the fields of a record that a person has changed, by the log."""
    edited: set[str] = set()
    for line in lines(connection, record=id):
        if line.action.startswith("edit"):
            names = line.told.get("told", ())
            edited |= {str(name) for name in names} if isinstance(names, list) else set()
    return edited
