"""Frames turned in their plane, so that a rotation axis that leans to the side stands upright."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.shifts import TAPS, sinc_weights


def rows_beside(roll_deg: float, columns: int) -> int:
    """Return how many rows above and below a row of an upright frame is made of.

    Parameters
    ----------
    roll_deg : float
        How far the axis leans, degrees.
    columns : int
        Width of a frame.

    Returns
    -------
    int
        Rows, those of the interpolation included.
    """
    return math.ceil(abs(math.sin(math.radians(roll_deg))) * columns / 2) + TAPS // 2


def turn_frames(
    frames: NDArray[np.float32], roll_deg: float, first_row: int, height: int, out: NDArray[np.float32]
) -> None:
    """Turn frames about the middle of the detector.

    Parameters
    ----------
    frames : array of float32, shape (angle, row, column)
        Some rows of each.
    roll_deg : float
        How far the axis leans counter-clockwise, its top to lower columns, with rows counted downwards; degrees.
    first_row : int
        Number of the first of these rows in a whole frame.
    height : int
        Rows of a whole frame.
    out : array of float32, shape (angle, row, column)
        Filled; may not be `frames`. Right for rows with `rows_beside` of them above and below; beyond the frame its
        edge is repeated.

    References
    ----------
    A. W. Paeth, Graphics Interface 86, 77 (1986): a rotation is three shears, each along one axis.
    """
    _, rows, columns = frames.shape
    y = np.arange(rows, dtype=np.float64) + first_row - (height - 1) / 2
    x = np.arange(columns, dtype=np.float64) - (columns - 1) / 2
    roll = math.radians(roll_deg)
    along_columns, along_rows = np.float64(math.tan(roll / 2)) * y, np.float64(-math.sin(roll)) * x
    for frame, result in zip(frames, out, strict=True):
        sheared = _sheared(frame, along_columns)
        sheared = _sheared(np.ascontiguousarray(sheared.T), along_rows)
        result[...] = _sheared(np.ascontiguousarray(sheared.T), along_columns)


def _sheared(lines: NDArray[np.float32], shifts: NDArray[np.floating]) -> NDArray[np.float32]:
    """Move each line, shape (line, place), by its own shift."""
    result = np.zeros_like(lines)
    length = lines.shape[1]
    whole = np.floor(shifts).astype(int)
    weights = np.array(
        [sinc_weights(shift - start) for shift, start in zip(shifts, whole, strict=True)], np.float32
    )
    for part in _alike(whole):
        reach = TAPS // 2
        padded = np.pad(lines[part], ((0, 0), (reach + abs(whole[part.start]),) * 2), mode="edge")
        start = abs(whole[part.start]) + whole[part.start] + 1
        for tap in range(TAPS):
            result[part] += weights[part, tap, None] * padded[:, start + tap : start + tap + length]
    return result


def _alike(whole: NDArray[np.intp]) -> Iterator[slice]:
    """Yield ranges of lines that move by the same whole number."""
    edges = [0, *(np.flatnonzero(np.diff(whole)) + 1).tolist(), len(whole)]
    for start, stop in itertools.pairwise(edges):
        yield slice(start, stop)
