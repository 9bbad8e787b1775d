"""Where each slice of a series lies, from what pairs of neighbours tell of each other; and what of it is slow."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

ROUNDS: Final = 10
TUKEY: Final = 4.685
"""Residuals beyond so many standard deviations count nothing (Tukey's biweight)."""

_LOOSE: Final = 1e-6
"""Weight of "as its neighbour", which alone places a slice that no pair holds."""

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


def solve_path(
    first: Indices, second: Indices, moved: Array, weights: Array, count: int
) -> tuple[Array, Array]:
    """Place slices so that all pairs agree best: least squares in which pairs that disagree count less.

    Parameters
    ----------
    first, second : array of intp, shape (pair,)
        Slices of each pair, first < second.
    moved : array of float64, shape (pair, parameter)
        Value of the second less that of the first.
    weights : array of float64, shape (pair,)
        Inverse squares of their errors, up to a factor.
    count : int
        Slices.

    Returns
    -------
    array of float64, shape (count, parameter)
        Values whose mean is 0. A slice that no pair holds gets what lies between its neighbours.
    array of float64, shape (pair,)
        From 0 to 1: how much each pair counted besides its weight.
    """
    if not len(first):
        return np.zeros((count, moved.shape[1])), np.ones(0)
    robust = np.ones(len(first))
    path = np.zeros((count, moved.shape[1]))
    for _ in range(ROUNDS):
        path = _weighted(first, second, moved, weights * robust, count)
        residuals = path[second] - path[first] - moved
        far = np.sqrt(np.sum(residuals**2, axis=1) * weights / np.median(weights))
        spread = (
            1.4826 * float(np.median(far)) / 1.1774
        )  # the median length of a plane's normal vector is 1.1774 σ
        if not spread > 1e-9:
            break
        new = np.clip(1 - (far / (TUKEY * spread * np.sqrt(2))) ** 2, 0, 1) ** 2
        settled = float(np.abs(new - robust).max()) < 1e-3
        robust = new
        if settled:
            break
    return path - path.mean(axis=0), robust


def _weighted(first: Indices, second: Indices, moved: Array, weights: Array, count: int) -> Array:
    reach = int((second - first).max(initial=1))
    matrix = np.zeros((count, reach + 1))  # the diagonals of the symmetric matrix: matrix[k, l] = A[k, k + l]
    right = np.zeros((count, moved.shape[1]))
    along = np.bincount(first, weights, count) + np.bincount(second, weights, count)
    places = first * (reach + 1) + (second - first)
    matrix -= np.bincount(places, weights, matrix.size).reshape(matrix.shape)
    matrix[:, 0] += along
    np.add.at(right, first, -weights[:, None] * moved)
    np.add.at(right, second, weights[:, None] * moved)
    loose = _LOOSE * float(weights.mean() or 1.0)
    matrix[:-1, 0] += loose
    matrix[1:, 0] += loose
    matrix[:-1, 1] -= loose
    matrix[:, 0] += loose * 1e-3  # holds the mean, which no pair tells
    return solve_banded(matrix, right)


def solve_banded(diagonals: Array, right: Array) -> Array:
    """Solve a symmetric positive definite system whose matrix has few diagonals, by blocks as long as these.

    Parameters
    ----------
    diagonals : array of float64, shape (row, diagonal)
        `diagonals[k, l]` is the element (k, k + l) of the matrix; those beyond its end are not looked at.
    right : array of float64, shape (row, system)
        Right sides.

    Returns
    -------
    array of float64, shape (row, system)
        The solution.
    """
    count, width = diagonals.shape[0], max(1, diagonals.shape[1] - 1)
    blocks = -(-count // width)
    total = blocks * width
    own = np.zeros((blocks, width, width))
    beside = np.zeros((blocks, width, width))  # beside[b] couples block b to block b + 1
    for offset in range(diagonals.shape[1]):
        rows = np.arange(max(0, count - offset))
        columns, values = rows + offset, diagonals[: len(rows), offset]
        inside = rows // width == columns // width
        a, b = rows[inside], columns[inside]
        own[a // width, a % width, b % width] = values[inside]
        own[a // width, b % width, a % width] = values[inside]
        a, b = rows[~inside], columns[~inside]
        beside[a // width, a % width, b % width] = values[~inside]
    padding = np.arange(count, total)
    own[padding // width, padding % width, padding % width] = 1.0
    solution = np.zeros((total, right.shape[1]))
    solution[:count] = right
    parts = solution.reshape(blocks, width, -1)
    carried = np.zeros_like(beside)
    for k in range(blocks):
        if k:
            own[k] -= beside[k - 1].T @ carried[k - 1]
            parts[k] -= beside[k - 1].T @ parts[k - 1]
        solved = np.linalg.solve(own[k], np.concatenate([beside[k], parts[k]], axis=1))
        carried[k], parts[k] = solved[:, :width], solved[:, width:]
    for k in range(blocks - 2, -1, -1):
        parts[k] -= carried[k] @ parts[k + 1]
    return solution[:count]


def slow_part(path: Array, slices: float) -> Array:
    """Keep of a path what is slower than some slices: a penalty on second differences, which leaves straight lines.

    Parameters
    ----------
    path : array of float64, shape (slice, parameter)
        At even steps.
    slices : float
        Length of the wave of which half is kept; longer ones are kept nearly whole, shorter ones hardly.

    Returns
    -------
    array of float64, of the same shape
        The slow part; of fewer than three slices all.

    References
    ----------
    R. J. Hodrick and E. C. Prescott, Journal of Money, Credit and Banking 29, 1 (1997), doi 10.2307/2953682.
    """
    count = len(path)
    if count < 3:
        return path.copy()
    strength = (2 * np.sin(np.pi / max(slices, 2.0))) ** -4.0
    diagonals = np.zeros((count, 3))
    diagonals[:, 0] = 1.0
    pattern = (1.0, -2.0, 1.0)
    for a in range(3):
        for b in range(a, 3):
            diagonals[a : a + count - 2, b - a] += strength * pattern[a] * pattern[b]
    return solve_banded(diagonals, path)
