"""Numbers of one parameter in memory, with the part of all in which each lies, by which ranges are found sooner.

Numbers are cut into 255 parts of about as many each, and the part of each number is kept as one byte. A range holds all
numbers of the parts between its bounds; only those of the two parts in which its bounds lie are compared themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.catalogue.ranges import Range

_NONE: Final = 255  # part of records without a number
_SAMPLE: Final = 25_400  # numbers, at least, by which parts are cut


@dataclass(frozen=True, eq=False)
class Column:
    """The numbers of a parameter, one a record.

    Attributes
    ----------
    numbers : NDArray of float64
        NaN where a record has none.
    parts : NDArray of uint8
        Of each the number of bounds that are not larger; 255 where there is none.
    bounds : NDArray of float64
        At most 254, in order.
    """

    numbers: NDArray[np.float64]
    parts: NDArray[np.uint8]
    bounds: NDArray[np.float64]

    def without(self, rows: NDArray[np.int64]) -> Column:
        """Leave rows out."""
        return Column(np.delete(self.numbers, rows), np.delete(self.parts, rows), self.bounds)

    def widened(self, before: NDArray[np.int64]) -> Column:
        """Put a row without a number before each of these rows."""
        return Column(
            np.insert(self.numbers, before, np.nan), np.insert(self.parts, before, _NONE), self.bounds
        )

    def entered(self, anew: NDArray[np.int64], at: NDArray[np.int64], numbers: NDArray[np.float64]) -> Column:
        """Enter numbers at some rows; of rows that are entered anew those that are not among them have none."""
        all_numbers, parts = self.numbers.copy(), self.parts.copy()
        all_numbers[anew], parts[anew] = np.nan, _NONE
        all_numbers[at], parts[at] = numbers, _parts(numbers, self.bounds)
        return Column(all_numbers, parts, self.bounds)

    def inside(self, bounds: Range) -> NDArray[np.bool_]:
        """Tell which numbers lie in a range."""
        first, last = (np.searchsorted(self.bounds, bound, "right") for bound in (bounds.low, bounds.high))
        if last < first:
            return np.zeros(len(self.parts), bool)
        # Bytes wrap around: those below the first are far above.
        is_inside = self.parts - np.uint8(first) <= np.uint8(last - first)
        edges = np.flatnonzero((self.parts == first) | (self.parts == last))
        numbers = self.numbers[edges]
        met = numbers >= bounds.low if bounds.with_low else numbers > bounds.low
        met &= numbers <= bounds.high if bounds.with_high else numbers < bounds.high
        is_inside[edges] = met
        return is_inside

    def of_rows(self, rows: NDArray[np.int64]) -> NumbersOfRows:
        """Take the numbers of some rows, to be counted."""
        return NumbersOfRows(self, rows, self.parts[rows])


@dataclass(frozen=True, eq=False)
class NumbersOfRows:
    """The numbers that some rows of a column have.

    Attributes
    ----------
    column : Column
        Of which these are.
    rows : NDArray of int64
        Which.
    parts : NDArray of uint8
        Of each row the part in which its number lies.
    """

    column: Column
    rows: NDArray[np.int64]
    parts: NDArray[np.uint8]

    @cached_property
    def in_parts(self) -> NDArray[np.int64]:
        """How many numbers lie in each part."""
        return np.bincount(self.parts, minlength=_NONE + 1)[:_NONE]

    def _in(self, parts: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Read the numbers of some parts."""
        wanted = np.flatnonzero(np.take(parts, self.parts))
        return self.column.numbers[self.rows[wanted]]

    @property
    def extent(self) -> tuple[float, float] | None:
        """The smallest and the largest number; None where no row has one."""
        present = np.flatnonzero(self.in_parts)
        if not len(present):
            return None
        at_ends = np.zeros(_NONE + 1, bool)
        at_ends[present[[0, -1]]] = True
        numbers = self._in(at_ends)
        return float(numbers.min()), float(numbers.max())

    def counted(self, edges: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count the numbers between edges.

        Parameters
        ----------
        edges : NDArray of float64
            In order, at least two; an edge belongs to what is above it.

        Returns
        -------
        NDArray of int64
            One fewer than there are edges; numbers below the first or from the last on are not counted.
        """
        lowest = np.concatenate([[-np.inf], self.column.bounds])
        beyond = np.concatenate([self.column.bounds, [np.inf]])
        # One before the first bin are numbers below all edges, and one after the last those above.
        first = np.searchsorted(edges, lowest, "right")
        is_whole = first == np.searchsorted(edges, beyond, "left")
        bins = np.zeros(len(edges) + 1, np.int64)
        np.add.at(bins, first[is_whole], self.in_parts[: len(lowest)][is_whole])
        is_cut = np.zeros(_NONE + 1, bool)
        is_cut[: len(lowest)] = ~is_whole
        bins += np.bincount(np.searchsorted(edges, self._in(is_cut), "right"), minlength=len(bins))
        return bins[1:-1]


def column_of(numbers: NDArray[np.float64]) -> Column:
    """Cut numbers into parts.

    Parameters
    ----------
    numbers : NDArray of float64
        One a record; NaN where it has none.

    Returns
    -------
    Column
        Of these.
    """
    finite = numbers[~np.isnan(numbers)]
    sample = np.sort(finite[:: max(1, len(finite) // _SAMPLE)])
    bounds = (
        np.unique(sample[np.linspace(0, len(sample) - 1, _NONE + 1).astype(int)[1:-1]])
        if len(sample)
        else sample
    )
    return Column(numbers, _parts(numbers, bounds), bounds)


def _parts(numbers: NDArray[np.float64], bounds: NDArray[np.float64]) -> NDArray[np.uint8]:
    parts = np.searchsorted(bounds, numbers, "right").astype(np.uint8)
    parts[np.isnan(numbers)] = _NONE
    return parts
