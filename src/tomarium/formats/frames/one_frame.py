"""The first frame of a stack, as an image of two axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import DTypeLike

from tomarium.model import Frames


@dataclass(frozen=True, eq=False)
class OneFrame:
    """A frame as a sliceable array of two axes."""

    frames: Frames  # a stack, of which it is the first

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns."""
        return self.frames.shape[1:]

    @property
    def dtype(self) -> DTypeLike:
        """Type of a pixel."""
        return self.frames.dtype

    def __getitem__(self, key: Any) -> Any:
        return self.frames[(0, *(key if isinstance(key, tuple) else (key,)))]
