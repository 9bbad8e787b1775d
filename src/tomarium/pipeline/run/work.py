"""The work on one slab: read, take it through the steps of a section, leave it where the next looks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.array import numpy_dtype
from tomarium.compiled import release_scratch
from tomarium.errors import StepFailed
from tomarium.model import Frames, Geometry, Layout, Scan, Slab
from tomarium.model.scan import IndexedFrames, Reference
from tomarium.pipeline.plan.cost import (
    Direction,
    needs_whole_frames,
    row_halo_of,
    step_halo,
)
from tomarium.pipeline.plan.slabs import Cut
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.pipeline.protocol.step_errors import package, told_as_its_own
from tomarium.pipeline.run.spool import Spool
from tomarium.steps.core.context import Context, Scratch
from tomarium.steps.core.further_scans import Through, follows
from tomarium.steps.core.step import Step, Tally
from tomarium.steps.volume.statistics import statistics

Follow = Callable[[tuple[Resolved, ...], Path | None], Through]
"""Steps that were done to the first scan, and a folder → what takes further scans through them."""


class Target(Protocol):
    """Where finished slabs of a section go, from several threads or processes, each slab once."""

    def put(self, slab: Slab) -> None:
        """Store a slab without its halo."""
        ...


@dataclass(frozen=True)
class Ready:
    """A step with all it needs to work on any slab.

    Attributes
    ----------
    item : Resolved
        The step, its values, and what reaches it in the whole.
    prepared : object
        What it prepared once for all slabs.
    keep : int
        Context that it and the steps behind it need on each side.
    """

    item: Resolved
    prepared: Any
    keep: int


@dataclass(frozen=True)
class SlabResult:
    """What became of one slab.

    Attributes
    ----------
    index : int
        Its number.
    report : mapping of str to int
        What the steps counted.
    tallies : mapping
        Key of a tally → its partial result.
    statistics : mapping or None
        Those of the result, where it was asked for.
    seconds : mapping
        `read`, `compute`, `write`.
    slab : Slab or None
        The result, where the task had no place to put it.
    """

    index: int
    report: Mapping[str, int]
    tallies: Mapping[str, Any]
    statistics: Mapping[str, Any] | None
    seconds: Mapping[str, float]
    slab: Slab | None = None


@dataclass(frozen=True)
class Task:
    """A section's work on any of its slabs; crosses a process where its source and its target do.

    Attributes
    ----------
    key : str
        Tells it from other tasks of this computer: what is prepared once is kept under it.
    source : Frames
        What it reads.
    scan : Scan
        Tells flats, darks and geometry.
    items : tuple of Resolved
        Steps and tallies.
    done : tuple of Resolved
        Steps and tallies before these: flats and darks go through those on raw counts, further scans through all.
    layout : Layout
        What it reads in the whole.
    direction : "row" or "angle"
        How it is cut.
    window, reads : slice
        Rows it leaves and rows it reads, for slabs of angles.
    threads : int
        Threads of a slab.
    target : Target or None
        Where results go; None returns them.
    count : bool
        Whether statistics of the result are counted.
    folder : Path or None
        Where further scans may be laid down that go through steps on sinograms; None keeps them in memory.
    follow : callable or None
        `follow(steps, folder)` takes further scans through the steps before one that takes them: `Followed`.
    """

    key: str
    source: Frames
    scan: Scan
    items: tuple[Resolved, ...]
    done: tuple[Resolved, ...]
    layout: Layout
    direction: Direction
    window: slice
    reads: slice
    threads: int
    target: Target | None
    count: bool
    folder: Path | None = None
    follow: Follow | None = None

    def __call__(self, cut: Cut) -> SlabResult:
        """Do one slab."""
        kept = _kept(self)
        clock = [time.perf_counter()]
        slab = load(self.source, self.layout, self.direction, cut, self.reads, kept.scratch)
        clock.append(time.perf_counter())
        tallies: dict[str, Any] = {}
        slab = process(slab, kept.ready, self.threads, kept.scratch, tallies, self.window)
        slab = narrow(trim(slab), self.window)
        clock.append(time.perf_counter())
        counted = statistics(slab) if self.count else None
        if self.target is not None:
            self.target.put(slab)
        clock.append(time.perf_counter())
        seconds = dict(zip(("read", "compute", "write"), np.diff(clock).tolist(), strict=True))
        returned = None if self.target is not None else replace(slab, data=np.array(slab.data))
        return SlabResult(cut.index, dict(slab.report), tallies, counted, seconds, returned)

    def forget(self) -> None:
        """Let go of what was prepared in this process."""
        with _LOCK:
            _KEPT.pop(self.key, None)
        release_scratch()


@dataclass
class _Kept:
    ready: tuple[Ready, ...]
    scratch: Scratch = field(default_factory=Scratch)


MOST_KEPT: Final = 4
"""Tasks whose preparations one process keeps."""

_LOCK = threading.Lock()
_KEPT: dict[str, _Kept] = {}
"""What tasks prepared once in this process."""


def _kept(task: Task) -> _Kept:
    with _LOCK:
        if task.key not in _KEPT:
            rows = task.reads if task.direction == "angle" else slice(0, task.scan.shape[1])
            ready = make_ready(
                task.items, task.scan, task.direction, rows, task.done, task.folder, task.follow
            )
            while len(_KEPT) >= MOST_KEPT:  # a worker of a cluster is not told when a run ends
                _KEPT.pop(next(iter(_KEPT)))
            _KEPT[task.key] = _Kept(ready)
        return _KEPT[task.key]


def make_ready(
    items: Sequence[Resolved],
    scan: Scan,
    direction: Direction,
    rows: slice | None = None,
    done: Sequence[Resolved] = (),
    folder: Path | None = None,
    follow: Follow | None = None,
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
    done : sequence of Resolved
        Steps and tallies that were done before these.
    folder : Path, optional
        Where further scans may be laid down; see `Task`.
    follow : callable, optional
        Takes further scans through steps; see `Task`.

    Returns
    -------
    tuple of Ready
        In order.
    """
    ready: list[Ready] = []
    keep = 0
    before = [*done, *items]
    for number, item in reversed(list(enumerate(items))):
        keep += step_halo(item, direction)
        prepared = None
        if isinstance(item.step, Step) and item.step.prepare is not None:
            earlier = tuple(b for b in before[: len(done) + number] if isinstance(b.step, Step))
            taken = with_references(scan, earlier) if item.before.domain == "counts" else scan
            prepared = _prepare(item, taken, rows or slice(0, scan.shape[1]), earlier, folder, follow)
        ready.append(Ready(item, prepared, keep))
    return tuple(reversed(ready))


def _prepare(
    item: Resolved,
    scan: Scan,
    rows: slice,
    earlier: tuple[Resolved, ...] = (),
    folder: Path | None = None,
    follow: Follow | None = None,
) -> Any:
    if not isinstance(item.step, Step) or item.step.prepare is None:
        return None
    with told_as_its_own(item.step):
        if follows(item.step):
            through = None if follow is None else follow(earlier, folder)
            return item.step.prepare(scan, item.plain, rows, through)
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
        Memory to use again for what a spool holds.

    Returns
    -------
    Slab
        Of the source's own type.
    """
    frames, rows = (slice(0, layout.shape[0]), cut.reads) if direction == "row" else (cut.reads, reads)
    if isinstance(source, Spool) and scratch is not None:
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

    Returns
    -------
    Slab
        What the last step gives, with what halo it was given.

    Raises
    ------
    StepFailed
        A step ended in an error of its own, or returned something else than it said.
    """
    held = scratch or Scratch()
    for ready in steps:
        slab = trim(slab, ready.keep)
        item = ready.item
        if isinstance(item.step, Tally):
            if tallies is not None:
                own = trim(slab) if window is None else narrow(trim(slab), window)
                with told_as_its_own(item.step):
                    tallies[item.key] = item.step(own, **item.plain)
            continue
        slab = _step(ready, slab, threads, held)
    return slab


def _step(ready: Ready, slab: Slab, threads: int, scratch: Scratch) -> Slab:
    item = ready.item
    assert isinstance(item.step, Step)
    geometry = _geometry_of(item.before.geometry, slab)
    handed = {
        "geometry": geometry,
        "prepared": ready.prepared,
        "context": Context(threads=threads, whole=item.before, scratch=scratch, taken=slab.data),
    }
    arguments = item.plain | {name: handed[name] for name in item.step.takes}
    with told_as_its_own(item.step):
        result = item.step(slab, **arguments)
    reached = Layout(slab.data.shape, numpy_dtype(slab.data), slab.domain, slab.unit, geometry)
    with told_as_its_own(item.step):
        expected = item.step.after(reached, item.plain)
    told = (tuple(result.data.shape), result.domain, result.unit)
    if told != (expected.shape, expected.domain, expected.unit):
        raise StepFailed(
            f"step {item.step.name}{package(item.step)} returned {told[1]} of shape {told[0]} in {told[2]!r}, but "
            f"its `after` says {expected.domain} of shape {expected.shape} in {expected.unit!r}; this is a mistake in "
            f"the step"
        )
    return result


def _geometry_of(geometry: Geometry, slab: Slab) -> Geometry:
    if slab.frames is None:
        return geometry
    return geometry.of_views(slab.frames)


def trim(slab: Slab, keep: int = 0) -> Slab:
    """Cut the halo off.

    Parameters
    ----------
    slab : Slab
        Slices or projections.
    keep : int
        Context that is kept on each side, where there is so much.

    Returns
    -------
    Slab
        A view of its data: what it is responsible for, and what is kept.
    """
    left = min(slab.halo[0], keep), min(slab.halo[1], keep)
    before, after = slab.halo[0] - left[0], slab.halo[1] - left[1]
    if not (before or after):
        return slab
    part = slice(before, slab.data.shape[slab.along] - after)
    data = slab.data[part] if slab.along == 0 else slab.data[:, part]
    if slab.frames is not None:
        frames = slice(slab.frames.start + before, slab.frames.stop - after)
        return replace(slab, data=data, frames=frames, halo=left)
    return replace(slab, data=data, rows=slice(slab.rows.start + before, slab.rows.stop - after), halo=left)


def narrow(slab: Slab, rows: slice) -> Slab:
    """Leave only some rows of a slab of angles; a slab of rows is as it is."""
    if slab.frames is None or slab.rows == rows:
        return slab
    part = slice(rows.start - slab.rows.start, rows.stop - slab.rows.start)
    return replace(slab, data=slab.data[:, part], rows=rows)


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
        wanted = np.arange(self.source.shape[0])[frames]
        first, last, _ = rows.indices(self.shape[1])
        whole = needs_whole_frames(self.steps)
        reach = self.source.shape[1] if whole else row_halo_of(self.steps)
        reads = slice(max(0, first - reach), min(self.source.shape[1], last + reach))
        ready = tuple(
            Ready(replace(item, before=_of_one(item.before)), prepared, 0)
            for item, prepared in zip(self.steps, self.prepared, strict=True)
        )
        result = np.empty((len(wanted), last - first, self.shape[2]), self.dtype)
        for number, frame in enumerate(wanted):
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
