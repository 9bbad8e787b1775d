"""Frames turned in their plane, so that a rotation axis that leans to the side stands upright."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.shifts import TAPS, move_lines, moves_by

# Pixels that are turned at once: small frames cost more in calls than in work, large ones are to stay in the cache.
_TOGETHER: Final = 1 << 17


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
    along_columns = moves_by(math.tan(roll / 2) * y)
    along_rows = moves_by(-math.sin(roll) * x)
    together = max(1, _TOGETHER // max(1, rows * columns))
    for first in range(0, len(frames), together):
        group = slice(first, first + together)
        sheared = move_lines(frames[group], along_columns)
        sheared = move_lines(np.ascontiguousarray(sheared.swapaxes(1, 2)), along_rows)
        out[group] = move_lines(np.ascontiguousarray(sheared.swapaxes(1, 2)), along_columns)
