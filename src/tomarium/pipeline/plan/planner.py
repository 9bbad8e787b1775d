"""The plan: what a run would do, and what it costs, before it begins. Pure: reads no pixel, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tomarium import units
from tomarium.errors import CannotFit, InputError
from tomarium.model import Layout, Scan
from tomarium.pipeline.plan.cost import PROGRAM_BYTES, READ, UNPACK, halo_of
from tomarium.pipeline.plan.on_device import DeviceRoom
from tomarium.pipeline.plan.section import (
    Resources,
    Section,
    expanded,
    price_sections,
    rank,
    size_of,
    titles_of,
)
from tomarium.pipeline.plan.slabs import Cut
from tomarium.pipeline.plan.split import Part, splits
from tomarium.pipeline.plan.warnings import of_scan
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.protocol.resolve import Answers, Resolution, Resolved, resolve
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.step import Probe, Step


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes
    ----------
    resolution : Resolution
        The protocol as it is carried out on the scan.
    probes : tuple of Section
        What the probes read, in order.
    sections : tuple of Section
        The passes over the data, in the order they run.
    rows : slice
        Rows of the scan (with its views) that are wanted.
    shape : tuple of int
        Result: (z, y, x), or (angle, row, column) where the protocol ends without a reconstruction.
    resources : Resources
        What it was planned for.
    refusals : tuple of str
        Why it cannot fit; empty where it does.
    warnings : tuple of str
        What the user should know.
    """

    resolution: Resolution
    probes: tuple[Section, ...]
    sections: tuple[Section, ...]
    rows: slice
    shape: tuple[int, int, int]
    resources: Resources
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[Section, ...]:
        """Probes and sections, in the order they run."""
        return (*self.probes, *self.sections)

    @property
    def titles(self) -> tuple[str, ...]:
        """What the sections are called while they run: which of how many, and what each leaves."""
        return titles_of(self.sections)

    @property
    def layout(self) -> Layout:
        """What the run leaves."""
        return replace(self.resolution.layout, shape=self.shape)

    @property
    def output(self) -> str:
        """Name of what it makes: "volume" or "projections"."""
        return "volume" if self.layout.domain == "slice" else "projections"

    @property
    def unit(self) -> str:
        """Unit of the result."""
        return self.layout.unit

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The slabs of the last section."""
        return self.sections[-1].cuts

    @property
    def slab_rows(self) -> int:
        """Rows of a slab of the last section, a power of two; of one cut by angle, its angles."""
        first = self.cuts[0].makes
        size = int(first.stop - first.start)
        return (
            size
            if len(self.cuts) > 1 or self.sections[-1].direction == "angle"
            else 1 << max(size - 1, 0).bit_length()
        )

    @property
    def workers(self) -> int:
        """Slabs of the last section in work at a time."""
        return self.sections[-1].workers

    @property
    def threads(self) -> int:
        """Threads of a slab of the last section."""
        return self.sections[-1].threads

    @property
    def peak_bytes(self) -> int:
        """Memory at the worst moment of all sections."""
        return max(section.peak_bytes for section in self.stages)

    @property
    def device_bytes(self) -> int:
        """Memory of a GPU at the worst moment; 0 where none is used."""
        return max(section.device_bytes for section in self.stages)

    @property
    def write_bytes(self) -> int:
        """Bytes written by all sections."""
        return sum(section.write_bytes for section in self.stages)

    @property
    def halo_rows(self) -> int:
        """Context of a slab of the last section on each side."""
        return self.sections[-1].halo

    @property
    def recomputed(self) -> float:
        """Rows computed for each that is needed, of the section that computes most; at least 1."""
        return max(section.recomputed for section in self.sections)

    @property
    def seconds(self) -> float:
        """An estimate of the time in all."""
        return sum(section.seconds for section in self.stages)

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
    split: Sequence[Mapping[str, Any]] | None = None,
    answers: Answers | None = None,
) -> Plan:
    """Plan a run.

    Of all ways to split the protocol into sections the quickest that fits is taken: a halo that is computed twice
    costs time, a spool costs disk, memory and the time to write and read it.

    Parameters
    ----------
    protocol : Protocol
        What is to be done.
    scan : Scan
        The scan; only its header is looked at.
    resources : Resources
        Memory, disk and processors that may be used.
    rows : slice, optional
        Detector rows wanted, of the scan with the protocol's views; all by default.
    slab_rows : int, optional
        Rows of a slab of the last section, as another plan had it; chosen by memory where absent.
    split : sequence of mapping, optional
        The split of another plan, as `split_data` tells, that is kept; chosen by price where absent.
    answers : mapping, optional
        What probes told already.

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
    resolution = resolve(protocol, scan, answers)
    wanted_rows = demand_rows(rows, resolution.scan)
    ways = [_as_parts(split, resolution.work)] if split else list(splits(resolution.work))
    priced: dict[tuple[object, ...], Section] = {}
    candidates = [
        price_sections(parts, resolution, wanted_rows, resources, slab_rows, priced) for parts in ways
    ]
    best = min(candidates, key=lambda sections: rank(sections, resources))
    probes = tuple(_probe_section(item, resolution) for item in resolution.probes)
    length = wanted_rows.stop - wanted_rows.start
    chosen_plan = Plan(
        resolution=resolution,
        probes=probes,
        sections=best,
        rows=wanted_rows,
        shape=resolution.layout.with_rows(length).shape,
        resources=resources,
    )
    return _judge(chosen_plan, scan, candidates)


def split_data(plan: Plan) -> list[dict[str, Any]]:
    """Write how a plan is split, so that another plan can be split alike.

    Parameters
    ----------
    plan : Plan
        The plan.

    Returns
    -------
    list of dict
        `direction`, `steps` (how many) and `slab` of each section, JSON-ready.
    """
    return [{"direction": s.direction, "steps": len(s.items), "slab": size_of(s.cuts)} for s in plan.sections]


def _as_parts(split: Sequence[Mapping[str, Any]], items: Sequence[Resolved]) -> tuple[Part, ...]:
    parts, start = [], 0
    for part in split:
        stop = start + int(part["steps"])
        parts.append(Part(part["direction"], tuple(items[start:stop])))
        start = stop
    return tuple(parts)


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
    bounds = rows or slice(None)
    first, last, stride = bounds.indices(height)
    outside = any(edge is not None and not -height <= edge <= height for edge in (bounds.start, bounds.stop))
    if stride != 1 or first >= last or outside:
        text = f"{'' if bounds.start is None else bounds.start}:{'' if bounds.stop is None else bounds.stop}"
        raise InputError(
            f"{scan.path}: rows {text} were asked for, but the scan has the rows 0:{height}; "
            f"give A:B with 0 <= A < B <= {height}"
        )
    return slice(first, last)


def _probe_section(item: Resolved, resolution: Resolution) -> Section:
    assert isinstance(item.step, Probe)
    scan, layout = resolution.scan, item.before
    with told_as_its_own(item.step):
        rows = item.step.reads(item.plain, layout)
    before = [b for b in resolution.work if _stands_before(b, item, resolution)]
    whole_frames = any(isinstance(b.step, Step) and b.step.cut == "angle" for b in before)
    halo = sum(halo_of([b], "row") for b in before)
    parts = (
        [slice(0, scan.shape[1])] if whole_frames else [expanded(part, halo, scan.shape[1]) for part in rows]
    )
    costs = [scan.projections.cost(scan.shape[0], part) for part in parts]
    count = sum(part.stop - part.start for part in rows)
    rows_read = sum(part.stop - part.start for part in parts)
    cost = _host_bytes(item, layout.with_rows(count))
    parts_before = [b for b in before if isinstance(b.step, Step) and not whole_frames]
    behind = max((_host_bytes(b, b.before.with_rows(count + 2 * halo)) for b in parts_before), default=0)
    read, unpacked = sum(read for read, _ in costs), sum(unpacked_part for _, unpacked_part in costs)
    return Section(
        name="probe",
        direction="row",
        items=(item,),
        source=layout,
        result=layout,
        window=slice(0, scan.shape[1]),
        reads=slice(0, scan.shape[1]),
        cuts=(Cut(0, slice(0, scan.shape[1]), slice(0, scan.shape[1])),),
        halo=0,
        workers=1,
        threads=1,
        read_bytes=read,
        decompressed_bytes=unpacked,
        write_bytes=0,
        spool_bytes=0,
        spool_in_memory=False,
        peak_bytes=PROGRAM_BYTES + cost + behind,
        device_bytes=0,
        recomputed=rows_read / max(1, count) if not whole_frames else 1.0,
        seconds=read / READ
        + unpacked / UNPACK
        + 1e-9 * item.step.cost.nanoseconds * layout.with_rows(count).values,
    )


def _host_bytes(item: Resolved, layout: Layout) -> int:
    assert isinstance(item.step, Step | Probe)
    with told_as_its_own(item.step):
        return item.step.cost.host_bytes(item.plain, layout)


def _stands_before(item: Resolved, probe: Resolved, resolution: Resolution) -> bool:
    return resolution.items.index(item) < resolution.items.index(probe)


def _too_large_for_memory(plan: Plan, scan: Scan, peak_bytes: int) -> str:
    """Say what a run whose result stays in memory needs, and how it is made otherwise."""
    result = plan.resolution.layout.with_rows(plan.rows.stop - plan.rows.start).bytes
    kind = "volume" if plan.output == "volume" else "stack of projections"
    size = " × ".join(map(str, plan.shape))
    return (
        f"{scan.path}: the {kind} of {size} takes {units.show(result, 'B')}, and {units.show(peak_bytes, 'B')} "
        f"with the work on it, but {units.show(plan.resources.memory_bytes, 'B')} of memory may be used; write it to a "
        f"folder (output=), make fewer rows (rows=), bin the scan (a step bin), or allow more (memory=)"
    )


def _other_folder(candidates: Sequence[tuple[Section, ...]], resources: Resources) -> str:
    """Say with how much disk it fits in memory, where sections with a spool between them would."""
    written = [
        sum(section.write_bytes for section in sections)
        for sections in candidates
        if all(s.peak_bytes <= resources.memory_bytes and s.fits_device for s in sections)
    ]
    return f", or a folder on a disk with {units.show(min(written), 'B')} free with -o" if written else ""


def _judge(plan: Plan, scan: Scan, candidates: Sequence[tuple[Section, ...]]) -> Plan:
    """Add what the user must know, and why it cannot fit."""
    refusals = []
    limit = plan.resources.memory_bytes
    worst = max(plan.sections, key=lambda section: section.peak_bytes)
    refusals += [_probe_too_large(probe, scan, limit) for probe in plan.probes if probe.peak_bytes > limit]
    if worst.peak_bytes > limit and plan.resources.disk_bytes is None:
        refusals.append(_too_large_for_memory(plan, scan, worst.peak_bytes))
    elif worst.peak_bytes > limit:
        size = f"{size_of(worst.cuts)} {'rows' if worst.direction == 'row' else 'frames'}"
        refusals.append(
            f"{scan.path}: one slab of {size} needs {units.show(worst.peak_bytes, 'B')} of memory, but "
            f"{units.show(limit, 'B')} may be used; give more with --memory"
            f"{_other_folder(candidates, plan.resources)}, or bin the scan with --bin 2"
        )
    refusals += [_too_large_for_device(section, scan) for section in plan.sections if not section.fits_device]
    disk = plan.resources.disk_bytes
    if disk is not None and plan.write_bytes > disk:
        made = "the result" if len(plan.sections) == 1 else "the result with its spool"
        refusals.append(
            f"{made} needs up to {units.show(plan.write_bytes, 'B')} on disk, but "
            f"{units.show(disk, 'B')} are free; choose another folder with -o, or fewer rows with --rows"
        )
    missed = tuple(
        f"{title}: {_needs_of_device(section, section.too_large_for)}; the processors do it"
        for section, title in zip(plan.sections, plan.titles, strict=True)
        if section.too_large_for is not None
    )
    return replace(plan, refusals=tuple(refusals), warnings=(*of_scan(plan.resolution.scan), *missed))


def _probe_too_large(section: Section, scan: Scan, limit: int) -> str:
    """Say what a look at the scan before the run needs, and how a run does without it."""
    item = section.items[0]
    assert isinstance(item.step, Probe)
    known = (
        "name the axis with --axis" if item.step.fields == ("axis_column",) else f"leave {item.step.name} out"
    )
    return (
        f"{scan.path}: {item.step.name}, which looks at the scan before the run, needs "
        f"{units.show(section.peak_bytes, 'B')} of memory, but {units.show(limit, 'B')} may be used; give more with "
        f"--memory, {known}, or bin the scan with --bin 2"
    )


def _too_large_for_device(section: Section, scan: Scan) -> str:
    """Say what a slab needs on a device that was asked for, and what to do."""
    assert section.device is not None
    return (
        f"{scan.path}: {_needs_of_device(section, section.device)}, and {units.show(section.device_bytes, 'B')} are "
        f"needed; give more with --device-memory, bin the scan with --bin 2, or let the processors do it with "
        f"--device none"
    )


def _needs_of_device(section: Section, room: DeviceRoom) -> str:
    size = f"{size_of(section.cuts)} {'rows' if section.direction == 'row' else 'frames'}"
    return f"slabs of {size} do not fit in the {units.show(room.memory_bytes, 'B')} of {room.name} that may be used"
