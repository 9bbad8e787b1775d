"""Attenuation of a helical scan, gathered to the views of a circular scan of a tall detector when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.kernels.shifts import TAPS, move_views
from tomarium.model.scan import IndexedFrames
from tomarium.steps.views.frames import Which
from tomarium.steps.views.stitched_frames import Piece

_BLOCK_BYTES: Final = 64 << 20
_LEAST_PX: Final = 0.01
_UNSEEN: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Parts:
    """Which views of the helix make which view of the circle; one entry for each pair of them.

    Attributes
    ----------
    target, source : array of int, shape (pair,)
        Number of the made view, and of the one it is made of.
    weight : array of float64, shape (pair,)
        How much it counts, for its angle.
    mirrored : array of bool, shape (pair,)
        Whether it is half a turn off, and is mirrored about the axis.
    """

    target: NDArray[np.intp]
    source: NDArray[np.intp]
    weight: NDArray[np.float64]
    mirrored: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HelixFrames(IndexedFrames):
    """Views of a circular scan.

    Attributes
    ----------
    piece : Piece
        The helical scan, and the weight of each of its rows.
    shifts : array of float64, shape (view,)
        Row of each view at which row 0 of the sample lies.
    parts : Parts
        Of what each view is made.
    views, top, rows : int
        Views that are made; the sample's row that is their first; how many rows.
    axis_column : float or None
        Axis about which views are mirrored.
    """

    piece: Piece
    shifts: NDArray[np.float64]
    parts: Parts
    views: int
    top: int
    rows: int
    axis_column: float | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self.views, self.rows, self.piece.scan.shape[2]

    @property
    def dtype(self) -> DTypeLike:
        """Single precision."""
        return np.dtype(np.float32)

    @cached_property
    def _column_weights(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What the columns of a view count: of one as it is, and of a mirrored one, which does not see all."""
        width = self.shape[2]
        if self.axis_column is None:
            return np.ones(width, np.float32), np.ones(width, np.float32)
        mirrored = 2 * self.axis_column - np.arange(width)
        is_seen = (mirrored >= 0) & (mirrored <= width - 1)
        return np.ones(width, np.float32), np.where(is_seen, 1.0, _UNSEEN).astype(np.float32)

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read and merge; each view of the helix is read once for the views that are asked for together."""
        frame_numbers = np.arange(self.views)[frames]
        first, last, _ = rows.indices(self.rows)
        width = self.shape[2]
        result = np.zeros((len(frame_numbers), last - first, width), np.float32)
        weights = np.zeros(result.shape, np.float32)
        place = np.full(self.views, -1)
        place[frame_numbers] = np.arange(len(frame_numbers))
        low = first + self.top + self.shifts
        sees_rows = (low < self.piece.scan.shape[1]) & (low + (last - first) > 0)
        pairs = np.flatnonzero((place[self.parts.target] >= 0) & sees_rows[self.parts.source])
        pairs = pairs[np.argsort(self.parts.source[pairs], kind="stable")]
        for block in self._blocks(pairs, low, last - first):
            self._add(block, first, last, place, result, weights)
        np.divide(result, weights, out=result, where=weights > 0)
        return result

    def _blocks(
        self, pairs: NDArray[np.intp], low: NDArray[np.float64], rows: int
    ) -> Iterator[NDArray[np.intp]]:
        """Cut pairs, sorted by source, into blocks read together: few views, nearly at one height."""
        reach = max(16, rows)
        most_views = max(1, _BLOCK_BYTES // max(1, (rows + reach + TAPS) * self.shape[2] * 16))
        begin = 0
        for end in range(1, len(pairs) + 1):
            if end < len(pairs):
                first, last = self.parts.source[pairs[begin]], self.parts.source[pairs[end]]
                if end - begin < most_views and abs(low[last] - low[first]) <= reach:
                    continue
            yield pairs[begin:end]
            begin = end

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed of the views that see the rows."""
        height, views = self.piece.scan.shape[1], self.piece.scan.shape[0]
        first, last, _ = rows.indices(self.rows)
        read_rows = min(height, last - first + TAPS)
        part = min(1.0, (height + last - first) / max(1.0, float(np.ptp(self.shifts)) + height))
        return self.piece.scan.projections.cost(
            ceil(frames * views * part / max(1, self.views)), slice(0, read_rows)
        )

    def _add(
        self,
        pairs: NDArray[np.intp],
        first: int,
        last: int,
        place: NDArray[np.intp],
        result: NDArray[np.float32],
        weights: NDArray[np.float32],
    ) -> None:
        sources = np.unique(self.parts.source[pairs])
        height = self.piece.scan.shape[1]
        low = first + self.top + self.shifts[sources]
        whole_rows = np.where(np.ceil(low) - low < _LEAST_PX, np.ceil(low), np.floor(low)).astype(np.intp)
        row_fractions = np.where(np.abs(low - whole_rows) < _LEAST_PX, 0.0, low - whole_rows)
        halo = TAPS // 2 + 1 if row_fractions.any() else 0
        begin = max(0, int(whole_rows.min()) - halo)
        end = min(height, int(whole_rows.max()) + (last - first) + halo)
        data = self.piece.attenuation(sources, slice(begin, end))
        if row_fractions.any():
            moved = np.empty_like(data)
            move_views(data, np.zeros(len(data)), row_fractions, moved)
            data = moved
        at = dict(zip(sources.tolist(), range(len(sources)), strict=True))
        direct, turned = self._column_weights
        for pair in pairs:
            k = at[int(self.parts.source[pair])]
            start, stop = (
                max(0, -int(whole_rows[k])),
                min(last - first, floor(height - 1 - low[k] + _LEAST_PX) + 1),
            )
            if stop <= start:
                continue
            local = slice(start, stop)
            image = data[k, int(whole_rows[k]) + start - begin : int(whole_rows[k]) + stop - begin]
            mirrored = bool(self.parts.mirrored[pair])
            if mirrored:
                image = self._mirrored(image)
            counts = np.interp(low[k] + np.arange(start, stop), np.arange(height), self.piece.weights)
            weight = (self.parts.weight[pair] * counts).astype(np.float32)[:, None] * (
                turned if mirrored else direct
            )
            target = place[self.parts.target[pair]]
            result[target, local] += weight * image
            weights[target, local] += weight

    def _mirrored(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the image at column 2c - u."""
        assert self.axis_column is not None
        flipped = np.ascontiguousarray(image[None, :, ::-1])
        shift = image.shape[1] - 1 - 2 * self.axis_column
        if abs(shift - round(shift)) < _LEAST_PX:
            shift = float(round(shift))
        out = np.empty_like(flipped)
        move_views(flipped, np.array([shift]), np.zeros(1), out)
        return np.asarray(out[0])
