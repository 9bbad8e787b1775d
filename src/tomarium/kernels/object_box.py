"""The box of the object in a volume: what stands out of the air about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.components import Components
from tomarium.kernels.thresholds import otsu

MARGIN: Final = 0.01
"""Added at each side of the box, as part of its length; at least half a voxel."""

SMALLEST: Final = 0.01
"""Part of the voxels of the largest object from which another one is kept too."""

_BINS: Final = 1024
_DEEPEST: Final = 3
_SEPARATION: Final = 4.0


@dataclass(frozen=True)
class ObjectBox:
    """Where the object lies.

    Attributes
    ----------
    start, stop : tuple of float
        Edges along (z, y, x) in voxels, the edge of voxel 0 being 0, with the margin; within the volume.
    threshold : float
        Between air and object, in the unit of the volume.
    separation : float
        Difference of the means of both, in standard deviations of a voxel within them.
    left_out : float
        Part of the voxels above the threshold that lie outside of the box.
    """

    start: tuple[float, float, float]
    stop: tuple[float, float, float]
    threshold: float
    separation: float
    left_out: float


def object_box(volume: NDArray[np.floating]) -> ObjectBox:
    """Find the box about the object of a volume.

    Parameters
    ----------
    volume : array, shape (z, y, x)
        Slices, y and x about the rotation axis; what lies outside of the circle in them is not looked at.

    Returns
    -------
    ObjectBox
        The box with a margin.

    Raises
    ------
    InputError
        Nothing stands out by four standard deviations.
    EngineUnavailable
        scikit-image is not installed.

    Notes
    -----
    1. Average over 3 × 3 × 3 voxels.
    2. Part the grey values by Otsu's threshold; part those of voxels more than two away from what is above again, as
       long as two classes stand four standard deviations apart: a heavy inclusion does not hide the light object
       about it.
    3. Take the largest connected object above the threshold, and those of 1 % of its voxels or more.
    4. Add 1 % of its length to the box at each side, half a voxel at least.

    References
    ----------
    N. Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979), doi 10.1109/TSMC.1979.4310076.
    """
    smooth = _mean_of_neighbours(np.nan_to_num(np.asarray(volume, np.float32)))
    in_circle = _circle(smooth.shape)
    threshold, separation = _threshold(smooth, in_circle)
    above = (smooth > threshold) & in_circle
    large_pieces = _large(above)
    start, stop = [], []
    for axis, length in enumerate(large_pieces.shape):
        object_lines = np.flatnonzero(large_pieces.any(axis=tuple({0, 1, 2} - {axis})))
        first, last = float(object_lines[0]), float(object_lines[-1] + 1)
        margin = max(0.5, MARGIN * (last - first))
        start.append(max(0.0, first - margin))
        stop.append(min(float(length), last + margin))
    inside = tuple(slice(int(a), math.ceil(b)) for a, b in zip(start, stop, strict=True))
    total = int(np.count_nonzero(above))
    return ObjectBox(
        (start[0], start[1], start[2]),
        (stop[0], stop[1], stop[2]),
        threshold,
        separation,
        1 - int(np.count_nonzero(above[inside])) / total,
    )


def _circle(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark what all views of a turn see, less a voxel at the rim."""
    y, x = (np.arange(length) - (length - 1) / 2 for length in shape[1:])
    radius = min(shape[1:]) / 2 - 1
    return np.asarray(y[:, None] ** 2 + x[None, :] ** 2 < radius**2)


def _neighbours(volume: NDArray[Any], axis: int) -> list[NDArray[Any]]:
    """Return the volume moved by a voxel to both sides, and as it is; its ends are repeated."""
    padded = np.concatenate([volume.take([0], axis), volume, volume.take([-1], axis)], axis=axis)
    return [np.take(padded, np.arange(k, k + volume.shape[axis]), axis) for k in range(3)]


def _mean_of_neighbours(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    for axis in range(3):
        before, own, after = _neighbours(volume, axis)
        volume = (before + own + after) / np.float32(3)
    return volume


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the voxels at most two away, which an object covers in part or shares by the average."""
    for axis in (0, 1, 2) * 2:
        before, own, after = _neighbours(mask, axis)
        mask = before | own | after
    return mask


def _threshold(volume: NDArray[np.float32], in_circle: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the lowest threshold that parts two classes well, and how well."""
    best: tuple[float, float] | None = None
    values = volume[:, in_circle]
    for _ in range(_DEEPEST):
        low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
        if not low < high:
            break
        threshold = otsu(np.histogram(values, _BINS, (low, high))[0], low, high)
        below, above = values[values <= threshold], values[values > threshold]
        if min(below.size, above.size) < 2:
            break
        spread = math.sqrt((float(below.var(dtype=np.float64)) + float(above.var(dtype=np.float64))) / 2)
        apart = float(above.mean(dtype=np.float64) - below.mean(dtype=np.float64)) / max(spread, 1e-30)
        if apart < _SEPARATION:
            best = best or (threshold, apart)
            break
        best = threshold, apart
        values = volume[~_grown(volume > threshold) & in_circle]
    if best is None or best[1] < _SEPARATION:
        seen_as = "all voxels are alike" if best is None else f"{best[1]:.1f} standard deviations"
        raise InputError(
            f"no object stands out of the air about it: {seen_as}, and {_SEPARATION:g} standard deviations are needed; "
            f"give the part that is wanted, --roi Z0:Z1,Y0:Y1,X0:X1, or its size, --crop Z,Y,X"
        )
    return best


def _large(above: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest object, and those that are not much smaller."""
    parts = Components()
    numbers = parts.add(above)
    counts = np.bincount(numbers.ravel(), minlength=parts.count + 1)
    counts[0] = 0
    return np.asarray((counts >= SMALLEST * counts.max())[numbers] & above)
