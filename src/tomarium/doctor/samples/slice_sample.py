"""The slices of a volume at the resolution that fits in bounded time: read once, for all checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Volume
from tomarium.model.image import Sliceable

MOST_VOXELS: Final = 24_000_000
"""Voxels that are read: the whole of the finest level that has no more, else slices spread over the volume."""


@dataclass(frozen=True, eq=False)
class SliceSample:
    """What slices of a volume hold, inside the inscribed circle.

    Attributes
    ----------
    z : array of intp, shape (slice,)
        Place of each slice in the volume at full resolution.
    thickness : int
        Slices of the volume that one of them stands for.
    neighbours : bool
        Whether they lie next to each other.
    low, high, mean, spread : array of float64, shape (slice,)
        Smallest and largest value, mean and standard deviation of the finite values; 0 where there are none.
    finite : array of float64, shape (slice,)
        Part of the values that are finite numbers.
    change : array of float64, shape (slice - 1, 2)
        The tenth and the ninetieth percentile over the voxels of what changes from a slice to the next.
    at_limits : float
        Part of the values at an end of an integer type's range.
    voxels : int
        How many of a slice were looked at.
    """

    z: NDArray[np.intp]
    thickness: int
    neighbours: bool
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    finite: NDArray[np.float64]
    change: NDArray[np.float64]
    at_limits: float
    voxels: int


def sample_slices(volume: Volume) -> SliceSample:
    """Read the slices of a volume.

    Parameters
    ----------
    volume : Volume
        No empty axis.

    Returns
    -------
    SliceSample
        Of the finest level that has at most 24 million voxels; without one, of slices spread over the volume.
    """
    levels = volume.levels or (volume.data,)
    whole = next((level for level in levels if np.prod(level.shape, dtype=np.float64) <= MOST_VOXELS), None)
    chosen = levels[-1] if whole is None else whole
    depth, height, width = chosen.shape
    thickness = max(1, round(volume.shape[0] / depth))
    most = depth if whole is not None else max(3, MOST_VOXELS // (height * width))
    places = np.unique(np.linspace(0, depth - 1, min(depth, most)).round().astype(np.intp))
    return _measure(chosen, places, thickness, neighbours=len(places) == depth)


def _measure(level: Sliceable, places: NDArray[np.intp], thickness: int, *, neighbours: bool) -> SliceSample:
    _, height, width = level.shape
    inside = _disc(height, width)
    limits = np.iinfo(level.dtype) if np.dtype(level.dtype).kind in "iu" else None
    rows, changes, clipped = [], [], 0
    before: NDArray[np.float32] | None = None
    for place in places:
        plane = np.asarray(level[int(place)])[inside]
        if limits is not None:
            clipped += int(
                np.count_nonzero((plane == limits.max) | ((plane == limits.min) & (limits.min < 0)))
            )
        values = plane.astype(np.float32)
        finite = values[np.isfinite(values)]
        rows.append(
            (
                finite.min(),
                finite.max(),
                finite.mean(dtype=np.float64),
                finite.std(dtype=np.float64),
                finite.size / values.size,
            )
            if finite.size
            else (0.0, 0.0, 0.0, 0.0, 0.0)
        )
        if before is not None:
            change = values - before
            change = change[np.isfinite(change)]
            changes.append(np.percentile(change, (10, 90)) if change.size else np.zeros(2))
        before = values
    low, high, mean, spread, finite_part = np.array(rows, np.float64).reshape(-1, 5).T
    return SliceSample(
        z=np.asarray(places * thickness, np.intp),
        thickness=thickness,
        neighbours=neighbours,
        low=low,
        high=high,
        mean=mean,
        spread=spread,
        finite=finite_part,
        change=np.array(changes, np.float64).reshape(-1, 2),
        at_limits=clipped / max(1, len(places) * int(np.count_nonzero(inside))),
        voxels=int(np.count_nonzero(inside)),
    )


def _disc(height: int, width: int) -> NDArray[np.bool_]:
    """Return the inscribed circle less its rim, outside of which reconstructions hold nothing of worth."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in (height, width))
    radius = max(min(height, width) / 2 - 2, 1.0)
    return np.asarray(y[:, None] ** 2 + x[None, :] ** 2 <= radius**2)
