"""How the numbers of what a search finds are spread: counts between edges that a range can ask for in as many words."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select, true

from tomarium.catalogue import find, queries
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.facets import NO_FILTERS, Filters
from tomarium.catalogue.number_columns import is_large
from tomarium.catalogue.question import Question
from tomarium.catalogue.ranges import Range, key_of, read_range
from tomarium.model import parameter

SPREAD: Final = ("voxel", "pixel", "energy")
"""Parameters whose numbers are spread, by the names that addresses have for them."""
MOST_BARS: Final = 10
"""Of one spread: as many as a finger can choose among beside a list of records."""
_DECADE: Final = 10.0  # times that the largest is the smallest, at least, where the scale is logarithmic
_SAME: Final = 1e-9  # relative: what a person calls the same number
_MANTISSAS: Final = (("1", "1.5", "2", "3", "5", "7"), ("1", "2", "5"), ("1", "3"), ("1",))
_STEPS: Final = ("1", "2", "2.5", "5")
_LENGTHS: Final = (
    ("nm", -9, 1e-7),
    ("um", -6, 1e-3),
    ("mm", -3, math.inf),
)  # unit, its power, below which number


@dataclass(frozen=True)
class Bar:
    """The numbers between two edges.

    Attributes
    ----------
    low, high : float
        The edges, in the unit of the key; the lower one belongs to it.
    range : str
        What asks for these: "0.5..<1 um".
    count : int
        How many records have such a number.
    """

    low: float
    high: float
    range: str
    count: int


@dataclass(frozen=True)
class Spread:
    """How the numbers of one parameter are spread.

    Attributes
    ----------
    name, key : str
        Its name in addresses, and its key: "pixel", "pixel_m".
    bars : tuple of Bar
        Side by side, from the smallest to the largest number; at most 10.
    logarithmic : bool
        Whether each edge is a multiple of the one before; else they lie evenly.
    of_newest : bool
        Whether only the 20 000 newest of what words and ranges find are counted.
    """

    name: str
    key: str
    bars: tuple[Bar, ...]
    logarithmic: bool
    of_newest: bool


def spread_keys(connection: Connection) -> dict[str, tuple[str, int]]:
    """List the parameters that are spread and that some record tells: name → key, and number of the key."""
    keys = queries.parameter_numbers(connection)
    named = {name: key_of(name, keys) for name in SPREAD}
    return {name: (key, keys[key]) for name, key in named.items() if key in keys}


def spreads(
    connection: Connection,
    question: Question,
    ranges: Sequence[Range],
    keys: Mapping[str, tuple[str, int]],
) -> tuple[Spread, ...]:
    """Tell how the numbers of what is found are spread.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    question : Question
        What is asked, made `by_facets`.
    ranges : sequence of Range
        All that are asked for.
    keys : Mapping of str to (str, int)
        What `spread_keys` told.

    Returns
    -------
    tuple of Spread
        A parameter's own ranges do not limit its numbers, all else that is asked does. Parameters of which all that is
        found has one number, or none, are left out; and all of them where records are many and memory does not tell
        yet.
    """
    if not keys or (question.memory_hits is None and is_large(connection)):
        return ()
    found: dict[tuple[Range, ...], tuple[NDArray[np.int64], bool]] = {}
    told = []
    for name, (key, number) in keys.items():
        one = (
            _from_memory(question, key, number)
            if question.memory_hits is not None
            else _from_database(connection, question, ranges, key, number, found)
        )
        if one is not None:
            told.append(replace(one, name=name))
    return tuple(told)


def _from_memory(question: Question, key: str, number: int) -> Spread | None:
    hits = question.memory_hits
    assert hits is not None
    if number not in hits.columns.values:
        return None
    asked = [*question.few, *question.many]
    others = [one for one in asked if one[0] != number]
    hits = hits if len(others) == len(asked) else hits.with_ranges(others)
    rows, at_most = hits.left, queries.RANKED_AT_MOST
    is_cut = bool(question.terms or others) and len(hits.rows) > at_most
    rows = rows[np.searchsorted(rows, hits.rows[-at_most]) :] if is_cut else rows
    numbers = hits.columns.values[number].of_rows(rows)
    extent = numbers.extent
    edges = None if extent is None else edges_of(key, *extent)
    return None if edges is None else edges.spread(key, numbers.counted(edges.numbers), of_newest=is_cut)


def _from_database(
    connection: Connection,
    question: Question,
    ranges: Sequence[Range],
    key: str,
    number: int,
    found: dict[tuple[Range, ...], tuple[NDArray[np.int64], bool]],
) -> Spread | None:
    others = tuple(one for one in ranges if one.key != key)
    if others not in found:
        found[others] = _found(connection, question, others)
    numbers, is_cut = found[others]
    # A small catalogue: all numbers of the key are read as soon as those of some records.
    records_told, values = dialect_of(connection).numbers_of(connection, number, lambda _: true())
    values = values[np.isin(records_told, numbers)]
    edges = edges_of(key, float(values.min()), float(values.max())) if len(values) else None
    if edges is None:
        return None
    bins = np.searchsorted(edges.numbers, values, "right") - 1
    return edges.spread(key, np.bincount(bins, minlength=len(edges.numbers) - 1), of_newest=is_cut)


def _found(
    connection: Connection, question: Question, ranges: Sequence[Range]
) -> tuple[NDArray[np.int64], bool]:
    """List the numbers of what is found among the newest that words and ranges find; and whether there are more."""

    def listed(filters: Filters, since: int | None = None, limit: int | None = None) -> list[int]:
        asked = find.make_question(
            connection,
            question.reader,
            question.terms,
            filters,
            ranges,
            question.beside,
            elsewhere=question.elsewhere,
        )
        number = find.numbers(connection, asked).subquery().c[0]
        newest = select(number).order_by(number.desc()).limit(limit)
        newest = newest if since is None else newest.where(number >= since)
        return [row[0] for row in connection.execute(newest)]

    if not (question.terms or ranges):
        return np.array(listed(question.filters), np.int64), False
    at_most = queries.RANKED_AT_MOST
    all_newest = listed(NO_FILTERS, limit=at_most + 1)
    is_cut = len(all_newest) > at_most
    all_newest = all_newest[:at_most]
    if question.filters and all_newest:
        return np.array(listed(question.filters, all_newest[-1]), np.int64), is_cut
    return np.array(all_newest, np.int64), is_cut


@dataclass(frozen=True)
class Edges:
    """Edges of bars, as a range spells them.

    Attributes
    ----------
    texts : tuple of str
        Without their unit.
    unit : str
        Of all, with a space before; "" where the key has none.
    numbers : NDArray of float64
        In the unit of the key, in order.
    logarithmic : bool
        As in `Spread`.
    """

    texts: tuple[str, ...]
    unit: str
    numbers: NDArray[np.float64]
    logarithmic: bool

    def spread(self, key: str, counts: Collection[int], *, of_newest: bool) -> Spread:
        """Put counts between the edges; their parameter has no name yet."""
        pairs = zip(
            self.texts, self.texts[1:], self.numbers.tolist(), self.numbers[1:].tolist(), counts, strict=False
        )
        bars = tuple(
            Bar(low, high, f"{low_text}..<{high_text}{self.unit}", int(count))
            for low_text, high_text, low, high, count in pairs
        )
        return Spread("", key, bars, self.logarithmic, of_newest)


def edges_of(key: str, low: float, high: float) -> Edges | None:
    """Choose edges between which all numbers of a parameter lie.

    Parameters
    ----------
    key : str
        Of the parameter, which tells its unit.
    low, high : float
        Its smallest and its largest number, in that unit.

    Returns
    -------
    Edges or None
        At most 11 short numbers, of which the last is above `high`; none where there is one number only, or no finite
        one. Where the largest is ten times the smallest and more they are parts of decades.
    """
    if not (math.isfinite(low) and math.isfinite(high) and high - low > _SAME * max(abs(low), abs(high))):
        return None
    unit = parameter.unit(key)
    power = 0
    if unit == "m":
        unit, power = next((name, power) for name, power, below in _LENGTHS if high < below)
    logarithmic = low > 0 and high >= _DECADE * low

    def number(text: str) -> float:
        return read_range(key, f"{text}{unit and ' '}{unit}..").low

    for texts in _parts_of_decades(low, high, power) if logarithmic else _even(low, high, power):
        numbers = [number(text) for text in texts]
        first = max((place for place, edge in enumerate(numbers) if edge <= low), default=None)
        last = next((place for place, edge in enumerate(numbers) if edge > high), None)
        if first is not None and last is not None and last - first <= MOST_BARS:
            kept = slice(first, last + 1)
            return Edges(tuple(texts[kept]), f" {unit}".rstrip(), np.array(numbers[kept]), logarithmic)
    return None


def _parts_of_decades(low: float, high: float, power: int) -> list[list[str]]:
    """Spell edges of decades around two numbers, finer ones first; in ten to a power."""
    first, last = math.floor(math.log10(low)) - 1, math.floor(math.log10(high)) + 2
    fine = [
        [
            _spelled(Decimal(mantissa).scaleb(decade - power))
            for decade in range(first, last)
            for mantissa in some
        ]
        for some in _MANTISSAS
    ]
    coarse = [
        [_spelled(Decimal(1).scaleb(decade - power)) for decade in range(first - step, last + step, step)]
        for step in (2, 4, 8, 16, 64)
    ]
    return fine + coarse


def _even(low: float, high: float, power: int) -> list[list[str]]:
    """Spell edges that lie evenly around two numbers, finer ones first; in ten to a power."""
    magnitude = math.floor(math.log10(high - low)) - 1
    even = []
    for decade in (magnitude, magnitude + 1, magnitude + 2):
        for mantissa in _STEPS:
            step = Decimal(mantissa).scaleb(decade)
            first, last = (math.floor(Decimal(bound) / step) for bound in (low, high))
            if last - first > 4 * MOST_BARS:
                continue
            even.append([_spelled((step * place).scaleb(-power)) for place in range(first - 1, last + 3)])
    return even


def _spelled(number: Decimal) -> str:
    return f"{number.normalize():f}"
