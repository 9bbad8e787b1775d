"""What every stack of frames does alike: choose frames and rows, fill an array of them, tell what plain bytes cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.model import Frames
from tomarium.model.scan import IndexedFrames


class _Filling(Frames, Protocol):
    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None: ...


class PerFrame(IndexedFrames):
    """Frames that are read by filling an array; what fills it, `_fill`, each kind of file has of its own."""

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        """Write `rows`, a slice of step 1, of the frames numbered `wanted` into `result`."""
        raise NotImplementedError

    def read(
        self: _Filling,
        frames: slice | NDArray[np.intp],
        rows: slice,
        empty: Callable[..., NDArray[Any]] = np.empty,
    ) -> NDArray[Any]:
        """Read detector rows of some frames: (frame, row, column) of the stored type, in this machine's byte order.

        `empty` makes the array from its shape and type.
        """
        wanted = np.arange(self.shape[0])[frames]
        first, last, step = rows.indices(self.shape[1])
        band = slice(first, max(first, last))
        result = empty((len(wanted), band.stop - first, self.shape[2]), self.dtype)
        self._fill(result, wanted, band)
        return result if step == 1 else result[:, ::step]

    def cost(self: Frames, frames: int, rows: slice) -> tuple[int, int]:
        """Return the bytes that rows of that many frames take, and 0 decompressed."""
        return plain_cost(self, frames, rows)


def by_file(files: list[Path]) -> Iterator[tuple[Path, list[int]]]:
    """Group neighbours that lie in one file, so that it is opened once: yield it and their places in the list."""
    for file, run in groupby(range(len(files)), key=lambda place: files[place]):
        yield file, list(run)


def plain_cost(stack: Frames, frames: int, rows: slice) -> tuple[int, int]:
    """Return the bytes that rows of that many frames take on disk where nothing is packed, and 0 decompressed."""
    _, height, columns = stack.shape
    return frames * len(range(*rows.indices(height))) * columns * np.dtype(stack.dtype).itemsize, 0


def demand_same_size(place: str, frames: Frames, projections: Frames) -> None:
    """Refuse references of another size than the projections; `place`: their file, and dataset."""
    if frames.shape[1:] != projections.shape[1:]:
        raise FormatError(
            f"{place} has frames of {frames.shape[1:]} rows and columns, the projections {projections.shape[1:]}; "
            f"both must be equal, so crop or replace them"
        )
