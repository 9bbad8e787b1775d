"""What ranges of numbers find, looked up in the memory of a program: counted, grouped by facets, and listed by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tomarium.catalogue.cursor import Cursor
from tomarium.catalogue.facet_counts import Groups
from tomarium.catalogue.number_columns import Columns
from tomarium.catalogue.ranges import Range


@dataclass(frozen=True, eq=False)
class RangeHits:
    """The records that ranges of numbers find.

    Attributes
    ----------
    columns : Columns
        Where it was looked up.
    rows : NDArray of int64
        Rows of these with all that is found whatever facets are asked for, in the order of time.
    left : NDArray of int64
        Those that the facets leave.
    sizes : tuple of int
        Of each range, the records in it, whoever may see them.
    """

    columns: Columns
    rows: NDArray[np.int64]
    left: NDArray[np.int64]
    sizes: tuple[int, ...]

    def groups(self, at_most: int) -> Groups:
        """Count the newest by sets of facets and states, whatever facets are asked for."""
        columns, newest = self.columns, self.rows[-at_most:]
        counts = np.bincount(columns.kinds[newest], minlength=len(columns.facets))
        groups_met = np.flatnonzero(counts)
        states = columns.seen["state"][columns.holders[groups_met]]
        return Groups(columns.facets[groups_met], counts[groups_met], np.asarray(states, np.str_))

    def newest(self, limit: int, offset: int, cursor: Cursor | None) -> list[int]:
        """List numbers of records, the newest first; with a cursor those beyond it, the nearest first."""
        numbers = self.columns.numbers[self.left]
        if cursor is None:
            ordered = numbers[::-1]
        elif cursor.back:
            ordered = numbers[np.searchsorted(numbers, cursor.number, "right") :]
        else:
            ordered = numbers[: np.searchsorted(numbers, cursor.number, "left")][::-1]
        listed: list[int] = ordered[offset : offset + limit].tolist()
        return listed


def hits_in_ranges(
    columns: Columns,
    ranges: Sequence[tuple[int, Range]],
    visible_holders: NDArray[np.bool_],
    meets_facets: NDArray[np.bool_] | None,
) -> RangeHits:
    """Look up the records that ranges of numbers find.

    Parameters
    ----------
    columns : Columns
        With the keys of all ranges.
    ranges : sequence of (int, Range)
        At least one: number of the key, and the range in its unit.
    visible_holders : NDArray of bool
        Of each row of `columns.seen`, whether the reader may know of such records.
    meets_facets : NDArray of bool, or None
        Of each row of `columns.facets`, whether the facets leave such records; None where all are left.

    Returns
    -------
    RangeHits
        Of what meets all of it.
    """
    inside = [columns.values[key].inside(bounds) for key, bounds in ranges]
    rows_in_ranges = np.flatnonzero(np.logical_and.reduce(inside))
    rows = rows_in_ranges[visible_holders[columns.holders][columns.kinds[rows_in_ranges]]]
    rows_left = rows if meets_facets is None else rows[meets_facets[columns.kinds[rows]]]
    return RangeHits(columns, rows, rows_left, tuple(int(np.count_nonzero(mask)) for mask in inside))
