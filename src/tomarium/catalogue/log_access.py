"""Who may read and write the log book: entries follow the files of their record, or who keeps what they are about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, or_, select, true

from tomarium.catalogue.entities import may_see_entity
from tomarium.catalogue.log_tables import log_entries
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import NotAllowed, Reader, may_open, may_see, owns
from tomarium.catalogue.tables import entities, records
from tomarium.errors import InputError

KINDS: Final = {"proposals": "proposal", "specimens": "specimen", "instruments": "instrument"}
"""What has a log book besides records: the word in a subject → the kind of entity."""


def may_read_entry(reader: Reader) -> ColumnElement[bool]:
    """Return the condition on `log_entry` that a reader may read it, with its pictures.

    Parameters
    ----------
    reader : Reader
        Who asks.

    Returns
    -------
    ColumnElement of bool
        True for entries of a record whose files are open to the reader, and so not before its embargo ends; and for
        those of a proposal, specimen or instrument that is the reader's or the team's, or the reader's to look after.
        One published record of a proposal does not open the proposal's log book, which tells of the others too.
    """
    if reader.sees_all:
        return true()
    subject = log_entries.c.subject
    of_record = and_(
        subject.startswith("records/"),
        exists().where(records.c.id == func.substr(subject, len("records/") + 1), may_open(reader)),
    )
    condition = keeps_entity(reader)
    of_entities = (
        and_(
            subject.startswith(f"{plural}/"),
            exists().where(
                entities.c.id == func.substr(subject, len(plural) + 2), entities.c.kind == kind, condition
            ),
        )
        for plural, kind in KINDS.items()
    )
    return or_(of_record, *of_entities)


def keeps_entity(reader: Reader) -> ColumnElement[bool]:
    """Return the condition on `entity` that a reader keeps its log book and follows where it is.

    Parameters
    ----------
    reader : Reader
        Who asks.

    Returns
    -------
    ColumnElement of bool
        True for the owner, its team, curators, administrators, and of an instrument the scientists it is assigned to.
    """
    looks_after = (
        and_(
            entities.c.kind == "instrument",
            or_(entities.c.id.in_(reader.instruments), entities.c.name.in_(reader.instruments)),
        )
        if reader.role == "instrument scientist" and reader.instruments
        else false()
    )
    return or_(owns(reader, entities.c), looks_after)


def keeps_log(connection: Connection, reader: Reader, subject: str) -> bool | None:
    """Tell whether a reader may write into the log book of something.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    subject : str
        "records/tooth", "proposals/hg-123", "specimens/…", "instruments/…"; any text.

    Returns
    -------
    bool or None
        None where there is no such thing that the reader may see.
    """
    plural, _, id = subject.partition("/")
    if plural == "records":
        place = place_of(connection, reader, id)
        return place.mine if place else None
    if plural not in KINDS:
        return None
    condition = keeps_entity(reader)
    query = select(condition.label("kept")).select_from(entities)
    row = connection.execute(
        query.where(
            entities.c.id == id, entities.c.kind == KINDS[plural], or_(condition, may_see_entity(reader))
        )
    ).one_or_none()
    return bool(row.kept) if row is not None else None


def demand_log(connection: Connection, reader: Reader, subject: str) -> None:
    """Refuse who may not write into the log book of something; raises InputError, and NotAllowed where it is known."""
    keeps = keeps_log(connection, reader, subject)
    id = subject.partition("/")[2] or subject
    if keeps is None:
        raise InputError(
            f"there is no record, proposal, specimen or instrument {id[:80]!r} in this catalogue; name it as "
            f"records/ID, proposals/ID, specimens/ID or instruments/ID"
        )
    if not keeps:
        raise NotAllowed(f"{id}: is not {reader.name or 'a visitor'}'s, so its log book is not either")


def visible_names(connection: Connection, reader: Reader, subjects: Iterable[str]) -> dict[str, str]:
    """Return the titles of what a reader may see of some subjects.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    subjects : iterable of str
        "records/tooth", "proposals/hg-123" …

    Returns
    -------
    dict of str to str
        Subject → title or name; without those that the reader may not see.
    """
    by_kind: dict[str, list[str]] = {}
    for subject in dict.fromkeys(subjects):
        plural, _, id = subject.partition("/")
        by_kind.setdefault(plural, []).append(id)
    titles: dict[str, str] = {}
    for plural, ids in by_kind.items():
        if plural == "records":
            query = select(records.c.id, records.c.title).where(records.c.id.in_(ids), may_see(reader))
        elif plural in KINDS:
            condition = or_(keeps_entity(reader), may_see_entity(reader))
            query = select(entities.c.id, entities.c.name).where(
                entities.c.id.in_(ids), entities.c.kind == KINDS[plural], condition
            )
        else:
            continue
        titles |= {f"{plural}/{id}": title for id, title in connection.execute(query).all()}
    return titles


def subjects_of_keeper(connection: Connection, reader: Reader, most: int = 200) -> dict[str, str]:
    """List the proposals, instruments and specimens into whose log books a reader may write: subject → name."""
    plurals = {kind: plural for plural, kind in KINDS.items()}
    query = select(entities.c.kind, entities.c.id, entities.c.name).where(
        entities.c.kind.in_(plurals), keeps_entity(reader)
    )
    rows = connection.execute(query.order_by(entities.c.changed_utc.desc(), entities.c.id).limit(most)).all()
    order = {kind: place for place, kind in enumerate(plurals)}
    return {
        f"{plurals[row.kind]}/{row.id}": row.name for row in sorted(rows, key=lambda row: order[row.kind])
    }
