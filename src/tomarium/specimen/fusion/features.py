"""What describes a voxel by its neighbourhood, read in as much memory as there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.optional_packages import optional_import
from tomarium.pipeline.segment import forest
from tomarium.pipeline.segment.slabs import Smoothed, slab_height, slabs

HALO: Final = forest.HALO
FEATURES: Final = forest.FEATURES + 3
BYTES: Final = 4 * (2 * FEATURES + 30)
"""Bytes of a voxel while it is described."""

NAMES: Final = (
    "grey value",
    *(
        f"{quantity}, σ {scale:g} px"
        for scale in forest.SCALES
        for quantity in (
            "Gaussian",
            "gradient",
            "curvature, least",
            "curvature, middle",
            "curvature, greatest",
        )
    ),
    *(f"structure tensor, {eigenvalue}" for eigenvalue in ("least", "middle", "greatest")),
)
"""What each feature is, in their order."""

_DERIVED: Final = 1.0
_AVERAGED: Final = 2.0


def described(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe each voxel by its neighbourhood.

    Parameters
    ----------
    block : array of float32, shape (z, y, x)
        Values, with `HALO` neighbours where there are any.

    Returns
    -------
    array of float32, shape (z, y, x, 19)
        The features of `forest.features`, and the roots of the eigenvalues of the structure tensor (gradients at
        σ = 1 px, averaged with σ = 2 px), ascending: how lamellae and rims lie.
    """
    ndimage = optional_import("scipy.ndimage", "analysis")
    described_voxels = np.empty((*block.shape, FEATURES), np.float32)
    described_voxels[..., : forest.FEATURES] = forest.features(block)
    smooth = ndimage.gaussian_filter(block, _DERIVED, mode="nearest", truncate=4.0)
    slopes = [ndimage.correlate1d(smooth, [-0.5, 0.0, 0.5], axis, mode="nearest") for axis in range(3)]
    tensor = np.empty((*block.shape, 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            mean = ndimage.gaussian_filter(slopes[i] * slopes[j], _AVERAGED, mode="nearest", truncate=4.0)
            tensor[..., i, j] = tensor[..., j, i] = mean
    described_voxels[..., forest.FEATURES :] = np.sqrt(np.maximum(np.linalg.eigvalsh(tensor), 0.0))
    return described_voxels


def of_slices(source: Smoothed, start: int, stop: int) -> NDArray[np.float32]:
    """Return the features of slices, the same in whatever slabs they are read."""
    low, high = max(0, start - HALO), min(source.shape[0], stop + HALO)
    return described(source.read(low, high))[start - low : stop - low]


def height_of(shape: tuple[int, ...]) -> int:
    """Return how many slices are described at once."""
    return slab_height(shape, BYTES, HALO)


def at_places(
    source: Smoothed, places: NDArray[np.int64], tell: Callable[[str, int, int], None]
) -> NDArray[np.float32]:
    """Return the features of some voxels; only what lies around them is described.

    Parameters
    ----------
    source : Smoothed
        The volume.
    places : array of int64, shape (voxel, 3)
        z, y, x, ascending along z.
    tell : callable
        `tell(stage, done, total)`.

    Returns
    -------
    array of float32, shape (voxel, 19)
        In their order.
    """
    values = np.empty((len(places), FEATURES), np.float32)
    depth = source.shape[0]
    for start, stop in slabs(depth, min(HALO, height_of(source.shape))):
        first, last = np.searchsorted(places[:, 0], (start, stop))
        if first == last:
            continue
        places_here = places[first:last]
        low = np.maximum(places_here.min(axis=0) - HALO, 0)
        high = np.minimum(places_here.max(axis=0) + 1 + HALO, source.shape)
        block = source.read(int(low[0]), int(high[0]))[:, low[1] : high[1], low[2] : high[2]]
        z, y, x = (places_here - low).T
        values[first:last] = described(np.ascontiguousarray(block))[z, y, x]
        tell("features", stop, depth)
    return values
