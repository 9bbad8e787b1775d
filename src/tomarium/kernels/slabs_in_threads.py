"""What looks at near voxels only, slab by slab on all processors: what is between two steps stays in their caches."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors

SLAB_BYTES: Final = 2**21
"""Of a slab of float32, without what is read around it."""
LEAST_PLANES: Final = 4


def in_slabs(
    function: Callable[[NDArray[np.float32]], NDArray[np.float32]], volume: NDArray[np.float32], halo: int
) -> NDArray[np.float32]:
    """Apply a function of near voxels to a volume, slab by slab.

    Parameters
    ----------
    function : callable
        Takes a part of the volume with all rows and columns, and returns as much; it must not change what it is given.
    volume : array of float32, shape (z, y, x)
        In any unit.
    halo : int
        Planes on either side that a voxel's result depends on, at most.

    Returns
    -------
    array of float32, same shape
        What the function makes of the whole, bit by bit.
    """
    result = np.empty_like(volume)
    depth = volume.shape[0]
    high = max(LEAST_PLANES, SLAB_BYTES // max(1, volume[:1].nbytes))

    def one(start: int) -> None:
        stop, low = min(start + high, depth), max(0, start - halo)
        made = function(volume[low : min(depth, stop + halo)])
        result[start:stop] = made[start - low : stop - low]

    with ThreadPoolExecutor(processors()) as pool:
        list(pool.map(one, range(0, depth, high)))
    return result
