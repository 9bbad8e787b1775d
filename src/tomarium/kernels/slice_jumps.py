"""Slices of a volume whose grey values leave those of their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

JUMP: Final = 8.0
"""How many median absolute deviations the grey value may jump from a slice to the next."""

ERRORS: Final = 5.0
"""How many standard errors of a slice's own statistics are still noise."""

LEAST_JUMP: Final = 0.02
"""Part of the spread of the grey values below which no jump is seen."""

FEWEST: Final = 8
"""Slices from which jumps are looked for."""


@dataclass(frozen=True)
class Jump:
    """A place where grey values leave those of their neighbours.

    Attributes
    ----------
    place : int
        The slice that differs from the one before it, or from both neighbours where `alone`.
    size : float
        By how much, with its sign, in the unit of the values.
    bound : float
        What neighbours and noise differ by at most.
    alone : bool
        Whether this one slice leaves both neighbours.
    """

    place: int
    size: float
    bound: float
    alone: bool


def slice_jumps(
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    change: NDArray[np.float64],
    voxels: int,
    *,
    whole_numbers: bool = False,
) -> tuple[Jump, ...]:
    """Find the slices at which grey values jump.

    1. From a slice to the next, the tenth and the ninetieth percentile of what changes stay where they are; where
       the sample begins, one of them moves. In a slab with another offset both move, the same way and about
       as far: the smaller of their moves counts.
    2. One slice alone that is off deviates from both neighbours in its mean, and one of the percentiles moves its way
       into it and the other way out of it: that a few voxels more lie within the sample moves the mean alone.
    3. Named is what exceeds 8 median absolute deviations, 2 % of the spread of the grey values, 5 standard errors
       of what was measured in slices of so many voxels, and 5 times what most slices move by. Percentiles of whole
       numbers move by whole numbers, so there the first must exceed one grey value.

    Parameters
    ----------
    mean, spread : array, shape (slice,)
        Mean and standard deviation of each slice; NaN where a slice is left out.
    change : array, shape (slice - 1, 2)
        The tenth and the ninetieth percentile of the voxels' change from a slice to the next; NaN where one is left
        out.
    voxels : int
        How many voxels of a slice were measured.
    whole_numbers : bool
        Whether the values are of a whole type.

    Returns
    -------
    tuple of Jump
        Where all values shift, in the order of slices; where there is no such place, single slices that leave both
        neighbours. Empty with fewer than eight slices.
    """
    if len(mean) < FEWEST or not np.isfinite(change).all(axis=1).any():
        return ()
    least = LEAST_JUMP * float(np.nanmedian(spread))
    alone = np.zeros_like(mean)
    alone[1:-1] = _both(np.diff(mean)) * _turns(change)
    # Of independent voxels: of a percentile sqrt(p (1 - p) / n) over the density there, that of a normal
    # distribution for the width the changes have; of a mean its spread over sqrt(n).
    percentile = 0.67 * float(np.nanmedian(change[:, 1] - change[:, 0])) / np.sqrt(voxels)
    error = float(np.nanmedian(spread)) / np.sqrt(voxels)
    step = max(float(whole_numbers), ERRORS * percentile, ERRORS * _usual(change))
    shifts = _beyond(_common(change), 1, least, step, alone=False)
    return shifts or _beyond(alone, 0, least, ERRORS * error, alone=True)


def _beyond(
    values: NDArray[np.float64], first: int, least: float, step: float, *, alone: bool
) -> tuple[Jump, ...]:
    finite = np.isfinite(values)
    deviation = np.where(finite, values - np.median(values[finite]), 0.0)
    bound = max(JUMP * float(np.median(np.abs(deviation[finite]))), least, step)
    if bound <= 0:
        return ()
    places = np.flatnonzero(np.abs(deviation) > bound)
    return tuple(Jump(int(k) + first, float(deviation[k]), bound, alone) for k in places)


def _common(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much both percentiles move the same way from a slice to the next; 0 where they do not."""
    moves = change - np.nanmedian(change, axis=0)
    least, most = np.min(np.abs(moves), axis=1), np.max(np.abs(moves), axis=1)
    same_way = (moves[:, 0] * moves[:, 1] > 0) & (least > 0.5 * most)
    common = np.where(same_way, np.sign(moves[:, 0]) * least, 0.0)
    return np.asarray(np.where(np.isfinite(most), common, np.nan))


def _usual(change: NDArray[np.float64]) -> float:
    """Return the standard deviation of how far the percentiles move together, from most slices to the next."""
    moves = (change - np.nanmedian(change, axis=0)).mean(axis=1)
    return 1.4826 * float(np.nanmedian(np.abs(moves)))


def _turns(change: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of each slice but the ends whether many voxels move into it and back: percentiles beyond their usual."""
    moves = change - np.nanmedian(change, axis=0)
    usual = ERRORS * 1.4826 * np.nanmedian(np.abs(moves), axis=0)
    into, out = moves[:-1], moves[1:]
    up = (into > usual).any(axis=1) & (out < -usual).any(axis=1)
    down = (into < -usual).any(axis=1) & (out > usual).any(axis=1)
    return np.asarray(up | down)


def _both(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each slice but the ends how far it leaves both neighbours; 0 where it lies between them."""
    rise, fall = steps[:-1], -steps[1:]
    leaves = np.where(rise * fall > 0, np.sign(rise) * np.minimum(np.abs(rise), np.abs(fall)), 0.0)
    return np.asarray(np.where(np.isfinite(rise + fall), leaves, np.nan))
