"""Stacks made of others, joined end to end, and stacks whose file is absent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.frames.per_frame import PerFrame
from tomarium.model import Frames
from tomarium.model.scan import IndexedFrames


@dataclass(frozen=True, eq=False)
class JoinedFrames(PerFrame):
    """Several stacks one after the other."""

    parts: tuple[Frames, ...]  # stacks with the same rows and columns, in order

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type all pixels fit in."""
        return np.result_type(*(np.dtype(part.dtype) for part in self.parts))

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        first = 0
        for part in self.parts:
            inside = (wanted >= first) & (wanted < first + part.shape[0])
            if inside.any():
                result[inside] = part.read(wanted[inside] - first, rows)
            first += part.shape[0]

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return bytes read from disk and decompressed, the parts' mean."""
        whole = [part.cost(part.shape[0], rows) for part in self.parts]
        share = frames / max(1, self.shape[0])
        return round(share * sum(cost[0] for cost in whole)), round(share * sum(cost[1] for cost in whole))


@dataclass(frozen=True, eq=False)
class AbsentFrames(IndexedFrames):
    """Frames whose file is absent: how many there are is known, what they show is not."""

    path: Path  # the scan that points to them
    count: int
    files: tuple[str, ...]  # the absent files, as the scan names them

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, and 0 rows and 0 columns, since these are not known."""
        return self.count, 0, 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's void type, since the type of a pixel is not known."""
        return np.dtype("V")

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Refuse to read."""
        raise FormatError(
            f"{self.path}: its {self.count} frames lie in {', '.join(self.files)}, which is absent; "
            f"copy that file to where the scan points and open the scan again"
        )

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return no cost, since nothing can be read."""
        return 0, 0
