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


def cut_rows(rows: slice, slab_rows: int, halo_rows: int, height: int) -> tuple[Cut, ...]:
    """Cut rows into slabs.

    Parameters
    ----------
    rows : slice
        Rows wanted, `start` and `stop` given.
    slab_rows : int
        Rows a slab makes; the last may be shorter.
    halo_rows : int
        Rows of context on each side.
    height : int
        Rows the scan has; the halo ends there.

    Returns
    -------
    tuple of Cut
        From the top down; together their `makes` are `rows`, each once.
    """
    cuts = []
    for index, start in enumerate(range(rows.start, rows.stop, slab_rows)):
        stop = min(start + slab_rows, rows.stop)
        reads = slice(max(start - halo_rows, 0), min(stop + halo_rows, height))
        cuts.append(Cut(index, slice(start, stop), reads))
    return tuple(cuts)
