"""Mean of 2 × 2 × 2 voxels, compiled where it can be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import Engine, extension, level, takes_compiled

# Rows of two planes that are halved at once: with their sums they fit in a second-level cache.
_ROWS: Final = 64


TYPES: Final = (np.dtype(np.float32), np.dtype(np.uint16), np.dtype(np.uint8))
"""Types of a voxel that are halved here."""


def halve(block: NDArray[Any], out: NDArray[Any], *, engine: Engine = "auto") -> None:
    """Halve a block along each axis by the mean of 2 × 2 × 2 voxels.

    Parameters
    ----------
    block : array of one of `TYPES`, shape (2 z, 2 y, 2 x)
        C-contiguous for the compiled kernel; any other block is taken by NumPy.
    out : array of that type, shape (z, y, x)
        Filled; C-contiguous. A NaN makes the voxel it belongs to NaN; whole numbers are rounded to the nearest, halves
        to the even one.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy, with the same bits; "auto" takes the compiled one where it is there.

    Raises
    ------
    EngineUnavailable
        The compiled kernel was asked for and is not there.
    """
    depth, rows, _ = out.shape
    if block.flags.c_contiguous and takes_compiled(engine, "halve"):
        native, instructions = extension().halve, level()

        def some(part: range) -> None:
            for z in part:
                native(block, out, z, instructions)
    else:

        def some(part: range) -> None:
            _halve_planes(block, out, part, min(_ROWS, 2 * rows))

    count = min(processors(), depth)
    if count <= 1:
        some(range(depth))
        return
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(some, [range(k, depth, count) for k in range(count)]))


def _halve_planes(block: NDArray[Any], out: NDArray[Any], part: range, high: int) -> None:
    """Halve two planes at a time: what is added lies in the processor's cache or near it."""
    wide, rows = block.shape[2], block.shape[1]
    tall, flat = np.empty((high, wide), np.float32), np.empty((high // 2, wide), np.float32)
    mean = np.empty((high // 2, wide // 2), np.float32)
    for z in part:
        for first in range(0, rows, high):
            last = min(first + high, rows)
            sums, halves = tall[: last - first], flat[: (last - first) // 2]
            np.add(block[2 * z, first:last], block[2 * z + 1, first:last], out=sums, dtype=np.float32)
            np.add(sums[0::2], sums[1::2], out=halves)
            target = mean[: len(halves)]
            np.add(halves[:, 0::2], halves[:, 1::2], out=target)
            target *= np.float32(0.125)
            out[z, first // 2 : last // 2] = target if out.dtype.kind == "f" else np.rint(target, out=target)
