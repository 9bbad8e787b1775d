"""A spool: the projections once more, uncompressed, so that rows can be read without unpacking whole frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.formats.memory import ArrayFrames
from tomarium.model import Frames, Scan, Slab
from tomarium.pipeline.price import spool_block
from tomarium.pipeline.stage import Ready, process


@dataclass(frozen=True)
class SpoolFrames:
    """Frames of a spool file.

    Attributes
    ----------
    path : Path
        Raw file in C order, native byte order.
    shape : tuple of int
        (angle, row, column).
    dtype : dtype
        Type of a pixel.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: DTypeLike

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read detector rows of some frames: an array (frame, row, column)."""
        return np.array(np.memmap(self.path, self.dtype, "r", shape=self.shape)[frames, rows])

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read from disk and bytes decompressed (the same: nothing is packed)."""
        size = frames * (rows.stop - rows.start) * self.shape[2] * np.dtype(self.dtype).itemsize
        return size, size


def write_spool(
    path: Path | None, scan: Scan, steps: tuple[Ready, ...], on_progress: Callable[[str, int, int], None]
) -> Frames:
    """Read every frame once, take it through the steps that work on whole frames and keep it.

    Parameters
    ----------
    path : Path or None
        Raw file to write; a finished one is taken as it is. None keeps the frames in memory.
    scan : Scan
        The scan.
    steps : tuple of Ready
        Steps cut by angle; may be empty.
    on_progress : callable
        Told the stage's name, the blocks done and their number.

    Returns
    -------
    Frames
        The projections, from the spool.
    """
    dtype = np.dtype(np.float32 if steps else scan.projections.dtype)
    if path is None:
        spool = np.empty(scan.shape, dtype)
        for taken, block in _blocks(scan, steps, on_progress):
            spool[taken] = block
        return ArrayFrames(spool)
    if not path.exists():
        draft = path.with_name(path.name + ".draft")
        with draft.open("wb") as file:
            for _, block in _blocks(scan, steps, on_progress):
                file.write(np.ascontiguousarray(block, dtype).data)
        draft.replace(path)
    return SpoolFrames(path, scan.shape, dtype)


def _blocks(
    scan: Scan, steps: tuple[Ready, ...], on_progress: Callable[[str, int, int], None]
) -> Iterator[tuple[slice, NDArray[Any]]]:
    angles, rows, _ = scan.shape
    size = spool_block(scan)
    total = -(-angles // size)
    for done, start in enumerate(range(0, angles, size)):
        on_progress("spool", done, total)
        taken = slice(start, min(start + size, angles))
        part = scan.projections.read(taken, slice(0, rows))
        yield taken, process(Slab(part, rows=slice(0, rows), frames=taken), steps).data
    on_progress("spool", total, total)
