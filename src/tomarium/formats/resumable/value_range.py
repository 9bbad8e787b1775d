"""The least and greatest value of each block of an array and a sample of the others, and quantiles of them."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.formats.frames.blocks import blocks_of

# Values kept of all blocks together for the quantiles of the whole, of a block at least and at most.
_SAMPLES: Final = 1 << 20
_FEWEST: Final = 1 << 10
_MOST: Final = 1 << 16
# Of these as many are put in order: a quarter of a million tells a thousandth to a few parts in a hundred.
_MOST_ORDERED: Final = 1 << 18


@dataclass(frozen=True)
class ValueRange:
    """What the voxels written say of the whole."""

    # of all finite values; NaN where there is none
    least: float
    greatest: float
    # shape (n,): finite values taken at equal steps, for quantiles; about a million at most
    sample: NDArray[np.float64]


def samples_of(shape: tuple[int, ...], itemsize: int, block_bytes: int) -> int:
    """Return how many values are kept of each block of an array."""
    blocks = sum(1 for _ in blocks_of(shape, itemsize, block_bytes))
    return min(_MOST, max(_FEWEST, _SAMPLES // blocks))


def measured(block: NDArray[Any], count: int) -> list[Any]:
    """Return the least and the greatest finite value of a block and a sample of the others, JSON-ready."""
    least, greatest = _extremes(block)
    return [least, greatest, b64encode(_sampled(block, count).tobytes()).decode()]


def value_range(measures: Sequence[Sequence[Any]]) -> ValueRange:
    """Sum up what was measured of each block."""
    least = min((part[0] for part in measures), default=math.inf)
    greatest = max((part[1] for part in measures), default=-math.inf)
    if least > greatest:
        least = greatest = math.nan
    samples = [np.frombuffer(b64decode(part[2]), np.float64) for part in measures]
    return ValueRange(least, greatest, np.concatenate(samples or [np.empty(0)]))


def _extremes(block: NDArray[Any]) -> tuple[float, float]:
    low, high = float(block.min()), float(block.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    finite = block[np.isfinite(block)]
    return (float(finite.min()), float(finite.max())) if finite.size else (math.inf, -math.inf)


def _sampled(block: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Take values at equal steps; a step that shares no factor with the row length meets every column."""
    step = max(1, -(-block.size // count))
    while step > 1 and math.gcd(step, block.shape[-1]) > 1:
        step += 1
    sample = block.reshape(-1)[::step].astype(np.float64)
    return sample[np.isfinite(sample)]


def quantiles(values: ValueRange, shares: tuple[float, ...]) -> Mapping[float, float]:
    """Estimate quantiles of the whole from the sample."""
    if not values.sample.size:
        return dict.fromkeys(shares, math.nan)
    some = values.sample[:: -(-values.sample.size // _MOST_ORDERED)]
    return dict(zip(shares, map(float, np.quantile(some, shares)), strict=True))
