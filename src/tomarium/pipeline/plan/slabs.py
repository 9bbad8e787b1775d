"""How data are cut into slabs of rows or of angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LARGEST: Final = 128
"""Rows of the tallest slab; also the height of the tallest shard of a volume."""


@dataclass(frozen=True)
class Cut:
    """One slab: the rows (or angles) it makes and those it reads.

    Attributes
    ----------
    index : int
        Its number, from 0.
    makes : slice
        Rows it is responsible for.
    reads : slice
        The same with the halo, as far as there are rows.
    """

    index: int
    makes: slice
    reads: slice

    @property
    def halo(self) -> tuple[int, int]:
        """Rows read above and below those it makes."""
        return self.makes.start - self.reads.start, self.reads.stop - self.makes.stop


Reach = tuple[tuple[int, int], ...]
"""What steps need of rows, in order: rows of context on each side, and rows they work on together."""


def reached(rows: slice, reach: Reach, height: int) -> slice:
    """Return the rows that steps need to make some rows.

    Parameters
    ----------
    rows : slice
        Rows wanted, `start` and `stop` given.
    reach : Reach
        Of each step, in order. Rows that one works on together are counted from the first of the scan, and none of
        them is left out, so that they meet the same neighbours whatever rows are wanted.
    height : int
        Rows the scan has.

    Returns
    -------
    slice
        As far as there are rows.
    """
    start, stop = rows.start, rows.stop
    for halo, together in reversed(reach):
        start, stop = start - halo, stop + halo
        start, stop = start - start % together, stop + -stop % together
    return slice(max(start, 0), min(stop, height))


def cut_rows(rows: slice, slab_rows: int, reach: int | Reach, height: int) -> tuple[Cut, ...]:
    """Cut rows into slabs.

    Parameters
    ----------
    rows : slice
        Rows wanted, `start` and `stop` given.
    slab_rows : int
        Rows a slab makes; the last may be shorter.
    reach : int or Reach
        Rows of context on each side, or what steps need.
    height : int
        Rows the scan has; the halo ends there.

    Returns
    -------
    tuple of Cut
        From the top down; together their `makes` are `rows`, each once.
    """
    needs: Reach = ((reach, 1),) if isinstance(reach, int) else reach
    cuts = []
    for index, start in enumerate(range(rows.start, rows.stop, slab_rows)):
        stop = min(start + slab_rows, rows.stop)
        makes = slice(start, stop)
        cuts.append(Cut(index, makes, reached(makes, needs, height)))
    return tuple(cuts)
