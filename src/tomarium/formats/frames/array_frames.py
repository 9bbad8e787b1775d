"""Frames that lie in memory already: what the simulator makes, what tests use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.model.scan import IndexedFrames


@dataclass(frozen=True, eq=False)
class ArrayFrames(IndexedFrames):
    """A stack of frames held in an array."""

    array: NDArray[Any]  # shape (frame, row, column): the frames, of any numeric type

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise InputError(
                f"an array of shape {self.array.shape} was given as frames; "
                f"its axes must be (frame, row, column), so reshape it to three axes"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        frames, rows, columns = self.array.shape
        return frames, rows, columns

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return self.array.dtype

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Copy detector rows of some frames.

        Result, shape (frame, row, column): a copy of the stored type, C-ordered; changing it leaves the stack
        as it is.
        """
        return np.array(self.array[frames, rows], order="C")

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return the bytes that come from disk and those that are decompressed: none of either."""
        return 0, 0
