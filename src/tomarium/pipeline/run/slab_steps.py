"""Take slabs through steps: what steps prepare before, and how flats, darks and further scans go through them too."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.array import numpy_dtype, processors
from tomarium.errors import StepFailed
from tomarium.formats.frames.per_frame import PerFrame
from tomarium.model import Frames, Geometry, Layout, Scan, Slab
from tomarium.model.scan import IndexedFrames, Reference
from tomarium.pipeline.plan.cost import Direction, halo_of, needs_whole_frames, row_halo_of, step_reach
from tomarium.pipeline.plan.followed import FOLLOWED_ROWS, as_done, on_sinograms
from tomarium.pipeline.plan.slabs import Cut, Reach, cut_rows, reached
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.pipeline.protocol.step_errors import package, told_as_its_own
from tomarium.pipeline.run.over_device import Way
from tomarium.pipeline.run.slab_counts import tallied
from tomarium.pipeline.run.spool import Spool
from tomarium.steps.core.context import Context, Scratch
from tomarium.steps.core.further_scans import follows
from tomarium.steps.core.step import Step, Tally


@dataclass(frozen=True)
class Ready:
    """A step with all it needs to work on any slab.

    Attributes
    ----------
    item : Resolved
        The step, its values, and what reaches it in the whole.
    prepared : object
        What it prepared once for all slabs.
    reach : Reach
        What it and the steps behind it need of rows or angles.
    """

    item: Resolved
    prepared: Any
    reach: Reach


def make_ready(
    items: Sequence[Resolved],
    scan: Scan,
    direction: Direction,
    rows: slice | None = None,
    steps_before: Sequence[Resolved] = (),
    folder: Path | None = None,
) -> tuple[Ready, ...]:
    """Do what steps need done once, before the first slab.

    Parameters
    ----------
    items : sequence of Resolved
        Steps and tallies.
    scan : Scan
        The scan with its views.
    direction : "row" or "angle"
        How slabs are cut.
    rows : slice, optional
        Rows that will be asked for, halo included; all by default.
    steps_before : sequence of Resolved
        Steps and tallies that were done before these.
    folder : Path, optional
        Where further scans may be laid down; see `Task`.

    Returns
    -------
    tuple of Ready
        In order.
    """
    ready: list[Ready] = []
    reach: Reach = ()
    before = [*steps_before, *items]
    for number, item in reversed(list(enumerate(items))):
        reach = (step_reach(item, direction), *reach)
        prepared = None
        if isinstance(item.step, Step) and item.step.prepare is not None:
            earlier = tuple(b for b in before[: len(steps_before) + number] if isinstance(b.step, Step))
            step_scan = with_references(scan, earlier) if item.before.domain == "counts" else scan
            prepared = _prepare(item, step_scan, rows or slice(0, scan.shape[1]), earlier, folder)
        ready.append(Ready(item, prepared, reach))
    return tuple(reversed(ready))


def _prepare(
    item: Resolved, scan: Scan, rows: slice, earlier: tuple[Resolved, ...] = (), folder: Path | None = None
) -> Any:
    if not isinstance(item.step, Step) or item.step.prepare is None:
        return None
    with told_as_its_own(item.step):
        if follows(item.step):
            return item.step.prepare(scan, item.plain, rows, Followed(earlier, folder))
        return item.step.prepare(scan, item.plain, rows)


def load(
    source: Frames,
    layout: Layout,
    direction: Direction,
    cut: Cut,
    reads: slice,
    scratch: Scratch | None = None,
) -> Slab:
    """Read a slab with its halo.

    Parameters
    ----------
    source : Frames
        The scan's projections, or a spool.
    layout : Layout
        What they are.
    direction : "row" or "angle"
        How it is cut.
    cut : Cut
        Which rows or angles.
    reads : slice
        Rows of a slab of angles.
    scratch : Scratch, optional
        Memory to use again for what is read of a file or a spool.

    Returns
    -------
    Slab
        Of the source's own type.
    """
    frames, rows = (slice(0, layout.shape[0]), cut.reads) if direction == "row" else (cut.reads, reads)
    if isinstance(source, Spool | PerFrame) and scratch is not None:
        data = source.read(frames, rows, partial(scratch.empty, "read"))
    else:
        data = source.read(frames, rows)
    return Slab(data, rows, None if direction == "row" else frames, cut.halo, layout.domain, layout.unit)


def process(
    slab: Slab,
    steps: Sequence[Ready],
    threads: int = 1,
    scratch: Scratch | None = None,
    tallies: dict[str, Any] | None = None,
    window: slice | None = None,
    row_axes: NDArray[np.float64] | None = None,
    demand_wanted: Callable[[], object] | None = None,
    way: Way | None = None,
) -> Slab:
    """Take a slab through steps.

    Parameters
    ----------
    slab : Slab
        As read.
    steps : sequence of Ready
        The steps, in order.
    threads : int
        Threads a step may use.
    scratch : Scratch, optional
        Memory to use again; the result then lies in it.
    tallies : dict, optional
        Takes the partial results of tallies.
    window : slice, optional
        Rows that tallies count, of a slab of angles that holds more.
    row_axes : array of float64, shape (row,), optional
        See `Context`.
    demand_wanted : callable, optional
        Called before each step, and by steps between blocks of rows; raises an error of ours where nobody wants the
        slab any more.
    way : Way, optional
        Its way over a device; by default all is done on the host.

    Returns
    -------
    Slab
        What the last step gives, with what halo it was given, where that lies.

    Raises
    ------
    StepFailed
        A step ended in an error of its own, or returned something else than it said.
    """
    step_scratch = scratch or Scratch()
    for ready in steps:
        if demand_wanted is not None:
            demand_wanted()
        slab = trim(slab, ready.reach)
        item = ready.item
        if isinstance(item.step, Tally):
            if tallies is not None:
                slab = slab if way is None else way.down(slab)
                own = trim(slab) if window is None else narrow(trim(slab), window)
                tallies[item.key] = tallied(item.step, item.plain, own, threads)
            continue
        slab = slab if way is None else way.brought(slab, item)
        slab = _step(ready, slab, threads, step_scratch, row_axes, demand_wanted, way)
    return slab


def _step(
    ready: Ready,
    slab: Slab,
    threads: int,
    scratch: Scratch,
    row_axes: NDArray[np.float64] | None,
    demand_wanted: Callable[[], object] | None,
    way: Way | None,
) -> Slab:
    item = ready.item
    assert isinstance(item.step, Step)
    geometry = _geometry_of(item.before.geometry, slab)
    handed = {
        "geometry": geometry,
        "prepared": ready.prepared,
        "context": Context(
            threads=threads,
            whole=item.before,
            row_axes=row_axes,
            on_progress=_asking(demand_wanted),
            scratch=scratch,
            taken=slab.data,
        ),
    }
    arguments = item.plain | {name: handed[name] for name in item.step.takes}
    with told_as_its_own(item.step):
        slab.demand(*item.step.accepts, by=item.step.name)
        work = partial(item.step.function, slab, **arguments)
        result = work() if way is None else way.done(item, work)
    reached = Layout(slab.data.shape, numpy_dtype(slab.data), slab.domain, slab.unit, geometry)
    with told_as_its_own(item.step):
        expected = item.step.after(reached, item.plain)
    got = (tuple(result.data.shape), result.domain, result.unit)
    if got != (expected.shape, expected.domain, expected.unit):
        raise StepFailed(
            f"step {item.step.name}{package(item.step)} returned {got[1]} of shape {got[0]} in {got[2]!r}, but "
            f"its `after` says {expected.domain} of shape {expected.shape} in {expected.unit!r}; this is a mistake in "
            f"the step"
        )
    return result


def _asking(demand_wanted: Callable[[], object] | None) -> Callable[[int, int], None] | None:
    """Have a step that tells how far it is ask whether its slab is still wanted."""
    if demand_wanted is None:
        return None
    ask = demand_wanted

    def told(_done: int, _total: int) -> None:
        ask()

    return told


def _geometry_of(geometry: Geometry, slab: Slab) -> Geometry:
    if slab.frames is None:
        return geometry
    return geometry.of_views(slab.frames)


def trim(slab: Slab, reach: Reach = ()) -> Slab:
    """Cut the halo off.

    Parameters
    ----------
    slab : Slab
        Slices or projections.
    reach : Reach
        Context that is kept, where there is so much: what the next steps need.

    Returns
    -------
    Slab
        A view of its data: what it is responsible for, and what is kept.
    """
    held_lines = slab.rows if slab.frames is None else slab.frames
    own = slice(held_lines.start + slab.halo[0], held_lines.stop - slab.halo[1])
    needed = reached(own, reach, held_lines.stop)
    halo_left = min(slab.halo[0], own.start - needed.start), needed.stop - own.stop
    before, after = slab.halo[0] - halo_left[0], slab.halo[1] - halo_left[1]
    if not (before or after):
        return slab
    part = slice(before, slab.data.shape[slab.along] - after)
    data = slab.data[part, ...] if slab.along == 0 else slab.data[:, part, ...]
    if slab.frames is not None:
        frames = slice(slab.frames.start + before, slab.frames.stop - after)
        return replace(slab, data=data, frames=frames, halo=halo_left)
    return replace(
        slab, data=data, rows=slice(slab.rows.start + before, slab.rows.stop - after), halo=halo_left
    )


def narrow(slab: Slab, rows: slice) -> Slab:
    """Leave only some rows of a slab of angles; a slab of rows is as it is."""
    if slab.frames is None or slab.rows == rows:
        return slab
    part = slice(rows.start - slab.rows.start, rows.stop - slab.rows.start)
    return replace(slab, data=slab.data[:, part, ...], rows=rows)


@dataclass(frozen=True, eq=False)
class SteppedFrames(IndexedFrames):
    """Flats or darks as the steps on raw counts leave them.

    Attributes
    ----------
    source : Frames
        The raw frames.
    steps : tuple of Resolved
        Steps that take counts and give counts.
    prepared : tuple
        What each of them prepared for the projections.
    """

    source: Frames
    steps: tuple[Resolved, ...]
    prepared: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns: what the steps leave of them."""
        return (self.source.shape[0], *self.steps[-1].after.shape[1:])

    @property
    def dtype(self) -> DTypeLike:
        """Type of what the steps leave."""
        return self.steps[-1].after.dtype

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read frames one after the other and take each through the steps."""
        frame_numbers = np.arange(self.source.shape[0])[frames]
        first, last, _ = rows.indices(self.shape[1])
        whole_frames = needs_whole_frames(self.steps)
        reach = self.source.shape[1] if whole_frames else row_halo_of(self.steps)
        reads = slice(max(0, first - reach), min(self.source.shape[1], last + reach))
        ready = tuple(
            Ready(replace(item, before=_of_one(item.before)), prepared, ())
            for item, prepared in zip(self.steps, self.prepared, strict=True)
        )
        result = np.empty((len(frame_numbers), last - first, self.shape[2]), self.dtype)
        for number, frame in enumerate(frame_numbers):
            data = self.source.read(slice(int(frame), int(frame) + 1), reads)
            slab = process(Slab(data, reads, frames=slice(0, 1)), ready)
            result[number] = narrow(slab, slice(first, last)).data[0]
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and decompressed."""
        return self.source.cost(frames, rows)


def _of_one(layout: Layout) -> Layout:
    return replace(layout, shape=(1, *layout.shape[1:]), geometry=layout.geometry.of_views(slice(0, 1)))


def with_references(scan: Scan, steps: Sequence[Resolved]) -> Scan:
    """Take flats and darks through steps on raw counts, as the projections were.

    Parameters
    ----------
    scan : Scan
        The scan.
    steps : sequence of Resolved
        Steps that take counts and give counts; may be empty.

    Returns
    -------
    Scan
        Its flats and darks go through the steps when they are read.
    """
    if not steps:
        return scan
    prepared = tuple(_prepare(item, scan, slice(0, scan.shape[1])) for item in steps)

    def stepped(reference: Reference | None) -> Reference | None:
        if reference is None:
            return None
        return replace(reference, frames=SteppedFrames(reference.frames, tuple(steps), prepared))

    return replace(scan, flats=stepped(scan.flats), darks=stepped(scan.darks))


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
        frame_numbers = np.arange(self.source.shape[0])[frames]
        height = self.source.shape[1]
        first, last, _ = rows.indices(height)
        reach = height if needs_whole_frames(self.steps) else row_halo_of(self.steps)
        reads = slice(max(0, first - reach), min(height, last + reach))
        before = self.steps[0].before
        result = np.empty((len(frame_numbers), last - first, self.shape[2]), self.dtype)
        for place, number in zip(result, frame_numbers.tolist(), strict=True):
            single = slice(number, number + 1)
            slab = Slab(
                self.source.read(single, reads), reads, single, domain=before.domain, unit=before.unit
            )
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
