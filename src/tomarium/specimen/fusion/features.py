"""What describes a voxel by its neighbourhood, read in as much memory as there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.curvature import ENTRIES, eigenvalues
from tomarium.optional_packages import optional_import
from tomarium.pipeline.segment import forest
from tomarium.pipeline.segment.slabs import Smoothed
from tomarium.pipeline.segment.tiles import Region, around, bytes_of

HALO: Final = forest.HALO
FEATURES: Final = forest.FEATURES + 3

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
_REACH: Final = 8
_BLOCK_BYTES: Final = 4 * 10
"""Of a voxel of a tile with its neighbours: value, smoothed, what smoothing takes, three slopes and their products."""
_CORE_BYTES: Final = 4 * (FEATURES + 6) + 8 * 16
"""Of a voxel of a tile: features, tensor, and what trees say of some phases, twice."""


def described(block: NDArray[np.float32], core: Region | None = None) -> NDArray[np.float32]:
    """Describe each voxel by its neighbourhood.

    Parameters
    ----------
    block : array of float32, shape (z, y, x)
        Values, with `HALO` neighbours where there are any.
    core : tuple of slice, optional
        Voxels that are wanted, z, y, x; all by default.

    Returns
    -------
    array of float32, shape (z, y, x, 19)
        The features of `forest.features`, and the roots of the eigenvalues of the structure tensor (gradients at
        σ = 1 px, averaged with σ = 2 px), ascending: how lamellae and rims lie.
    """
    ndimage = optional_import("scipy.ndimage", "analysis")
    wanted = forest.whole(block) if core is None else core
    found = np.empty((*block[wanted].shape, FEATURES), np.float32)
    forest.fill_features(block, wanted, found)
    smooth = ndimage.gaussian_filter(block, _DERIVED, mode="nearest", truncate=4.0)
    # What is averaged reaches so far, and a slope one voxel further.
    near, within = around(wanted, _REACH + 1, block.shape)
    slopes = [ndimage.correlate1d(smooth[near], [-0.5, 0.0, 0.5], axis, mode="nearest") for axis in range(3)]
    entries = np.empty((len(ENTRIES), *found.shape[:3]), np.float32)
    for entry, (i, j) in zip(entries, ENTRIES, strict=True):
        mean = ndimage.gaussian_filter(slopes[i] * slopes[j], _AVERAGED, mode="nearest", truncate=4.0)
        entry[:] = mean[within]
    roots = found.reshape(-1, FEATURES)
    eigenvalues(entries.reshape(len(ENTRIES), -1), roots, forest.FEATURES)
    np.sqrt(np.maximum(roots[:, forest.FEATURES :], 0.0), out=roots[:, forest.FEATURES :])
    return found


def at_places(
    source: Smoothed, places: NDArray[np.int64], tell: Callable[[str, int, int], None]
) -> NDArray[np.float32]:
    """Return the features of some voxels; only what lies around them is described.

    Parameters
    ----------
    source : Smoothed
        The volume.
    places : array of int64, shape (voxel, 3)
        z, y, x.
    tell : callable
        `tell(stage, done, total)`.

    Returns
    -------
    array of float32, shape (voxel, 19)
        In their order.
    """
    return forest.described_places(
        source, places, HALO, described, FEATURES, lambda done: tell("features", done, len(places))
    )


def memory_of(shape: Sequence[int]) -> int:
    """Return how many bytes it takes to describe all voxels of a volume, tile by tile."""
    return bytes_of(shape, HALO, _BLOCK_BYTES, _CORE_BYTES)
