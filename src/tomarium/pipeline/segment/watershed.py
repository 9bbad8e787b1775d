"""Objects that touch, parted by a watershed on the distance to their surface, slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import CannotFit
from tomarium.optional_packages import optional_import
from tomarium.pipeline.segment.slabs import SLAB_BYTES, slab_height, slabs

BYTES: Final = 64
"""Of a voxel: distance, its reconstruction, seeds, basins and the queue."""

_ROOM: Final = 3.0
"""Neighbours that are read, in largest distances to a surface: a basin ends within them."""

_FIRST: Final = 32

Mask = Callable[[int, int], NDArray[np.bool_]]
"""`mask(start, stop)`: whether each voxel of slices start to stop - 1 belongs to an object."""


def largest_distance(mask: Mask, shape: tuple[int, ...], tell: Callable[[str, int, int], None]) -> float:
    """Return the largest distance of a voxel in an object to its surface, px.

    Parameters
    ----------
    mask : callable
        What is an object.
    shape : tuple of int
        Of the volume.
    tell : callable
        `tell(stage, done, total)`.

    Returns
    -------
    float
        0 where there is no object.
    """
    depth, most, halo = shape[0], 0.0, min(_FIRST, shape[0])
    for start, stop in slabs(depth, slab_height(shape, BYTES, halo)):
        while True:
            low, high = max(0, start - halo), min(depth, stop + halo)
            largest = float(_distance(mask(low, high))[start - low : stop - low].max(initial=0.0))
            if largest < halo or (low, high) == (0, depth):
                break
            halo *= 2
        most = max(most, largest)
        tell("distances", stop, depth)
    return most


def basins(
    mask: Mask, shape: tuple[int, ...], h_px: float, tell: Callable[[str, int, int], None]
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Part objects at their necks.

    1. d is the distance of each voxel in an object to its surface. Seeds are the maxima of d that rise by h above the
       saddle to a higher one (h-maxima); an object that is thinner than that is a seed as a whole.
    2. From the seeds, -d is flooded; a voxel belongs to the seed whose flood reaches it first.
    3. A slab is read with three times the largest distance of neighbours, in which its basins end, and a basin is
       known by the place of its seed: so it has one number, whichever slab it is met in.

    Parameters
    ----------
    mask : callable
        What is an object.
    shape : tuple of int
        Of the volume.
    h_px : float
        Least rise of a seed, px.
    tell : callable
        `tell(stage, done, total)`.

    Yields
    ------
    start : int
        First slice of a slab.
    places : array of int64, shape (z, y, x)
        Of each voxel, 1 + the place of its seed in the volume counted in the order (z, y, x); 0 for background.

    Raises
    ------
    CannotFit
        Objects are so thick that their neighbours do not fit.
    """
    halo = ceil(_ROOM * largest_distance(mask, shape, tell)) + 2
    depth = shape[0]
    bytes_of_slice = shape[1] * shape[2] * BYTES
    if (2 * min(halo, depth) + 1) * bytes_of_slice > 32 * SLAB_BYTES:
        raise CannotFit(
            f"objects are up to {halo / _ROOM:.0f} px thick: a slab needs {halo} slices on either side, "
            f"{2 * halo * bytes_of_slice / 1e9:.1f} GB; bin the volume, or segment it without a watershed"
        )
    for start, stop in slabs(depth, max(slab_height(shape, BYTES, halo), min(halo, depth))):
        low, high = max(0, start - halo), min(depth, stop + halo)
        yield start, _basins_of_block(mask(low, high), h_px, low)[start - low : stop - low]
        tell("watershed", stop, depth)


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance to the background; beyond the ends of the volume objects go on."""
    return np.asarray(optional_import("scipy.ndimage", "analysis").distance_transform_edt(mask))


def _basins_of_block(mask: NDArray[np.bool_], h_px: float, low: int) -> NDArray[np.int64]:
    if not mask.any():
        return np.zeros(mask.shape, np.int64)
    morphology = optional_import("skimage.morphology", "analysis")
    measure = optional_import("skimage.measure", "analysis")
    flood = optional_import("skimage.segmentation", "analysis").watershed
    distance = _distance(mask)
    if mask.all():  # no surface: one object that fills all
        distance = np.ones(mask.shape)
    # Domes of d above its reconstruction from d - h (Vincent 1993); their tops are the seeds.
    lowered = morphology.reconstruction(distance - h_px, distance, footprint=np.ones((3, 3, 3)))
    tops = (distance - lowered >= h_px * (1 - 1e-9)) & mask
    objects = measure.label(mask, connectivity=3)
    seedless = np.ones(int(objects.max()) + 1, bool)
    seedless[np.unique(objects[tops])] = False
    seeds = measure.label(tops | (seedless[objects] & mask), connectivity=3)
    basin = np.asarray(flood(-distance, seeds, mask=mask, connectivity=np.ones((3, 3, 3))))
    flat = seeds.ravel()
    places = np.flatnonzero(flat)
    first = np.zeros(int(flat.max(initial=0)) + 1, np.int64)
    order = places[::-1]
    first[flat[order]] = order + 1 + low * mask.shape[1] * mask.shape[2]
    return np.asarray(first[basin])
