"""Frames that are made of other frames when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.model import Frames
from tomarium.model.scan import IndexedFrames

_BLOCK_BYTES: Final = 64 << 20

Which = slice | NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CroppedFrames(IndexedFrames):
    """Part of the rows and columns of other frames.

    Attributes
    ----------
    source : Frames
        The whole frames.
    rows, columns : slice
        Which part, `start` and `stop` given.
    """

    source: Frames
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        rows, columns = self.rows.stop - self.rows.start, self.columns.stop - self.columns.start
        return self.source.shape[0], rows, columns

    @property
    def dtype(self) -> DTypeLike:
        """Type of a pixel, that of the source."""
        return self.source.dtype

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read rows of some frames, counted from the crop's first."""
        first, last, _ = rows.indices(self.shape[1])
        part = self.source.read(frames, slice(self.rows.start + first, self.rows.start + last))
        return np.ascontiguousarray(part[:, :, self.columns])

    def read_ranges(self, frames: Which, ranges: Sequence[slice]) -> tuple[NDArray[Any], ...]:
        """Read several ranges of rows of some frames, in one pass where the source can."""
        bounds = [rows.indices(self.shape[1]) for rows in ranges]
        source_ranges = [slice(self.rows.start + first, self.rows.start + last) for first, last, _ in bounds]
        parts = self.source.read_ranges(frames, source_ranges)
        return tuple(np.ascontiguousarray(part[:, :, self.columns]) for part in parts)

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed, those of the source's whole rows."""
        first, last, _ = rows.indices(self.shape[1])
        return self.source.cost(frames, slice(self.rows.start + first, self.rows.start + last))


@dataclass(frozen=True, eq=False)
class ChosenFrames(IndexedFrames):
    """Some frames of others, in any order.

    Attributes
    ----------
    source : Frames
        All frames.
    chosen : array of int, shape (frame,)
        Which, in the order wanted.
    """

    source: Frames
    chosen: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (len(self.chosen), *self.source.shape[1:])

    @property
    def dtype(self) -> DTypeLike:
        """Type of a pixel, that of the source."""
        return self.source.dtype

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read rows of some of the chosen frames."""
        return self.source.read(self._of_source(frames), rows)

    def read_ranges(self, frames: Which, ranges: Sequence[slice]) -> tuple[NDArray[Any], ...]:
        """Read several ranges of rows of some of the chosen frames, in one pass where the source can."""
        return self.source.read_ranges(self._of_source(frames), ranges)

    def _of_source(self, frames: Which) -> Which:
        frame_numbers = self.chosen[frames]
        if len(frame_numbers) > 1 and (np.diff(frame_numbers) == 1).all():
            return slice(int(frame_numbers[0]), int(frame_numbers[-1]) + 1)
        return frame_numbers

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed."""
        return self.source.cost(frames, rows)


@dataclass(frozen=True, eq=False)
class HeldRows(IndexedFrames):
    """Frames of which some rows are read once, when they are first wanted, and kept.

    Attributes
    ----------
    source : Frames
        The frames.
    rows : slice
        Which rows are kept, `start` and `stop` given; others are read anew each time.
    """

    source: Frames
    rows: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self.source.shape

    @property
    def dtype(self) -> DTypeLike:
        """Type of a pixel, that of the source."""
        return self.source.dtype

    @cached_property
    def _held(self) -> NDArray[Any]:
        return self.source.read(slice(0, self.shape[0]), self.rows)

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read rows of some frames, or copy what is kept of them."""
        first, last, step = rows.indices(self.shape[1])
        if not self.rows.start <= first < last <= self.rows.stop:
            return self.source.read(frames, rows)
        return self._held[frames, first - self.rows.start : last - self.rows.start : step].copy()

    def read_ranges(self, frames: Which, ranges: Sequence[slice]) -> tuple[NDArray[Any], ...]:
        """Read several ranges of rows of some frames of the source, in one pass where it can."""
        if len(ranges) == 1:
            return (self.read(frames, ranges[0]),)
        return self.source.read_ranges(frames, ranges)

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed, as of rows that are not kept."""
        return self.source.cost(frames, rows)


@dataclass(frozen=True, eq=False)
class BinnedFrames(IndexedFrames):
    """Means of neighbouring frames, rows and columns.

    Attributes
    ----------
    source : Frames
        The fine frames; what is left over at the ends is left out.
    frames, rows, columns : int
        How many are averaged along each axis.
    """

    source: Frames
    frames: int
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        count, rows, columns = self.source.shape
        return count // self.frames, rows // self.rows, columns // self.columns

    @property
    def dtype(self) -> DTypeLike:
        """Single precision: a mean of counts is no whole number."""
        return np.dtype(np.float32)

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read and average, a few frames at a time."""
        frame_numbers = np.arange(self.shape[0])[frames]
        first, last, _ = rows.indices(self.shape[1])
        fine = slice(first * self.rows, last * self.rows)
        columns = self.shape[2]
        result = np.empty((len(frame_numbers), last - first, columns), np.float32)
        bytes_per_frame = max(1, self.frames * (fine.stop - fine.start) * self.source.shape[2] * 8)
        step = max(1, _BLOCK_BYTES // bytes_per_frame)
        for start in range(0, len(frame_numbers), step):
            block = frame_numbers[start : start + step]
            part = self._fine(block, fine)[:, :, : columns * self.columns]
            shape = (len(block), self.frames, last - first, self.rows, columns, self.columns)
            result[start : start + len(block)] = part.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float64)
        return result

    def _fine(self, block: NDArray[np.intp], rows: slice) -> NDArray[Any]:
        if (np.diff(block) == 1).all():
            numbers: Which = slice(int(block[0]) * self.frames, (int(block[-1]) + 1) * self.frames)
        else:
            numbers = (block[:, None] * self.frames + np.arange(self.frames)).ravel()
        return self.source.read(numbers, rows)

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed of the fine frames."""
        first, last, _ = rows.indices(self.shape[1])
        return self.source.cost(frames * self.frames, slice(first * self.rows, last * self.rows))


@dataclass(frozen=True, eq=False)
class ConcatenatedFrames(IndexedFrames):
    """Frames of several sources, one after the other.

    Attributes
    ----------
    sources : tuple of Frames
        Of the same rows and columns.
    """

    sources: tuple[Frames, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        _, rows, columns = self.sources[0].shape
        return sum(source.shape[0] for source in self.sources), rows, columns

    @property
    def dtype(self) -> DTypeLike:
        """A type that holds the pixels of each source."""
        return np.result_type(*(np.dtype(source.dtype) for source in self.sources))

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read each source's frames in turn."""
        frame_numbers = np.arange(self.shape[0])[frames]
        first, last, _ = rows.indices(self.shape[1])
        result = np.empty((len(frame_numbers), last - first, self.shape[2]), self.dtype)
        start = 0
        for source in self.sources:
            inside = np.flatnonzero((frame_numbers >= start) & (frame_numbers < start + source.shape[0]))
            if len(inside):
                own = frame_numbers[inside] - start
                consecutive = len(own) > 1 and (np.diff(own) == 1).all()
                result[inside] = source.read(
                    slice(int(own[0]), int(own[-1]) + 1) if consecutive else own, rows
                )
            start += source.shape[0]
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed, shared out as the frames are."""
        total = self.shape[0]
        parts = [
            source.cost(max(1, round(frames * source.shape[0] / total)), rows) for source in self.sources
        ]
        return sum(read for read, _ in parts), sum(unpacked for _, unpacked in parts)


@dataclass(frozen=True, eq=False)
class JoinedFrames(IndexedFrames):
    """Views half a turn apart joined to views of a field almost twice as wide.

    Attributes
    ----------
    source : Frames
        Frames of the detector's width.
    first, opposite : array of int, shape (frame,)
        The two frames each joined one is made of; `opposite` is mirrored about the axis.
    axis_column : float
        The axis in the source's columns.
    """

    source: Frames
    first: NDArray[np.intp]
    opposite: NDArray[np.intp]
    axis_column: float

    @property
    def start(self) -> int:
        """Column of the source, perhaps negative, at which the joined frames begin."""
        return min(0, ceil(2 * self.axis_column - (self.source.shape[2] - 1)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        last = max(self.source.shape[2] - 1, floor(2 * self.axis_column))
        return len(self.first), self.source.shape[1], last - self.start + 1

    @property
    def dtype(self) -> DTypeLike:
        """Single precision: mirrored columns lie between pixels."""
        return np.dtype(np.float32)

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read both halves and join them, a few frames at a time."""
        first, opposite = self.first[frames], self.opposite[frames]
        top, bottom, _ = rows.indices(self.shape[1])
        result = np.empty((len(first), bottom - top, self.shape[2]), np.float32)
        step = max(1, _BLOCK_BYTES // max(1, (bottom - top) * self.source.shape[2] * 16))
        for begin in range(0, len(first), step):
            part = slice(begin, begin + step)
            near = self.source.read(first[part], rows).astype(np.float32)
            far = self.source.read(opposite[part], rows).astype(np.float32)
            result[part] = join(near, far, self.axis_column, self.start, self.shape[2])
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed of both halves."""
        return self.source.cost(2 * frames, rows)


def join(
    near: NDArray[np.float32], far: NDArray[np.float32], axis_column: float, start: int, columns: int
) -> NDArray[np.float32]:
    """Join a frame with its opposite one, mirrored about the axis.

    Parameters
    ----------
    near, far : array of float32, shape (frame, row, column)
        Frames, and those half a turn later.
    axis_column : float
        Rotation axis c; column u of the opposite frame is column 2c - u.
    start, columns : int
        First column of the result in columns of `near`, and their number.

    Returns
    -------
    array of float32, shape (frame, row, column)
        Where both see a column they are blended linearly across the overlap; the opposite frame is interpolated
        linearly between its pixels.
    """
    width = near.shape[2]
    x = np.arange(start, start + columns, dtype=np.float64)
    mirrored = 2 * axis_column - x
    left = np.clip(np.floor(mirrored), 0, width - 1).astype(np.intp)
    part = np.clip(mirrored - left, 0, 1).astype(np.float32)
    turned = far[:, :, left] * (1 - part) + far[:, :, np.minimum(left + 1, width - 1)] * part
    own = near[:, :, np.clip(x, 0, width - 1).astype(np.intp)]
    sees_near, sees_far = (x >= 0) & (x <= width - 1), (mirrored >= 0) & (mirrored <= width - 1)
    seen_by_both = np.flatnonzero(sees_near & sees_far)
    weight = np.where(sees_near, 1.0, 0.0)
    if len(seen_by_both):
        ramp = (np.arange(len(seen_by_both)) + 0.5) / len(seen_by_both)
        weight[seen_by_both] = 1 - ramp if axis_column > (width - 1) / 2 else ramp
    weights = weight.astype(np.float32)
    return np.asarray(own * weights + turned * (1 - weights), np.float32)
