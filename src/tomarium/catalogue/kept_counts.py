"""How many of all records have each value of each facet, kept in a program's memory for each kind of reader.

What is kept is that of one state of the index, told by the serial of the last write (`index_changes`), until the next
moment at which a record becomes public. Who asks after another program wrote, or after that moment, has it counted
anew.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select

from tomarium.catalogue import find, reader
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.facet_counts import FacetCounts, sets_of
from tomarium.catalogue.facets import NO_FILTERS
from tomarium.catalogue.index_changes import last_change
from tomarium.catalogue.reader import LOCAL_OWNER, Reader
from tomarium.catalogue.tables import stale_records, totals

MOST_READERS: Final = 200
"""Readers whose counts are kept: those who asked last."""


@dataclass(frozen=True)
class _Kept:
    serial: int
    since: float
    until: float
    facets: tuple[FacetCounts, ...]


@dataclass(frozen=True)
class _Store:
    """Counts of a catalogue; they belong to the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: dict[Reader, _Kept] = field(default_factory=dict)  # who asked last comes last


_OF_ENGINES: Final[WeakKeyDictionary[Engine, _Store]] = WeakKeyDictionary()


def facets_of_all(catalogue: Catalogue, who: Reader) -> tuple[FacetCounts, ...]:
    """Count all that a reader may find by its facets, other catalogues' records too.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    who : Reader
        Who asks.

    Returns
    -------
    tuple of FacetCounts
        As `search` counts them where nothing is asked; without access, which the totals do not tell, and without
        other images of the specimen.
    """
    store = _OF_ENGINES.setdefault(catalogue.engine, _Store())
    # All who see everything see the same.
    of = LOCAL_OWNER if who.sees_all else who
    with catalogue.reading() as connection:
        serial, now = last_change(connection), reader.present()
        # What was taken back may come back, and files may open, without a write to the index.
        is_kept = (
            not who.open_only and connection.execute(select(stale_records.c.record).limit(1)).first() is None
        )
        with store.lock:
            kept = store.kept.pop(of, None)
            if is_kept and kept is not None and kept.serial == serial and kept.since <= now < kept.until:
                store.kept[of] = kept
                return kept.facets
        question = find.make_question(connection, who, (), NO_FILTERS, (), elsewhere=True)
        groups, _ = find.groups(connection, question)
        facets = sets_of(connection).tally(groups, NO_FILTERS)
        if is_kept:
            kept = _Kept(serial, now, _next_public(connection, now), facets)
            with store.lock:
                store.kept.pop(of, None)
                store.kept[of] = kept
                while len(store.kept) > MOST_READERS:
                    del store.kept[next(iter(store.kept))]
    return facets


def _next_public(connection: Connection, now: float) -> float:
    """Return the next moment at which a record becomes public: seconds since 1970; endless where there is none."""
    moment = select(func.min(totals.c.public_from)).where(totals.c.public_from > now)
    return float(connection.execute(moment).scalar_one() or float("inf"))
