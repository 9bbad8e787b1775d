"""Carry out a protocol on a scan: probe, plan, map over slabs, write; resume where it was stopped."""

from __future__ import annotations

import errno
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from tomarium.array import return_freed_memory
from tomarium.errors import Interrupted, StepFailed, StorageFull
from tomarium.kernels.engines import engines
from tomarium.model import Frames, Scan
from tomarium.pipeline.plan.planner import Plan, plan, split_data
from tomarium.pipeline.plan.report import plan_data
from tomarium.pipeline.plan.section import Resources, Section
from tomarium.pipeline.plan.slabs import Cut
from tomarium.pipeline.plan.warnings import of_result
from tomarium.pipeline.protocol.protocol import Protocol, to_data
from tomarium.pipeline.protocol.resolve import freeze
from tomarium.pipeline.run.at_work import Stage
from tomarium.pipeline.run.folders import folders_of_scan, protocol_without_folders, without_folders
from tomarium.pipeline.run.journal import Journal, is_unfinished, open_journal
from tomarium.pipeline.run.output import ArraySink, Sink, VolumeTarget
from tomarium.pipeline.run.probes import ask_probes
from tomarium.pipeline.run.provenance import (
    fingerprint_of,
    further_fingerprints,
    geometry_data,
    given_by_user,
    motor_data,
    packages_of,
    plain,
    source_data,
    versions,
)
from tomarium.pipeline.run.result_files import discard_if_empty, finish, finished_outcome, open_output
from tomarium.pipeline.run.slab_counts import devices_of, merged_tallies, sum_counts
from tomarium.pipeline.run.spool import Spool, make_spool
from tomarium.pipeline.run.work import SlabResult, Target, Task, wanted_while
from tomarium.pipeline.run.workers import Teller
from tomarium.steps.volume.statistics import statistics

Map = Callable[[Callable[[Cut], SlabResult], Iterable[Cut], int], Iterator[SlabResult]]
"""An executor: `map(function, items, workers)` yields results as they come."""

Progress = Callable[[str, int, int], None]
"""Told the section's name, the slabs done and their number."""


@dataclass(frozen=True)
class Outcome:
    """What a run has made.

    Attributes
    ----------
    scan : Scan
        With the views, and with what was used of what the user and the probes told.
    plan : Plan
        As it was carried out.
    provenance : mapping
        JSON-ready; also in the record's folder.
    folder : Path or None
        Folder of the record; None where the volume is in memory.
    sink : Sink or Spool or None
        Where the slices, or the projections, went; None where an earlier call wrote them all.
    """

    scan: Scan
    plan: Plan
    provenance: Mapping[str, Any]
    folder: Path | None
    sink: Sink | Spool | None


def in_turn(
    function: Callable[[Cut], SlabResult], items: Iterable[Cut], workers: int
) -> Iterator[SlabResult]:
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
    SlabResult
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
    split: list[dict[str, Any]] | None = None,
    mapper: Map = in_turn,
    crosses: bool = False,
    executor: str = "",
    only: frozenset[int] | None = None,
    on_progress: Progress = silent,
    demand_wanted: Callable[[], object] | None = None,
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
        Folder of the record to make: `volume.ome.zarr` (`projections.h5` where the protocol ends without a
        reconstruction), `protocol.yaml`, `provenance.json`. None keeps the result in memory.
    resources : Resources
        What may be used.
    rows : slice, optional
        Detector rows wanted; all by default.
    slab_rows : int, optional
        Rows of a slab; chosen by memory where absent.
    split : list, optional
        How another plan was split, as `split_data` tells; chosen by price where absent.
    mapper : callable
        Executor.
    crosses : bool
        Whether it takes work to other processes, which share the disk but not the memory.
    executor : str
        Its name, told to who asks how far the run is.
    only : frozenset of int, optional
        First slices of the slabs that are made, of the last section. The volume in the folder is not finished then, and
        the run does not come to its end: it is for slabs that take the place of those of another volume.
    on_progress : callable
        Told how far it is.
    demand_wanted : callable, optional
        Called between the steps of a slab, and by steps between blocks of rows, from several threads; raises an error
        of ours where the run is to be given up. Slabs that another process works on do not ask.
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
        resources = replace(resources, disk_bytes=sys.maxsize)
    try:
        first = plan(protocol, scan, resources, rows=rows, slab_rows=slab_rows, split=split)
    except StepFailed as problem:
        raise StepFailed(f"{problem}{_log(folder, problem)}") from problem
    first.demand_fit()
    return_freed_memory()
    journal = open_journal(folder, _request(scan, protocol, first.rows))
    work = _Work(
        scan, protocol, first, slab_rows, split, journal, mapper, crosses, on_progress, demand_wanted, only
    )
    try:
        journal.word.begin(executor)
        outcome = _carry_out(work)
        journal.word.tell(stage=len(work.plan.sections), doing="file", since=time.time())
        if deliver is not None:
            deliver(outcome)
        if only is None:
            journal.close()
        if folder is not None:
            _log_path(folder).unlink(missing_ok=True)
    except KeyboardInterrupt as stop:
        journal.word.end("stopped", str(stop) or "stopped by the user, or by a batch system")
        raise Interrupted(f"stopped; {f'{stop}; ' if str(stop) else ''}{_how_far(journal, work)}") from stop
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            journal.word.end("failed", f"{type(problem).__name__}: {problem}")
            raise
        journal.word.end("stopped", "the disk is full; free some space")
        raise StorageFull(
            f"{folder}: the disk is full; free some space, then: {_how_far(journal, work)}"
        ) from problem
    except Interrupted as problem:
        journal.word.end("stopped", str(problem))
        raise type(problem)(f"{problem}; {_how_far(journal, work)}") from problem
    except StepFailed as problem:
        discard_if_empty(journal)
        told = f"{problem}{_log(folder, problem)}"
        journal.word.end("failed", told)
        raise StepFailed(told) from problem
    except Exception as problem:
        discard_if_empty(journal)
        journal.word.end("failed", str(problem) or type(problem).__name__)
        raise
    finally:
        journal.release()
    return outcome


@dataclass
class _Work:
    """What a run was asked for, and the plan it follows."""

    scan: Scan
    protocol: Protocol
    plan: Plan
    slab_rows: int | None
    split: list[dict[str, Any]] | None
    journal: Journal
    mapper: Map
    crosses: bool
    on_progress: Progress
    demand_wanted: Callable[[], object] | None
    only: frozenset[int] | None


def _log(folder: Path | None, problem: StepFailed) -> str:
    """Keep the traceback of a step's own error beside the record's folder."""
    if folder is None or problem.__cause__ is None:
        return ""
    path = _log_path(folder)
    try:
        path.write_text("".join(traceback.format_exception(problem)), encoding="utf-8")
    except OSError:  # the folder it would lie in is not made yet, or cannot be written
        return "; run it again with TOMARIUM_TRACEBACK=1 to see where"
    return f"; its traceback is in {path}"


def _log_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.error.log")


def _request(scan: Scan, protocol: Protocol, rows: slice) -> dict[str, Any]:
    """Write what makes a run the same run; a folder with another one in it is not continued."""
    steps = to_data(protocol)
    further = further_fingerprints(scan, [*scan.recipe, *steps["steps"]])
    return {
        "scan": str(scan.path.resolve()),
        "content": fingerprint_of(scan),
        **({"further_scans": further} if further else {}),
        "protocol": steps,
        "rows": [rows.start, rows.stop],
        "given": given_by_user(scan),
        "recipe": plain(scan.recipe),
    }


def _how_far(journal: Journal, work: _Work) -> str:
    if journal.folder is None:
        return "nothing was kept, as the result was in memory only"
    total = sum(len(section.cuts) for section in work.plan.sections)
    return (
        f"{len(journal.slabs)} of {total} slabs are done and kept in {journal.folder}; "
        f"repeat the same command to resume"
    )


def _carry_out(work: _Work) -> Outcome:
    began, clock = datetime.now(UTC), time.perf_counter()
    journal, scan, protocol = work.journal, work.scan, work.protocol
    resumed = len(journal.slabs)
    answers = ask_probes(scan, protocol, journal, work.on_progress, work.demand_wanted)
    # An interrupted run is cut as it was, whatever the memory is now.
    split = journal.notes.get("split", work.split)
    chosen = plan(
        protocol,
        scan,
        work.plan.resources,
        rows=work.plan.rows,
        slab_rows=split[-1]["slab"] if split else work.slab_rows,
        split=split,
        answers=answers,
    )
    work.plan = chosen
    if "run" not in journal.notes:
        journal.note("run", uuid.uuid4().hex)
    if "split" not in journal.notes:
        journal.note("split", split_data(chosen))
    chosen.demand_fit()  # what the probes found may ask for more than was planned without it
    finished = finished_outcome(journal, chosen)
    if finished is not None:
        return Outcome(chosen.resolution.scan, chosen, finished, journal.folder, None)
    sink = open_output(journal, chosen)
    _run_sections(work, chosen, sink)
    if work.only is not None:
        return Outcome(chosen.resolution.scan, chosen, {}, journal.folder, sink)
    last = len(chosen.sections) - 1
    slabs = list(journal.slabs.values())
    quality = sum_counts(slab["report"] for slab in slabs)
    total = reduce(statistics.merge, [slab["statistics"] for slab in journal.done(last).values()])
    resolution = chosen.resolution
    provenance = {
        "source": source_data(scan),
        "further_scans": journal.request.get("further_scans", {}),
        "recipe": plain(scan.recipe),
        "protocol": to_data(protocol),
        "frozen": to_data(freeze(resolution)),
        "rows": [chosen.rows.start, chosen.rows.stop],
        "slab_rows": chosen.slab_rows,
        "split": split_data(chosen),
        "output": chosen.output,
        "geometry": geometry_data(resolution),
        "motors": {key: motor_data(motor) for key, motor in resolution.geometry.motors.items()},
        "plan": plan_data(chosen),
        "probes": {key: answers[key] for key in answers},
        "warnings": of_result(resolution, answers, quality, total["not_finite"]),
        "quality": quality,
        "statistics": total,
        "tallies": merged_tallies(resolution, slabs),
        "versions": versions(),
        "packages": packages_of(resolution),
        "devices": devices_of(slabs, chosen),
        "engines": {status.name: status.why for status in engines().values() if status.available},
        "started": began.isoformat(),
        "finished": datetime.now(UTC).isoformat(),
        "resumed_slabs": resumed,
        "timings_s": {"all": time.perf_counter() - clock, **sum_counts(slab["seconds"] for slab in slabs)},
    }
    folders = folders_of_scan(scan, provenance["further_scans"])
    told_to_all = without_folders(plain(provenance), folders)
    finish(journal, chosen, protocol_without_folders(protocol, folders), told_to_all, sink)
    return Outcome(resolution.scan, chosen, told_to_all, journal.folder, sink)


def _run_sections(work: _Work, chosen: Plan, sink: Sink | Spool) -> None:
    """Take every slab that is missing through its section, and leave it where the next one looks for it."""
    journal, resolution = work.journal, chosen.resolution
    source: Frames | Spool = resolution.scan.projections
    steps_done: list[Any] = []
    last = len(chosen.sections) - 1
    for number, section in enumerate(chosen.sections):
        spool: Spool | None = None
        target: Target
        if number < last:
            path = None if section.spool_in_memory else _spool_path(journal, number)
            spool = make_spool(section.result, section.window, path)
            target = spool
        else:
            target = sink if isinstance(sink, Spool) else VolumeTarget(sink, chosen.rows.start)
        local = isinstance(sink, ArraySink) if number == last else (spool is not None and spool.path is None)
        task = Task(
            key=f"{number}-{journal.notes['run']}",
            source=source,
            scan=resolution.scan,
            items=section.items,
            done=tuple(steps_done),
            layout=section.source,
            direction=section.direction,
            window=section.window,
            reads=section.reads,
            threads=section.threads,
            target=None if work.crosses and (local or _in_memory(target)) else target,
            count=number == last,
            folder=journal.home,
            name=section.name,
            peak_bytes=section.peak_bytes,
            slab_seconds=section.seconds / max(1, section.slabs),
            devices=() if section.device is None else section.device.indices,
        )
        _map(work, number, section, task, target)
        steps_done += section.items
        if number and isinstance(source, Spool) and source.path is not None:
            source.path.unlink(missing_ok=True)
        if spool is not None:
            source = spool


def _in_memory(target: Target) -> bool:
    return isinstance(target, Spool) and target.path is None


def _spool_path(journal: Journal, number: int) -> Path | None:
    return None if journal.home is None else journal.home / f"section{number}.raw"


def _map(work: _Work, number: int, section: Section, task: Task, target: Target) -> None:
    journal = work.journal
    cuts = list(section.cuts)
    if work.only is not None and number == len(work.plan.sections) - 1:
        cuts = [cut for cut in cuts if cut.makes.start - work.plan.rows.start in work.only]
    todo = [cut for cut in cuts if cut.index not in journal.done(number)]
    total = len(cuts)
    if not todo:
        return
    title, teller = work.plan.titles[number], Teller(total)
    stages = [
        Stage(name, one.slabs, one.seconds)
        for name, one in zip(work.plan.titles, work.plan.sections, strict=True)
    ]
    journal.word.tell(
        stages=tuple(stages), stage=number, doing=title, since=time.time(), had=total - len(todo)
    )
    work.on_progress(title, total - len(todo), total)
    try:
        with wanted_while(task, work.demand_wanted):
            for result in work.mapper(task, todo, section.workers):
                if result.slab is not None:
                    target.put(result.slab)
                record = {
                    "report": result.report,
                    "tallies": result.tallies,
                    "statistics": result.statistics,
                    "seconds": result.seconds,
                    "device": result.device,
                    "at": time.time(),
                    **({"worker": result.worker} if result.worker else {}),
                }
                journal.note_slab(number, result.index, plain(record))
                teller.tell(journal.done(number), record)
                work.on_progress(title, len(journal.done(number)), total)
    finally:
        task.forget()
