"""A slice taken where its content lies: moved, or moved and bent by a matrix, by sums over eight pixels."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.registration import Placement
from tomarium.kernels.shifts import TAPS, sinc_weights

STEPS: Final = 1024
"""Parts of a pixel for which weights are made once where each pixel has its own place."""

ROWS: Final = 64
"""Lines that are made at once, so that the weights of a large slice take little memory."""

Plane = NDArray[np.float32]
Array = NDArray[np.float64]


def warp_section(
    plane: NDArray[Any],
    matrix: Array,
    shift: tuple[float, float],
    frame: tuple[int, int, int, int] | None = None,
) -> tuple[Plane, NDArray[np.bool_]]:
    """Take a slice where its content lies: out(x) = plane(matrix x + shift), from the slice's middle.

    Moves alone are one sum along each axis. A matrix near the identity takes two passes: along the columns of the
    slice's rows, then along the rows of what came of it.

    Parameters
    ----------
    plane : array, shape (row, column)
        Finite grey values.
    matrix : array of float64, shape (2, 2)
        Acts on (row, column), pixels from the middle of the slice.
    shift : tuple of float
        Rows and columns.
    frame : tuple of int, optional
        Rows, columns that are made, and the row and column of the slice at which they begin, which may be negative;
        by default those of the slice.

    Returns
    -------
    array of float32, shape (row, column)
        Beyond the edges the outermost values go on.
    array of bool, shape (row, column)
        Whether the slice holds the place.

    References
    ----------
    E. Catmull and A. R. Smith, Computer Graphics 14 (3), 279 (1980), on two passes.
    """
    high, wide = plane.shape
    rows, columns, top, left = frame or (high, wide, 0, 0)
    values = np.asarray(plane, np.float32)
    r = np.arange(rows) + top - (high - 1) / 2
    c = np.arange(columns) + left - (wide - 1) / 2
    (a, b), (d, e) = matrix
    middle = (high - 1) / 2, (wide - 1) / 2
    if np.array_equal(matrix, np.eye(2)):
        at_rows, at_columns = r + shift[0] + middle[0], c + shift[1] + middle[1]
        inside = np.outer(_within(at_rows, high), _within(at_columns, wide))
        parts = [_taps(at, length) for at, length in ((at_rows, high), (at_columns, wide))]
        return Placement(parts[0][0], parts[1][0], parts[0][1], parts[1][1])(values), inside
    # H(r', c) lies on the rows of the slice and the columns that are made: r = (r' - b c - shift_r) / a.
    source = np.arange(high) - middle[0]
    sheared = np.empty((high, columns), np.float32)
    for first in range(0, high, ROWS):
        some = source[first : first + ROWS, None]
        at = d * (some - b * c - shift[0]) / a + e * c + shift[1] + middle[1]
        sheared[first : first + ROWS] = _gathered(values[first : first + ROWS], at)
    out = np.empty((rows, columns), np.float32)
    inside = np.empty((rows, columns), bool)
    upright = np.ascontiguousarray(sheared.T)
    for first in range(0, columns, ROWS):
        some = c[first : first + ROWS, None]
        at = a * r + b * some + shift[0]
        out[:, first : first + ROWS] = _gathered(upright[first : first + ROWS], at + middle[0]).T
        across = d * r + e * some + shift[1]
        inside[:, first : first + ROWS] = (
            _within(at + middle[0], high) & _within(across + middle[1], wide)
        ).T
    return out, inside


def _within(at: Array, length: int) -> NDArray[np.bool_]:
    return np.asarray((at > -0.5) & (at < length - 0.5))


def _taps(at: Array, length: int) -> tuple[NDArray[np.intp], Plane]:
    whole_px = np.floor(at).astype(np.intp)
    taps = np.clip(whole_px[:, None] + np.arange(1 - TAPS // 2, TAPS // 2 + 1), 0, length - 1)
    return taps, sinc_weights(at - whole_px).astype(np.float32)


@cache
def _weights() -> Plane:
    return sinc_weights(np.arange(STEPS + 1) / STEPS).astype(np.float32)


def _gathered(lines: Plane, at: Array) -> Plane:
    """Interpolate each line at its own places."""
    whole_px = np.floor(at).astype(np.intp)
    weights = _weights()[np.rint((at - whole_px) * STEPS).astype(np.intp)]
    interpolated = np.zeros(at.shape, np.float32)
    for tap in range(TAPS):
        place = np.clip(whole_px + (tap + 1 - TAPS // 2), 0, lines.shape[1] - 1)
        interpolated += weights[..., tap] * np.take_along_axis(lines, place, axis=1)
    return interpolated
