"""Lazy frames in the streams of a Zeiss file: rows where a stream lies in one piece, else frame by frame."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.frames.per_frame import PerFrame, plain_cost
from tomarium.formats.zeiss.ole2 import opened_ole, stream_bytes


@dataclass(frozen=True, eq=False)
class TxrmFrames(PerFrame):
    """A stack of frames, one stream each. The file is opened for each `read`."""

    path: Path
    names: tuple[str, ...]  # the streams in order
    # byte at which each stream begins, None where it does not lie in one piece
    offsets: tuple[int | None, ...]
    size: tuple[int, int]  # rows and columns
    dtype: np.dtype[Any]  # type of a pixel, little-endian in the file

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (len(self.names), *self.size)

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        with ExitStack() as stack:
            ole = None
            for out, frame in enumerate(wanted):
                offset = self.offsets[frame]
                if offset is not None:
                    result[out] = self._rows(offset, rows.start, rows.stop - rows.start)
                    continue
                ole = ole or stack.enter_context(opened_ole(self.path))
                content = stream_bytes(ole, self.path, self.names[frame], self._frame_bytes)
                whole = np.frombuffer(content, self.dtype.newbyteorder("<")).reshape(self.size)
                result[out] = whole[rows]

    @property
    def _frame_bytes(self) -> int:
        return self.size[0] * self.size[1] * self.dtype.itemsize

    def _rows(self, offset: int, first: int, count: int) -> NDArray[Any]:
        start = offset + first * self.size[1] * self.dtype.itemsize
        try:
            pixels = np.fromfile(self.path, self.dtype.newbyteorder("<"), count * self.size[1], offset=start)
            return pixels.reshape(count, self.size[1])
        except (OSError, ValueError) as problem:
            raise FormatError(
                f"{self.path}: {count} rows cannot be read at byte {start} ({problem}); the file has gone or was "
                f"cut since it was opened, so restore it"
            ) from problem

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return what `read` costs for that many frames and these rows.

        Result: bytes read from disk; 0 decompressed. Scattered streams are read whole.
        """
        scattered = any(offset is None for offset in self.offsets) and range(*rows.indices(self.size[0]))
        return plain_cost(self, frames, slice(None) if scattered else rows)
