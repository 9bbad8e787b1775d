"""Slices that are like none of their neighbours, and steps between slices that were wider or narrower than others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.pipeline.align_slices.measure_drift import Drift

BAD: Final = 0.6
"""Likeness to the neighbours, over that of slices as far apart nearby, below which a slice is bad."""

NEAR: Final = 10
APART: Final = 4.0
"""Deviations by which the likeness of neighbours and of the next but one must differ to tell one from the other."""


@dataclass(frozen=True, eq=False)
class Odd:
    """What is odd about a series.

    Attributes
    ----------
    likeness : array of float64, shape (slice,)
        Median over a slice's pairs of their correlation, over that of pairs as far apart nearby; about 1.
    bad : tuple of int
        Slices like none of their neighbours.
    wide, narrow : tuple of int
        Slices after which the next one is as unlike as the one after it, or hardly different.
    """

    likeness: NDArray[np.float64]
    bad: tuple[int, ...]
    wide: tuple[int, ...]
    narrow: tuple[int, ...]


def odd_slices(drift: Drift, count: int) -> Odd:
    """Find what is odd about a series by how alike its slices are.

    Parameters
    ----------
    drift : Drift
        What was measured.
    count : int
        Slices.

    Returns
    -------
    Odd
        Steps are told only where a lost slice would stand out from the noise.
    """
    pairs = drift.pairs
    likeness, lags = pairs.likeness, pairs.second - pairs.first
    by_lag = {int(lag): _along(likeness[lags == lag], pairs.first[lags == lag], count) for lag in (1, 2, 3)}
    shares = [list[float]() for _ in range(count)]
    for lag, line in by_lag.items():
        usual = _running_median(line)
        for number in range(count - lag):
            if np.isfinite(line[number]) and usual[number] > 0.02:
                share = float(line[number] / usual[number])
                shares[number].append(share)
                shares[number + lag].append(share)
    likeness_of_slices = np.array([float(np.median(share)) if share else 0.0 for share in shares])
    bad = tuple(int(number) for number in np.flatnonzero(likeness_of_slices < BAD))
    wide, narrow = _odd_steps(by_lag[1], by_lag[2], set(bad))
    return Odd(likeness_of_slices, bad, wide, narrow)


def _along(values: NDArray[np.float64], first: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    line = np.full(count, np.nan)
    line[first] = values
    return line


def _running_median(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running median over the slices nearby."""
    return np.array(
        [
            float(np.nanmedian(near))
            if np.isfinite(near := line[max(0, k - NEAR) : k + NEAR + 1]).any()
            else 0.0
            for k in range(len(line))
        ]
    )


def _odd_steps(
    first: NDArray[np.float64], second: NDArray[np.float64], bad: set[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    near, far = _running_median(first), _running_median(second)
    spread = 1.4826 * float(np.nanmedian(np.abs(first - near)))
    wide, narrow = [], []
    for number in range(len(first) - 1):
        step = near[number] - far[number]
        if {number, number + 1} & bad or not step > APART * max(spread, 1e-3):
            continue
        if first[number] < near[number] - 0.6 * step:
            wide.append(number)
        elif (
            first[number] > near[number] + 0.6 * min(step, 1 - near[number])
            and first[number] > near[number] + APART * spread
        ):
            narrow.append(number)
    return tuple(wide), tuple(narrow)
