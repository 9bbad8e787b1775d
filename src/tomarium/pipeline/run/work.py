"""The work on one slab: read, take it through the steps of a section, leave it where the next looks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from tomarium.compiled import release_scratch
from tomarium.kernels.cuda.fbp_there import forget_tables
from tomarium.model import Frames, Layout, Scan, Slab
from tomarium.pipeline.plan.cost import Direction, rows_needed
from tomarium.pipeline.plan.slabs import Cut
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.pipeline.run.over_device import Traffic, Way, over_device, traffic_to
from tomarium.pipeline.run.slab_counts import tallied
from tomarium.pipeline.run.slab_steps import Ready, load, make_ready, narrow, process, trim
from tomarium.steps.core.context import Scratch
from tomarium.steps.volume.statistics import statistics


class Target(Protocol):
    """Where finished slabs of a section go, from several threads or processes, each slab once."""

    def put(self, slab: Slab) -> None:
        """Store a slab without its halo."""
        ...


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
    device : str
        Name of the device that it went over; empty where there was none.
    worker : str
        Who has done it, "node, worker"; empty where it was the process of the run.
    slab : Slab or None
        The result, where the task had no place to put it.
    """

    index: int
    report: Mapping[str, int]
    tallies: Mapping[str, Any]
    statistics: Mapping[str, Any] | None
    seconds: Mapping[str, float]
    device: str = ""
    worker: str = ""
    slab: Slab | None = None


@dataclass(frozen=True)
class Task:
    """A section's work on any of its slabs; crosses a process where its source and its target do.

    Attributes
    ----------
    key : str
        Tells it from other tasks: what is prepared once is kept under it. A run that is gone on with has the same.
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
    name : str
        Name of the section.
    peak_bytes : int
        Memory of a process that works on it, by the plan; 0 where that is not told.
    slab_seconds : float
        Estimate of the time of one slab, among as many at a time as the plan says.
    devices : tuple of int
        Numbers of the devices that slabs go over in turn; none where the processors do all.
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
    name: str = "work"
    peak_bytes: int = 0
    slab_seconds: float = 0.0
    devices: tuple[int, ...] = ()

    def __call__(self, cut: Cut) -> SlabResult:
        """Do one slab."""
        state = _kept(self)
        cut = self._needed(state, cut)
        clock = [time.perf_counter()]
        slab = load(state.source, self.layout, self.direction, cut, self.reads, state.scratch)
        clock.append(time.perf_counter())
        over = ""
        if not state.traffics:
            slab, tallies = self._through(state, slab, None)
        else:
            traffic, reach = state.traffics[cut.index % len(state.traffics)], state.ready[0].reach
            over = traffic.device.name + (
                f", number {traffic.device.index}" if len(state.traffics) > 1 else ""
            )
            slab, tallies = over_device(traffic, slab, cut, reach, partial(self._through, state), self.items)
        clock.append(time.perf_counter())
        counted = tallied(statistics, {}, slab, self.threads) if self.count else None
        if self.target is not None:
            self.target.put(slab)
        clock.append(time.perf_counter())
        seconds = dict(zip(("read", "compute", "write"), np.diff(clock).tolist(), strict=True))
        returned = None if self.target is not None else replace(slab, data=np.array(slab.data))
        return SlabResult(cut.index, dict(slab.report), tallies, counted, seconds, over, slab=returned)

    def _needed(self, state: _Kept, cut: Cut) -> Cut:
        """Leave out of a halo of rows what no step needs there; slabs over a device are divided with theirs."""
        if self.direction != "row" or not state.ready or state.traffics:
            return cut
        few = rows_needed(
            self.items,
            state.ready[0].reach,
            cut.makes,
            self.layout.shape[1],
            lambda number, _rows: state.ready[number].prepared,
        )
        reads = slice(max(few.start, cut.reads.start), min(few.stop, cut.reads.stop))
        return replace(cut, reads=reads)

    def _through(self, state: _Kept, slab: Slab, way: Way | None) -> tuple[Slab, dict[str, Any]]:
        """Take a slab through the steps; its result lies on the host, without halo."""
        tallies: dict[str, Any] = {}
        result = process(
            slab,
            state.ready,
            self.threads,
            state.scratch,
            tallies,
            self.window,
            demand_wanted=_WANTED.get(self.key),
            way=way,
        )
        result = narrow(trim(result), self.window)
        return (result if way is None else way.down(result)), tallies

    def forget(self) -> None:
        """Let go of what was prepared in this process."""
        with _LOCK:
            state = _KEPT.pop(self.key, None)
        release_scratch()
        if state is not None and state.traffics:
            forget_tables()
            for traffic in state.traffics:
                traffic.close()


@dataclass
class _Kept:
    ready: tuple[Ready, ...]
    source: (
        Frames  # of the first task of this key: a copy of it would not know where blocks of its chunks lie
    )
    scratch: Scratch = field(default_factory=Scratch)
    traffics: tuple[Traffic, ...] = ()


MOST_KEPT: Final = 4
"""Tasks whose preparations one process keeps."""

_WANTED: dict[str, Callable[[], object]] = {}
"""What tasks of this process ask between steps, by their keys; a task takes none of it to another process."""

_LOCK = threading.Lock()
_KEPT: dict[str, _Kept] = {}
"""What tasks prepared once in this process."""


@contextmanager
def wanted_while(task: Task, demand_wanted: Callable[[], object] | None) -> Iterator[None]:
    """Let the slabs of a task ask between their steps whether they are still wanted, in this process.

    Parameters
    ----------
    task : Task
        Known by its key.
    demand_wanted : callable or None
        Called from several threads; raises an error of ours where they are not.
    """
    if demand_wanted is not None:
        _WANTED[task.key] = demand_wanted
    try:
        yield
    finally:
        _WANTED.pop(task.key, None)


def _kept(task: Task) -> _Kept:
    with _LOCK:
        if task.key not in _KEPT:
            rows = task.reads if task.direction == "angle" else slice(0, task.scan.shape[1])
            ready = make_ready(task.items, task.scan, task.direction, rows, task.done, task.folder)
            while len(_KEPT) >= MOST_KEPT:  # a worker of a cluster is not told when a run ends
                _KEPT.pop(next(iter(_KEPT)))
            _KEPT[task.key] = _Kept(ready, task.source, traffics=tuple(map(traffic_to, task.devices)))
        return _KEPT[task.key]
