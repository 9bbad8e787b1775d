"""Further scans as the steps of the first one leave them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.array import processors
from tomarium.model import Frames, Layout, Scan, Slab
from tomarium.model.scan import IndexedFrames
from tomarium.pipeline.plan.cost import halo_of, needs_whole_frames, row_halo_of
from tomarium.pipeline.plan.followed import FOLLOWED_ROWS, as_done, on_sinograms
from tomarium.pipeline.plan.slabs import cut_rows
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.pipeline.run.spool import Spool
from tomarium.pipeline.run.work import Ready, load, make_ready, narrow, process, trim


@dataclass(frozen=True)
class Followed:
    """Takes further scans through steps that were done to the first; see `steps.core.further_scans.Through`.

    Attributes
    ----------
    steps : tuple of Resolved
        Steps and tallies that were done to the first scan.
    folder : Path or None
        Where a file without a name may lie that holds what steps on sinograms leave; None keeps it in memory.
    """

    steps: tuple[Resolved, ...]
    folder: Path | None = None

    def __call__(self, scan: Scan, *, by_frame: bool = False) -> Frames:
        """Return the projections of a scan as the steps leave them; `by_frame`, as those before sinograms do."""
        steps = as_done(self.steps, scan)
        if by_frame:
            first = next((k for k, item in enumerate(steps) if on_sinograms([item])), len(steps))
            steps = steps[:first]
        if not steps:
            return scan.projections
        if on_sinograms(steps):
            return _laid_down(steps, scan, self.folder)
        return FollowedFrames(
            scan.projections, steps, make_ready(steps, scan, "angle", slice(0, scan.shape[1]))
        )


@dataclass(frozen=True, eq=False)
class FollowedFrames(IndexedFrames):
    """Frames that go through steps when they are read, none of which needs more than a frame.

    Attributes
    ----------
    source : Frames
        The raw frames.
    steps : tuple of Resolved
        The steps.
    ready : tuple of Ready
        The same, with what they prepared.
    """

    source: Frames
    steps: tuple[Resolved, ...]
    ready: tuple[Ready, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns: what the steps leave of them."""
        return self.steps[-1].after.shape

    @property
    def dtype(self) -> DTypeLike:
        """Type of what the steps leave."""
        return self.steps[-1].after.dtype

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read frames one after the other and take each through the steps."""
        wanted = np.arange(self.source.shape[0])[frames]
        height = self.source.shape[1]
        first, last, _ = rows.indices(height)
        reach = height if needs_whole_frames(self.steps) else row_halo_of(self.steps)
        reads = slice(max(0, first - reach), min(height, last + reach))
        before = self.steps[0].before
        result = np.empty((len(wanted), last - first, self.shape[2]), self.dtype)
        for place, number in zip(result, wanted.tolist(), strict=True):
            one = slice(number, number + 1)
            slab = Slab(self.source.read(one, reads), reads, one, domain=before.domain, unit=before.unit)
            place[:] = narrow(process(slab, self.ready), slice(first, last)).data[0]
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed."""
        return self.source.cost(frames, rows)


def _laid_down(steps: Sequence[Resolved], scan: Scan, folder: Path | None) -> Spool:
    """Take a scan through steps on sinograms and keep what they leave."""
    layout: Layout = steps[0].before
    made = replace(steps[-1].after, dtype=np.dtype(steps[-1].after.dtype))
    spool = Spool(made, 0, array=_empty(made, folder))
    height = scan.shape[1]
    halo = halo_of(steps, "row")
    ready = make_ready(steps, scan, "row", slice(0, height))
    for cut in cut_rows(slice(0, height), FOLLOWED_ROWS, halo, height):
        slab = load(scan.projections, layout, "row", cut, slice(0, height))
        spool.put(trim(process(slab, ready, processors())))
    return spool


def _empty(layout: Layout, folder: Path | None) -> NDArray[Any]:
    if folder is None:
        return np.empty(layout.shape, layout.dtype)
    with tempfile.TemporaryFile(dir=folder) as file:  # mapped memory keeps it, and its end is the file's
        return np.memmap(file, layout.dtype, "w+", shape=layout.shape)
