"""Numbers of parameters in a program's memory, a column for each that is asked for, beside what readers are judged by.

A database looks at a page or two for each of ten thousand records that a range finds, to tell who may see them. A
program that goes on, as the portal does, keeps of each record 21 bytes, and 9 for each of the last few parameters that
were asked for. A column is read by another thread when it is asked for first; the database answers until it is there.

What is kept is that of one state of the index, told by the serial of the last write (`index_changes`). A question that
sees a later state reads the records that were written since; one that sees an earlier state asks the database. Nothing
is kept that depends on the moment: an embargo ends for these arrays when it ends for the database.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Engine, Text, case, cast, func, literal, select
from sqlalchemy.exc import SQLAlchemyError

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.facet_counts import read_numbers
from tomarium.catalogue.index_changes import changed_since, last_change
from tomarium.catalogue.parted_column import Column, column_of
from tomarium.catalogue.record_totals import SETTLED_S
from tomarium.catalogue.tables import records, totals
from tomarium.errors import TomariumError

AT_LEAST: Final = 20_000
"""Records of a catalogue of which columns are kept; of fewer the database answers as soon."""
MOST_KEYS: Final = 12
"""Parameters whose numbers are kept: those that were asked for last."""
_MOST_CHANGES: Final = 20_000  # records that are read once more; after more all are
_AT_ONCE: Final = 50_000  # records that one query reads
_SETS: Final = 40  # bits of the number of a set of facets, beside that of a row of `seen`

_LOG: Final = logging.getLogger(__name__)
Which = Callable[[ColumnElement[int]], ColumnElement[bool]]


@dataclass(frozen=True)
class Columns:
    """What is kept of one state of the index; nothing in it is changed.

    Attributes
    ----------
    serial : int
        Of the last write that it has.
    numbers : NDArray of int64
        Of all records, in order, which is that of time.
    kinds : NDArray of int32
        Of each record, the row of the two arrays below: many records have the same of all that is in them.
    holders, facets : NDArray
        Of each kind the row of `seen`, and the number of its set of facets.
    seen : Mapping of str to NDArray
        `public_from` (NaN: not public), `state`, `owner` and `team`.
    opened : Column
        Of each record the moment from which anybody may have its files, NaN where there is none; 0 of long ago.
    values : Mapping of int to Column
        Number of a key → the number that each record has of it.
    """

    serial: int
    numbers: NDArray[np.int64]
    kinds: NDArray[np.int32]
    holders: NDArray[np.int32]
    facets: NDArray[np.int64]
    seen: Mapping[str, NDArray[Any]]
    opened: Column
    values: Mapping[int, Column]

    @cached_property
    def states(self) -> NDArray[np.str_]:
        """Of each kind the state."""
        return np.asarray(self.seen["state"][self.holders], np.str_)


class _Kept:
    """The columns that a process keeps of a catalogue; they belong to the lock."""

    def __init__(self, name: str, at_least: int) -> None:
        self.name, self.at_least, self.process = name, at_least, os.getpid()
        self.lock = threading.Lock()
        self.columns: Columns | None = None
        self.wanted: dict[int, None] = {}  # keys; those that were asked for last come last
        self.reading = False


_OF_ENGINES: Final[WeakKeyDictionary[Engine, _Kept]] = WeakKeyDictionary()


def keep_columns(catalogue: Catalogue, at_least: int = AT_LEAST) -> None:
    """Keep in memory the numbers that ranges of this catalogue ask for, from now on, for as long as it is open.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    at_least : int
        Records that it must have.
    """
    _OF_ENGINES.setdefault(catalogue.engine, _Kept(catalogue.name, at_least))


def columns_of(connection: Connection, keys: Collection[int]) -> Columns | None:
    """Return the columns of parameters as a connection sees them; None where they are not kept, or not yet.

    Parameters
    ----------
    connection : Connection
        That only reads: what another one writes may be taken back.
    keys : collection of int
        Numbers of keys.

    Returns
    -------
    Columns or None
        With these keys at least.
    """
    column_store = _OF_ENGINES.get(connection.engine)
    # A process that was forked has no thread that reads, and perhaps a lock that nobody opens.
    if (
        column_store is None
        or column_store.process != os.getpid()
        or not connection.get_execution_options().get("index")
    ):
        return None
    with column_store.lock:
        columns = _followed(connection, column_store)
        for key in keys:
            column_store.wanted.pop(key, None)
            column_store.wanted[key] = None
        if columns is not None and columns.values.keys() >= set(keys):
            return columns
        if (
            not column_store.reading
            and len(keys) <= MOST_KEYS
            and is_large(connection, column_store.at_least)
        ):
            column_store.reading = True
            catalogue = Catalogue(connection.engine, column_store.name)
            threading.Thread(target=_read_wanted, args=(catalogue, column_store), daemon=True).start()
    return None


def read_columns(catalogue: Catalogue) -> None:
    """Read the columns that were asked for last and are not kept yet; others ask meanwhile.

    Parameters
    ----------
    catalogue : Catalogue
        Of which columns are kept.
    """
    column_store = _OF_ENGINES[catalogue.engine]
    with catalogue.reading() as connection:
        with column_store.lock:
            columns = _followed(connection, column_store)
            keys = list(column_store.wanted)[-MOST_KEYS:]
            column_store.wanted = dict.fromkeys(keys)
        if columns is None:
            columns = _read(connection, last_change(connection))
        values = {
            key: columns.values[key]
            if key in columns.values
            else _read_values(connection, key, columns.numbers)
            for key in keys
        }
        with column_store.lock:
            # Perhaps an earlier state than somebody else has reached meanwhile: the next question follows once more.
            column_store.columns = replace(columns, values=values)


def _read_wanted(catalogue: Catalogue, column_store: _Kept) -> None:
    try:
        read_columns(catalogue)
    except (TomariumError, SQLAlchemyError) as problem:  # it does not answer; the next question tries again
        _LOG.warning("%s: numbers were not read into memory (%s)", catalogue.name, problem)
    finally:
        column_store.reading = False


def is_large(connection: Connection, at_least: int = AT_LEAST) -> bool:
    """Tell whether a catalogue has so many records, whoever may see them, that memory answers sooner."""
    count = connection.execute(select(func.coalesce(func.sum(totals.c.total), 0))).scalar_one()
    return int(count) >= at_least


def _followed(connection: Connection, column_store: _Kept) -> Columns | None:
    """Return what is kept as a connection sees it, and keep it so; None where that is not to be had."""
    columns, serial = column_store.columns, last_change(connection)
    if columns is None or columns.serial == serial:
        return columns
    if serial < columns.serial:  # its state is older than what others have seen
        return None
    numbers = changed_since(connection, columns.serial)
    too_many = numbers is None or len(numbers) > min(_MOST_CHANGES, len(columns.numbers))
    column_store.columns = (
        None if numbers is None or too_many else _changed(connection, columns, numbers, serial)
    )
    return column_store.columns


def _read(connection: Connection, serial: int) -> Columns:
    """Read what is kept of each record, whatever ranges ask for."""
    parts, last = [], -(2**63)
    while True:
        numbers = select(records.c.number).where(records.c.number > last).order_by(records.c.number)
        bound = select(func.max(numbers.limit(_AT_ONCE).subquery().c.number))
        end = connection.execute(bound).scalar_one()
        if end is None:
            break
        parts.append(_lines(connection, _between(last + 1, end)))
        last = int(end)
    empty = Columns(
        serial,
        *(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64)),
        _seen([]),
        column_of(np.zeros(0)),
        {},
    )
    columns = _with(empty, [line for part in parts for line in part])
    there, opened = columns.numbers, np.full(len(columns.numbers), np.nan)
    for start in range(0, len(there), _AT_ONCE):
        block = there[start : start + _AT_ONCE]
        of, moments = _opened(connection, _between(int(block[0]), int(block[-1])))
        opened[np.searchsorted(there, of)] = moments
    return replace(columns, opened=column_of(opened))


def _opened(connection: Connection, which: Which) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read of records the moment from which anybody may have their files, where there is one."""
    settled = literal(time.time() - SETTLED_S)
    since = case((records.c.open_from <= settled, literal(0.0)), else_=records.c.open_from).label("since")
    numbers = func.aggregate_strings(cast(records.c.number, Text), ",")
    wanted = select(since, numbers).where(which(records.c.number), records.c.open_from.is_not(None))
    told = [(row[0], read_numbers(row[1])) for row in connection.execute(wanted.group_by(since))]
    moments = np.repeat(np.array([moment for moment, _ in told], np.float64), [len(some) for _, some in told])
    return np.concatenate([np.zeros(0, np.int64), *(some for _, some in told)]), moments


Line = tuple[tuple[float, str, str, str], NDArray[np.int64], NDArray[np.int64]]


def _lines(connection: Connection, which: Which) -> list[Line]:
    """Read records by who may see them: public_from, state, owner and team; their numbers, and sets of facets."""
    of = records.c
    # Public for more than a day is public to everybody's clock.
    settled = literal(time.time() - SETTLED_S)
    since = case((of.public_from <= settled, literal(0.0)), else_=of.public_from).label("since")
    by = (since, of.state, of.owner, of.team)
    lists = [func.aggregate_strings(cast(column, Text), ",") for column in (of.number, of.facets)]
    rows = connection.execute(select(*by, *lists).where(which(of.number)).group_by(*by))
    return [
        (
            (np.nan if since is None else since, state, owner, team),
            read_numbers(numbers),
            read_numbers(facets),
        )
        for since, state, owner, team, numbers, facets in rows
    ]


def _seen(holders: Sequence[tuple[float, str, str, str]]) -> dict[str, NDArray[Any]]:
    columns = list(zip(*holders, strict=True)) or [()] * 4
    arrays: list[NDArray[Any]] = [
        np.array(columns[0], np.float64),
        *(np.array(values, object) for values in columns[1:]),
    ]
    return dict(zip(("public_from", "state", "owner", "team"), arrays, strict=True))


def _with(columns: Columns, lines: Sequence[Line]) -> Columns:
    """Enter records as they are now; those that were not there get no value."""
    before = zip(*(values.tolist() for values in columns.seen.values()), strict=True)
    # NaN is not equal to itself, so it stands as None here.
    places = {(_known(since), *who): place for place, (since, *who) in enumerate(before)}
    empty = [np.zeros(0, np.int64)]
    holders = [
        np.full(len(some), places.setdefault((_known(since), *rest), len(places)), np.int64)
        for (since, *rest), some, _ in lines
    ]
    codes = (np.concatenate(empty + holders) << _SETS) + np.concatenate(
        empty + [sets for _, _, sets in lines]
    )
    known_codes = (columns.holders.astype(np.int64) << _SETS) + columns.facets
    new = np.setdiff1d(codes, known_codes)
    known_codes = np.concatenate([known_codes, new])
    order = np.argsort(known_codes)
    kinds = order[np.searchsorted(known_codes, codes, sorter=order)]
    numbers = np.concatenate(empty + [line_numbers for _, line_numbers, _ in lines])
    columns = _widened(columns, numbers)
    all_kinds = columns.kinds.copy()
    all_kinds[np.searchsorted(columns.numbers, numbers)] = kinds
    return replace(
        columns,
        kinds=all_kinds,
        holders=np.concatenate([columns.holders, (new >> _SETS).astype(np.int32)]),
        facets=np.concatenate([columns.facets, new & (1 << _SETS) - 1]),
        seen=_seen([(np.nan if since is None else since, *who) for since, *who in places]),
    )


def _widened(columns: Columns, numbers: NDArray[np.int64]) -> Columns:
    """Make room for records that are not there."""
    _, is_present = rows_of(columns, numbers)
    new = np.sort(numbers[~is_present])
    if not len(new):
        return columns
    at = np.searchsorted(columns.numbers, new)
    return replace(
        columns,
        numbers=np.insert(columns.numbers, at, new),
        kinds=np.insert(columns.kinds, at, 0),
        opened=columns.opened.widened(at),
        values={key: column.widened(at) for key, column in columns.values.items()},
    )


def rows_of(columns: Columns, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Tell in which rows records are, or would be; and which are there."""
    rows = np.searchsorted(columns.numbers, numbers)
    is_present = np.zeros(len(rows), bool)
    inside = rows < len(columns.numbers)
    is_present[inside] = columns.numbers[rows[inside]] == numbers[inside]
    return rows, is_present


def _between(first: int, last: int) -> Which:
    return lambda number: number.between(first, last)


def _among(connection: Connection, numbers: NDArray[np.int64]) -> Which:
    return lambda number: dialect_of(connection).one_of(number, numbers.tolist())


def _known(since: float) -> float | None:
    return None if np.isnan(since) else since


def _changed(connection: Connection, columns: Columns, numbers: NDArray[np.int64], serial: int) -> Columns:
    """Read some records once more."""
    which = _among(connection, numbers)
    lines = _lines(connection, which)
    now = np.concatenate([np.zeros(0, np.int64), *(line_numbers for _, line_numbers, _ in lines)])
    rows, is_present = rows_of(columns, numbers)
    gone = rows[is_present & ~np.isin(numbers, now)]
    columns = replace(columns, serial=serial)
    if len(gone):
        columns = replace(
            columns,
            numbers=np.delete(columns.numbers, gone),
            kinds=np.delete(columns.kinds, gone),
            opened=columns.opened.without(gone),
            values={key: column.without(gone) for key, column in columns.values.items()},
        )
    columns = _with(columns, lines)
    anew = np.searchsorted(columns.numbers, now)
    values = {}
    for key, column in columns.values.items():
        of, told = dialect_of(connection).numbers_of(connection, key, which)
        values[key] = column.entered(anew, np.searchsorted(columns.numbers, of), told)
    of, told = _opened(connection, which)
    opened = columns.opened.entered(anew, np.searchsorted(columns.numbers, of), told)
    return replace(columns, values=values, opened=opened)


def _read_values(connection: Connection, key: int, numbers: NDArray[np.int64]) -> Column:
    """Read the numbers of a key."""
    values = np.full(len(numbers), np.nan)
    for start in range(0, len(numbers), _AT_ONCE):
        numbers_read = numbers[start : start + _AT_ONCE]
        which = _between(int(numbers_read[0]), int(numbers_read[-1]))
        of, numbers_of_key = dialect_of(connection).numbers_of(connection, key, which)
        values[np.searchsorted(numbers, of)] = numbers_of_key
    return column_of(values)
