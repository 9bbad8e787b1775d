"""Other catalogues that are harvested: which, how far, and when last."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from tomarium.catalogue.facets import HERE
from tomarium.catalogue.harvest_tables import harvest_sources, harvested
from tomarium.catalogue.harvested import index_again
from tomarium.errors import InputError

KINDS: Final = {"oai": "OAI-PMH", "panosc": "PaNOSC search API"}
"""Protocols by which catalogues are harvested, with their names."""
LONGEST_TITLE: Final = 100


@dataclass(frozen=True)
class Source:
    """One catalogue that is harvested.

    Attributes
    ----------
    number : int
        In the table.
    kind : str
        A key of `KINDS`.
    address : str
        Where it answers; of a file its name.
    selection : str
        The set of an OAI repository that is taken; "" for all.
    title : str
        For people; it is the value of the facet "catalogue".
    every_s : float
        How often it is harvested, s; 0 where only when somebody asks.
    listing : int
        Number of the listing that is read, or was read last.
    started_utc, finished_utc : float or None
        Seconds since 1970 when a harvest was begun last, and when one was complete last.
    response_date : str
        What the source said the moment was, from which the next listing goes on; "" for all of it.
    token : str
        Where a listing that was interrupted goes on; "" where none was.
    error : str
        Why the last harvest was not complete; "" where it was.
    count, documents, instruments : int
        Records, documents and instruments that are kept of it.
    """

    number: int
    kind: str
    address: str
    selection: str
    title: str
    every_s: float
    listing: int
    started_utc: float | None
    finished_utc: float | None
    response_date: str
    token: str
    error: str
    count: int
    documents: int
    instruments: int

    def kept(self) -> str:
        """Tell what is kept of it: "8 records, 2 documents"; documents and instruments where there are any."""
        documents_and_instruments = ((self.documents, "document"), (self.instruments, "instrument"))
        counts = [(self.count, "record"), *(counted for counted in documents_and_instruments if counted[0])]
        return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in counts)

    def is_due(self, now: float | None = None) -> bool:
        """Tell whether it is harvested of itself, and was not for as long as that is to be."""
        moment = time.time() if now is None else now
        return self.every_s > 0 and (self.started_utc or 0.0) + self.every_s <= moment


def add_source(
    connection: Connection, kind: str, address: str, title: str, selection: str = "", every_s: float = 0.0
) -> Source:
    """Enter a catalogue that is harvested; one that is known is only called what it is called now.

    Parameters
    ----------
    connection : Connection
        That may write.
    kind : str
        A key of `KINDS`.
    address, selection : str
        Where it answers, and the set that is taken.
    title : str
        For people.
    every_s : float
        How often it is harvested, s; 0 for when somebody asks.

    Returns
    -------
    Source
        As it is known now; what was kept of it under another title is found under the new one.

    Raises
    ------
    InputError
        Another source has this title, or it is empty, too long or "here".
    """
    title = " ".join(title.split())
    if not title or len(title) > LONGEST_TITLE or title == HERE:
        raise InputError(
            f"{title[:60]!r} is no title of a catalogue; give one of 1 to {LONGEST_TITLE} letters"
        )
    of = harvest_sources.c
    same = (of.kind == kind) & (of.address == address) & (of.selection == selection)
    other_address = connection.execute(select(of.address).where(of.title == title, ~same).limit(1)).scalar()
    if other_address is not None:
        raise InputError(f"the catalogue at {other_address} is called {title!r} already; give another title")
    number = connection.execute(select(of.number).where(same)).scalar()
    if number is None:
        row = {"kind": kind, "address": address, "selection": selection, "title": title, "every_s": every_s}
        row |= {"listing": 0, "response_date": "", "token": "", "error": ""}
        primary_key = connection.execute(insert(harvest_sources).values(row)).inserted_primary_key
        assert primary_key is not None
        number = int(primary_key[0])
    else:
        before = source_of(connection, number).title
        note(connection, number, title=title, every_s=every_s)
        if before != title:
            index_again(connection)
    return source_of(connection, number)


def all_sources(connection: Connection) -> list[Source]:
    """List the catalogues that are harvested, by their titles."""
    of = harvested.c
    counts: dict[tuple[int, str], int] = {
        (row.source, row.kind): row.kept
        for row in connection.execute(
            select(of.source, of.kind, func.count().label("kept")).group_by(of.source, of.kind)
        )
    }
    rows = connection.execute(select(harvest_sources).order_by(harvest_sources.c.title))
    return [
        Source(
            **row._mapping,
            count=counts.get((row.number, "dataset"), 0),
            documents=counts.get((row.number, "document"), 0),
            instruments=counts.get((row.number, "instrument"), 0),
        )
        for row in rows
    ]


def source_of(connection: Connection, number: int) -> Source:
    """Return one that is known, by its number."""
    return next(source for source in all_sources(connection) if source.number == number)


def find_source(connection: Connection, name: str) -> Source:
    """Find a source by its title or address.

    Raises
    ------
    InputError
        There is none; the message names those that there are.
    """
    sources = all_sources(connection)
    for source in sources:
        if name in (source.title, source.address):
            return source
    names = ", ".join(repr(source.title) for source in sources) or "none yet"
    raise InputError(f"{name[:80]!r} is no catalogue that is harvested; there are {names}")


def note(connection: Connection, number: int, **values: Any) -> None:
    """Note columns of a source: how far its listing was read, or why it was not."""
    connection.execute(update(harvest_sources).where(harvest_sources.c.number == number).values(**values))


def begin_listing(connection: Connection, number: int, moment: float | None = None) -> Source:
    """Begin to read a source, or go on where it was interrupted.

    Parameters
    ----------
    connection : Connection
        That may write.
    number : int
        Of the source.
    moment : float, optional
        Seconds since 1970; now by default.

    Returns
    -------
    Source
        With a `token` where a listing goes on; else `listing` is a new number.
    """
    source = source_of(connection, number)
    started = time.time() if moment is None else moment
    listing = source.listing if source.token else source.listing + 1
    note(connection, number, started_utc=started, listing=listing)
    return source_of(connection, number)


def end_listing(
    connection: Connection, number: int, response_date: str = "", moment: float | None = None
) -> None:
    """Note that a source was read to its end.

    Parameters
    ----------
    connection : Connection
        That may write.
    number : int
        Of the source.
    response_date : str
        From which the next listing goes on; "" for all of it.
    moment : float, optional
        Seconds since 1970; now by default.
    """
    finished = time.time() if moment is None else moment
    note(connection, number, finished_utc=finished, response_date=response_date, token="", error="")


def forget_source(connection: Connection, number: int) -> None:
    """Forget a source; what was kept of it is to be forgotten before, by `harvested.forget_all`."""
    connection.execute(delete(harvest_sources).where(harvest_sources.c.number == number))
