"""What words and ranges find, looked up in the memory of a program: counted, grouped by facets, and listed by time.

The text index tells the numbers of what has the words, and nothing else is asked of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.catalogue.cursor import Cursor
from tomarium.catalogue.facet_counts import Groups
from tomarium.catalogue.facets import EMBARGO, OPEN
from tomarium.catalogue.number_columns import Columns, rows_of
from tomarium.catalogue.ranges import Range

Ranges = Sequence[tuple[int, Range]]
AccessOf = Callable[[NDArray[np.int64]], NDArray[np.int8]]
ACCESS_TOLD: Final = ("", OPEN, EMBARGO)
"""No access, and the values of the facet of that name."""


@dataclass(frozen=True, eq=False)
class MemoryHits:
    """The records that words and ranges of numbers find.

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
    is_whole : bool
        Whether these are all; or only the newest, of which nothing between is left out.
    access_of : callable
        Tells the access of rows, each as a place among `ACCESS_TOLD`.
    with_ranges : callable
        Looks up the same with other ranges.
    """

    columns: Columns
    rows: NDArray[np.int64]
    left: NDArray[np.int64]
    sizes: tuple[int, ...]
    is_whole: bool
    access_of: AccessOf
    with_ranges: Callable[[Ranges], MemoryHits]

    def count(self, at_most: int) -> int | None:
        """Count what the facets leave, up to one more than `at_most`; None where that is not known."""
        return min(len(self.left), at_most + 1) if self.is_whole or len(self.left) > at_most else None

    def groups(self, at_most: int, *, with_left: bool) -> tuple[Groups, bool]:
        """Count the newest by sets of facets and states, whatever facets are asked for; and whether these are all.

        With the numbers of all that the facets leave where these are wanted, and at most so many.
        """
        columns, newest = self.columns, self.rows[-at_most - 1 :]
        access = self.access_of(newest)
        counts = np.bincount(columns.kinds[newest] * len(ACCESS_TOLD) + access)
        met = np.flatnonzero(counts)
        kinds = met // len(ACCESS_TOLD)
        groups = Groups(
            columns.facets[kinds],
            counts[met],
            columns.states[kinds],
            np.array(ACCESS_TOLD, np.str_)[met % len(ACCESS_TOLD)],
            left=self.numbers(at_most) if with_left else None,
        )
        return groups, self.is_whole and len(self.rows) <= at_most

    def numbers(self, at_most: int) -> NDArray[np.int64] | None:
        """List the numbers of all that the facets leave; None of more than `at_most`, and where that is not known."""
        is_known = self.is_whole and len(self.left) <= at_most
        return self.columns.numbers[self.left] if is_known else None

    def newest(self, limit: int, offset: int, cursor: Cursor | None) -> list[int] | None:
        """List numbers of records, the newest first; with a cursor those beyond it, the nearest first.

        None where these may not be all that are there.
        """
        numbers, left = self.columns.numbers, self.left
        if cursor is None:
            ordered = left[::-1]
        elif cursor.back:
            row = np.searchsorted(numbers, cursor.number, "right")
            ordered = left[np.searchsorted(left, row, "left") :]
        else:
            row = np.searchsorted(numbers, cursor.number, "left")
            ordered = left[: np.searchsorted(left, row, "left")][::-1]
        listed: list[int] = numbers[ordered[offset : offset + limit]].tolist()
        is_back = cursor is not None and cursor.back
        return listed if self.is_whole or (len(listed) == limit and not is_back) else None


def hits_in_memory(
    columns: Columns,
    ranges: Ranges,
    visible_holders: NDArray[np.bool_],
    meets_facets: NDArray[np.bool_] | None,
    access: Sequence[str] | None,
    *,
    access_of: AccessOf,
    with_words: NDArray[np.int64] | None = None,
    is_whole: bool = True,
) -> MemoryHits:
    """Look up the records that words and ranges of numbers find.

    Parameters
    ----------
    columns : Columns
        With the keys of all ranges.
    ranges : sequence of (int, Range)
        Number of the key, and the range in its unit.
    visible_holders : NDArray of bool
        Of each row of `columns.seen`, whether the reader may know of such records.
    meets_facets : NDArray of bool, or None
        Of each row of `columns.facets`, whether the facets leave such records; None where all are left.
    access : sequence of str, or None
        Values of the facet of that name, any of which will do; None where all are left.
    access_of : callable
        Tells the access of rows, each as a place among `ACCESS_TOLD`.
    with_words : NDArray of int64, or None
        Numbers of the records that have the words, in any order; None where no words are asked for.
    is_whole : bool
        Whether these are all that have them, or only the newest.

    Returns
    -------
    MemoryHits
        Of what meets all of it.
    """
    with_ranges = partial(
        hits_in_memory,
        columns,
        visible_holders=visible_holders,
        meets_facets=meets_facets,
        access=access,
        access_of=access_of,
        with_words=with_words,
        is_whole=is_whole,
    )
    inside = [columns.values[key].inside(bounds) for key, bounds in ranges]
    visible_kinds = visible_holders[columns.holders]
    if with_words is None and not ranges:
        rows = np.flatnonzero(visible_kinds[columns.kinds])
    elif with_words is None:
        rows = np.flatnonzero(np.logical_and.reduce(inside))
    else:
        # Mostly they are sorted, upwards or downwards. SQLite's text index still knows the words of what is gone.
        rows, is_present = rows_of(columns, np.sort(with_words, kind="stable"))
        rows = rows[is_present]
        if inside:
            rows = rows[np.logical_and.reduce([mask[rows] for mask in inside])]
    kinds = columns.kinds[rows]
    if with_words is not None or ranges:
        is_visible = visible_kinds[kinds]
        rows, kinds = rows[is_visible], kinds[is_visible]
    left = rows if meets_facets is None else rows[meets_facets[kinds]]
    if access is not None:
        wanted = np.isin(np.array(ACCESS_TOLD), [value for value in access if value])
        left = left[wanted[access_of(left)]]
    sizes = tuple(int(np.count_nonzero(mask)) for mask in inside)
    return MemoryHits(columns, rows, left, sizes, is_whole, access_of, with_ranges)
