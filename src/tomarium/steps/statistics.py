"""Statistics and histogram of a volume, slab by slab."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from tomarium.model import Slab
from tomarium.steps.step import tally

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


@tally(merge=merge, accepts=("slice",))
def statistics(slab: Slab) -> dict[str, Any]:
    """Count, sum and histogram the voxels inside the inscribed cylinder.

    Bins are as wide as a power of two and begin at a multiple of it, so that two histograms add up exactly
    whatever their ranges were, and slabs give what the whole volume gives.

    Parameters
    ----------
    slab : Slab
        Slices (z, y, x).

    Returns
    -------
    dict
        `count`, `not_finite`, `sum`, `sum_squares`, `minimum`, `maximum`, and `histogram` {`exponent`,
        `first`, `counts`}: bin i covers [(first + i) · 2^exponent, (first + i + 1) · 2^exponent).
    """
    parts = [_plane(plane, inside) for inside in [_disc(slab.data.shape[1:])] for plane in slab.data]
    total = parts[0]
    for part in parts[1:]:
        total = merge(total, part)
    return total


def _disc(plane: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    y, x = (np.arange(n) - (n - 1) / 2 for n in plane)
    return np.asarray(y[:, None] ** 2 + x[None, :] ** 2 <= (min(plane) / 2) ** 2)


def _plane(plane: Any, inside: Any) -> dict[str, Any]:
    values = plane[inside]
    finite = np.isfinite(values)
    lost = int(values.size - np.count_nonzero(finite))
    values = values if lost == 0 else values[finite]
    empty = {"count": 0, "not_finite": lost, "sum": 0.0, "sum_squares": 0.0, "minimum": None, "maximum": None}
    if not values.size:
        return empty | {"histogram": {"exponent": 0, "first": 0, "counts": []}}
    low, high = float(values.min()), float(values.max())
    exponent = _exponent(low, high)
    bins = np.floor(np.ldexp(values.astype(np.float64), -exponent)).astype(np.int64)
    first = int(bins.min())
    return {
        "count": int(values.size),
        "not_finite": lost,
        "sum": float(values.sum(dtype=np.float64)),
        "sum_squares": float(np.square(values, dtype=np.float64).sum()),
        "minimum": low,
        "maximum": high,
        "histogram": {"exponent": exponent, "first": first, "counts": np.bincount(bins - first).tolist()},
    }


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
