"""The ramp filter with a period of 1.25 times the projection instead of twice its width, for the gridding engine.

A filter with a short period is quicker, and so is the gridding of its fewer frequencies, but what it gives is wrong by
what wraps around. That is the difference of two kernels far from their middle, so it is smooth: it is worked out from
sums over blocks of columns, by a small matrix, and added at low frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.backprojection.geometry import Task
from tomarium.kernels.ramp import good_length, ramp_response

GAP: Final = 0.25
"""What the period has beyond the columns that matter, as a part of the greatest distance of two of them."""

SHORTEST_REACH: Final = 512
"""Columns from which on it pays; narrower projections keep their period."""

BLOCKS_IN_GAP: Final = 32
"""Blocks are as wide as lets so many lie in the gap, at least."""


@dataclass(frozen=True, eq=False)
class ShortPeriod:
    """How projections are filtered with a short period, and what is added then.

    Attributes
    ----------
    period : int
        Samples of a padded projection.
    block : int
        Columns of a block.
    far : array of float32, shape (period / block, blocks)
        What is added at each block of the period for the sum of each block of columns; without rows where nothing is.
    ranges : array of int32, shape (2, period / block)
        First and one behind the last block that counts in each row of `far`.
    spectrum : array of float32, shape (period / block // 2 + 1, 2)
        Factors by which the transform of what is added is multiplied ahead of the filter, real and imaginary part.
    """

    period: int
    block: int
    far: NDArray[np.float32]
    ranges: NDArray[np.int32]
    spectrum: NDArray[np.float32]


def short_period(task: Task) -> ShortPeriod:
    """Work out the short period of a task.

    Parameters
    ----------
    task : Task
        What to reconstruct.

    Returns
    -------
    ShortPeriod
        The task's own period, with nothing to add, where none is shorter, where projections go on with their edge
        values, and where the window breaks off below the Nyquist frequency: what wraps around is not smooth there.

    Notes
    -----
    At the columns, filtered values differ from those of the long period by 3e-5 of their root mean square at most where
    projections are smooth, and by 1e-5 where they are noise (measured, 2048 columns). Between columns the parts at the
    Nyquist frequency itself differ as well, for the tails of their interpolation wrap around too: slices of white noise
    by 1 % of its standard deviation with the window "ramp" and 512 columns, those of a disc by 1e-4 of its contrast.
    """
    breaks_off = task.cutoff < 1 and task.window in ("ramp", "shepp-logan", "hamming")
    if task.padding != "zero" or breaks_off:
        return _as_it_is(task.padded)
    lowest, highest = task.axis_range
    first = min(0, floor(lowest - task.size / 2))
    last = max(task.columns, ceil(highest + task.size / 2) + 1)
    return _made(task.columns, first, last, task.padded)


def _as_it_is(padded: int) -> ShortPeriod:
    nothing = np.zeros((0, 2), np.float32)
    return ShortPeriod(padded, 1, nothing, np.zeros((2, 0), np.int32), nothing)


@lru_cache(maxsize=16)
def _made(columns: int, first: int, last: int, padded: int) -> ShortPeriod:
    """Make it for columns of which `first` to `last` - 1 are measured, or looked at by a pixel."""
    reach = padded // 2
    gap, block = int(GAP * reach), 1
    while 2 * block * BLOCKS_IN_GAP <= gap:
        block *= 2
    unit = max(block, 2)
    period = -(-(max(reach, last - first) + gap) // unit) * unit
    while good_length(period) != period:
        period += unit
    if reach < SHORTEST_REACH or period >= padded:
        return _as_it_is(padded)

    far = _far(columns, first, last, padded, period, block).astype(np.float32)
    coarse, counts = period // block, far != 0
    some = counts.any(axis=1)
    ranges = np.zeros((2, coarse), np.int32)
    ranges[0, some] = counts.argmax(axis=1)[some]
    ranges[1, some] = counts.shape[1] - counts[:, ::-1].argmax(axis=1)[some]
    # The values stand in the middle of blocks; between them goes the band-limited interpolation.
    k = np.arange(coarse // 2 + 1)
    factor = block * np.exp(-1j * np.pi * k * (block - 1) / period) / ramp_response(period)[: len(k)]
    if coarse % 2 == 0:
        factor[-1] = 0
    spectrum = np.stack([factor.real, factor.imag], axis=1).astype(np.float32)
    return ShortPeriod(period, block, np.ascontiguousarray(far), ranges, spectrum)


def _far(columns: int, first: int, last: int, padded: int, period: int, block: int) -> NDArray[np.float64]:
    """Return what the long period gives less what the short one does, in float64; see `ShortPeriod.far`."""
    at = np.arange(period // block, dtype=np.float64) * block + (block - 1) / 2
    starts = np.arange(0, columns, block)
    middles = (starts + np.minimum(starts + block, columns) - 1) / 2
    gap = period - (last - first)
    far = np.zeros((len(at), len(middles)))
    # In the gap, at which no pixel looks, what is right behind the columns fades out and what is right before them in.
    for to, through in ((at, (at - last) / gap), (at - period, (first - (at - period)) / gap)):
        weight = _fade(through)
        some = weight > 0
        distance = to[some, None] - middles
        far[some] += weight[some, None] * (_kernel(distance, padded) - _kernel(distance, period))
    return far


def _kernel(distance: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Return the ramp's kernel with a period, far from 0, as a mean of neighbours: every second value is 0."""
    apart = np.abs(distance) % period
    mean: NDArray[np.float64] = -0.5 / (np.pi * np.maximum(np.minimum(apart, period - apart), 1)) ** 2
    return mean


def _fade(through: NDArray[np.float64]) -> NDArray[np.float64]:
    """Go from 1 to 0 over the first half of the gap, with three smooth derivatives."""
    y = np.clip((through - 0.02) / 0.46, 0, 1)
    weight: NDArray[np.float64] = 1 - y**4 * (35 - 84 * y + 70 * y**2 - 20 * y**3)
    return weight
