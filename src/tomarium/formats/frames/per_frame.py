"""What every stack of frames does alike: choose frames and rows, fill an array of them, tell what plain bytes cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Frames


def read_rows(
    stack: Frames,
    frames: slice | NDArray[np.intp],
    rows: slice,
    fill: Callable[[NDArray[Any], NDArray[np.intp], slice], None],
) -> NDArray[Any]:
    """Read detector rows of some frames of a stack by what reads its kind of file.

    `stack`: the stack; its `shape` and `dtype` are the result's. `fill`: `fill(result, wanted, band)` writes
    rows `band` (of step 1) of the frames numbered `wanted` into `result`.
    """
    wanted = np.arange(stack.shape[0])[frames]
    first, last, step = rows.indices(stack.shape[1])
    band = slice(first, max(first, last))
    result = np.empty((len(wanted), band.stop - first, stack.shape[2]), stack.dtype)
    fill(result, wanted, band)
    return result if step == 1 else result[:, ::step]


def by_file(files: list[Path]) -> Iterator[tuple[Path, list[int]]]:
    """Group neighbours that lie in one file, so that it is opened once: yield it and their places in the list."""
    for file, run in groupby(range(len(files)), key=lambda place: files[place]):
        yield file, list(run)


def plain_cost(stack: Frames, frames: int, rows: slice) -> tuple[int, int]:
    """Return the bytes that rows of that many frames take on disk where nothing is packed, and 0 decompressed."""
    _, height, columns = stack.shape
    return frames * len(range(*rows.indices(height))) * columns * np.dtype(stack.dtype).itemsize, 0
