"""All scans of a night by one protocol: planned before the first begins, and resumed where they were stopped."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import units
from tomarium.atomic_files import take_lock
from tomarium.beamtime import batch_result
from tomarium.beamtime.batch_files import (
    LOCK,
    Row,
    State,
    read_results,
    read_state,
    write_results,
    write_state,
)
from tomarium.beamtime.batch_page import write_page
from tomarium.beamtime.batch_result import Making, place_of
from tomarium.beamtime.choose_scans import names_of
from tomarium.catalogue.chosen_run import ChosenRun
from tomarium.catalogue.make_record import demand_apart
from tomarium.catalogue.make_series import demand_same_frames, find_axis_for_all
from tomarium.errors import CannotFit, InputError, Interrupted, TomariumError
from tomarium.model import Image, Scan
from tomarium.pipeline.plan.planner import Plan, plan
from tomarium.pipeline.plan.resources import measure
from tomarium.pipeline.protocol.protocol import to_data, with_parameter
from tomarium.pipeline.run.provenance import fingerprint_of, plain
from tomarium.pipeline.run.runner import Progress, silent

MOST_BEGUN: Final = 3
"""Times that a process may end while it is at work on a scan before that scan is left out."""

FILING_S: Final = 1.0
"""Time about that a scan takes besides its run: opening, previews, checksums."""

_MORE_THAN_HALF_DEG: Final = 270.0
_PAGE_EVERY_S: Final = 20.0


@dataclass(frozen=True)
class Batch:
    """What is asked for.

    Attributes
    ----------
    scans : tuple of Path
        The scans, in the order they are done.
    how : Making
        How results are made, and in which folder.
    open : callable
        `open(path) -> Scan or Image`, with what a user tells of all scans.
    choose : callable
        `choose(scan) -> ChosenRun`, the protocol of a scan.
    listed : bool
        Whether the scans were named one by one: then one that holds no projections is a failure; else images and
        volumes that were found in a folder are passed over.
    anew : bool
        Whether what is finished is made again.
    axis_from : Path or None
        Scan in which the rotation axis is found for all; None looks for it in each.
    """

    scans: tuple[Path, ...]
    how: Making
    open: Callable[[Path], Scan | Image]
    choose: Callable[[Scan], ChosenRun]
    listed: bool = False
    anew: bool = False
    axis_from: Path | None = None


@dataclass(frozen=True)
class BatchPlan:
    """What a batch would do and cost.

    Attributes
    ----------
    rows : tuple of Row
        One for each scan: "waiting" for what is to be made, "finished" or "warnings" for what is kept, "failed" for
        what cannot be used, "differs" for what was made otherwise.
    paths : tuple of Path
        The scans of the rows.
    seconds : dict of str to float
        Name → estimate of the time, for what is to be made.
    write_bytes : int
        Bytes that the results need on disk, with what the largest run needs besides while it works.
    free_bytes : int
        Bytes that are free there.
    passed_over : tuple of Path
        Images and volumes that were found.
    may_grow : tuple of str
        Names of scans of a full turn whose axis is not known yet: where it lies near an edge, their slices are up to
        twice as wide as was planned, and their results four times as large.
    """

    rows: tuple[Row, ...]
    paths: tuple[Path, ...]
    seconds: dict[str, float]
    write_bytes: int
    free_bytes: int
    passed_over: tuple[Path, ...] = ()
    may_grow: tuple[str, ...] = ()

    @property
    def all_seconds(self) -> float:
        """An estimate of the time in all."""
        return sum(self.seconds.values())

    def demand_fit(self) -> None:
        """Refuse to begin where the disk does not hold the results.

        Raises
        ------
        CannotFit
            With how much lacks.
        """
        if self.write_bytes > self.free_bytes:
            raise CannotFit(
                f"the results of {len(self.seconds)} scans need up to {units.show(self.write_bytes, 'B')} on disk, but "
                f"{units.show(self.free_bytes, 'B')} are free; choose another disk with -o, fewer scans with "
                f"--match or --exclude, or a part of each with --roi, --rows or --bin"
            )


OnScan = Callable[[Row, int, int, float], None]
"""Told the row of a scan that begins ("at work") or has ended, its number from 1 among those to do, how many these are,
and the seconds that are left for the others by the measure of those that are done."""


def _nothing(row: Row, number: int, count: int, left_s: float) -> None:
    """Take the state of a scan and say nothing."""


@dataclass
class _Night:
    """A batch at work: its plan, and its files as they grow."""

    batch: Batch
    state: State
    plan: BatchPlan
    rows: list[Row] = field(default_factory=list)
    page_written: float = -_PAGE_EVERY_S

    @property
    def folder(self) -> Path:
        return self.batch.how.folder

    def put(self, place: int, row: Row, *, last: bool = False) -> None:
        """Keep what is known of a scan now."""
        self.rows[place] = row
        self.write(last=last)

    def write(self, *, last: bool = False) -> None:
        """Write the table, and the page where it is some seconds old."""
        write_results(self.folder, self.rows)
        now = time.monotonic()
        if last or now - self.page_written >= _PAGE_EVERY_S:
            write_page(self.folder, self.rows)
            self.page_written = now


def plan_batch(batch: Batch) -> BatchPlan:
    """Tell what a batch would do: which results are there, and what the others cost. Nothing is written.

    Parameters
    ----------
    batch : Batch
        What is asked for.

    Returns
    -------
    BatchPlan
        Of all scans; one that cannot be used is in it with the reason.

    Raises
    ------
    InputError
        The folder holds something else, or there is no scan.
    """
    return _plan(batch, read_state(batch.how.folder))


def _plan(batch: Batch, state: State) -> BatchPlan:
    if not batch.scans:
        raise InputError("no scan was chosen; see --match, --exclude and --list")
    key = None if batch.axis_from is None else _axis_key(batch)
    rows, paths, passed, seconds = [], [], [], {}
    growing: list[str] = []
    kept, most, how = 0, 0, batch.how
    once: dict[Path, Path] = {}
    for path in batch.scans:
        once.setdefault(path.resolve(), path)  # a link to a scan is no other scan
    for path in once.values():
        opened: Scan | Image | Exception
        try:
            opened = batch.open(path)
        except Exception as problem:
            opened = problem
        if isinstance(opened, Image) and not batch.listed:
            passed.append(path)
            continue
        [name] = names_of([path], state.names)
        row, made = Row(str(path), name), None
        try:
            if isinstance(opened, Exception):
                raise opened
            if not isinstance(opened, Scan):
                raise InputError(
                    f"{path} holds an image of shape {opened.shape}, not a scan with projections"
                )
            row, made = _plan_one(batch, state, row, opened, key)
        except Exception as problem:  # one bad scan is told of, and the others are done
            row = replace(row, state="failed", error=told(problem))
        rows.append(row)
        paths.append(path)
        if made is not None:
            seconds[name] = made.seconds + FILING_S
            result, besides = _bytes(how, name, made)
            kept, most = kept + result, max(most, besides)
            if not how.slice_only and _may_grow(made):
                growing.append(name)
    if not rows:
        raise InputError(
            f"none of the {len(passed)} files that were chosen holds a scan, but images or volumes; see --match"
        )
    free = measure(how.folder, how.memory).disk_bytes
    assert free is not None
    return BatchPlan(tuple(rows), tuple(paths), seconds, kept + most, free, tuple(passed), tuple(growing))


def _may_grow(made: Plan) -> bool:
    """Tell whether a plan is of a full turn whose axis, and so the width of whose slices, is not known yet."""
    awaits = [
        item for item in made.resolution.items if "axis_column" in item.awaits and "field" in item.values
    ]
    angles = made.resolution.scan.angles_deg.value
    wide = any(item.plain["field"] != "detector" and not item.plain["region"] for item in awaits)
    return wide and bool(np.ptp(angles) > _MORE_THAN_HALF_DEG)


def _plan_one(
    batch: Batch, state: State, row: Row, scan: Scan, key: dict[str, Any] | None
) -> tuple[Row, Plan | None]:
    """Tell whether the result of a scan is there, and plan it where it is not."""
    how = batch.how
    place = place_of(how, row.name)
    demand_apart(scan.path, place)
    wanted = batch.choose(scan)
    axis = state.axis if key is not None and state.axis is not None and state.axis["key"] == key else None
    if axis is not None:
        wanted = _with_axis(wanted, axis)
    resources = replace(measure(how.folder, how.memory), disk_bytes=sys.maxsize)
    made = plan(wanted.protocol, wanted.scan, resources, rows=wanted.rows)
    if how.slice_only:
        middle = made.resolution.scan.shape[1] // 2
        made = plan(wanted.protocol, wanted.scan, resources, rows=slice(middle, middle + 1))
    anew = row.name in state.anew if state.anew else batch.anew
    known = batch_result.made(how, row)
    if known is not None and not anew:
        changed = batch_result.differences(how, row.name, wanted, made.rows)
        if key is not None and axis is None:
            changed.append("the rotation axis is to be that of another scan")
        if not changed:
            return (known if axis is None else _told_axis(known, axis)), None
        error = (
            f"its result was made otherwise and is left as it is ({'; '.join(changed)}); --redo makes it anew"
        )
        return replace(known, state="differs", error=error), None
    if state.begun.get(row.name, 0) >= MOST_BEGUN and not anew:
        raise InputError(
            f"the program ended {MOST_BEGUN} times while it was at work on {scan.path} (killed, or out of memory), so "
            f"it is left out; --redo tries it again"
        )
    made.demand_fit()
    return row, made


def _bytes(how: Making, name: str, made: Plan) -> tuple[int, int]:
    """Return the bytes that stay of a run, less those that are there of it, and those that it needs while it works."""
    if how.slice_only:
        return 4 * int(np.prod(made.shape[1:])), 0
    last = made.sections[-1].write_bytes
    for one in how.exports:
        last += int(np.prod(made.shape)) * np.dtype(one.dtype).itemsize
    place = place_of(how, name)
    there = sum(one.stat().st_size for one in place.rglob("*") if one.is_file()) if place.is_dir() else 0
    return max(0, last - there), made.write_bytes - made.sections[-1].write_bytes


def run(
    batch: Batch, *, on_scan: OnScan = _nothing, on_plan: Callable[[BatchPlan], None] | None = None,
    on_progress: Progress = silent,
) -> list[Row]:  # fmt: skip
    """Make the results of all scans, one after the other.

    Parameters
    ----------
    batch : Batch
        What is asked for.
    on_scan : callable
        Told of each scan when it begins and when it ends; see `OnScan`.
    on_plan : callable, optional
        Told the plan before the first begins.
    on_progress : callable
        `on_progress(section, done, total)`, within a scan.

    Returns
    -------
    list of Row
        What became of each scan. A scan that fails is in it with the reason, and the others are done.

    Raises
    ------
    InputError
        Another process is at work in the folder, it holds something else, or the axis for all cannot be found.
    CannotFit
        The disk does not hold the results; nothing was begun.
    Interrupted, StorageFull
        Stopped half-way; the same call goes on.
    """
    how = batch.how
    read_state(how.folder)  # refuses a folder of something else before anything is made in it
    for scan in batch.scans:
        demand_apart(scan, how.folder)
    how.folder.mkdir(parents=True, exist_ok=True)
    with _alone(how.folder):
        state = read_state(how.folder)
        planned = _plan(batch, state)
        if on_plan is not None:
            on_plan(planned)
        planned.demand_fit()
        if batch.anew and not state.anew:
            state.anew = dict.fromkeys(planned.seconds, False)
            state.begun = {}
        write_state(how.folder, state)
        night = _Night(batch, state, planned, list(planned.rows))
        others = {row.name for row in planned.rows}
        night.rows += [
            replace(row, state="waiting") if row.state == "at work" else row
            for row in read_results(how.folder)
            if row.name not in others
        ]
        night.write(last=True)
        axis = _axis(night, on_progress)
        _all(night, axis, on_scan, on_progress)
        night.write(last=True)
    return night.rows[: len(planned.rows)]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    held = take_lock(
        folder / LOCK,
        f"{folder}: another batch is at work in this folder; wait until it has ended, or choose another with -o",
    )
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def _axis_scan(batch: Batch) -> ChosenRun:
    """Open the scan in which the axis for all is found."""
    assert batch.axis_from is not None
    opened = batch.open(batch.axis_from)
    if not isinstance(opened, Scan):
        raise InputError(f"{batch.axis_from} holds an image, not the scan whose axis is to be taken")
    return batch.choose(opened)


def _axis_key(batch: Batch) -> dict[str, Any]:
    """Tell the scan and the protocol by which the axis for all is found."""
    wanted = _axis_scan(batch)
    key = {
        "scan": wanted.scan.name,
        "fingerprint": fingerprint_of(wanted.scan),
        "protocol": to_data(wanted.protocol),
    }
    known: dict[str, Any] = json.loads(json.dumps(plain(key)))
    return known


def _axis(night: _Night, on_progress: Progress) -> tuple[dict[str, Any], Scan] | None:
    """Find the axis for all in the scan that was named, once."""
    batch, state = night.batch, night.state
    if batch.axis_from is None or not night.plan.seconds:
        return None
    wanted, key = _axis_scan(batch), _axis_key(batch)
    if state.axis is None or state.axis["key"] != key:
        found = find_axis_for_all(
            wanted.scan, wanted.protocol, wanted.scan.name, force=batch.how.force, on_progress=on_progress
        )
        if found is None:
            raise InputError(
                f"no rotation axis is looked for in {wanted.scan.path}: the protocol needs none, or it is given; leave "
                f"--axis-from out"
            )
        state.axis = {"key": key, **found}
        write_state(batch.how.folder, state)
    return state.axis, wanted.scan


def _with_axis(wanted: ChosenRun, axis: dict[str, Any]) -> ChosenRun:
    return replace(wanted, protocol=with_parameter(wanted.protocol, f"{axis['step']}={axis['value']!r}"))


def _told_axis(row: Row, axis: dict[str, Any]) -> Row:
    """Add to a result what speaks against the axis that was found in another scan."""
    if not axis["warnings"]:
        return replace(row, confidence=axis["confidence"])
    warnings = (*axis["warnings"], *row.warnings)
    return replace(row, confidence=axis["confidence"], warnings=warnings, state="warnings")


def _all(
    night: _Night, axis: tuple[dict[str, Any], Scan] | None, on_scan: OnScan, on_progress: Progress
) -> None:
    batch, state, count = night.batch, night.state, len(night.plan.seconds)
    todo = dict(night.plan.seconds)
    spent, foreseen = 0.0, 0.0
    for place, (row, path) in enumerate(zip(night.plan.rows, night.plan.paths, strict=True)):
        if row.name not in todo:
            continue
        number = count - len(todo) + 1
        night.put(place, replace(row, state="at work"))
        on_scan(night.rows[place], number, count, sum(todo.values()) * _pace(spent, foreseen))
        began = time.monotonic()
        state.begun[row.name] = state.begun.get(row.name, 0) + 1
        try:
            if state.anew.get(row.name) is False:
                batch_result.remove(batch.how, row.name)
                state.anew[row.name] = True
            write_state(batch.how.folder, state)
            done = _one(batch, row, path, axis, on_progress)
        except (KeyboardInterrupt, Interrupted) as stop:
            state.begun.pop(row.name)
            write_state(batch.how.folder, state)
            night.put(place, row, last=True)
            left = len(todo)
            raise _stopped(stop, left, count) from stop
        except Exception as problem:  # one bad scan never stops the others
            done = replace(row, state="failed", error=told(problem))
        state.begun.pop(row.name)
        state.anew.pop(row.name, None)
        write_state(batch.how.folder, state)
        if done.state != "failed":
            spent, foreseen = spent + time.monotonic() - began, foreseen + todo[row.name]
        del todo[row.name]
        night.put(place, done)
        on_scan(done, number, count, sum(todo.values()) * _pace(spent, foreseen))


def _pace(spent: float, foreseen: float) -> float:
    """Return how much longer scans take than was planned, by those that are done."""
    return spent / foreseen if foreseen > 0 else 1.0


def _stopped(stop: BaseException, left: int, count: int) -> Interrupted:
    """Say how far the batch is, with what stopped it."""
    kind = type(stop) if isinstance(stop, Interrupted) else Interrupted
    said = str(stop) if isinstance(stop, Interrupted) else "stopped"
    return kind(f"{said}; {count - left} of {count} scans are done; the same command goes on with the batch")


def _one(
    batch: Batch, row: Row, path: Path, axis: tuple[dict[str, Any], Scan] | None, on_progress: Progress
) -> Row:
    scan = batch.open(path)
    if not isinstance(scan, Scan):
        raise InputError(f"{path} holds an image, not a scan with projections")
    wanted = batch.choose(scan)
    if axis is None:
        return batch_result.make(batch.how, row, wanted, on_progress)
    found, other = axis
    demand_same_frames(scan, other)
    return _told_axis(batch_result.make(batch.how, row, _with_axis(wanted, found), on_progress), found)


def told(problem: BaseException) -> str:
    """Tell an error of one scan in one line, also one that is a mistake of the program."""
    if isinstance(problem, TomariumError):
        return str(problem)
    if isinstance(problem, MemoryError):
        return "memory ran out; give less with --memory"
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename or ''}: {problem.strerror}".removeprefix(": ")
    return f"a mistake in tomarium, not yours: {type(problem).__name__}: {problem}"
