"""Arrays that lie in one piece of a file: mapped for each access, so that opening keeps no file open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.opening.unpacked import Packing, mapped
from tomarium.model.scan import IndexedFrames


@dataclass(frozen=True, eq=False)
class MappedArray(IndexedFrames):
    """An array in one piece of a file, its last axis fastest.

    Attributes
    ----------
    path : Path
        The file.
    offset : int
        Byte where the first element lies.
    shape : tuple of int
        Length of each axis.
    stored : numpy.dtype
        Type of an element with the file's byte order.
    packing : Packing or None
        How the part of the file is packed that holds the array; `offset` is then counted in what it holds.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    packing: Packing | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element in this machine's byte order."""
        return self.stored.newbyteorder("=")

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array."""
        return math.prod(self.shape) * self.stored.itemsize

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.array(self._mapped()[key], dtype=self.dtype, order="C")

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read rows of some frames, for an array of three axes.

        Parameters
        ----------
        frames : slice or array of int
            Which frames, in the order wanted.
        rows : slice
            Rows of each.

        Returns
        -------
        array, shape (frame, row, column)
            In this machine's byte order.

        Raises
        ------
        FormatError
            The file is gone or shorter than the array.
        """
        return np.array(self._mapped()[frames, rows], dtype=self.dtype, order="C")

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return the bytes `read` takes from disk for that many frames and these rows; none are decompressed.

        Parameters
        ----------
        frames : int
            How many frames.
        rows : slice
            Rows of each.

        Returns
        -------
        tuple of int
            Bytes read, and 0.
        """
        count = len(range(*rows.indices(self.shape[1])))
        return frames * count * self.shape[2] * self.stored.itemsize, 0

    def _mapped(self) -> NDArray[Any]:
        try:
            return mapped(self.path, self.stored, self.offset, self.shape, self.packing)
        except FileNotFoundError as problem:
            raise FormatError(
                f"{self.path}: this file is gone; restore it or open the data again"
            ) from problem
        except (OSError, ValueError, TypeError) as problem:  # of a file that is too short
            raise FormatError(
                f"{self.path}: an array of shape {self.shape}, {self.dtype}, from byte {self.offset} cannot be "
                f"mapped ({problem}); the file has changed, so open it again or copy it again"
            ) from problem
