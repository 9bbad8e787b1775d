"""Arrays that are copied block by block, so that one block at a time is in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from tomarium.model.image import Sliceable

_BLOCK_BYTES: Final = 64 << 20


def blocks_of(shape: tuple[int, ...], itemsize: int, most: int) -> Iterator[slice]:
    """Cut an array along its first axis into runs of so many bytes at most, and of one entry at least."""
    step = max(1, most // max(1, math.prod(shape[1:]) * itemsize))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def copy_blocks(source: Sliceable, target: Any) -> None:
    """Copy an array into another of the same shape."""
    for part in blocks_of(tuple(source.shape), np.dtype(source.dtype).itemsize, _BLOCK_BYTES):
        target[part] = np.asarray(source[part])
