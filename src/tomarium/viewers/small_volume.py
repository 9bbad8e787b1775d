"""A volume made so small that a browser can hold it: 8-bit grey, at most 8 MB."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model.image import Sliceable
from tomarium.viewers.volume import open_volume

MOST_BYTES: Final = 8_000_000
LONGEST: Final = 1024
"""Voxels along an axis: what three-dimensional textures of phones hold."""
READ_AT_ONCE: Final = 16_000_000
MOST_READ: Final = 512_000_000
"""Voxels read of a volume that has no coarser level; of a larger one only every n-th slice is read."""


@dataclass(frozen=True)
class SmallVolume:
    """A volume to be looked at in three dimensions.

    Attributes
    ----------
    grey : array of uint8, shape (z, y, x)
        0 is the lower end of the grey window, 255 the upper one.
    threshold : int
        The grey value that parts object and surroundings best (Otsu).
    """

    grey: NDArray[np.uint8]
    threshold: int


def small_shape(shape: Sequence[int], most: int = MOST_BYTES) -> tuple[int, int, int]:
    """Tell how many voxels are kept along each axis.

    Parameters
    ----------
    shape : sequence of int
        Of the volume (z, y, x).
    most : int
        Voxels of the small one.

    Returns
    -------
    tuple of int
        (z, y, x): all axes by the same factor, none made longer, none shorter than 1.

    Examples
    --------
    >>> small_shape((2048, 2048, 2048))
    (200, 200, 200)
    >>> small_shape((40, 100, 100))
    (40, 100, 100)
    """
    factor = max(1.0, (math.prod(shape) / most) ** (1 / 3), max(shape) / LONGEST)
    while math.prod(small := [max(1, int(length / factor + 1e-9)) for length in shape]) > most:
        factor *= 1.01  # an axis of one voxel cannot give its share
    return small[0], small[1], small[2]


@lru_cache(maxsize=6)
def small_of(
    path: Path, _changed_ns: int, window: tuple[float, float], most: int = MOST_BYTES
) -> SmallVolume:
    """Make the volume in a folder small; as long as it is as old as it was, the answer is kept."""
    levels = open_volume(path).levels
    shape = small_shape(levels[0].shape, most)
    fine = [level for level in levels if all(n >= m for n, m in zip(level.shape, shape, strict=True))]
    grey = _as_grey(averaged(fine[-1], shape), window)
    return SmallVolume(grey, otsu(grey))


def averaged(level: Sliceable, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Average a volume down, a few slices at a time.

    Parameters
    ----------
    level : array of a real type, shape (z, y, x)
        May lie on disk.
    shape : tuple of int
        Of the result, along no axis longer.

    Returns
    -------
    array of float32
        Each voxel the mean of what it covers, parts of voxels counted as parts. NaN counts as 0.
    """
    depth, rows, columns = level.shape
    step = max(1, -(-math.prod(level.shape) // MOST_READ))
    planes = range(0, depth, step) if -(-depth // step) >= shape[0] else range(depth)
    result = np.zeros(shape, np.float32)
    shares = _shares(len(planes), shape[0])
    count = max(1, READ_AT_ONCE // (rows * columns))
    for first in range(0, len(planes), count):
        part = planes[first : first + count]
        read = np.asarray(level[part[0] : part[-1] + 1 : part.step], np.float32)
        small = _average_along(_average_along(_finite(read), 1, shape[1]), 2, shape[2])
        for places, weights in shares:
            for k in np.flatnonzero((places >= first) & (places < first + len(part)) & (weights > 0)):
                result[k] += weights[k] * small[places[k] - first]
    return result


def otsu(grey: NDArray[np.uint8]) -> int:
    """Find the grey value that parts a volume into two classes of the least spread.

    Parameters
    ----------
    grey : array of uint8, shape (z, y, x)
        Only what lies in the ellipse inscribed in (y, x) counts.

    Returns
    -------
    int
        From 1 to 254.

    Notes
    -----
    N. Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9, 62 (1979), doi:10.1109/TSMC.1979.4310076,
    equation 18.
    """
    rows, columns = grey.shape[1:]
    y = (np.arange(rows) - (rows - 1) / 2) / (rows / 2)
    x = (np.arange(columns) - (columns - 1) / 2) / (columns / 2)
    counts = np.bincount(grey[:, y[:, None] ** 2 + x**2 <= 1.0].ravel(), minlength=256).astype(np.float64)
    counts[[0, 255]] = 0  # what the window cut off is heaped up there
    if counts.sum() == 0:
        return 128
    share = np.cumsum(counts) / counts.sum()
    mean = np.cumsum(counts * np.arange(256)) / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * share - mean) ** 2 / (share * (1 - share))
    return int(np.clip(np.nanargmax(np.where(np.isfinite(between), between, 0)) + 1, 1, 254))


def _as_grey(values: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = window
    grey = (values - np.float32(low)) * np.float32(255 / (high - low)) + np.float32(0.5)
    return np.asarray(np.clip(grey, 0, 255), np.uint8)


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values if np.isfinite(values).all() else np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _average_along(values: NDArray[np.float32], axis: int, short: int) -> NDArray[np.float32]:
    """Average along one axis."""
    if values.shape[axis] == short:
        return values
    shape = [-1 if number == axis else 1 for number in range(values.ndim)]
    parts = (
        values.take(places, axis) * weights.reshape(shape)
        for places, weights in _shares(values.shape[axis], short)
    )
    total = next(parts)
    for part in parts:
        total += part
    return total


def _shares(long: int, short: int) -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Tell of each of `short` voxels which of `long` it covers, one after the other, and by which share."""
    edges = np.arange(short + 1) * (long / short)
    first = np.floor(edges[:-1] + 1e-9).astype(np.intp)
    shares = []
    for number in range(math.ceil(long / short) + 1):
        overlap = np.minimum(edges[1:], first + number + 1) - np.maximum(edges[:-1], first + number)
        weights = (np.clip(overlap, 0, None) * (short / long)).astype(np.float32)
        if weights.max() > 1e-6:
            shares.append((np.minimum(first + number, long - 1), weights))
    return shares
