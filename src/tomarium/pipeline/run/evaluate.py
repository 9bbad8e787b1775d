"""What probes and tallies are given: rows as the steps before them leave them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tomarium.errors import InputError
from tomarium.model import Scan, Slab
from tomarium.model.slab import unit_of
from tomarium.pipeline.plan.cost import (
    angles_block,
    halo_of,
    needs_whole_frames,
    reach_of,
    rows_needed,
)
from tomarium.pipeline.plan.slabs import cut_rows, reached
from tomarium.pipeline.protocol.resolve import Resolution, Resolved
from tomarium.pipeline.run.over_device import Traffic, Way
from tomarium.pipeline.run.slab_steps import Ready, load, make_ready, process, trim
from tomarium.steps.core.step import Step


def evaluate(
    resolution: Resolution,
    items: Sequence[Resolved],
    rows: Sequence[slice],
    threads: int,
    demand_wanted: Callable[[], object] | None = None,
    traffic: Traffic | None = None,
) -> tuple[Slab, ...]:
    """Take a few rows through steps, whatever these need for it.

    Parameters
    ----------
    resolution : Resolution
        The protocol on its scan.
    items : sequence of Resolved
        Its first steps and tallies.
    rows : sequence of slice
        Ranges of rows that are wanted.
    threads : int
        Threads a step may use.
    demand_wanted : callable, optional
        Called between steps; raises an error of ours where the rows are not wanted any more.
    traffic : Traffic, optional
        Device that rows go over behind the steps on whole frames; by default all is done on the host.

    Returns
    -------
    tuple of Slab
        One for each range, without halo. Where steps work on whole frames, every frame is read once.

    Raises
    ------
    InputError
        A step on sinograms stands before one on whole frames: every row would be needed.
    """
    scan, work = resolution.scan, list(items)
    height = scan.shape[1]
    last = max((k for k, item in enumerate(work) if needs_whole_frames([item])), default=-1)
    head, tail = work[: last + 1], work[last + 1 :]
    for item in head:
        if isinstance(item.step, Step) and item.step.cut in ("row", "slice"):
            raise InputError(
                f"step {work[last].step.name} works on whole frames behind {item.step.name}: a few rows would cost a "
                f"whole run; use run --rows"
            )
    if head:
        reads = [reached(part, reach_of(tail, "row"), height) for part in rows]
        slabs = [
            replace(slab, report=_part_of(slab.report, (part.stop - part.start) / height))
            for slab, part in zip(
                _through_frames(resolution, head, reads, threads, demand_wanted), rows, strict=True
            )
        ]
    else:
        reads = [rows_for(scan, tail, part) for part in rows]
        everything = slice(0, scan.shape[0])
        unit = unit_of(scan.domain)
        data = scan.projections.read_ranges(everything, reads)
        slabs = [Slab(read, r, domain=scan.domain, unit=unit) for read, r in zip(data, reads, strict=True)]
    results = []
    for slab, wanted_rows in zip(slabs, rows, strict=True):
        cut = replace(slab, halo=(wanted_rows.start - slab.rows.start, slab.rows.stop - wanted_rows.stop))
        ready = make_ready(tail, scan, "row", slab.rows, head)
        results.append(through(cut, ready, threads, traffic, demand_wanted=demand_wanted))
    return tuple(results)


def rows_for(scan: Scan, items: Sequence[Resolved], wanted_rows: slice) -> slice:
    """Return the rows of a scan that steps need to make some rows.

    Parameters
    ----------
    scan : Scan
        The scan with its views.
    items : sequence of Resolved
        The steps, of which none works on whole frames.
    wanted_rows : slice
        Rows that are wanted, `start` and `stop` given.

    Returns
    -------
    slice
        Without the halo of steps that do not need it there.
    """

    def prepared(number: int, few: slice) -> Any:
        return make_ready(items[number : number + 1], scan, "row", few, items[:number])[0].prepared

    return rows_needed(items, reach_of(items, "row"), wanted_rows, scan.shape[1], prepared)


def through(slab: Slab, ready: Sequence[Ready], threads: int, traffic: Traffic | None, **how: Any) -> Slab:
    """Take a slab through steps, over a device where there is one, to the host and without its halo."""
    if traffic is None:
        return trim(process(slab, ready, threads, **how))
    way = Way(traffic)
    result = way.down(trim(process(slab, ready, threads, way=way, **how)))
    return replace(result, data=np.array(result.data))


def _part_of(report: Mapping[str, int], part: float) -> dict[str, int]:
    """Take whole frames for as good as the rows that are wanted of them."""
    return {name: round(number * part) for name, number in report.items()}


def _through_frames(
    resolution: Resolution,
    head: Sequence[Resolved],
    reads: Sequence[slice],
    threads: int,
    demand_wanted: Callable[[], object] | None,
) -> list[Slab]:
    scan = resolution.scan
    layout, end = head[0].before, head[-1].after
    angles, height, _ = layout.shape
    ready = make_ready(head, scan, "angle", slice(0, height))
    results = [np.empty((angles, part.stop - part.start, end.shape[2]), end.dtype) for part in reads]
    report: dict[str, int] = {}
    block = angles_block(layout, height)
    for cut in cut_rows(slice(0, angles), block, halo_of(head, "angle"), angles):
        slab = load(scan.projections, layout, "angle", cut, slice(0, height))
        slab = trim(process(slab, ready, threads, demand_wanted=demand_wanted))
        for name, number in slab.report.items():
            report[name] = report.get(name, 0) + number
        for result, part in zip(results, reads, strict=True):
            result[cut.makes] = slab.data[:, part]
    return [
        Slab(result, part, domain=end.domain, unit=end.unit, report=report)
        for result, part in zip(results, reads, strict=True)
    ]
