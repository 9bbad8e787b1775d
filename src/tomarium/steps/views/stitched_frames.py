"""Attenuation of scans at several heights, merged to frames of one tall detector when it is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import floor
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium import array
from tomarium.kernels.shifts import TAPS, move_views
from tomarium.model import Scan
from tomarium.model.scan import IndexedFrames
from tomarium.steps.correct.flat_field import AveragedReferences, attenuation_of, average_references
from tomarium.steps.views.frames import Which

_BLOCK_BYTES: Final = 64 << 20
_LEAST_PX: Final = 0.01
"""Below this no row or column is interpolated."""

_LEAST_TRANSMISSION: Final = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class Piece:
    """One of the scans.

    Attributes
    ----------
    scan : Scan
        Counts with flats, transmission or attenuation.
    start : float
        Row of the tall detector at which its row 0 lies.
    columns_px : array of float64, shape (view,)
        How far its content lies towards higher columns than that of the first scan, pixels.
    level : float
        Taken off its attenuation.
    weights : array of float64, shape (row,)
        How much each of its rows counts.
    """

    scan: Scan
    start: float
    columns_px: NDArray[np.float64]
    level: float
    weights: NDArray[np.float64]

    @cached_property
    def references(self) -> AveragedReferences:
        """Its flats and darks, averaged once."""
        return average_references(self.scan, slice(0, self.scan.shape[1]))

    def attenuation(self, frames: NDArray[np.intp], rows: slice) -> NDArray[np.float32]:
        """Read rows of some views as attenuation."""
        together = len(frames) > 1 and bool((np.diff(frames) == 1).all())
        which: Which = slice(int(frames[0]), int(frames[-1]) + 1) if together else frames
        data = self.scan.projections.read(which, rows)
        if self.scan.domain == "counts":
            data = attenuation_of(data, self.references, rows, array.processors(), frames.astype(np.float64))
        data = np.asarray(data, np.float32)
        return data if self.scan.domain != "transmission" else -np.log(np.maximum(data, _LEAST_TRANSMISSION))


@dataclass(frozen=True)
class Span:
    """Lines of the tall or large detector that a scan sees whole.

    Attributes
    ----------
    whole : int
        Line at which the scan's line 0 lies, but for a part.
    rest : float
        That part, 0 or from 0.01 to 0.99.
    first, stop : int
        First line that it sees, and the first that it does not see any more.
    """

    whole: int
    rest: float
    first: int
    stop: int


def span_of(start: float, length: int) -> Span:
    """Return the lines that a scan sees.

    Parameters
    ----------
    start : float
        Where its line 0 lies.
    length : int
        Its lines.

    Returns
    -------
    Span
        Without the line at its beginning that would be half a repeated edge.
    """
    whole_px = floor(start)
    fraction_px = start - whole_px
    if fraction_px > 1 - _LEAST_PX:
        whole_px, fraction_px = whole_px + 1, 0.0
    fraction_px = 0.0 if fraction_px < _LEAST_PX else fraction_px
    return Span(whole_px, fraction_px, whole_px + (1 if fraction_px else 0), whole_px + length)


@dataclass(frozen=True, eq=False)
class StitchedFrames(IndexedFrames):
    """Frames of one tall detector.

    Attributes
    ----------
    pieces : tuple of Piece
        Of the same views and columns.
    rows : int
        Height; each row is seen by a piece.
    """

    pieces: tuple[Piece, ...]
    rows: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        views, _, columns = self.pieces[0].scan.shape
        return views, self.rows, columns

    @property
    def dtype(self) -> DTypeLike:
        """Single precision."""
        return np.dtype(np.float32)

    def read(self, frames: Which, rows: slice) -> NDArray[Any]:
        """Read and merge, a few frames at a time."""
        frame_numbers = np.arange(self.shape[0])[frames]
        first, last, _ = rows.indices(self.rows)
        result = np.zeros((len(frame_numbers), last - first, self.shape[2]), np.float32)
        step = max(1, _BLOCK_BYTES // max(1, (last - first + TAPS) * self.shape[2] * 16))
        for begin in range(0, len(frame_numbers), step):
            block = slice(begin, begin + step)
            weight = np.zeros(last - first)
            for piece in self.pieces:
                _add(piece, frame_numbers[block], first, last, result[block], weight)
            result[block] /= np.maximum(weight, 1e-12).astype(np.float32)[:, None]
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed of all pieces that see the rows."""
        first, last, _ = rows.indices(self.rows)
        costs = [
            piece.scan.projections.cost(frames, slice(*part[:2]))
            for piece in self.pieces
            if (part := _part(piece, first, last)) is not None
        ]
        return sum(read for read, _ in costs), sum(unpacked for _, unpacked in costs)


def _part(piece: Piece, first: int, last: int) -> tuple[int, int, int, int, float] | None:
    """Return the rows of a piece that are read, those of the tall detector that they make, and the part of a row."""
    height = piece.scan.shape[1]
    span = span_of(piece.start, height)  # row r of the tall detector lies at r - whole - rest of the piece
    top, bottom = max(first, span.first), min(last, span.stop)
    if top >= bottom:
        return None
    halo = TAPS // 2 + 1 if span.rest else 0
    begin, end = max(0, top - span.whole - halo), min(height, bottom - span.whole + halo)
    return begin, end, top, bottom, span.rest


def _add(
    piece: Piece,
    frames: NDArray[np.intp],
    first: int,
    last: int,
    out: NDArray[np.float32],
    weight: NDArray[np.float64],
) -> None:
    part = _part(piece, first, last)
    if part is None:
        return
    begin, end, top, bottom, rest = part
    data = piece.attenuation(frames, slice(begin, end)) - np.float32(piece.level)
    sideways = piece.columns_px[frames]
    if rest or np.any(piece.columns_px):
        moved = np.empty_like(data)
        move_views(data, sideways, np.full(len(data), -rest), moved)
        data = moved
    whole = round(piece.start - rest)
    local = slice(top - whole - begin, bottom - whole - begin)
    at = np.arange(top, bottom) - piece.start
    counts = np.interp(at, np.arange(len(piece.weights)), piece.weights)
    out[:, top - first : bottom - first] += data[:, local] * counts.astype(np.float32)[:, None]
    weight[top - first : bottom - first] += counts
