"""The plan: what a run would do, and what it costs, before it begins. Pure: reads no pixel, writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tomarium import units
from tomarium.errors import CannotFit, InputError
from tomarium.model import Scan
from tomarium.pipeline.cautions import cautions
from tomarium.pipeline.flow import follow, output_plane, output_unit, split
from tomarium.pipeline.price import (
    PROGRAM_BYTES,
    PYRAMID,
    prepared_bytes,
    slab_peak,
    spool_block,
    wants_spool,
)
from tomarium.pipeline.protocol import Bound, Protocol, bind
from tomarium.pipeline.slabs import LARGEST, Cut, cut_rows
from tomarium.steps.step import Probe, Step, slab_bytes

BATCH: Final = 16
"""Rows the compiled engines take at a time; lower slabs are not worth a worker of their own."""


@dataclass(frozen=True)
class Resources:
    """What a run may use.

    Attributes
    ----------
    memory_bytes : int
        Memory of the whole process.
    disk_bytes : int or None
        Free space where the result goes; None where nothing is written to disk.
    processors : int
        Processors.
    workers : int
        Slabs that may be in work at a time.
    """

    memory_bytes: int
    disk_bytes: int | None
    processors: int
    workers: int = 1


@dataclass(frozen=True)
class Stage:
    """A pass over the data.

    Attributes
    ----------
    name : str
        "probe", "spool" or "reconstruct".
    cut : str
        "row" or "angle".
    steps : tuple of Bound
        What is done in it.
    slabs : int
        How many slabs.
    halo_rows : int
        Rows of context of a slab on each side.
    read_bytes, decompressed_bytes, write_bytes : int
        What passes the disk.
    peak_bytes : int
        Memory at its worst moment, the program included.
    """

    name: str
    cut: str
    steps: tuple[Bound, ...]
    slabs: int
    halo_rows: int
    read_bytes: int
    decompressed_bytes: int
    write_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes
    ----------
    stages : tuple of Stage
        In the order they run.
    cuts : tuple of Cut
        The row slabs of the last stage.
    rows : slice
        Rows of the scan that become slices.
    slab_rows : int
        Rows of a slab, a power of two.
    workers, threads : int
        Slabs in work at a time, and threads of each.
    shape : tuple of int
        Result (z, y, x), float32.
    unit : str
        Unit of the result.
    resources : Resources
        What it was planned for.
    refusals : tuple of str
        Why it cannot fit; empty where it does.
    warnings : tuple of str
        What the user should know.
    """

    stages: tuple[Stage, ...]
    cuts: tuple[Cut, ...]
    rows: slice
    slab_rows: int
    workers: int
    threads: int
    shape: tuple[int, int, int]
    unit: str
    resources: Resources
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def peak_bytes(self) -> int:
        """Memory at the worst moment of all stages."""
        return max(stage.peak_bytes for stage in self.stages)

    @property
    def write_bytes(self) -> int:
        """Bytes written by all stages."""
        return sum(stage.write_bytes for stage in self.stages)

    @property
    def halo_rows(self) -> int:
        """Rows of context of a slab on each side."""
        return self.stages[-1].halo_rows

    @property
    def fits(self) -> bool:
        """Whether it can run."""
        return not self.refusals

    def demand_fit(self) -> None:
        """Refuse to go on where it cannot fit.

        Raises
        ------
        CannotFit
            With the reasons and what to do.
        """
        if self.refusals:
            raise CannotFit("; ".join(self.refusals))


def plan(
    protocol: Protocol,
    scan: Scan,
    resources: Resources,
    *,
    rows: slice | None = None,
    slab_rows: int | None = None,
) -> Plan:
    """Plan a run.

    Parameters
    ----------
    protocol : Protocol
        What is to be done.
    scan : Scan
        The scan; only its header is looked at.
    resources : Resources
        Memory, disk and processors that may be used.
    rows : slice, optional
        Detector rows wanted; all by default.
    slab_rows : int, optional
        Rows of a slab, as another plan had it; chosen by memory where absent.

    Returns
    -------
    Plan
        Also where it cannot fit: then `refusals` says why.

    Raises
    ------
    InputError
        The rows are outside of the scan, or the steps cannot follow each other.
    MissingData
        A parameter has no value.
    """
    scan.demand_frames()
    bound = bind(protocol, scan)
    wanted = demand_rows(rows, scan)
    angle_steps, row_steps = split(bound)
    follow(bound)
    for b in bound:
        if isinstance(b.step, Step) and b.step.demand is not None:
            b.step.demand(scan)
    halo = sum(b.step.halo(b.plain, scan) for b in row_steps if isinstance(b.step, Step))
    spooled = bool(angle_steps) or wants_spool(scan, wanted)
    prepared = prepared_bytes(scan)
    chosen, workers = _choose(scan, wanted, row_steps, halo, prepared, resources, slab_rows, spooled)
    cuts = cut_rows(wanted, chosen, halo, scan.shape[1])
    plane = output_plane(bound, scan)
    stages = (
        *(_probe_stage(b, scan) for b in bound if isinstance(b.step, Probe)),
        *([_spool_stage(angle_steps, scan, cuts)] if spooled else []),
        _row_stage(row_steps, scan, cuts, halo, plane, prepared, workers, spooled),
    )
    result = Plan(
        stages=stages,
        cuts=cuts,
        rows=wanted,
        slab_rows=chosen,
        workers=workers,
        threads=max(1, resources.processors // workers),
        shape=(wanted.stop - wanted.start, *plane),
        unit=output_unit(bound),
        resources=resources,
    )
    return _judge(result, scan)


def demand_rows(rows: slice | None, scan: Scan) -> slice:
    """Check the rows that are wanted against those a scan has.

    Parameters
    ----------
    rows : slice or None
        As users give them; None means all, negative numbers count from the end.
    scan : Scan
        The scan.

    Returns
    -------
    slice
        With `start` and `stop` given.

    Raises
    ------
    InputError
        There are none, they lie outside of the scan, or they have a stride.
    """
    height = scan.shape[1]
    asked = rows or slice(None)
    first, last, stride = asked.indices(height)
    outside = any(edge is not None and not -height <= edge <= height for edge in (asked.start, asked.stop))
    if stride != 1 or first >= last or outside:
        text = f"{'' if asked.start is None else asked.start}:{'' if asked.stop is None else asked.stop}"
        raise InputError(
            f"{scan.path}: rows {text} were asked for, but the scan has the rows 0:{height}; "
            f"give A:B with 0 <= A < B <= {height}"
        )
    return slice(first, last)


def _choose(
    scan: Scan,
    rows: slice,
    steps: tuple[Bound, ...],
    halo: int,
    prepared: int,
    resources: Resources,
    slab_rows: int | None,
    spooled: bool,
) -> tuple[int, int]:
    """Choose the tallest slab, then the most workers, that fit in memory."""
    count = rows.stop - rows.start
    tallest = min(LARGEST, 1 << max(count - 1, 0).bit_length())
    free = resources.memory_bytes - PROGRAM_BYTES - prepared
    sizes = [slab_rows] if slab_rows else [tallest >> k for k in range(tallest.bit_length())]
    for workers in range(max(1, min(resources.processors, resources.workers)), 0, -1):
        for size in sizes:
            worthwhile = workers == 1 or slab_rows or (size >= BATCH and -(-count // size) >= 2 * workers)
            need = workers * slab_peak(scan, steps, min(size, count), halo, spooled)
            if worthwhile and need <= free:
                return size, workers
    return sizes[-1], 1


def _probe_stage(bound: Bound, scan: Scan) -> Stage:
    assert isinstance(bound.step, Probe)
    rows = bound.step.reads(bound.plain, scan)
    costs = [scan.projections.cost(scan.shape[0], part) for part in rows]
    count = sum(part.stop - part.start for part in rows)
    return Stage(
        name="probe",
        cut="row",
        steps=(bound,),
        slabs=1,
        halo_rows=0,
        read_bytes=sum(read for read, _ in costs),
        decompressed_bytes=sum(unpacked for _, unpacked in costs),
        write_bytes=0,
        peak_bytes=PROGRAM_BYTES + slab_bytes(scan, count, 4.0),
    )


def _spool_stage(steps: tuple[Bound, ...], scan: Scan, cuts: tuple[Cut, ...]) -> Stage:
    angles, rows, columns = scan.shape
    block = spool_block(scan)
    read, unpacked = scan.projections.cost(angles, slice(0, rows))
    size = 4 if steps else np.dtype(scan.projections.dtype).itemsize
    peaks = [b.step.peak(b.plain, scan, rows) * block // angles for b in steps if isinstance(b.step, Step)]
    return Stage(
        name="spool",
        cut="angle",
        steps=steps,
        slabs=-(-angles // block),
        halo_rows=0,
        read_bytes=read,
        decompressed_bytes=unpacked,
        write_bytes=angles * rows * columns * size,
        peak_bytes=PROGRAM_BYTES + 3 * block * rows * columns * 4 + max(peaks, default=0),
    )


def _row_stage(
    steps: tuple[Bound, ...],
    scan: Scan,
    cuts: tuple[Cut, ...],
    halo: int,
    plane: tuple[int, int],
    prepared: int,
    workers: int,
    spooled: bool,
) -> Stage:
    angles = scan.shape[0]
    taken = [cut.reads.stop - cut.reads.start for cut in cuts]
    if spooled:
        read = unpacked = slab_bytes(scan, sum(taken))
    else:
        costs = [scan.projections.cost(angles, cut.reads) for cut in cuts]
        read, unpacked = sum(c[0] for c in costs), sum(c[1] for c in costs)
    for reference in (scan.flats, scan.darks):
        if reference is not None:
            count, height, _ = reference.frames.shape
            more, more_unpacked = reference.frames.cost(count, slice(0, height))
            read, unpacked = read + more, unpacked + more_unpacked
    made = sum(cut.makes.stop - cut.makes.start for cut in cuts)
    tallest = max(cut.makes.stop - cut.makes.start for cut in cuts)
    return Stage(
        name="reconstruct",
        cut="row",
        steps=steps,
        slabs=len(cuts),
        halo_rows=halo,
        read_bytes=read,
        decompressed_bytes=unpacked,
        write_bytes=int(4 * made * plane[0] * plane[1] * PYRAMID),
        peak_bytes=PROGRAM_BYTES + prepared + workers * slab_peak(scan, steps, tallest, halo, spooled),
    )


def _judge(made: Plan, scan: Scan) -> Plan:
    """Add what the user must know, and why it cannot fit."""
    refusals = []
    if made.peak_bytes > made.resources.memory_bytes:
        refusals.append(
            f"{scan.path}: one slab of {made.slab_rows} rows needs {units.show(made.peak_bytes, 'B')} of memory, but "
            f"{units.show(made.resources.memory_bytes, 'B')} may be used; give more with --memory, or bin the scan"
        )
    disk = made.resources.disk_bytes
    if disk is not None and made.write_bytes > disk:
        refusals.append(
            f"the result needs up to {units.show(made.write_bytes, 'B')} on disk, but "
            f"{units.show(disk, 'B')} are free; choose another folder with -o, or fewer rows with --rows"
        )
    return replace(made, refusals=tuple(refusals), warnings=cautions(scan, {}, {}, 0))
