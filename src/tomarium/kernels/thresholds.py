"""Thresholds that part a histogram into classes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError

BINS: Final = 512
"""Bins that several thresholds are searched among: the cost grows with their square."""


def otsu(counts: NDArray[np.integer], low: float, high: float) -> float:
    """Return the threshold with the largest variance between two classes, w₀ w₁ (m₁ - m₀)².

    Parameters
    ----------
    counts : array, shape (bin,)
        Histogram.
    low, high : float
        Its range.

    Returns
    -------
    float
        In the unit of the range, at an edge of two bins; in the middle of an empty gap between the classes.

    Raises
    ------
    InputError
        Fewer than two bins hold something.

    References
    ----------
    Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62-66, eq. 14.
    """
    n = np.asarray(counts, np.float64)
    if np.count_nonzero(n) < 2:
        raise InputError("all grey values are the same: there is no threshold between two classes")
    edges = np.linspace(low, high, len(n) + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(n)[:-1]
    mass, total = np.cumsum(n * centres)[:-1], float((n * centres).sum())
    above = n.sum() - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass / below - (total - mass) / above) ** 2
    between = np.nan_to_num(between, nan=-1.0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(edges[1 + (best[0] + best[-1]) // 2])


def multi_otsu(counts: NDArray[np.integer], low: float, high: float, classes: int) -> tuple[float, ...]:
    """Return the thresholds with the largest variance between several classes, by dynamic programming.

    Parameters
    ----------
    counts : array, shape (bin,)
        Histogram; summed to 512 bins.
    low, high : float
        Its range.
    classes : int
        2 to 8.

    Returns
    -------
    tuple of float
        classes - 1 of them, ascending, in the unit of the range; right to a bin of 512.

    Raises
    ------
    InputError
        The number of classes cannot be, or fewer bins hold something.

    References
    ----------
    Liao, Chen & Chung, J. Inf. Sci. Eng. 17 (2001) 713-727.
    """
    if not 2 <= classes <= 8:
        raise InputError(f"{classes} classes of grey values: give 2 to 8")
    if classes == 2:
        return (otsu(counts, low, high),)
    n = np.asarray(counts, np.float64)
    n = n.reshape(BINS, -1).sum(1) if len(n) % BINS == 0 and len(n) > BINS else n
    if np.count_nonzero(n) < classes:
        raise InputError(f"the grey values fill {np.count_nonzero(n)} bins: too few for {classes} classes")
    edges = np.linspace(low, high, len(n) + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    w = np.concatenate([[0.0], np.cumsum(n)])
    m = np.concatenate([[0.0], np.cumsum(n * centres)])
    weight = w[None, :] - w[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # value of one class from bin i to bin j - 1
        gain = np.where(weight > 0, (m[None, :] - m[:, None]) ** 2 / weight, 0.0)
    gain[np.tril_indices(len(w))] = -np.inf
    best, came = gain[0].copy(), []
    for _ in range(classes - 1):
        sums = best[:, None] + gain
        came.append(np.argmax(sums, axis=0))
        best = sums.max(axis=0)
    thresholds, place = [], len(n)
    for step in reversed(came):
        place = int(step[place])
        before, after = place, place  # the middle of an empty gap
        while n[before - 1] == 0:
            before -= 1
        while n[after] == 0:
            after += 1
        thresholds.append(float(edges[before] + edges[after]) / 2)
    return tuple(reversed(thresholds))
