"""Carry out a protocol on a scan: probe, plan, map over slabs, write; resume where it was stopped."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tomarium.array import return_freed_memory
from tomarium.errors import Interrupted, StorageFull
from tomarium.formats import ome_zarr_writer
from tomarium.kernels.engines import engines
from tomarium.model import Frames, Scan, Value
from tomarium.pipeline.cautions import cautions
from tomarium.pipeline.folders import folders_of_scan, without_folders
from tomarium.pipeline.journal import Journal, is_unfinished, open_journal, read_json
from tomarium.pipeline.plan import Plan, Resources, Stage, plan
from tomarium.pipeline.protocol import Protocol, bind, freeze, to_data, to_yaml
from tomarium.pipeline.provenance import fingerprint_of, given_by_user, plain, source_data, versions
from tomarium.pipeline.report import plan_data
from tomarium.pipeline.sink import ArraySink, Sink
from tomarium.pipeline.slabs import Cut
from tomarium.pipeline.spool import write_spool
from tomarium.pipeline.stage import Ready, load, make_ready, process, trim
from tomarium.steps.statistics import statistics
from tomarium.steps.step import Probe
from tomarium.whole_files import write_json

VOLUME: Final = "volume.ome.zarr"
PROTOCOL: Final = "protocol.yaml"
PROVENANCE: Final = "provenance.json"

Map = Callable[[Callable[[Cut], None], Iterable[Cut], int], Iterator[None]]
"""An executor: `map(function, items, workers)` yields results as they come."""

Progress = Callable[[str, int, int], None]
"""Told the stage's name, the slabs done and their number."""


@dataclass(frozen=True)
class Outcome:
    """What a run has made.

    Attributes
    ----------
    scan : Scan
        With what the probes found.
    plan : Plan
        As it was carried out.
    provenance : mapping
        JSON-ready; also in the record's folder.
    folder : Path or None
        Folder of the record; None where the volume is in memory.
    sink : Sink or None
        Where the slices went; None where an earlier call wrote them all.
    """

    scan: Scan
    plan: Plan
    provenance: Mapping[str, Any]
    folder: Path | None
    sink: Sink | None


def in_turn(function: Callable[[Cut], None], items: Iterable[Cut], workers: int) -> Iterator[None]:
    """Map over slabs one after the other.

    Parameters
    ----------
    function : callable
        What to do with a slab.
    items : iterable of Cut
        The slabs.
    workers : int
        Not used: there is one.

    Yields
    ------
    None
        Once for each slab.
    """
    del workers
    yield from map(function, items)


def silent(stage: str, done: int, total: int) -> None:
    """Take progress and say nothing.

    Parameters
    ----------
    stage : str
        Name of the stage.
    done, total : int
        Slabs.
    """


def run(
    scan: Scan,
    protocol: Protocol,
    folder: Path | None,
    resources: Resources,
    *,
    rows: slice | None = None,
    slab_rows: int | None = None,
    mapper: Map = in_turn,
    on_progress: Progress = silent,
    deliver: Callable[[Outcome], None] | None = None,
) -> Outcome:
    """Carry out a protocol.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is to be done.
    folder : Path or None
        Folder of the record to make: `volume.ome.zarr`, `protocol.yaml`, `provenance.json`. None keeps the
        volume in memory.
    resources : Resources
        What may be used.
    rows : slice, optional
        Detector rows wanted; all by default.
    slab_rows : int, optional
        Rows of a slab; chosen by memory where absent.
    mapper : callable
        Executor.
    on_progress : callable
        Told how far it is.
    deliver : callable, optional
        What is done with the outcome before the run counts as finished, such as filing the record.

    Returns
    -------
    Outcome
        What was made.

    Raises
    ------
    InputError
        The scan or the protocol cannot be used, or the folder holds something else, or another run is at work
        in it.
    CannotFit
        Memory or disk would not suffice; nothing was begun.
    Interrupted, StorageFull
        Stopped half-way; the same call resumes.
    """
    if folder is not None and is_unfinished(folder):  # a resumed run has much of its disk space already
        resources = replace(resources, disk_bytes=None)
    first = plan(protocol, scan, resources, rows=rows, slab_rows=slab_rows)
    first.demand_fit()
    return_freed_memory()
    journal = open_journal(folder, _request(scan, protocol, first.rows))
    try:
        outcome = _carry_out(scan, protocol, first, slab_rows, journal, mapper, on_progress)
        if deliver is not None:
            deliver(outcome)
        journal.close()
    except KeyboardInterrupt as stop:
        raise Interrupted(f"stopped; {_how_far(journal, first)}") from stop
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageFull(
            f"{folder}: the disk is full; free some space, then: {_how_far(journal, first)}"
        ) from problem
    except StorageFull as problem:
        raise StorageFull(f"{problem}; {_how_far(journal, first)}") from problem
    except Exception:
        if not journal.slabs and not (folder and ome_zarr_writer.is_finished(folder / VOLUME)):
            journal.discard((VOLUME, PROTOCOL, PROVENANCE))
        raise
    finally:
        journal.release()
    return outcome


def _request(scan: Scan, protocol: Protocol, rows: slice) -> dict[str, Any]:
    """Write what makes a run the same run; a folder with another one in it is not continued."""
    return {
        "scan": str(scan.path.resolve()),
        "content": fingerprint_of(scan),
        "protocol": to_data(protocol),
        "rows": [rows.start, rows.stop],
        "given": given_by_user(scan),
    }


def _how_far(journal: Journal, first: Plan) -> str:
    if journal.folder is None:
        return "nothing was kept, as the volume was in memory only"
    return (
        f"{len(journal.slabs)} of {len(first.cuts)} slabs are done and kept in {journal.folder}; "
        f"repeat the same command to resume"
    )


def _carry_out(
    scan: Scan,
    protocol: Protocol,
    first: Plan,
    slab_rows: int | None,
    journal: Journal,
    mapper: Map,
    on_progress: Progress,
) -> Outcome:
    began, clock = datetime.now(UTC), time.perf_counter()
    resumed = len(journal.slabs)
    probed, steps = probe_scan(scan, protocol, journal, on_progress)
    # An interrupted run is cut as it was, whatever the memory is now.
    chosen = plan(
        steps, probed, first.resources, rows=first.rows, slab_rows=journal.notes.get("slab_rows", slab_rows)
    )
    if "slab_rows" not in journal.notes:
        journal.note("slab_rows", chosen.slab_rows)
    chosen.demand_fit()  # what the probes found may ask for more than was planned without it
    if journal.folder is not None and ome_zarr_writer.is_finished(journal.folder / VOLUME):
        return Outcome(probed, chosen, read_json(journal.folder / PROVENANCE), journal.folder, None)
    sink = _open_sink(journal, chosen, probed)
    _map(chosen, probed, sink, journal, mapper, on_progress)
    told = list(journal.slabs.values())
    quality, counted = _sum(slab["report"] for slab in told), [slab["statistics"] for slab in told]
    total = reduce(statistics.merge, counted)
    probes = journal.notes.get("probes", {})
    provenance = {
        "source": source_data(scan),
        "protocol": to_data(protocol),
        "frozen": to_data(freeze(bind(steps, probed))),
        "rows": [chosen.rows.start, chosen.rows.stop],
        "slab_rows": chosen.slab_rows,
        "plan": plan_data(replace(chosen, stages=(*_probe_stages(first), *chosen.stages))),
        "probes": probes,
        "warnings": cautions(probed, probes, quality, total["not_finite"], chosen.shape[0]),
        "quality": quality,
        "statistics": total,
        "versions": versions(),
        "engines": {status.name: status.why for status in engines().values() if status.available},
        "started": began.isoformat(),
        "finished": datetime.now(UTC).isoformat(),
        "resumed_slabs": resumed,
        "timings_s": {"all": time.perf_counter() - clock, **_sum(slab["seconds"] for slab in told)},
    }
    told_to_all = without_folders(plain(provenance), folders_of_scan(scan))
    _finish(journal, protocol, told_to_all, sink)
    return Outcome(probed, chosen, told_to_all, journal.folder, sink)


def _probe_stages(first: Plan) -> tuple[Stage, ...]:
    return tuple(stage for stage in first.stages if stage.name == "probe")


def _sum(counts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in counts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total


def probe_scan(
    scan: Scan, protocol: Protocol, journal: Journal, on_progress: Progress
) -> tuple[Scan, Protocol]:
    """Ask the probes of a protocol what the scan does not tell.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        Its probes are asked, in order.
    journal : Journal
        Answers it holds already are taken; new ones are noted there.
    on_progress : callable
        Told how far it is.

    Returns
    -------
    Scan, Protocol
        The scan with their answers, and the protocol without its probes.
    """
    bound = [b for b in bind(protocol, scan) if isinstance(b.step, Probe)]
    for done, b in enumerate(bound):
        assert isinstance(b.step, Probe)
        on_progress("probe", done, len(bound))
        answers = journal.notes.get("probes", {})
        if b.step.name not in answers:
            result = b.step(scan, **b.plain)
            answers = answers | {b.step.name: plain({"answer": b.step.answer(result), **asdict(result)})}
            journal.note("probes", answers)
        told = answers[b.step.name]
        source = f"probe {b.step.name}, confidence {told.get('confidence', 'unknown')}"
        found: dict[str, Any] = {b.step.fills: Value(told["answer"], "derived", source)}
        scan = replace(scan, **found)
    if bound:
        on_progress("probe", len(bound), len(bound))
    return scan, Protocol(tuple(item for item in protocol.items if not isinstance(item.step, Probe)))


def _open_sink(journal: Journal, chosen: Plan, scan: Scan) -> Sink:
    if journal.folder is None:
        return ArraySink(chosen.shape)
    path = journal.folder / VOLUME
    if journal.slabs:
        return ome_zarr_writer.open_writer(path)
    if path.exists():  # begun, and killed before its first slab
        shutil.rmtree(path)
    pixel_m = None if scan.pixel_m is None else scan.pixel_m.value
    _, y, x = chosen.shape
    step = pixel_m or 1.0
    return ome_zarr_writer.create(
        path,
        chosen.shape,
        "float32",
        voxel_m=pixel_m,
        slab_rows=chosen.slab_rows,
        unit=chosen.unit,
        name=scan.name,
        origin_m=(chosen.rows.start * step, -(y - 1) / 2 * step, -(x - 1) / 2 * step),
    )


def _map(chosen: Plan, scan: Scan, sink: Sink, journal: Journal, mapper: Map, on_progress: Progress) -> None:
    """Take every slab that is missing through the steps, and write it."""
    todo = [cut for cut in chosen.cuts if cut.index not in journal.slabs]
    if not todo:
        return
    frames = _frames(chosen, scan, journal, on_progress)
    ready = make_ready(chosen.stages[-1].steps, scan, chosen.threads)
    total = len(chosen.cuts)
    on_progress("reconstruct", len(journal.slabs), total)
    for _ in mapper(lambda cut: _work(cut, frames, ready, sink, journal, chosen), todo, chosen.workers):
        on_progress("reconstruct", len(journal.slabs), total)


def _frames(chosen: Plan, scan: Scan, journal: Journal, on_progress: Progress) -> Frames:
    spools = [stage for stage in chosen.stages if stage.name == "spool"]
    if not spools or (journal.home is None and not spools[0].steps):
        return scan.projections  # in memory a spool only serves steps that work on whole frames
    ready = make_ready(spools[0].steps, scan, chosen.resources.processors)
    path = None if journal.home is None else journal.home / "projections.raw"
    return write_spool(path, scan, ready, on_progress)


def _work(
    cut: Cut, frames: Frames, steps: tuple[Ready, ...], sink: Sink, journal: Journal, chosen: Plan
) -> None:
    clock = [time.perf_counter()]
    slab = load(frames, cut)
    clock.append(time.perf_counter())
    slab = trim(process(slab, steps))
    clock.append(time.perf_counter())
    sink.write(cut.makes.start - chosen.rows.start, slab.data)
    clock.append(time.perf_counter())
    read, compute, write = (after - before for before, after in pairwise(clock))
    told = {
        "report": dict(slab.report),
        "statistics": statistics(slab),
        "seconds": {"read": read, "compute": compute, "write": write},
    }
    journal.note_slab(cut.index, plain(told))


def _finish(journal: Journal, protocol: Protocol, provenance: Mapping[str, Any], sink: Sink) -> None:
    if journal.folder is None:
        sink.finish()
        return
    (journal.folder / PROTOCOL).write_text(to_yaml(protocol), encoding="utf-8")
    write_json(journal.folder / PROVENANCE, provenance)
    sink.finish({"provenance": provenance})
