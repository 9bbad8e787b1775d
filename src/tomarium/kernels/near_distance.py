"""Distances in a volume that are only wanted up to a bound: block by block, on all processors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.optional_packages import optional_import

BLOCK: Final = 96
"""Voxels of a block along each axis, without what is read around it."""

Tell = Callable[[int, int], object]


def near_distance(
    body: NDArray[np.bool_],
    reach: float,
    less: NDArray[np.float32] | None = None,
    *,
    tell: Tell | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Measure how far each voxel of a body is from the nearest one that is not in it, up to a bound.

    Parameters
    ----------
    body : array of bool, shape (z, y, x)
        Beyond the ends is nothing, neither body nor other.
    reach : float
        Bound, px: what is farther gets this distance.
    less : array of float32, same shape, optional
        Is taken off the distance to a voxel, by the place of that voxel, px.
    tell : callable, optional
        `tell(blocks done, blocks)`.
    threads : int, optional
        At work at a time; by default one for each processor.

    Returns
    -------
    array of float32, same shape
        px; 0 outside the body, `less` not counted there.
    """
    optional_import("scipy.ndimage", "mesh")
    result = np.zeros(body.shape, np.float32)
    blocks = list(_blocks(body.shape))
    pool = ThreadPoolExecutor(min(threads or processors(), len(blocks)))
    try:
        futures = [pool.submit(_fill, result, body, reach, less, block) for block in blocks]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            if tell is not None:
                tell(done, len(blocks))
    finally:  # who is told to stop does not wait for all blocks
        pool.shutdown(cancel_futures=True)
    return result


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    for start in product(*(range(0, length, BLOCK) for length in shape)):
        yield tuple(slice(low, min(low + BLOCK, length)) for low, length in zip(start, shape, strict=True))


def _fill(
    result: NDArray[np.float32],
    body: NDArray[np.bool_],
    reach: float,
    less: NDArray[np.float32] | None,
    block: tuple[slice, ...],
) -> None:
    """Measure one block; what lies within the bound of it lies in what is read around it."""
    core = body[block]
    if not core.any():
        return
    margin = ceil(reach)
    around = tuple(
        slice(max(0, one.start - margin), min(length, one.stop + margin))
        for one, length in zip(block, body.shape, strict=True)
    )
    part = body[around]
    if part.all():
        result[block][core] = reach
        return
    ndimage: Any = optional_import("scipy.ndimage", "mesh")
    own = tuple(
        slice(one.start - wide.start, one.stop - wide.start) for one, wide in zip(block, around, strict=True)
    )
    if less is None:
        away = ndimage.distance_transform_edt(part)[own]
    else:
        away, nearest = ndimage.distance_transform_edt(part, return_indices=True)
        away = away[own] - np.where(away[own] < reach, less[around][tuple(nearest[(..., *own)])], 0)
    np.copyto(result[block], np.minimum(away, reach), where=core, casting="same_kind")
