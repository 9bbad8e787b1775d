"""A spool: what a section leaves, laid down uncompressed, so that the next can cut it another way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.model import Layout, Slab
from tomarium.model.scan import IndexedFrames


@dataclass(frozen=True, eq=False)
class Spool(IndexedFrames):
    """Numbers in a raw file or in memory: (angle, row, column), or slices (z, y, x).

    Attributes
    ----------
    layout : Layout
        What lies in it, as many rows as it holds.
    first_row : int
        Row of the scan that its first row is.
    path : Path or None
        Raw file in C order, native byte order; None where it lies in memory.
    array : array or None
        Where it lies in memory.
    """

    layout: Layout
    first_row: int
    path: Path | None = None
    array: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Lengths of its axes."""
        return self.layout.shape

    @property
    def dtype(self) -> DTypeLike:
        """Type of a number."""
        return self.layout.dtype

    def _numbers(self, mode: Any) -> NDArray[Any]:
        if self.array is not None:
            return self.array
        assert self.path is not None
        return np.memmap(self.path, self.layout.dtype, mode, shape=self.layout.shape)

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read rows (of the scan) of some frames; of slices, the slices of these rows."""
        first, last, _ = rows.indices(self.first_row + self.layout.rows)
        held = slice(first - self.first_row, last - self.first_row)
        if self.layout.domain == "slice":
            return np.array(self._numbers("r")[held])
        return np.array(self._numbers("r")[frames, held])

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read from disk and bytes decompressed (the same: nothing is packed)."""
        first, last, _ = rows.indices(self.first_row + self.layout.rows)
        size = frames * (last - first) * self.shape[2] * self.layout.dtype.itemsize
        return size, size

    def put(self, slab: Slab) -> None:
        """Lay a slab down; it is on its way to the disk when this returns."""
        numbers = self._numbers("r+")
        held = slice(slab.rows.start - self.first_row, slab.rows.stop - self.first_row)
        if self.layout.domain == "slice":
            numbers[held] = slab.data
        else:
            frames = slice(None) if slab.frames is None else slab.frames
            numbers[frames, held] = slab.data
        if isinstance(numbers, np.memmap):
            numbers.flush()


def make_spool(layout: Layout, rows: slice, path: Path | None) -> Spool:
    """Make a spool, or take the one that a stopped run left.

    Parameters
    ----------
    layout : Layout
        What a section leaves, in the whole.
    rows : slice
        Rows of the scan that it holds.
    path : Path or None
        Raw file; None keeps it in memory.

    Returns
    -------
    Spool
        Zeros where nothing was laid down yet.
    """
    held = layout.with_rows(rows.stop - rows.start)
    if path is None:
        return Spool(held, rows.start, array=np.zeros(held.shape, held.dtype))
    if not path.exists() or path.stat().st_size != held.bytes:
        with path.open("wb") as file:
            file.truncate(held.bytes)
    return Spool(held, rows.start, path)
