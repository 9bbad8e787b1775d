"""A spool: what a section leaves, laid down uncompressed, so that the next can cut it another way."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.errors import InputError
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

    def read(
        self, frames: slice | NDArray[np.intp], rows: slice, empty: Callable[..., NDArray[Any]] = np.empty
    ) -> NDArray[Any]:
        """Read rows (of the scan) of some frames; of slices, the slices of these rows.

        `empty` makes the array from its shape and type, where it does not lie in memory already.
        """
        lines = self._held(rows)
        if self.array is not None:
            return np.array(self.array[lines] if self.layout.domain == "slice" else self.array[frames, lines])
        if self.layout.domain == "slice":
            return self._read(
                [(lines.start, 0)], empty((lines.stop - lines.start, *self.shape[1:]), self.dtype)
            )
        frame_numbers = np.arange(self.shape[0])[frames]
        shape = (len(frame_numbers), lines.stop - lines.start, self.shape[2])
        if shape[1] == self.shape[1] and shape[0] > 1 and np.all(np.diff(frame_numbers) == 1):
            return self._read([(int(frame_numbers[0]), 0)], empty(shape, self.dtype))
        return self._read([(int(frame), lines.start) for frame in frame_numbers], empty(shape, self.dtype))

    def _held(self, rows: slice) -> slice:
        first, last, _ = rows.indices(self.first_row + self.layout.rows)
        return slice(first - self.first_row, last - self.first_row)

    def _offset(self, first: int, second: int) -> int:
        """Byte of the file at which a line begins."""
        return (first * self.shape[1] + second) * self.shape[2] * self.layout.dtype.itemsize

    def _read(self, places: list[tuple[int, int]], result: NDArray[Any]) -> NDArray[Any]:
        """Fill an array with what lies at some places one after the other; all of them are equally long."""
        assert self.path is not None
        if not places or not result.size:
            return result
        parts = result.reshape(len(places), -1)
        with self.path.open("rb", buffering=0) as file:
            for part, (first, second) in zip(parts, places, strict=True):
                unread, offset = memoryview(part.data).cast("B"), self._offset(first, second)
                while unread:
                    read_bytes = os.preadv(file.fileno(), [unread], offset)
                    if not read_bytes:
                        raise InputError(f"{self.path} is shorter than it was; remove it and run again")
                    unread, offset = unread[read_bytes:], offset + read_bytes
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read from disk and bytes decompressed (the same: nothing is packed)."""
        lines = self._held(rows)
        size = frames * (lines.stop - lines.start) * self.shape[2] * self.layout.dtype.itemsize
        return size, size

    def put(self, slab: Slab) -> None:
        """Lay a slab down; another process of this computer sees it when this returns."""
        lines = slice(slab.rows.start - self.first_row, slab.rows.stop - self.first_row)
        frames = slice(None) if slab.frames is None else slab.frames
        if self.array is not None:
            if self.layout.domain == "slice":
                self.array[lines] = slab.data
            else:
                self.array[frames, lines] = slab.data
            return
        data = np.asarray(slab.data)
        first = frames.start or 0
        if self.layout.domain == "slice":
            places = [(lines.start + k, 0) for k in range(len(data))]
        else:
            places = [(first + k, lines.start) for k in range(len(data))]
        if (
            data.flags.c_contiguous
            and data.dtype == self.layout.dtype
            and (self.layout.domain == "slice" or data.shape[1] == self.shape[1])
        ):
            self._write(places[:1], data[None])
        else:  # a copy of the whole, as where its halo was cut off, would take as much memory as the slab
            self._write(places, data)

    def _write(self, places: list[tuple[int, int]], parts: NDArray[Any]) -> None:
        assert self.path is not None
        with self.path.open("r+b", buffering=0) as file:
            for part, place in zip(parts, places, strict=True):
                stored = np.ascontiguousarray(part, self.layout.dtype)
                unwritten, offset = memoryview(stored.data).cast("B"), self._offset(*place)
                while unwritten:
                    written_bytes = os.pwrite(file.fileno(), unwritten, offset)
                    unwritten, offset = unwritten[written_bytes:], offset + written_bytes


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
    spool_layout = layout.with_rows(rows.stop - rows.start)
    if path is None:
        return Spool(spool_layout, rows.start, array=np.zeros(spool_layout.shape, spool_layout.dtype))
    if not path.exists() or path.stat().st_size != spool_layout.bytes:
        with path.open("wb") as file:
            file.truncate(spool_layout.bytes)
    return Spool(spool_layout, rows.start, path)
