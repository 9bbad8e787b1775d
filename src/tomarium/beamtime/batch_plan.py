"""What a batch would do: which results are there, what the others cost, and whether the disk holds them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import units
from tomarium.beamtime import batch_result
from tomarium.beamtime.batch_files import Row, State, read_state, write_state
from tomarium.beamtime.batch_result import Making, place_of
from tomarium.beamtime.choose_scans import names_of
from tomarium.beamtime.common_limits import CommonLimits
from tomarium.beamtime.file_results import Drafts
from tomarium.beamtime.log_file import MachineLog
from tomarium.catalogue.chosen_run import ChosenRun
from tomarium.catalogue.make_record import demand_apart
from tomarium.errors import CannotFit, InputError, TomariumError
from tomarium.executors import find_executor
from tomarium.executors.resources import resources_for
from tomarium.model import Image, Scan
from tomarium.pipeline.plan.planner import Plan, plan
from tomarium.pipeline.plan.resources import measure
from tomarium.pipeline.protocol.choice import with_parameter
from tomarium.pipeline.protocol.protocol import to_data
from tomarium.pipeline.run.provenance import fingerprint_of, plain

MOST_BEGUN: Final = 3
"""Times that a process may end while it is at work on a scan before that scan is left out."""

FILING_S: Final = 1.0
"""Time about that a scan takes besides its run: opening, previews, checksums."""

_MORE_THAN_HALF_DEG: Final = 270.0


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
    log : MachineLog or None
        Log book of the beamtime, in which each result is noted.
    careful : bool
        Whether each scan is noted before it is opened, for the program crashed before and may do so there.
    drafts : Drafts or None
        Where each finished volume is filed as a draft; None files none.
    """

    scans: tuple[Path, ...]
    how: Making
    open: Callable[[Path], Scan | Image]
    choose: Callable[[Scan], ChosenRun]
    listed: bool = False
    anew: bool = False
    axis_from: Path | None = None
    log: MachineLog | None = None
    careful: bool = False
    drafts: Drafts | None = None


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
    begun : dict of str to int
        Names, of those to be made → how often the program ended while it was at work on them.
    first : tuple of str and Plan, or None
        Name and plan of the first that is to be made.
    """

    rows: tuple[Row, ...]
    paths: tuple[Path, ...]
    seconds: dict[str, float]
    write_bytes: int
    free_bytes: int
    passed_over: tuple[Path, ...] = ()
    may_grow: tuple[str, ...] = ()
    begun: dict[str, int] = field(default_factory=dict)
    first: tuple[str, Plan] | None = None

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


def with_limits(batch: Batch, state: State) -> Batch:
    """Have volumes of common limits take those of the state, and keep there what is found."""
    limits = CommonLimits(state.limits, lambda: write_state(batch.how.folder, state))
    exports = tuple(
        replace(export, shared=limits) if export.common else export for export in batch.how.exports
    )
    return replace(batch, how=replace(batch.how, exports=exports))


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
    state = read_state(batch.how.folder)
    return plan_scans(with_limits(batch, state), state)


def plan_scans(batch: Batch, state: State) -> BatchPlan:
    """Tell what a batch would do, as `plan_batch`; new names are added to the state."""
    if not batch.scans:
        raise InputError("no scan was chosen; see --match, --exclude and --list")
    key = None if batch.axis_from is None else axis_key(batch)
    rows, paths, passed, seconds = [], [], [], {}
    growing: list[str] = []
    first: tuple[str, Plan] | None = None
    bytes_kept, most, making = 0, 0, batch.how
    once: dict[Path, Path] = {}
    for path in batch.scans:
        once.setdefault(path.resolve(), path)  # a link to a scan is no other scan
    for path in once.values():
        opened = _open_or_problem(batch, state, path)
        if isinstance(opened, Image) and not batch.listed:
            passed.append(path)
            continue
        [name] = names_of([path], state.names)
        row, planned = Row(str(path), name), None
        try:
            if isinstance(opened, Exception):
                raise opened
            if not isinstance(opened, Scan):
                raise InputError(
                    f"{path} holds an image of shape {opened.shape}, not a scan with projections"
                )
            row, planned = _plan_one(batch, state, row, opened, key)
        except Exception as problem:  # one bad scan is told of, and the others are done
            row = replace(row, state="failed", error=told(problem))
        rows.append(row)
        paths.append(path)
        if planned is not None:
            first = first or (name, planned)
            seconds[name] = planned.seconds + FILING_S
            result, besides = _bytes_of_run(making, name, planned)
            bytes_kept, most = bytes_kept + result, max(most, besides)
            if not making.slice_only and _may_grow(planned):
                growing.append(name)
    if not rows:
        raise InputError(
            f"none of the {len(passed)} files that were chosen holds a scan, but images or volumes; see --match"
        )
    free = measure(making.folder, making.memory).disk_bytes
    assert free is not None
    begun = {name: count for name in seconds if (count := state.begun.get(name, 0))}
    return BatchPlan(
        tuple(rows),
        tuple(paths),
        seconds,
        bytes_kept + most,
        free,
        tuple(passed),
        tuple(growing),
        begun,
        first,
    )


def _open_or_problem(batch: Batch, state: State, path: Path) -> Scan | Image | Exception:
    """Open a scan, or tell why not; where the program crashed before, it is noted that this one is opened now."""
    key = str(path)
    if state.begun.get(key, 0) >= MOST_BEGUN and not batch.anew:
        return InputError(_crash_text(path, "opened"))
    if batch.careful:
        state.begun[key] = state.begun.get(key, 0) + 1
        write_state(batch.how.folder, state)
    try:
        return batch.open(path)
    except Exception as problem:
        return problem
    finally:
        state.begun.pop(key, None)


def _crash_text(path: Path, action: str) -> str:
    return (
        f"the program ended {MOST_BEGUN} times while it {action} {path} (crashed, killed, or out of memory), so it is "
        f"left out; --redo tries it again"
    )


def _may_grow(planned: Plan) -> bool:
    """Tell whether a plan is of a full turn whose axis, and so the width of whose slices, is not known yet."""
    awaits = [
        item for item in planned.resolution.items if "axis_column" in item.awaits and "field" in item.values
    ]
    angles = planned.resolution.scan.angles_deg.value
    wide = any(item.plain["field"] != "detector" and not item.plain["region"] for item in awaits)
    return wide and bool(np.ptp(angles) > _MORE_THAN_HALF_DEG)


def _plan_one(
    batch: Batch, state: State, row: Row, scan: Scan, key: dict[str, Any] | None
) -> tuple[Row, Plan | None]:
    """Tell whether the result of a scan is there, and plan it where it is not."""
    making = batch.how
    place = place_of(making, row.name)
    demand_apart(scan.path, place)
    chosen = batch.choose(scan)
    axis = state.axis if key is not None and state.axis is not None and state.axis["key"] == key else None
    if axis is not None:
        chosen = with_axis(chosen, axis)
    resources = replace(
        resources_for(find_executor(making.executor), making.folder, making.memory), disk_bytes=sys.maxsize
    )
    planned = plan(chosen.protocol, chosen.scan, resources, rows=chosen.rows)
    if making.slice_only:
        middle = planned.resolution.scan.shape[1] // 2
        planned = plan(chosen.protocol, chosen.scan, resources, rows=slice(middle, middle + 1))
    anew = row.name in state.anew if state.anew else batch.anew
    earlier = batch_result.made(making, row)
    if earlier is not None and not anew:
        changed = batch_result.differences(making, row.name, chosen, planned.rows)
        if key is not None and axis is None:
            changed.append("the rotation axis is to be that of another scan")
        if not changed:
            return (earlier if axis is None else with_axis_confidence(earlier, axis)), None
        error = (
            f"its result was made otherwise and is left as it is ({'; '.join(changed)}); --redo makes it anew"
        )
        return replace(earlier, state="differs", error=error), None
    if state.begun.get(row.name, 0) >= MOST_BEGUN and not anew:
        raise InputError(_crash_text(scan.path, "was at work on"))
    planned.demand_fit()
    return row, planned


def _bytes_of_run(making: Making, name: str, planned: Plan) -> tuple[int, int]:
    """Return the bytes that stay of a run, less those that are there of it, and those that it needs while it works."""
    if making.slice_only:
        return 4 * int(np.prod(planned.shape[1:])), 0
    last = planned.sections[-1].write_bytes
    for export in making.exports:
        last += int(np.prod(planned.shape)) * np.dtype(export.dtype).itemsize
    place = place_of(making, name)
    bytes_there = (
        sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) if place.is_dir() else 0
    )
    return max(0, last - bytes_there), planned.write_bytes - planned.sections[-1].write_bytes


def axis_scan(batch: Batch) -> ChosenRun:
    """Open the scan in which the axis for all is found."""
    assert batch.axis_from is not None
    opened = batch.open(batch.axis_from)
    if not isinstance(opened, Scan):
        raise InputError(f"{batch.axis_from} holds an image, not the scan whose axis is to be taken")
    return batch.choose(opened)


def axis_key(batch: Batch) -> dict[str, Any]:
    """Tell the scan and the protocol by which the axis for all is found."""
    axis_run = axis_scan(batch)
    key = {
        "scan": axis_run.scan.name,
        "fingerprint": fingerprint_of(axis_run.scan),
        "protocol": to_data(axis_run.protocol),
    }
    as_json: dict[str, Any] = json.loads(json.dumps(plain(key)))
    return as_json


def with_axis(chosen: ChosenRun, axis: dict[str, Any]) -> ChosenRun:
    """Give the protocol of a scan the axis that was found in another one."""
    return replace(chosen, protocol=with_parameter(chosen.protocol, f"{axis['step']}={axis['value']!r}"))


def with_axis_confidence(row: Row, axis: dict[str, Any]) -> Row:
    """Add a warning to a result whose axis was found in another scan and may not fit."""
    if not axis["warnings"]:
        return replace(row, confidence=axis["confidence"])
    warnings = (*axis["warnings"], *row.warnings)
    return replace(row, confidence=axis["confidence"], warnings=warnings, state="warnings")


def told(problem: BaseException) -> str:
    """Tell an error of one scan in one line, also one that is a mistake of the program."""
    if isinstance(problem, TomariumError):
        return str(problem)
    if isinstance(problem, MemoryError):
        return "memory ran out; give less with --memory"
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename or ''}: {problem.strerror}".removeprefix(": ")
    return f"a mistake in tomarium, not yours: {type(problem).__name__}: {problem}"
