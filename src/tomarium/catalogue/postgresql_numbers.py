"""Numbers of parameters in PostgreSQL: one row for each record, and one index of all numbers by size.

Each row of PostgreSQL takes 28 bytes besides its values, and each entry of a B-tree 12: with a row for each number the
numbers took more room than all else of a catalogue. So the numbers of a record stand in one row, as two arrays, and an
inverted index (GIN) has each number by its key with the first 6, 12 and 18 bits of the number, in the order of size.
A range is some hundred of these at most; what they find is compared itself.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Float,
    FromClause,
    Integer,
    Text,
    and_,
    case,
    cast,
    column,
    false,
    func,
    select,
    table,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from tomarium.catalogue.postgresql_copy import copy_rows, spell_array
from tomarium.catalogue.range_condition import within
from tomarium.catalogue.ranges import Range

# Of the first 24 bits of a number, how many are left out: the finest comes first.
SHIFTS: Final = (6, 12, 18)
_SIGN: Final = 0x800000
_ALL: Final = 0xFFFFFF

# It costs 60 µs: stated as so dear, the planner looks codes up in the index and never makes them to compare one.
MAKE_CODES: Final = f"""
CREATE OR REPLACE FUNCTION parameter_codes(keys integer[], numbers double precision[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT array_agg((key * 4 + level) * {_ALL + 1} + (place >> shift))
    FROM (
        SELECT key, CASE WHEN bits < {_SIGN} THEN bits + {_SIGN} ELSE {_ALL} - bits END AS place
        FROM (
            SELECT key::bigint, get_byte(sent, 0) * 65536 + get_byte(sent, 1) * 256 + get_byte(sent, 2) AS bits
            FROM unnest(keys, numbers) AS told(key, number), float8send(number + 0.0) AS sent
        ) AS read
    ) AS placed, (VALUES {", ".join(f"({level}, {shift})" for level, shift in enumerate(SHIFTS))}) AS cut(level, shift)
$$
"""
MAKE_TABLE: Final = """
CREATE TABLE {} (record bigint PRIMARY KEY, keys integer[] NOT NULL, numbers double precision[] NOT NULL)
"""
# The function that it needs is made by a migration.
MAKE_INDEX: Final = "CREATE INDEX {0}_number ON {0} USING gin (parameter_codes(keys, numbers))"
_SAMPLE: Final = 3000  # records that a range is tried at to tell how many it has
_MANY: Final = 4  # one of so many records, and a range is one of many
_PARAMETER: Final = table(
    "parameter",
    column("record", BigInteger),
    column("keys", ARRAY(Integer)),
    column("numbers", ARRAY(Float)),
)


def save_numbers(
    connection: Connection, rows: Sequence[tuple[int, int, float]], table: str = "parameter"
) -> None:
    """Enter numbers: key, record, number; all of a record at once."""
    of_records: dict[int, tuple[list[int], list[float]]] = {}
    for key, record, number in rows:
        keys, numbers = of_records.setdefault(record, ([], []))
        keys.append(key)
        numbers.append(number)
    # Spelled here: the driver looks at each number for its type.
    spelled = (
        (record, spell_array(keys), spell_array(numbers))
        for record, (keys, numbers) in sorted(of_records.items())
    )
    copy_rows(connection, table, ("record", "keys", "numbers"), spelled)


def forget_numbers(connection: Connection, records: Sequence[int], table: str = "parameter") -> None:
    """Forget the numbers of records."""
    gone = text(f"DELETE FROM {table} WHERE record = ANY(CAST(:records AS bigint[]))")
    connection.execute(gone, {"records": list(records)})


def in_ranges(
    ranges: Sequence[tuple[int, Range]], *, by_size: bool, name: str
) -> tuple[FromClause, ColumnElement[int], list[ColumnElement[bool]]]:
    """Return what has numbers in all of some ranges: a table, its column of the record, and conditions on its rows.

    Parameters
    ----------
    ranges : sequence of (int, Range)
        At least one: number of the key, and the range in its unit.
    by_size : bool
        Whether the index by size is asked, for few records; or each row is tried, in the order of time.
    name : str
        Of the table in the query.

    Returns
    -------
    tuple of FromClause, ColumnElement and list of ColumnElement
        These three.
    """
    of = _PARAMETER.alias(f"{name}_row")
    conditions = [condition for key, bounds in ranges for condition in _tried(of, key, bounds)]
    if not by_size:
        return of, of.c.record, conditions
    codes = func.parameter_codes(of.c["keys"], of.c.numbers)
    conditions += [
        codes.op("&&", is_comparison=True)(cast(codes_of(key, bounds), ARRAY(BigInteger)))
        for key, bounds in ranges
    ]
    # The offset has the index asked once, and keeps PostgreSQL from trying the row of each record instead.
    records_found = select(of.c.record).where(*conditions).offset(0).subquery(name)
    return records_found, records_found.c.record, []


def numbers_of(
    connection: Connection, key: int, which: Callable[[ColumnElement[int]], ColumnElement[bool]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read the numbers of a key of records whose own number meets a condition: these records, and the numbers."""
    of = _PARAMETER.c
    number: ColumnElement[Any] = of.numbers[func.array_position(of["keys"], cast(key, Integer))]
    numbers_read = select(of.record, number.label("number")).where(which(of.record)).offset(0).subquery()
    # One line of each: rows would take longer to be read than to be found. Written as texts, numbers lose no bit.
    lines = [
        func.aggregate_strings(cast(column, Text), ",")
        for column in (numbers_read.c.record, numbers_read.c.number)
    ]
    row = connection.execute(select(*lines).where(numbers_read.c.number.is_not(None))).one()
    return np.fromstring(row[0] or "", np.int64, sep=","), np.fromstring(row[1] or "", np.float64, sep=",")


def number_beside(key: ColumnElement[int], record: ColumnElement[int]) -> ColumnElement[float]:
    """Return the number of a key of the record that another column tells; NULL where it has none."""
    of = _PARAMETER.c
    number: ColumnElement[Any] = of.numbers[func.array_position(of["keys"], cast(key, Integer))]
    return select(number).where(of.record == record).scalar_subquery()


def size_of_range(connection: Connection, key: int, bounds: Range, at_most: int) -> int:
    """Tell about how many records are in a range, by some thousand records of all times; `at_most` of a large part."""
    row_count_query = "SELECT reltuples FROM pg_class WHERE oid = 'parameter'::regclass"
    rows = float(connection.exec_driver_sql(row_count_query).scalar_one())
    is_whole = rows <= _SAMPLE
    of: FromClause = _PARAMETER
    if not is_whole:
        of = _PARAMETER.tablesample(func.system(100 * _SAMPLE / rows), name="sample", seed=cast(1, Integer))
    count_in_range = func.count().filter(and_(*_tried(of, key, bounds)))
    counts = connection.execute(select(count_in_range, func.count()).select_from(of)).one()
    if _MANY * counts[0] > counts[1]:  # row after row is sooner than a set of so many
        return at_most
    size = counts[0] if is_whole else round(rows * counts[0] / max(counts[1], 1))
    return min(at_most, int(size))


def codes_of(key: int, bounds: Range) -> list[int]:
    """List what the index has of the numbers in a range, and of some just beyond its bounds; at most 316."""
    at, last = _place(bounds.low) >> SHIFTS[0], _place(bounds.high) >> SHIFTS[0]
    codes = []
    while at <= last:
        level = max(
            level
            for level, shift in enumerate(SHIFTS)
            if at % (size := 1 << shift - SHIFTS[0]) == 0 and at + size - 1 <= last
        )
        step = SHIFTS[level] - SHIFTS[0]
        codes.append((key * 4 + level) * (_ALL + 1) + (at >> step))
        at += 1 << step
    return codes


def _place(number: float) -> int:
    """Return the first 24 bits of a number, such that the larger number has no smaller ones; -0.0 is 0.0."""
    bits = int.from_bytes(struct.pack(">d", number + 0.0)[:3])
    return _ALL - bits if bits >= _SIGN else bits + _SIGN


def _tried(of: FromClause, key: int, one: Range) -> list[ColumnElement[bool]]:
    """Return the conditions on a row that its number of a key lies in a range; none of a record without this key."""
    number: ColumnElement[Any] = of.c.numbers[func.array_position(of.c["keys"], cast(key, Integer))]
    first = one.low if one.with_low else math.nextafter(one.low, math.inf)
    beyond = math.nextafter(one.high, math.inf) if one.with_high else one.high
    if (
        -math.inf < first < beyond < math.inf
    ):  # the number is looked up in its row once, and not for each bound
        bounds = cast([first, beyond], ARRAY(Double))
        return [case((func.width_bucket(number, bounds) == 1, true()), else_=false())]
    # PostgreSQL takes every second row to meet a CASE, but one of two hundred to have a number between two others.
    return [case((and_(*within(number, one)), true()), else_=false())]
