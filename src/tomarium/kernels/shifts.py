"""Views moved by parts of a pixel, each by its own shift."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

TAPS: Final = 8
"""Pixels along an axis from which a moved one is made."""


def sinc_weights(fraction: float) -> NDArray[np.float64]:
    """Weights of neighbouring pixels for a value between two of them.

    Parameters
    ----------
    fraction : float
        Place between pixel 0 and pixel 1, from 0 to 1.

    Returns
    -------
    array of float64, shape (8,)
        Weights of the pixels -3 to 4: a sinc in a sinc window (Lanczos), scaled to sum to 1, so that what is constant
        stays so.

    References
    ----------
    C. E. Duchon, Journal of Applied Meteorology 18, 1016 (1979).
    """
    distance = np.arange(1 - TAPS // 2, TAPS // 2 + 1) - fraction
    weights = np.sinc(distance) * np.sinc(distance / (TAPS // 2))
    return np.asarray(weights / weights.sum())


def move_views(
    views: NDArray[np.float32],
    columns_px: NDArray[np.float64],
    rows_px: NDArray[np.float64],
    out: NDArray[np.float32],
) -> int:
    """Take each view where the sample lies in it: out(row, column) = view(row + rows_px, column + columns_px).

    Parameters
    ----------
    views : array of float32, shape (angle, row, column)
        Transmission or attenuation.
    columns_px, rows_px : array of float64, shape (angle,)
        How far the sample lies towards higher columns and rows than it should, pixels.
    out : array of float32, shape (angle, row, column)
        Filled; may not be `views`.

    Returns
    -------
    int
        How many values were asked for beyond the frame; there its edge is repeated.
    """
    _, height, width = views.shape
    beyond = 0
    for view, column, row, result in zip(views, columns_px, rows_px, out, strict=True):
        moved = _along_columns(_along_rows(view, float(row)), float(column))
        result[...] = moved
        beyond += _outside(height, float(row)) * width + _outside(width, float(column)) * height
    return beyond


def _outside(length: int, shift: float) -> int:
    return min(length, math.ceil(abs(shift)))


def _along_rows(view: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    return view if shift == 0 else _moved(view, shift)


def _along_columns(view: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    return view if shift == 0 else _moved(view.T, shift).T


def _moved(view: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    """Move along the first axis."""
    whole = math.floor(shift)
    place = np.arange(len(view)) + whole
    result = np.zeros(view.shape, np.float32)
    for tap, weight in enumerate(sinc_weights(shift - whole)):
        if weight:
            result += np.float32(weight) * view[np.clip(place + tap + 1 - TAPS // 2, 0, len(view) - 1)]
    return result
