"""All scans of a night by one protocol: planned before the first begins, and resumed where they were stopped."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import take_lock
from tomarium.beamtime import batch_drafts, batch_result
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
from tomarium.beamtime.batch_plan import (
    Batch,
    BatchPlan,
    axis_key,
    axis_scan,
    plan_scans,
    told,
    with_axis,
    with_axis_confidence,
    with_limits,
)
from tomarium.beamtime.log_events import of_batch
from tomarium.catalogue.make_record import demand_apart
from tomarium.catalogue.make_series import demand_same_frames, find_axis_for_all
from tomarium.errors import InputError, Interrupted, TomariumWarning
from tomarium.model import Scan
from tomarium.pipeline.run.at_work import saying_at_work
from tomarium.pipeline.run.runner import Progress, silent

_PAGE_EVERY_S: Final = 20.0
_ENDING_S: Final = 3.0  # what the process of a killed batch may take to notice it


OnScan = Callable[[Row, int, int, float], None]
"""Told the row of a scan that begins ("at work") or has ended, its number from 1 among those to do, how many these are,
and the seconds that are left for the others by the measure of those that are done."""


def _warn(text: str) -> None:
    warnings.warn(TomariumWarning(text), stacklevel=2)


def _ignore_scan(row: Row, number: int, count: int, left_s: float) -> None:
    """Take the state of a scan and say nothing."""


@dataclass
class _RunningBatch:
    """A running batch: its plan, its state, and the rows of its table."""

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
        """Write the table, the page where it is some seconds old, and what is new into the beamtime's log book."""
        write_results(self.folder, self.rows)
        if self.batch.log is not None:
            self.batch.log.note_all(of_batch(self.folder.name, self.rows), _warn)
        now = time.monotonic()
        if last or now - self.page_written >= _PAGE_EVERY_S:
            write_page(self.folder, self.rows)
            self.page_written = now


def run(
    batch: Batch, *, on_scan: OnScan = _ignore_scan, on_plan: Callable[[BatchPlan], None] | None = None,
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
    making = batch.how
    read_state(making.folder)  # refuses a folder of something else before anything is made in it
    for scan in batch.scans:
        demand_apart(scan, making.folder)
    making.folder.mkdir(parents=True, exist_ok=True)
    with _lock_folder(making.folder), ExitStack() as stack:
        state = read_state(making.folder)
        batch = with_limits(batch, state)
        planned = plan_scans(batch, state)
        planned = replace(planned, rows=tuple(batch_drafts.known(planned.rows, read_results(making.folder))))
        if on_plan is not None:
            on_plan(planned)
        planned.demand_fit()
        if batch.anew and not state.anew:
            state.anew = dict.fromkeys(planned.seconds, False)
            state.begun = {}
        write_state(making.folder, state)
        stack.enter_context(saying_at_work(making.folder, making.executor))
        running = _RunningBatch(batch, state, planned, list(planned.rows))
        planned_names = {row.name for row in planned.rows}
        running.rows += [
            replace(row, state="waiting") if row.state == "at work" else row
            for row in read_results(making.folder)
            if row.name not in planned_names
        ]
        running.write(last=True)
        _file_all(running)
        axis = _axis(running, on_progress)
        _make_all(running, axis, on_scan, on_progress)
        _file_all(
            running
        )  # once more what was not filed, as where the catalogue could not be reached for a while
        running.write(last=True)
    return running.rows[: len(planned.rows)]


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Lock the folder of a batch; wait for the process of one that was just killed."""
    busy = f"{folder}: another batch is at work in this folder; wait until it has ended, or choose another with -o"
    end = time.monotonic() + _ENDING_S
    while True:
        try:
            lock = take_lock(folder / LOCK, busy)
            break
        except InputError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _axis(running: _RunningBatch, on_progress: Progress) -> tuple[dict[str, Any], Scan] | None:
    """Find the axis for all in the scan that was named, once."""
    batch, state = running.batch, running.state
    if batch.axis_from is None or not running.plan.seconds:
        return None
    axis_run, key = axis_scan(batch), axis_key(batch)
    if state.axis is None or state.axis["key"] != key:
        axis_found = find_axis_for_all(
            axis_run.scan,
            axis_run.protocol,
            axis_run.scan.name,
            force=batch.how.force,
            on_progress=on_progress,
        )
        if axis_found is None:
            raise InputError(
                f"no rotation axis is looked for in {axis_run.scan.path}: the protocol needs none, or it is given; "
                f"leave --axis-from out"
            )
        state.axis = {"key": key, **axis_found}
        write_state(batch.how.folder, state)
    return state.axis, axis_run.scan


def _make_all(
    running: _RunningBatch, axis: tuple[dict[str, Any], Scan] | None, on_scan: OnScan, on_progress: Progress
) -> None:
    batch, state, count = running.batch, running.state, len(running.plan.seconds)
    todo = dict(running.plan.seconds)
    spent, foreseen = 0.0, 0.0
    for place, (row, path) in enumerate(zip(running.plan.rows, running.plan.paths, strict=True)):
        if row.name not in todo:
            continue
        number = count - len(todo) + 1
        running.put(place, replace(row, state="at work"))
        on_scan(running.rows[place], number, count, sum(todo.values()) * _time_factor(spent, foreseen))
        began = time.monotonic()
        state.begun[row.name] = state.begun.get(row.name, 0) + 1
        try:
            if state.anew.get(row.name) is False:
                batch_result.remove(batch.how, row.name)
                state.anew[row.name] = True
            write_state(batch.how.folder, state)
            finished_row = _make_one(batch, row, path, axis, on_progress)
            if batch.drafts is not None:
                finished_row = batch_drafts.filed(batch.drafts, batch.how, finished_row)
        except (KeyboardInterrupt, Interrupted) as stop:
            state.begun.pop(row.name)
            write_state(batch.how.folder, state)
            running.put(place, row, last=True)
            remaining = len(todo)
            raise _interruption(stop, remaining, count) from stop
        except Exception as problem:  # one bad scan never stops the others
            finished_row = replace(row, state="failed", error=told(problem))
        state.begun.pop(row.name)
        state.anew.pop(row.name, None)
        write_state(batch.how.folder, state)
        if finished_row.state != "failed":
            spent, foreseen = spent + time.monotonic() - began, foreseen + todo[row.name]
        del todo[row.name]
        running.put(place, finished_row)
        on_scan(finished_row, number, count, sum(todo.values()) * _time_factor(spent, foreseen))


def _file_all(running: _RunningBatch) -> None:
    """File what is finished and in the catalogue not yet; what cannot be filed is told in its row."""
    drafts = running.batch.drafts
    if drafts is None:
        return
    for place in range(len(running.plan.rows)):
        row = running.rows[place]
        filed = batch_drafts.filed(drafts, running.batch.how, row)
        if filed != row:
            running.put(place, filed)


def _time_factor(spent: float, foreseen: float) -> float:
    """Return how much longer scans take than was planned, by those that are done."""
    return spent / foreseen if foreseen > 0 else 1.0


def _interruption(stop: BaseException, remaining: int, count: int) -> Interrupted:
    """Say how far the batch is, with what stopped it."""
    kind = type(stop) if isinstance(stop, Interrupted) else Interrupted
    reason = str(stop) if isinstance(stop, Interrupted) else "stopped"
    return kind(
        f"{reason}; {count - remaining} of {count} scans are done; the same command goes on with the batch"
    )


def _make_one(
    batch: Batch, row: Row, path: Path, axis: tuple[dict[str, Any], Scan] | None, on_progress: Progress
) -> Row:
    scan = batch.open(path)
    if not isinstance(scan, Scan):
        raise InputError(f"{path} holds an image, not a scan with projections")
    chosen = batch.choose(scan)
    if axis is None:
        return batch_result.make(batch.how, row, chosen, on_progress)
    axis_found, other = axis
    demand_same_frames(scan, other)
    return with_axis_confidence(
        batch_result.make(batch.how, row, with_axis(chosen, axis_found), on_progress), axis_found
    )
