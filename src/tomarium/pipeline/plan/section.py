"""One pass over the data in slabs cut alike: what it does, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from tomarium.kernels.engines import ON_DEVICE
from tomarium.model import Layout, Scan
from tomarium.pipeline.plan.cost import (
    EDGE,
    PACK,
    PROCESS_BYTES,
    PROGRAM_BYTES,
    PYRAMID,
    READ,
    SERIAL,
    SLAB_SECONDS,
    TOUCH,
    UNPACK,
    WRITE,
    Direction,
    SlabCost,
    angles_block,
    halo_of,
    needs_whole_frames,
    part_of,
    reach_of,
    row_halo_of,
    slab_cost,
)
from tomarium.pipeline.plan.followed import FollowedCost, cost_of_following
from tomarium.pipeline.plan.on_device import DeviceRoom, works_there, worth_a_device
from tomarium.pipeline.plan.slabs import LARGEST, Cut, cut_rows, reached
from tomarium.pipeline.plan.split import Part
from tomarium.pipeline.protocol.resolve import Resolution, Resolved
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.step import Step

SPOOL: Final = "spool"
"""Name of a section whose result is laid down for the next."""

BATCH: Final = 16
"""Rows the compiled engines take at a time; lower slabs are not worth a worker of their own."""

NEARLY: Final = 1.03
"""Slabs that take no longer than this many times the quickest are as good, if they take less memory."""


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
    device : DeviceRoom or None
        A device that may be used; None where all is done on the processors.
    no_device : str
        Why none is used; empty where one is.
    in_processes : bool
        Whether each of these slabs is worked on in a further process of this computer.
    """

    memory_bytes: int
    disk_bytes: int | None
    processors: int
    workers: int = 1
    device: DeviceRoom | None = None
    no_device: str = ""
    in_processes: bool = False


@dataclass(frozen=True)
class Section:
    """A pass over the data, in slabs cut alike.

    Attributes
    ----------
    name : str
        "probe", "spool" where its result is laid down for the next section, "reconstruct" or "correct" for the last.
    direction : "row" or "angle"
        How it is cut.
    items : tuple of Resolved
        Its steps and tallies.
    source, result : Layout
        What it reads and what it leaves, in the whole.
    window, reads : slice
        Rows it leaves, and rows it reads for that.
    cuts : tuple of Cut
        Its slabs.
    halo : int
        Context of a slab on each side: rows or angles.
    workers, threads : int
        Slabs in work at a time, and threads of each.
    read_bytes, decompressed_bytes, write_bytes : int
        What passes the disk.
    spool_bytes : int
        What it lays down for the next section; 0 for the last.
    spool_in_memory : bool
        Whether that lies in memory.
    peak_bytes, device_bytes : int
        Memory at its worst moment, the program included; that of a device with all slabs that are there.
    device : DeviceRoom or None
        The device that its slabs go over; None where the processors do all.
    too_large_for : DeviceRoom or None
        A device that would have been used if a slab fitted there.
    recomputed : float
        Rows (or angles) computed for each that is needed; 1 without a halo.
    seconds : float
        An estimate of its time.
    """

    name: str
    direction: Direction
    items: tuple[Resolved, ...]
    source: Layout
    result: Layout
    window: slice
    reads: slice
    cuts: tuple[Cut, ...]
    halo: int
    workers: int
    threads: int
    read_bytes: int
    decompressed_bytes: int
    write_bytes: int
    spool_bytes: int
    spool_in_memory: bool
    peak_bytes: int
    device_bytes: int
    recomputed: float
    seconds: float
    device: DeviceRoom | None = None
    too_large_for: DeviceRoom | None = None

    @property
    def on_device(self) -> tuple[str, ...]:
        """Names of the steps that are done on the device."""
        items = (item for item in self.items if self.device is not None and works_there(item))
        return tuple(item.step.name for item in items)

    @property
    def fits_device(self) -> bool:
        """Whether its slabs fit on the device they go over."""
        return self.device is None or self.device_bytes <= self.device.memory_bytes

    @property
    def steps(self) -> tuple[Resolved, ...]:
        """Its steps and tallies."""
        return self.items

    @property
    def slabs(self) -> int:
        """How many slabs."""
        return len(self.cuts)


def titles_of(sections: Sequence[Section]) -> tuple[str, ...]:
    """Name sections for who watches them run.

    Parameters
    ----------
    sections : sequence of Section
        Those of a plan, in the order they run.

    Returns
    -------
    tuple of str
        Its name alone where there is one; else "1/3 spool after correct_roll, cut by angle" or "2/2 reconstruct".
    """
    count = len(sections)
    return tuple(
        section.name if count == 1 else f"{number}/{count} {_leaves(section)}"
        for number, section in enumerate(sections, 1)
    )


def _leaves(section: Section) -> str:
    if section.name != SPOOL:
        return section.name
    what = f"after {section.items[-1].step.name}" if section.items else "of raw frames"
    return f"{SPOOL} {what}, cut by {section.direction}"


def size_of(cuts: Sequence[Cut]) -> int:
    """Return how many rows or angles a slab makes."""
    return int(cuts[0].makes.stop - cuts[0].makes.start)


def rank(sections: tuple[Section, ...], resources: Resources) -> tuple[int, float, float]:
    """Rank by how many of memory, device and disk are too small, then the quicker, then what takes less memory."""
    peak = max(section.peak_bytes for section in sections)
    written = sum(section.write_bytes for section in sections)
    disk = 0.0 if resources.disk_bytes is None else written / max(1, resources.disk_bytes)
    on_device = all(section.fits_device for section in sections)
    too_small = (peak > resources.memory_bytes) + (not on_device) + (disk > 1)
    if not too_small:
        return 0, sum(section.seconds for section in sections), peak
    return too_small, max(peak / resources.memory_bytes, disk), peak


def expanded(rows: slice, by: int, height: int) -> slice:
    """Return rows with some more on each side, as far as there are any."""
    return slice(max(0, rows.start - by), min(height, rows.stop + by))


def price_sections(
    parts: tuple[Part, ...],
    resolution: Resolution,
    wanted_rows: slice,
    resources: Resources,
    slab_rows: int | None,
    priced: dict[tuple[object, ...], Section],
) -> tuple[Section, ...]:
    """Price one way to split, from the last section, which knows the rows it makes, to the first.

    `priced`: sections that were priced for other ways of this plan; most ways have most sections in common.
    """
    height = resolution.scan.shape[1]
    windows, window = [], wanted_rows
    for part in reversed(parts):
        if part.direction == "row":
            reads = reached(window, reach_of(part.items, "row"), height)
        else:
            reach = height if needs_whole_frames(part.items) else row_halo_of(part.items)
            reads = expanded(window, reach, height)
        windows.append((window, reads))
        window = reads
    windows.reverse()
    sections: list[Section] = []
    before = 0  # steps of the sections before
    spool_held = 0  # a spool in memory is held while the section behind it reads it
    layout = _first_layout(resolution)
    for number, (part, (makes, reads)) in enumerate(zip(parts, windows, strict=True)):
        last = number == len(parts) - 1
        steps = (part.direction, before, *(item.key for item in part.items))
        before += len(part.items)
        key = (steps, number == 0, last, makes.start, makes.stop, reads.start, reads.stop, spool_held)
        if key not in priced:
            priced[key] = _section(
                part,
                layout,
                makes,
                reads,
                resolution,
                resources,
                number == 0,
                last,
                slab_rows if last else None,
                spool_held,
            )
        section = priced[key]
        spool_held = section.spool_bytes if section.spool_in_memory else 0
        layout = section.result
        sections.append(section)
    return tuple(sections)


def _first_layout(resolution: Resolution) -> Layout:
    work = resolution.work
    return work[0].before if work else resolution.layout


@dataclass(frozen=True)
class _Choice:
    size: int
    workers: int
    cost: SlabCost
    seconds: float
    peak: int


def _section(
    part: Part,
    source: Layout,
    window: slice,
    reads: slice,
    resolution: Resolution,
    resources: Resources,
    first: bool,
    last: bool,
    slab_rows: int | None,
    spool_held: int,
) -> Section:
    scan = resolution.scan
    result = part.items[-1].after if part.items else source
    halo, reach = halo_of(part.items, part.direction), reach_of(part.items, part.direction)
    by_row = part.direction == "row"
    length = window.stop - window.start if by_row else source.shape[0]
    height = scan.shape[1] if by_row else source.shape[0]
    read_rows = reads.stop - reads.start
    inner = source if by_row else source.with_rows(read_rows)
    followed = [_cost_of_following(item, resolution) for item in part.items]
    prepared = sum(_prepared_bytes(item, scan) for item in part.items) + sum(
        cost.held_bytes for cost in followed
    )
    laid_down = sum(cost.spool_bytes for cost in followed)
    writes_volume = last and result.domain == "slice"
    out = result.with_rows(window.stop - window.start) if by_row else result.with_rows(read_rows)
    made_bytes = result.with_rows(window.stop - window.start).bytes
    spool_bytes = 0 if last and result.domain == "slice" else made_bytes
    # What is made lies in memory where nothing is written, and leaves less of it to slabs.
    in_memory = resources.disk_bytes is None
    beside = prepared + spool_held + (made_bytes + laid_down if in_memory else 0)

    of_process = PROCESS_BYTES + prepared if resources.in_processes else 0  # each prepares for itself

    @cache  # nearly all slabs of a size read as much
    def slab_bytes(lines: int) -> int:
        return part_of(inner, part.direction, lines).bytes

    @cache  # each size is asked for with each number of workers
    def io(size: int) -> tuple[tuple[Cut, ...], int, int]:
        cuts = cut_rows(window if by_row else slice(0, length), size, reach, height)
        read = unpacked = 0
        for cut in cuts:
            lines = cut.reads.stop - cut.reads.start
            if first:
                frame_cost = (
                    scan.projections.cost(source.shape[0], cut.reads)
                    if by_row
                    else scan.projections.cost(lines, reads)
                )
                read, unpacked = read + frame_cost[0], unpacked + frame_cost[1]
            else:
                read += slab_bytes(lines)
        return cuts, read, unpacked

    @cache
    def cost_of(size: int, on_device: bool) -> SlabCost:
        made_lines = min(size, length)
        most_read = max((cut.reads.stop - cut.reads.start for cut in io(size)[0]), default=0)
        # More than it makes, where rows that are worked on together are cut apart.
        taken_lines = max(made_lines, most_read - 2 * halo)
        unpacked = 0
        if first and by_row:
            unpacked = 2 * scan.projections.cost(1, slice(0, min(size + 2 * halo, height)))[1]
        return slab_cost(
            part.items, inner, part.direction, taken_lines, halo, unpacked, writes_volume, on_device
        )

    def priced(size: int, workers: int, device: DeviceRoom | None) -> _Choice:
        (cuts, read, unpacked), cost = io(size), cost_of(size, device is not None)
        threads = max(1, resources.processors // workers)
        compute = cost.seconds * len(cuts) + unpacked / UNPACK
        if writes_volume:
            compute += out.bytes * PYRAMID / PACK * (1 + EDGE * len(cuts) / out.rows)
        if device is None:
            compute = compute * (1 + SERIAL * (threads - 1)) + workers * cost.host_bytes / TOUCH
        compute = (compute + len(cuts) * SLAB_SECONDS) / resources.processors
        disk = read / READ + (0 if writes_volume else spool_bytes / WRITE)
        seconds = compute + disk if workers == 1 else max(compute, disk) + 0.1 * min(compute, disk)
        peak = PROGRAM_BYTES + beside + workers * (cost.host_bytes + of_process)
        return _Choice(size, workers, cost, seconds, peak)

    device = resources.device if worth_a_device(part.items) else None
    choice = _choose(priced, by_row, length, source, read_rows, resources, slab_rows, halo, device)
    missed = None
    demanded = device is not None and (device.demanded or _asks_for_it(part.items))
    if device is not None and not demanded and choice.cost.device_bytes > device.memory_bytes:
        device, missed = None, device
        choice = _choose(priced, by_row, length, source, read_rows, resources, slab_rows, halo, None)
    cuts, read, unpacked = io(choice.size)
    for reference in (scan.flats, scan.darks) if prepared else ():
        if reference is not None:
            count, rows, _ = reference.frames.shape
            reference_bytes, more_unpacked = reference.frames.cost(count, slice(0, rows))
            read, unpacked = read + reference_bytes, unpacked + more_unpacked
    further = [_further_bytes(item, scan) for item in part.items]
    read_beside, unpacked_beside = (sum(bytes_) for bytes_ in zip((0, 0), *further, strict=True))
    read, unpacked = read + read_beside, unpacked + unpacked_beside
    seconds = choice.seconds + read_beside / READ + unpacked_beside / UNPACK / resources.processors
    seconds += sum(cost.seconds for cost in followed) / resources.processors
    seconds += 0 if in_memory else laid_down / WRITE + laid_down / READ
    computed = sum(cut.reads.stop - cut.reads.start for cut in cuts)
    on_disk = 0 if in_memory else spool_bytes
    write = int(made_bytes * PYRAMID) if writes_volume else on_disk * (2 if last else 1)
    write += 0 if in_memory else laid_down
    return Section(
        name=("reconstruct" if result.domain == "slice" else "correct") if last else SPOOL,
        direction=part.direction,
        items=part.items,
        source=source,
        result=result,
        window=window,
        reads=reads,
        cuts=cuts,
        halo=halo,
        workers=choice.workers,
        threads=max(1, resources.processors // choice.workers),
        read_bytes=read,
        decompressed_bytes=unpacked,
        write_bytes=write,
        spool_bytes=0 if last else spool_bytes,
        spool_in_memory=bool(in_memory and spool_bytes and not last),
        peak_bytes=choice.peak,
        device_bytes=choice.cost.device_bytes,
        recomputed=computed / max(1, length),
        seconds=seconds,
        device=device,
        too_large_for=missed,
    )


def _asks_for_it(items: Sequence[Resolved]) -> bool:
    """Tell whether an engine was chosen that works on a device alone."""
    return any(item.plain.get("engine") in ON_DEVICE for item in items)


def _prepared_bytes(item: Resolved, scan: Scan) -> int:
    if not isinstance(item.step, Step) or item.step.cost.prepared is None:
        return 0
    with told_as_its_own(item.step):
        return item.step.cost.prepared(scan, item.plain)


def _cost_of_following(item: Resolved, resolution: Resolution) -> FollowedCost:
    number = next(k for k, resolved in enumerate(resolution.items) if resolved.key == item.key)
    return cost_of_following(item, resolution.items[:number], resolution.scan)


def _further_bytes(item: Resolved, scan: Scan) -> tuple[int, int]:
    if not isinstance(item.step, Step) or item.step.cost.further is None:
        return 0, 0
    with told_as_its_own(item.step):
        return item.step.cost.further(scan, item.plain)


def _choose(
    priced: Callable[[int, int, DeviceRoom | None], _Choice],
    by_row: bool,
    length: int,
    source: Layout,
    rows: int,
    resources: Resources,
    slab_rows: int | None,
    halo: int,
    device: DeviceRoom | None,
) -> _Choice:
    """Choose the size of the slabs and the workers.

    Of those that fit and take nearly the least time it is the one with the least memory, or over a device the one with
    most slabs at a time; where none fits, that with the least memory of all.
    """
    if slab_rows:
        sizes = [slab_rows]
    elif by_row:
        tallest = min(LARGEST, 1 << max(length - 1, 0).bit_length())
        sizes = [tallest >> k for k in range(tallest.bit_length())]
    else:
        block = min(length, max(angles_block(source, rows), 4 * halo))
        sizes = sorted({max(1, block >> k) for k in range(block.bit_length())}, reverse=True)
    # Slabs on their way over a device wait more than they take of the processors.
    most_workers = resources.workers if device is not None else min(resources.processors, resources.workers)
    choices: list[_Choice] = []
    for workers in range(max(1, most_workers), 0, -1):
        for size in sizes:
            enough_slabs = -(-length // size) >= 2 * workers
            if workers == 1 or slab_rows or (enough_slabs and (size >= BATCH or not by_row)):
                choices.append(priced(size, workers, device))
    fitting = [
        choice
        for choice in choices
        if choice.peak <= resources.memory_bytes
        and (device is None or choice.cost.device_bytes <= device.memory_bytes)
    ]
    if not fitting:
        return min(choices, key=lambda choice: (choice.cost.device_bytes, choice.peak))
    quickest = min(choice.seconds for choice in fitting)
    good = [choice for choice in fitting if choice.seconds <= NEARLY * quickest]
    # Over a device go as many slabs as may, and tall ones, so that one comes and one leaves while one is worked on.
    return min(good, key=lambda choice: choice.peak) if device is None else good[0]
