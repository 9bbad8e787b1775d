"""The log book of records and proposals: what people and programs wrote, and what it said before it was changed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.entities import entity_of
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.tables import log_entries
from tomarium.errors import InputError, ParameterError

LONGEST = 20_000


@dataclass(frozen=True)
class Entry:
    """An entry of the log book.

    Attributes
    ----------
    number : int
        Its number in the catalogue.
    who, when, text : str
        Who wrote it, when (ISO 8601), and what.
    machine : bool
        Whether a program wrote it.
    before : tuple of (str, str, str, bool)
        When, who and what, and whether by a program: what it said before, the oldest first.
    """

    number: int
    who: str
    when: str
    text: str
    machine: bool
    before: tuple[tuple[str, str, str, bool], ...] = ()


def entries_of(connection: Connection, subject: str) -> tuple[Entry, ...]:
    """List the log book of a record or a proposal that the reader may see, the oldest entry first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    subject : str
        "records/tooth", "proposals/hg-123".

    Returns
    -------
    tuple of Entry
        All of them.
    """
    asked = select(log_entries).where(log_entries.c.subject == subject).order_by(log_entries.c.number)
    return tuple(
        Entry(
            row.number,
            row.who,
            _moment(row.moment_utc),
            row.text,
            bool(row.machine),
            tuple((_moment(when), who, text, any(rest)) for when, who, text, *rest in row.before),
        )
        for row in connection.execute(asked).all()
    )


def write_entry(
    catalogue: Catalogue, reader: Reader, subject: str, text: str, *, machine: bool = False
) -> None:
    """Write into the log book of a record or a proposal.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who writes; the subject must be this reader's to change.
    subject : str
        "records/tooth", "proposals/hg-123".
    text : str
        What is to be remembered.
    machine : bool
        Whether a program writes it.

    Raises
    ------
    InputError
        There is no such subject that the reader may see, or the text is empty or too long.
    NotAllowed
        It is not this reader's.
    """
    with catalogue.writing() as connection:
        _demand(connection, reader, subject)
        connection.execute(
            insert(log_entries).values(
                subject=subject,
                who=reader.name,
                machine=int(machine),
                moment_utc=time.time(),
                text=_checked(text),
                before=[],
            )
        )


def add_entries(
    catalogue: Catalogue, reader: Reader, subject: str, entries: Iterable[tuple[str, str, str, bool]]
) -> int:
    """Put entries that were written elsewhere, as at a beamline, into the log book of a record or a proposal.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who does it; the subject must be this reader's to change.
    subject : str
        "records/tooth", "proposals/hg-123".
    entries : iterable of (str, str, str, bool)
        When (ISO 8601), who and what, and whether a program wrote it, as they stand there.

    Returns
    -------
    int
        How many were not in it yet; those that are, are not written again.

    Raises
    ------
    InputError
        There is no such subject that the reader may see, or an entry is empty or too long or has no time.
    NotAllowed
        It is not this reader's.
    """
    with catalogue.writing() as connection:
        _demand(connection, reader, subject)
        known = select(log_entries.c.moment_utc, log_entries.c.who, log_entries.c.text, log_entries.c.before)
        there = set()
        for row in connection.execute(known.where(log_entries.c.subject == subject)).all():
            there.add((round(row.moment_utc, 3), row.who, row.text))
            there |= {(round(moment, 3), who, text) for moment, who, text, *_ in row.before}
        added = 0
        for when, who, text, machine in entries:
            try:
                moment = round(datetime.fromisoformat(when).timestamp(), 3)
            except ValueError as problem:
                raise InputError(f"{when[:40]!r} is no time of an entry; ISO 8601 was expected") from problem
            if (moment, who, _checked(text)) in there:
                continue
            there.add((moment, who, _checked(text)))
            told = {"subject": subject, "who": who, "machine": int(machine), "moment_utc": moment}
            connection.execute(insert(log_entries).values(**told, text=_checked(text), before=[]))
            added += 1
    return added


def may_change_entry(reader: Reader, entry: Entry) -> bool:
    """Tell whether a reader who keeps the subject may change an entry: who wrote it, and curators."""
    return entry.who == reader.name or reader.sees_all


def change_entry(
    catalogue: Catalogue, reader: Reader, subject: str, number: int, text: str, *, machine: bool = False
) -> None:
    """Change an entry of one's own; what it said before is kept.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who wrote it, or a curator.
    subject : str
        What it is about.
    number : int
        Number of the entry.
    text : str
        What it says from now on.
    machine : bool
        Whether a program changes it.

    Raises
    ------
    InputError
        There is no such entry, or it is another's.
    """
    with catalogue.writing() as connection:
        _demand(connection, reader, subject)
        here = (log_entries.c.number == number) & (log_entries.c.subject == subject)
        row = connection.execute(select(log_entries).where(here)).one_or_none()
        if row is None:
            raise InputError(f"{subject}: has no entry {number} in its log book")
        if row.who != reader.name and not reader.sees_all:
            raise NotAllowed(f"{subject}: entry {number} is {row.who}'s; write another one")
        before = [*row.before, [row.moment_utc, row.who, row.text, bool(row.machine)]]
        values = {"text": _checked(text), "before": before, "moment_utc": time.time(), "who": reader.name}
        values["machine"] = int(machine)
        connection.execute(update(log_entries).where(here).values(**values))


def _demand(connection: Connection, reader: Reader, subject: str) -> None:
    kind, _, id = subject.partition("/")
    if kind == "records":
        place = place_of(connection, reader, id)
        mine = place.mine if place else None
    else:
        held = entity_of(connection, reader, id)
        mine = held.mine if held and f"{held.entity.kind}s" == kind == "proposals" else None
    if mine is None:
        raise InputError(f"there is no record or proposal {id[:80]!r} in this catalogue")
    if not mine:
        raise NotAllowed(f"{id}: is not {reader.name or 'a visitor'}'s, so its log book is not either")


def _checked(text: str) -> str:
    if not text.strip():
        raise ParameterError("the entry is empty; say what is to be remembered")
    if len(text) > LONGEST:
        raise ParameterError(f"the entry has {len(text)} characters; at most {LONGEST} were expected")
    return text.strip()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()
