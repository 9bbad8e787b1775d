"""Views, and lines of an image, moved by parts of a pixel, each by its own shift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

TAPS: Final = 8
"""Pixels along an axis from which a moved one is made."""


def sinc_weights(fractions: NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Weights of neighbouring pixels for values between two of them.

    Parameters
    ----------
    fractions : float, or array of any shape
        Places between pixel 0 and pixel 1, from 0 to 1.

    Returns
    -------
    array of float64, with one axis more, of length 8
        Weights of the pixels -3 to 4: a sinc in a sinc window (Lanczos), scaled to sum to 1, so that what is constant
        stays so.

    References
    ----------
    C. E. Duchon, Journal of Applied Meteorology 18, 1016 (1979).
    """
    distance = np.arange(1 - TAPS // 2, TAPS // 2 + 1) - np.asarray(fractions, np.float64)[..., None]
    weights = np.sinc(distance) * np.sinc(distance / (TAPS // 2))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Moves:
    """How far each line of an image is moved; made once for all images that are moved alike.

    Attributes
    ----------
    whole : array of int, shape (line,)
        Whole pixels, rounded down.
    weights : array of float32, shape (line, 8)
        Of the pixels about a place, for the part of a pixel that is left.
    """

    whole: NDArray[np.intp]
    weights: NDArray[np.float32]


def moves_by(shifts: NDArray[np.floating]) -> Moves:
    """Prepare to move lines.

    Parameters
    ----------
    shifts : array, shape (line,)
        In pixels, towards lower places: the value at a place is taken from so much further on.

    Returns
    -------
    Moves
        For `move_lines`.
    """
    whole_px = np.floor(shifts).astype(np.intp)
    return Moves(whole_px, sinc_weights(shifts - whole_px).astype(np.float32))


def move_lines(lines: NDArray[np.float32], moves: Moves) -> NDArray[np.float32]:
    """Move each line by its own shift.

    Parameters
    ----------
    lines : array of float32, shape (…, line, place)
        An image, or several whose lines are moved alike.
    moves : Moves
        One for each line.

    Returns
    -------
    array of float32, of the same shape
        Beyond the ends of a line its outermost values are repeated.
    """
    result = np.zeros(lines.shape, np.float32)
    length, reach = lines.shape[-1], TAPS // 2
    edges = [0, *(np.flatnonzero(np.diff(moves.whole)) + 1).tolist(), len(moves.whole)]
    for first, last in pairwise(edges):  # lines that move by the same whole number
        # Farther than the line is long there is nothing but its end.
        whole_px = int(np.clip(moves.whole[first], -length - TAPS, length + TAPS))
        source, moved = lines[..., first:last, :], result[..., first:last, :]
        beside = reach + abs(whole_px)
        padded = np.concatenate(
            [np.repeat(source[..., :1], beside, -1), source, np.repeat(source[..., -1:], beside, -1)], axis=-1
        )
        start = abs(whole_px) + whole_px + 1
        term = np.empty(moved.shape, np.float32)
        for tap in range(TAPS):
            weight = moves.weights[first:last, tap, None]
            moved += np.multiply(weight, padded[..., start + tap : start + tap + length], out=term)
    return result


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
        result[...] = _along_columns(_along_rows(view, float(row)), float(column))
        beyond += _outside(height, float(row)) * width + _outside(width, float(column)) * height
    return beyond


def _outside(length: int, shift: float) -> int:
    return min(length, math.ceil(abs(shift)))


def _along_rows(view: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    return _along_columns(view.T, shift).T


def _along_columns(view: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    return view if shift == 0 else move_lines(view, moves_by(np.full(len(view), shift)))
