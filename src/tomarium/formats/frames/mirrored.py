"""Stacks shown mirrored: the file keeps the camera's order, everything above sees what the source saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Frames
from tomarium.model.scan import IndexedFrames


@dataclass(frozen=True, eq=False)
class FlippedFrames(IndexedFrames):
    """A stack whose frames are mirrored as they are read."""

    stored: Frames  # the stack as the file has it
    left_right: bool  # whether columns run the other way
    up_down: bool  # whether rows run the other way

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return self.stored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a stored pixel."""
        return np.dtype(self.stored.dtype)

    @property
    def path(self) -> Path | None:
        """File of the stored stack, where it lies in one."""
        return getattr(self.stored, "file", None) or getattr(self.stored, "path", None)

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read rows of some frames, mirrored."""
        first, last, step = rows.indices(self.shape[1])
        block = self.stored.read(frames, self._rows(slice(first, last)))
        if not block.flags.writeable:
            block = block.copy()
        for frame in block:
            # Frame by frame, so that no second stack lies in memory.
            frame[...] = frame[:: -1 if self.up_down else 1, :: -1 if self.left_right else 1].copy()
        return block if step == 1 else block[:, ::step]

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return bytes read from disk and decompressed, those of the stored rows."""
        first, last, _ = rows.indices(self.shape[1])
        return self.stored.cost(frames, self._rows(slice(first, last)))

    def _rows(self, rows: slice) -> slice:
        if not self.up_down:
            return rows
        height = self.shape[1]
        return slice(height - max(rows.start, rows.stop), height - rows.start)


def flips_of(frames: Frames) -> tuple[bool, bool]:
    """Tell how a stack is mirrored on its way from the file."""
    return (frames.left_right, frames.up_down) if isinstance(frames, FlippedFrames) else (False, False)


def stored(frames: Frames) -> Frames:
    """Return a stack as its file has it.

    Result: the one below the mirror, or the stack itself.
    """
    return frames.stored if isinstance(frames, FlippedFrames) else frames


def flipped(frames: Frames, left_right: bool, up_down: bool) -> Frames:
    """Mirror a stack; what is mirrored twice is as it was.

    Result: the stack itself, where nothing is left to mirror.
    """
    already = flips_of(frames)
    across, upright = left_right != already[0], up_down != already[1]
    return FlippedFrames(stored(frames), across, upright) if across or upright else stored(frames)
