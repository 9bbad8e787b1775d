"""A volume in tiles that are small enough for all that is derived of their voxels, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.pipeline.segment.slabs import Smoothed, slabs

SIDE: Final = 160
"""Rows and columns of a tile: with 18 neighbours on each side it is half as large again."""
LOWEST: Final = 16
HIGHEST: Final = 64
HELD_BYTES: Final = 1 << 30
"""Of the slices, with their neighbours, that tiles are cut from."""

Region = tuple[slice, slice, slice]
Found = TypeVar("Found")
Work = Callable[[NDArray[np.float32], Region, Region], Found]
"""`work(block, core, region)`: what is made of the voxels `block[core]`, which are those of a region of the volume."""


def height_of(shape: Sequence[int], halo: int) -> int:
    """Return how many slices are cut into tiles at once.

    Parameters
    ----------
    shape : sequence of int
        Of the volume.
    halo : int
        Neighbours that are read on each side.

    Returns
    -------
    int
        16 to 64, the more the smaller the slices are; no more than there are.
    """
    fitting = HELD_BYTES // max(1, 4 * shape[1] * shape[2]) - 2 * halo
    return min(shape[0], max(LOWEST, min(HIGHEST, fitting)))


def bytes_of(shape: Sequence[int], halo: int, block_bytes: int, core_bytes: int) -> int:
    """Return how much memory tiles take.

    Parameters
    ----------
    shape : sequence of int
        Of the volume.
    halo : int
        Neighbours that are read on each side.
    block_bytes, core_bytes : int
        What is held of a voxel of a tile with its neighbours, and of one without.

    Returns
    -------
    int
        Bytes: the slices that are held, and one tile for each processor.
    """
    height = height_of(shape, halo)
    core = [height, *(min(SIDE, length) for length in shape[1:])]
    around = [min(length, part + 2 * halo) for length, part in zip(shape, core, strict=True)]
    tile = int(np.prod(around)) * block_bytes + int(np.prod(core)) * core_bytes
    return 4 * around[0] * shape[1] * shape[2] + processors() * tile


def tiles(shape: Sequence[int], start: int, stop: int) -> list[Region]:
    """Cut slices into tiles.

    Parameters
    ----------
    shape : sequence of int
        Of the volume.
    start, stop : int
        The slices.

    Returns
    -------
    list of tuple of slice
        z, y, x of each.
    """
    return [
        (slice(start, stop), slice(*rows), slice(*columns))
        for rows in slabs(shape[1], SIDE)
        for columns in slabs(shape[2], SIDE)
    ]


def each_region(source: Smoothed, regions: Sequence[Region], halo: int, work: Work[Found]) -> Iterator[Found]:
    """Work on regions of the same slices, one on each processor.

    Parameters
    ----------
    source : Smoothed
        The volume; its slices are read once, with the neighbours of all regions.
    regions : sequence of tuple of slice
        z, y, x of each, at least one.
    halo : int
        Neighbours that `work` gets on each side, where there are any.
    work : callable
        See `Work`.

    Yields
    ------
    object
        What `work` made of each, in their order.
    """
    low = max(0, min(region[0].start for region in regions) - halo)
    high = min(source.shape[0], max(region[0].stop for region in regions) + halo)
    values = source.read(low, high)

    def some(region: Region) -> Found:
        block, core = around(
            (slice(region[0].start - low, region[0].stop - low), *region[1:]), halo, values.shape
        )
        return work(np.ascontiguousarray(values[block]), core, region)

    pool = ThreadPoolExecutor(processors())
    try:
        yield from pool.map(some, regions)
    finally:  # who is told to stop does not wait for all of them
        pool.shutdown(cancel_futures=True)


def around(core: Region, halo: int, shape: Sequence[int]) -> tuple[Region, Region]:
    """Widen a region by neighbours, where there are any.

    Parameters
    ----------
    core : tuple of slice
        z, y, x.
    halo : int
        Neighbours on each side.
    shape : sequence of int
        Of what it lies in.

    Returns
    -------
    block : tuple of slice
        The wider region.
    within : tuple of slice
        Where the region lies in it.
    """
    z, y, x = (
        slice(max(0, part.start - halo), min(length, part.stop + halo))
        for part, length in zip(core, shape, strict=True)
    )
    return (z, y, x), (_within(core[0], z), _within(core[1], y), _within(core[2], x))


def _within(part: slice, wider: slice) -> slice:
    return slice(part.start - wider.start, part.stop - wider.start)


def regions_with(
    places: NDArray[np.int64], shape: Sequence[int], halo: int
) -> Iterator[list[tuple[Region, NDArray[np.int64]]]]:
    """Gather voxels into tiles.

    Parameters
    ----------
    places : array of int64, shape (voxel, 3)
        z, y, x.
    shape : sequence of int
        Of the volume.
    halo : int
        Neighbours that will be read on each side.

    Yields
    ------
    list of tuple
        For slices that are read together: the smallest region around the voxels of each tile, and their numbers.
    """
    height = height_of(shape, halo)
    keys = places // np.array([height, SIDE, SIDE])
    order = np.lexsort(keys.T[::-1])
    keys = keys[order]
    changes = (np.diff(keys, axis=0, prepend=-1) != 0).any(axis=1)
    begins = np.flatnonzero(changes).tolist()
    gathered: list[tuple[Region, NDArray[np.int64]]] = []
    slab = -1
    for begin, end in zip(begins, [*begins[1:], len(keys)], strict=True):
        numbers = order[begin:end]
        if gathered and keys[begin, 0] != slab:
            yield gathered
            gathered = []
        slab = int(keys[begin, 0])
        low, high = places[numbers].min(axis=0), places[numbers].max(axis=0) + 1
        z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        gathered.append(((z, y, x), numbers))
    if gathered:
        yield gathered
