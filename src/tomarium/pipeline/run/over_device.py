"""The way of a slab over a device: in, through its steps, and out again, while other slabs come and leave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from math import lcm
from typing import Any

import numpy as np

from tomarium.errors import DeviceFull
from tomarium.kernels.cuda import device as devices
from tomarium.kernels.cuda.device import Device, Staging
from tomarium.model import Slab
from tomarium.pipeline.plan.on_device import HALVED, LANES, works_there
from tomarium.pipeline.plan.slabs import Cut, Reach, cut_rows
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.step import Tally


class Lanes:
    """How many slabs may be on a device at a time."""

    def __init__(self, count: int = LANES) -> None:
        self.count = count
        self._free = count
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, count: int = 1) -> Iterator[None]:
        """Wait until so many are free, and hold them."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= count)
            self._free -= count
        try:
            yield
        finally:
            with self._changed:
                self._free += count
                self._changed.notify_all()


@dataclass
class Traffic:
    """A device, and what slabs of several threads share of it.

    Attributes
    ----------
    device : Device
        The device.
    lanes : Lanes
        Slabs that are there.
    teller : executor
        The one thread that tells the device what to compute: so no two slabs have their scratch there at a time, and
        CuPy, which keeps plans of transforms for each thread, keeps them once.
    parts : int
        Into how many parts slabs are divided that come; 1 until the memory has not sufficed.
    """

    device: Device
    lanes: Lanes = field(default_factory=Lanes)
    teller: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "device"))
    parts: int = 1
    _local: threading.local = field(default_factory=threading.local)

    @property
    def staging(self) -> Staging:
        """Memory of this thread between the device and the files."""
        staging: Staging | None = getattr(self._local, "staging", None)
        if staging is None:
            staging = self._local.staging = Staging(self.device)
        return staging

    def release(self) -> None:
        """Give back memory of the device that is kept for further slabs."""
        self.teller.submit(self.device.release).result()

    def close(self) -> None:
        """Give back all of it, and end the thread."""
        self.release()
        self.teller.shutdown()


def traffic_to(index: int) -> Traffic:
    """Return what the slabs of a task share of a device."""
    return Traffic(devices.open_device(index))


class Way:
    """One slab's way over a device: it is brought where each step works.

    Arrays that came in are held until the way ends, for the device may still read them.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._held: list[Any] = []

    def brought(self, slab: Slab, item: Resolved) -> Slab:
        """Return the slab where a step works: on the device, or on the host."""
        on_device = works_there(item)
        if on_device and isinstance(slab.data, np.ndarray):
            return self._up(slab)
        return slab if on_device else self.down(slab)

    def done(self, item: Resolved, work: Callable[[], Slab]) -> Slab:
        """Return what a step's work gives, where the step works."""
        if not works_there(item):
            return work()

        def told() -> Slab:
            with self._traffic.device.computing():
                return work()

        return self._traffic.teller.submit(told).result()

    def _up(self, slab: Slab) -> Slab:
        staging = self._traffic.staging
        # Detectors write either order of bytes, devices read their own.
        pinned = staging.empty("in", slab.data.shape, slab.data.dtype.newbyteorder("="))
        np.copyto(pinned, slab.data)
        data = self._traffic.device.copy_in(pinned)
        self._held.append(data)
        return replace(slab, data=data)

    def down(self, slab: Slab) -> Slab:
        """Return the slab on the host, in memory that the next slab of this thread uses again."""
        if isinstance(slab.data, np.ndarray):
            return slab
        data = self._traffic.device.copy_out(slab.data, partial(self._traffic.staging.empty, "out"))
        self._held.clear()
        return replace(slab, data=data)


Through = Callable[[Slab, Way], tuple[Slab, Mapping[str, Any]]]
"""Takes a slab through its steps: the result on the host without halo, and the partial results of its tallies."""


def over_device(
    traffic: Traffic, slab: Slab, cut: Cut, reach: Reach, through: Through, items: Sequence[Resolved]
) -> tuple[Slab, dict[str, Any]]:
    """Take a slab over a device; where its memory does not suffice, in halves, and these in halves.

    Parameters
    ----------
    traffic : Traffic
        The device, and what slabs share of it.
    slab : Slab
        As read, on the host.
    cut : Cut
        What it makes and what it reads.
    reach : Reach
        What its steps need of rows or angles.
    through : callable
        Takes it, or a part of it, through its steps.
    items : sequence of Resolved
        These steps and tallies.

    Returns
    -------
    Slab, dict
        On the host, without halo; and the partial results of its tallies.

    Raises
    ------
    DeviceFull
        The memory does not suffice for the least part.
    """
    if traffic.parts == 1:
        try:
            with traffic.lanes.taken():
                result, tallies = through(slab, Way(traffic))
            return result, dict(tallies)
        except DeviceFull:
            traffic.release()
    # From here on alone, so that what others hold there is given back first.
    with traffic.lanes.taken(traffic.lanes.count):
        while True:
            parts = traffic.parts
            try:
                return _joined(
                    [_kept(through(part, Way(traffic))) for part in _divided(slab, cut, parts, reach)],
                    parts,
                    items,
                )
            except DeviceFull as problem:
                traffic.release()
                _halve(traffic, cut, reach, problem)


def _kept(result_and_tallies: tuple[Slab, Mapping[str, Any]]) -> tuple[Slab, Mapping[str, Any]]:
    """Copy a part's result, which lies where the next part's will."""
    return replace(result_and_tallies[0], data=np.array(result_and_tallies[0].data)), result_and_tallies[1]


def _joined(
    results: Sequence[tuple[Slab, Mapping[str, Any]]], parts: int, items: Sequence[Resolved]
) -> tuple[Slab, dict[str, Any]]:
    """Put the results of parts together."""
    slabs = [slab for slab, _ in results]
    first, last = slabs[0], slabs[-1]
    report: dict[str, int] = {HALVED: parts.bit_length() - 1} if parts > 1 else {}
    for slab in slabs:
        for name, number in slab.report.items():
            report[name] = report.get(name, 0) + number
    tallies: dict[str, Any] = {}
    for item in items:
        if isinstance(item.step, Tally) and item.key in results[0][1]:
            with told_as_its_own(item.step):
                tallies[item.key] = reduce(
                    item.step.merge, [part_tallies[item.key] for _, part_tallies in results]
                )
    data = first.data if len(slabs) == 1 else np.concatenate([slab.data for slab in slabs], axis=first.along)
    if first.frames is None:
        return replace(first, data=data, rows=slice(first.rows.start, last.rows.stop), report=report), tallies
    assert last.frames is not None
    frames = slice(first.frames.start, last.frames.stop)
    return replace(first, data=data, frames=frames, report=report), tallies


def _halve(traffic: Traffic, cut: Cut, reach: Reach, problem: DeviceFull) -> None:
    """Divide this slab, and all that follow, into twice as many parts."""
    size = -(-(cut.makes.stop - cut.makes.start) // traffic.parts)
    if size <= _together(reach):
        raise DeviceFull(
            f"{problem}; even {size} rows or frames at a time are too much for it: end other programs that use it, "
            f"bin the scan, or let the processors do the rest with --device none"
        ) from problem
    traffic.parts *= 2


def _together(reach: Reach) -> int:
    """Return how many rows are not divided."""
    return lcm(*(together for _, together in reach))


def _divided(slab: Slab, cut: Cut, parts: int, reach: Reach) -> Iterator[Slab]:
    """Yield parts of a slab, each with the context it needs, as far as the slab has it."""
    if parts == 1:
        yield slab
        return
    size = -(-(cut.makes.stop - cut.makes.start) // parts)
    size += -size % _together(reach)
    first = cut.reads.start
    for part_cut in cut_rows(cut.makes, size, reach, cut.reads.stop):
        reads = slice(max(first, part_cut.reads.start), part_cut.reads.stop)
        halo = part_cut.makes.start - reads.start, reads.stop - part_cut.makes.stop
        held_lines = slice(reads.start - first, reads.stop - first)
        data = slab.data[held_lines] if slab.along == 0 else slab.data[:, held_lines]
        if slab.frames is None:
            yield replace(slab, data=data, rows=reads, halo=halo)
        else:
            yield replace(slab, data=data, frames=reads, halo=halo)
