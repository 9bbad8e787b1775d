"""The least and greatest value of each slab and a sample of the others, and quantiles of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Values kept of a slab for the quantiles of the whole: 32 slabs give two million.
_SAMPLE: Final = 1 << 16
# Of these as many are put in order: a quarter of a million tells a thousandth to a few parts in a hundred.
_MOST_ORDERED: Final = 1 << 18


@dataclass(frozen=True)
class ValueRange:
    """What the voxels written say of the whole."""

    # of all finite values; NaN where there is none
    least: float
    greatest: float
    # shape (n,): finite values taken at equal steps, for quantiles; at most 65,536 of each slab
    sample: NDArray[np.float64]


def value_range(kept: Sequence[NDArray[np.float64]]) -> ValueRange:
    """Sum up what is kept of each slab: its least and greatest value, then its sample."""
    least = min((float(slab[0]) for slab in kept), default=math.inf)
    greatest = max((float(slab[1]) for slab in kept), default=-math.inf)
    if least > greatest:
        least = greatest = math.nan
    return ValueRange(least, greatest, np.concatenate([slab[2:] for slab in kept] or [np.empty(0)]))


def extremes(piece: NDArray[Any]) -> tuple[float, float]:
    """Return the least and greatest finite value."""
    low, high = float(piece.min()), float(piece.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    finite = piece[np.isfinite(piece)]
    return (float(finite.min()), float(finite.max())) if finite.size else (math.inf, -math.inf)


def sampled(block: NDArray[Any]) -> NDArray[np.float64]:
    """Take values at equal steps; a step that shares no factor with the row length meets every column."""
    step = max(1, -(-block.size // _SAMPLE))
    while step > 1 and math.gcd(step, block.shape[-1]) > 1:
        step += 1
    taken = block.reshape(-1)[::step].astype(np.float64)
    return taken[np.isfinite(taken)]


def quantiles(values: ValueRange, shares: tuple[float, ...]) -> Mapping[float, float]:
    """Estimate quantiles of the whole from the sample."""
    if not values.sample.size:
        return dict.fromkeys(shares, math.nan)
    some = values.sample[:: -(-values.sample.size // _MOST_ORDERED)]
    return dict(zip(shares, map(float, np.quantile(some, shares)), strict=True))
