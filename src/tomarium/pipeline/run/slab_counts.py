"""What is counted of a slab, and what the slabs of a run told, put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial, reduce
from typing import Any, Final

from tomarium.model import Slab
from tomarium.pipeline.plan.planner import Plan
from tomarium.pipeline.protocol.resolve import Resolution
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.step import Tally

TOGETHER: Final = 8
"""Slices, or frames, that one thread counts."""


def tallied(tally: Tally, values: Mapping[str, Any], slab: Slab, threads: int) -> Any:
    """Count slices, or frames of a slab of angles, in threads; what comes out does not depend on how many."""
    with told_as_its_own(tally), ThreadPoolExecutor(threads) as pool:
        return reduce(tally.merge, pool.map(partial(tally, **values), _blocks(slab)))


def _blocks(slab: Slab) -> Iterator[Slab]:
    if slab.along == 1:  # all angles of some rows, which a tally may want together
        yield slab
        return
    first = slab.rows.start if slab.frames is None else slab.frames.start
    for k in range(0, len(slab.data), TOGETHER):
        lines = slice(first + k, first + min(k + TOGETHER, len(slab.data)))
        where = replace(slab, rows=lines) if slab.frames is None else replace(slab, frames=lines)
        yield replace(where, data=slab.data[k : k + TOGETHER])


def merged_tallies(resolution: Resolution, slabs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the partial results of each tally."""
    merged = {}
    for item in resolution.work:
        parts = [slab["tallies"][item.key] for slab in slabs if item.key in slab.get("tallies", {})]
        if isinstance(item.step, Tally) and parts:
            with told_as_its_own(item.step):
                merged[item.key] = reduce(item.step.merge, parts)
    return merged


def sum_counts(counts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Add up what slabs counted."""
    total: dict[str, float] = {}
    for part in counts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total


def devices_of(slabs: Sequence[Mapping[str, Any]], chosen: Plan) -> dict[str, Any]:
    """Tell over which devices slabs went: of a run that was resumed, perhaps several, or some over none.

    Parameters
    ----------
    slabs : sequence of mapping
        What the journal holds of each slab.
    chosen : Plan
        As it was carried out by the last call.

    Returns
    -------
    dict
        Name of a device, or "processors" → `slabs`; of the device of this plan, its driver and the steps done there.
    """
    devices: dict[str, Any] = {}
    for slab in slabs:
        name = slab.get("device") or "processors"
        devices.setdefault(name, {"slabs": 0})["slabs"] += 1
    for section in chosen.sections:
        room = section.device
        for name in devices if room is not None else ():
            if room is not None and name.partition(",")[0] == room.name:
                devices[name]["driver"] = room.driver
                devices[name]["steps"] = [*devices[name].get("steps", []), *section.on_device]
    return devices
