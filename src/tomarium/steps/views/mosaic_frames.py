"""Attenuation of tiles beside and above each other, merged to frames of one large detector when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.kernels.shifts import TAPS, move_views
from tomarium.model.scan import IndexedFrames
from tomarium.steps.views.frames import Which
from tomarium.steps.views.stitched_frames import Piece, span_of

_BLOCK_BYTES: Final = 64 << 20


@dataclass(frozen=True, eq=False)
class Tile:
    """One of the scans.

    Attributes
    ----------
    piece : Piece
        The scan, the row of the large detector at which its row 0 lies, its level, and the weights of its rows.
    column : float
        Column of the large detector at which its column 0 lies.
    column_weights : array of float64, shape (column,)
        How much each of its columns counts, times the weight of the row.
    """

    piece: Piece
    column: float
    column_weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MosaicFrames(IndexedFrames):
    """Frames of one large detector.

    Attributes
    ----------
    tiles : tuple of Tile
        Of the same views, rows and columns.
    rows, columns : int
        Size; each pixel is seen by a tile.
    """

    tiles: tuple[Tile, ...]
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self.tiles[0].piece.scan.shape[0], self.rows, self.columns

    @property
    def dtype(self) -> DTypeLike:
        """Single precision."""
        return np.dtype(np.float32)

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read and merge, a few frames at a time."""
        frame_numbers = np.arange(self.shape[0])[frames]
        first, last, _ = rows.indices(self.rows)
        result = np.zeros((len(frame_numbers), last - first, self.columns), np.float32)
        step = max(1, _BLOCK_BYTES // max(1, (last - first + TAPS) * self.columns * 16))
        weight = np.zeros((last - first, self.columns), np.float32)
        tile_parts = [(*part, _weights(part[0], first, *part[2:])) for part in self._seen(first, last)]
        for *_, at_rows, at_columns, counts in tile_parts:
            weight[at_rows, at_columns] += counts
        for begin in range(0, len(frame_numbers), step):
            block = slice(begin, begin + step)
            for tile, read, at_rows, at_columns, counts in tile_parts:
                data = _moved(
                    tile, frame_numbers[block], read, first + at_rows.start, first + at_rows.stop, at_columns
                )
                data *= counts
                result[block, at_rows, at_columns] += data
            result[block] /= np.maximum(weight, np.float32(1e-12))
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed of all tiles that see the rows."""
        first, last, _ = rows.indices(self.rows)
        costs = [
            tile.piece.scan.projections.cost(frames, read) for tile, read, _, _ in self._seen(first, last)
        ]
        return sum(read for read, _ in costs), sum(unpacked for _, unpacked in costs)

    def _seen(self, first: int, last: int) -> Iterator[tuple[Tile, slice, slice, slice]]:
        """Name the tiles that see the rows: which of a tile's rows are read, and where in the result they are put."""
        for tile in self.tiles:
            _, height, width = tile.piece.scan.shape
            down, across = span_of(tile.piece.start, height), span_of(tile.column, width)
            top, bottom = max(first, down.first), min(last, down.stop)
            left, right = max(0, across.first), min(self.columns, across.stop)
            if top >= bottom or left >= right:
                continue
            halo = TAPS // 2 + 1 if down.rest else 0
            read = slice(max(0, top - down.whole - halo), min(height, bottom - down.whole + halo))
            yield tile, read, slice(top - first, bottom - first), slice(left, right)


def _moved(
    tile: Tile, frames: NDArray[np.intp], read: slice, top: int, bottom: int, columns: slice
) -> NDArray[np.float32]:
    """Read a tile's attenuation where the large detector's pixels lie, shape (frame, row, column)."""
    piece = tile.piece
    _, height, width = piece.scan.shape
    down, across = span_of(piece.start, height), span_of(tile.column, width)
    data = piece.attenuation(frames, read) - np.float32(piece.level)
    if down.rest or across.rest:
        moved = np.empty_like(data)
        move_views(data, np.full(len(data), -across.rest), np.full(len(data), -down.rest), moved)
        data = moved
    begin, left = down.whole + read.start, across.whole
    return data[:, top - begin : bottom - begin, columns.start - left : columns.stop - left]


def _weights(tile: Tile, first: int, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Weights of a tile's pixels in a part of the result, shape (row, column)."""
    piece = tile.piece
    at_rows = first + np.arange(rows.start, rows.stop) - piece.start
    at_columns = np.arange(columns.start, columns.stop) - tile.column
    down = np.interp(at_rows, np.arange(len(piece.weights)), piece.weights)
    across = np.interp(at_columns, np.arange(len(tile.column_weights)), tile.column_weights)
    return np.outer(down, across).astype(np.float32)
