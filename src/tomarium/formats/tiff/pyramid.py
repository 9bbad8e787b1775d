"""The levels of a pyramid in TIFF: smaller copies of each page in its SubIFDs, as OME-TIFF 6 lays them down.

Source: the OME-TIFF specification, "Storing pyramids" (tag 330 SubIFDs of every full-resolution page, finest first).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.frames.per_frame import PerFrame, plain_cost
from tomarium.formats.opening.size_limits import check_claim
from tomarium.formats.tiff.frames import guarded, opened_tiff
from tomarium.model.image import Sliceable

if TYPE_CHECKING:
    from tifffile import TiffFile


@dataclass(frozen=True, eq=False)
class LevelFrames(PerFrame):
    """The pages of one level."""

    path: Path
    level: int  # 0 for full resolution
    shape: tuple[int, int, int]  # pages, rows, columns
    dtype: np.dtype[Any]  # type of a pixel

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        with guarded(self.path), opened_tiff(self.path) as tif:
            pages = tif.series[0].levels[self.level].pages
            for out, number in enumerate(wanted):
                page: Any = pages[int(number)]
                where = f"{self.path}: page {number} of level {self.level}"
                if page is None or page.shape != self.shape[1:] or np.dtype(page.dtype) != self.dtype:
                    raise FormatError(f"{where} is absent or unlike the first; copy the file again")
                stored = min(tif.filehandle.size, sum(page.databytecounts))
                check_claim(where, page.shape, self.dtype.itemsize, stored, block=page.shape, blocks=1)
                result[out] = page.asarray()[rows]

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return bytes read and decoded, whole pages at most."""
        size, _ = plain_cost(self, frames, slice(None))
        return size, size


def levels_of(path: Path, tif: TiffFile) -> tuple[Sliceable, ...]:
    """List the levels of a file's first stack, finest first.

    Result: each of three axes; empty where there is no pyramid.
    """
    tiff_page_serieses = tif.series[0].levels if tif.series else []
    if len(tiff_page_serieses) < 2:
        return ()
    levels: list[Sliceable] = []
    for number, level in enumerate(tiff_page_serieses):
        shape = tuple(map(int, level.shape))
        if len(shape) != 3 or min(shape) < 1 or level.dtype is None:
            break
        kind = np.dtype(level.dtype).newbyteorder("=")
        levels.append(LevelFrames(path, number, (shape[0], shape[1], shape[2]), kind))
    return tuple(levels) if len(levels) > 1 else ()
