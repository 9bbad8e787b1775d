"""Statistics and histogram of a volume or of projections, slab by slab."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.image_statistics import TYPES, counted_columns, histogram, moments
from tomarium.model import Slab
from tomarium.steps.core.step import tally

BINS: Final = 1024
"""A histogram has between half as many bins as this and this many."""


def merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Merge the statistics of two parts of a volume.

    Parameters
    ----------
    one, other : dict
        As `statistics` returns them.

    Returns
    -------
    dict
        Statistics of both together; the order does not matter.
    """
    if not one["count"]:
        return other | {"not_finite": one["not_finite"] + other["not_finite"]}
    if not other["count"]:
        return one | {"not_finite": one["not_finite"] + other["not_finite"]}
    low, high = min(one["minimum"], other["minimum"]), max(one["maximum"], other["maximum"])
    exponent = _exponent(low, high)
    first = math.floor(low / 2.0**exponent)
    counts = np.zeros(math.floor(high / 2.0**exponent) - first + 1, np.int64)
    for part in (one, other):
        _add(counts, first, exponent, part["histogram"])
    return {
        "count": one["count"] + other["count"],
        "not_finite": one["not_finite"] + other["not_finite"],
        "sum": one["sum"] + other["sum"],
        "sum_squares": one["sum_squares"] + other["sum_squares"],
        "minimum": low,
        "maximum": high,
        "histogram": {"exponent": exponent, "first": first, "counts": counts.tolist()},
    }


@tally(merge=merge, accepts=("slice", "attenuation", "transmission", "counts"))
def statistics(slab: Slab) -> dict[str, Any]:
    """Count, sum and histogram the voxels inside the inscribed cylinder, or every pixel of projections.

    Bins are as wide as a power of two and begin at a multiple of it, so that two histograms add up exactly
    whatever their ranges were, and slabs give what the whole volume gives.

    Parameters
    ----------
    slab : Slab
        Slices (z, y, x), of which the inscribed disc counts; or projections (angle, row, column).

    Returns
    -------
    dict
        `count`, `not_finite`, `sum`, `sum_squares`, `minimum`, `maximum`, and `histogram` {`exponent`,
        `first`, `counts`}: bin i covers [(first + i) · 2^exponent, (first + i + 1) · 2^exponent).
    """
    _, rows, columns = slab.data.shape
    first, last = counted_columns(rows, columns, disc=slab.domain == "slice")
    kind = slab.data.dtype if slab.data.dtype in TYPES else np.dtype(np.float32)
    parts = [_plane(np.ascontiguousarray(plane, kind), first, last) for plane in slab.data]
    return reduce(merge, parts)


def _plane(plane: NDArray[Any], first: NDArray[np.int32], last: NDArray[np.int32]) -> dict[str, Any]:
    sums = moments(plane, first, last)
    statistics = {
        "count": sums.count,
        "not_finite": sums.not_finite,
        "sum": sums.sum,
        "sum_squares": sums.sum_squares,
        "minimum": sums.minimum if sums.count else None,
        "maximum": sums.maximum if sums.count else None,
    }
    if not sums.count:
        return statistics | {"histogram": {"exponent": 0, "first": 0, "counts": []}}
    exponent = _exponent(sums.minimum, sums.maximum)
    origin = math.floor(sums.minimum / 2.0**exponent)
    bins = math.floor(sums.maximum / 2.0**exponent) - origin + 1
    counts = histogram(plane, first, last, exponent, origin, bins)
    return statistics | {"histogram": {"exponent": exponent, "first": origin, "counts": counts.tolist()}}


def _exponent(low: float, high: float) -> int:
    """Return the smallest e for which bins of width 2^e cover [low, high] with at most `BINS` of them."""
    width = max(high - low, abs(high) * 1e-6, abs(low) * 1e-6, 1e-30)
    return math.ceil(math.log2(width / (BINS - 2)))


def _add(counts: Any, first: int, exponent: int, histogram: dict[str, Any]) -> None:
    """Add a histogram with bins as wide or narrower."""
    shift = exponent - histogram["exponent"]
    index = ((histogram["first"] + np.arange(len(histogram["counts"]))) >> shift) - first
    np.add.at(counts, index, np.asarray(histogram["counts"], np.int64))


def summarise(total: dict[str, Any]) -> dict[str, Any]:
    """Write merged statistics as people and pages want them.

    Parameters
    ----------
    total : dict
        As `statistics` and `merge` return them.

    Returns
    -------
    dict
        `minimum`, `maximum`, `mean`, `standard_deviation`, `not_finite` and `histogram` {`edges`, `counts`}.
    """
    count = max(total["count"], 1)
    mean = total["sum"] / count
    histogram = total["histogram"]
    edges = np.ldexp(histogram["first"] + np.arange(len(histogram["counts"]) + 1.0), histogram["exponent"])
    return {
        "minimum": total["minimum"],
        "maximum": total["maximum"],
        "mean": mean,
        "standard_deviation": math.sqrt(max(total["sum_squares"] / count - mean**2, 0.0)),
        "not_finite": total["not_finite"],
        "histogram": {"edges": edges.tolist(), "counts": histogram["counts"]},
    }
