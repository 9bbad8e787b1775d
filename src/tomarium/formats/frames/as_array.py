"""A stack of lazy frames that slices like an array: what an image or a volume needs of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Frames


@dataclass(frozen=True, eq=False)
class FrameStack:
    """Frames as an array of three axes; only the frames and rows of a slice are read."""

    frames: Frames

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self.frames.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element."""
        return np.dtype(self.frames.dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
        if any(one is None or (isinstance(one, np.ndarray) and one.ndim > 1) for one in keys):
            return np.asarray(self.frames.read(slice(None), slice(None))[key])
        if Ellipsis in [one for one in keys if not isinstance(one, np.ndarray)]:
            place = next(number for number, one in enumerate(keys) if one is Ellipsis)
            keys = keys[:place] + (slice(None),) * (4 - len(keys)) + keys[place + 1 :]
        if len(keys) > 3:
            raise IndexError(f"{len(keys)} indices were given for an array of 3 axes")
        frame, row, column = keys + (slice(None),) * (3 - len(keys))
        wanted = np.arange(self.shape[0])[frame]
        rows = row if isinstance(row, slice) and (row.step or 1) > 0 else slice(None)
        block = self.frames.read(np.atleast_1d(wanted), rows)
        if rows is not row:
            block = block[:, row]
            if isinstance(row, int | np.integer):
                column = (..., column)
                block = block[column]
                return np.asarray(block if np.ndim(wanted) else block[0])
        block = block[:, :, column]
        return np.asarray(block if np.ndim(wanted) else block[0])
