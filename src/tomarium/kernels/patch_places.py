"""Places of patches in the blocks of a split: side by side, or drawn; the same on every machine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.kernels.drawing import draw
from tomarium.kernels.spatial_blocks import Block, Triple, cut


def largest_that_fits(shape: Sequence[int], largest: int, smallest: int) -> tuple[int, tuple[Block, ...]]:
    """Find the largest cube of which a volume has patches for three splits.

    Parameters
    ----------
    shape : sequence of int
        Voxels (z, y, x).
    largest, smallest : int
        Voxels along each side; `largest` is halved until it fits, not below `smallest`.

    Returns
    -------
    int, tuple of Block
        Voxels along each side; and the blocks of all splits, with gaps as wide as a patch. No block where even the
        smallest does not fit.
    """
    size = largest
    while len(shape) == 3 and size >= smallest:
        try:
            return size, cut(shape, (size,) * 3, size)
        except ParameterError:
            size //= 2
    return size, ()


def side_by_side(block: Block, size: Triple) -> NDArray[np.int64]:
    """Place patches side by side in a block.

    Parameters
    ----------
    block : Block
        Where.
    size : tuple of int
        Voxels of a patch (z, y, x).

    Returns
    -------
    array of int64, shape (patches, 3)
        First voxel of each (z, y, x), x changing soonest.
    """
    axes = [
        np.arange(start, stop - length + 1, length)
        for start, stop, length in zip(block.start, block.stop, size, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int64)


def drawn(blocks: Sequence[Block], size: Triple, number: int, seed: int) -> list[NDArray[np.int64]]:
    """Draw places, each of all that patches of these blocks can have alike likely.

    Parameters
    ----------
    blocks : sequence of Block
        Of one split; each holds at least one patch.
    size : tuple of int
        Voxels of a patch (z, y, x).
    number : int
        How many to draw.
    seed : int
        Another seed gives other places.

    Returns
    -------
    list of array of int64, shape (patches, 3)
        First voxels (z, y, x) in each of the blocks.
    """
    counts = [[n - length + 1 for n, length in zip(block.shape, size, strict=True)] for block in blocks]
    ends = list(itertools.accumulate(math.prod(count) for count in counts))
    places_by_block: list[list[Triple]] = [[] for _ in blocks]
    for k in range(number):
        place, z, y, x = draw(seed, "patch", k)
        which = int(np.searchsorted(ends, place % ends[-1], side="right"))
        low, room = blocks[which].start, counts[which]
        places_by_block[which].append((low[0] + z % room[0], low[1] + y % room[1], low[2] + x % room[2]))
    return [np.array(places, np.int64).reshape(-1, 3) for places in places_by_block]
