"""A folder watched while an experiment runs: the newest scan first, one slice each, and what is wrong with it."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import clear_drafts, take_lock, write_whole
from tomarium.beamtime import watch_drafts
from tomarium.beamtime.arrivals import Arrival, Spool, refusal
from tomarium.beamtime.file_results import Drafts
from tomarium.beamtime.live_file import (
    PICTURES,
    LiveState,
    moment,
    picture_name,
    read_live,
    seconds_of,
    slice_text,
    write_live,
)
from tomarium.beamtime.log_events import FAILED_S, of_watch
from tomarium.beamtime.log_file import MachineLog
from tomarium.beamtime.look_at_scan import Axis, Look, LookSettings, look_at_scan
from tomarium.beamtime.sample_change import of_sample
from tomarium.beamtime.scan_warnings import of_frames
from tomarium.beamtime.unfinished import Unfinished, not_whole
from tomarium.beamtime.watch_jobs import KINDS, Job, Kind, Result
from tomarium.errors import InputError, TomariumError

EVERY_S: Final = 0.25
"""Time between two looks at the folder; longer where a look takes long."""

SETTLED_S: Final = 0.3
"""A scan that was not written to for so long is looked at."""

PREVIEW_S: Final = 5.0
"""Time after which a scan that grows all the while is looked at again."""

HEARTBEAT_S: Final = 2.0

CHECKS_AT_LEAST_S: Final = 10.0
"""Time after which a scan is checked, however many slices wait."""

MANY: Final = 2
"""Scans that wait for their slice from which the axis is that of the scan before; it is looked for with the checks."""

RETRIES_S: Final = (10.0, 60.0)
"""Times after which what failed is tried again although it did not change."""


@dataclass(frozen=True)
class WatchRequest:
    """What is watched, and how.

    Attributes
    ----------
    spool : Path
        Folder in which scans arrive; nothing is ever written there.
    folder : Path
        Folder of `live.json` and of the pictures; made where it is absent.
    settings : LookSettings
        Protocol and row.
    protocol : str
        The protocol in words, for people.
    match : str
        Pattern of the names of scans.
    once : bool
        Whether to end when all that is there was looked at.
    every_s : float
        Time between two looks at the folder.
    log : MachineLog or None
        Log book of the beamtime, in which each event is noted.
    drafts : Drafts or None
        Where each whole scan is filed as a draft; None files none.
    """

    spool: Path
    folder: Path
    settings: LookSettings
    protocol: str
    match: str = "*"
    once: bool = False
    every_s: float = EVERY_S
    log: MachineLog | None = None
    drafts: Drafts | None = None


def watch(
    request: WatchRequest,
    *,
    tell: Callable[[str], object] = lambda text: None,
    stop: Callable[[], bool] = lambda: False,
) -> LiveState:
    """Watch a folder until it is told to stop.

    Parameters
    ----------
    request : WatchRequest
        What is watched.
    tell : callable
        `tell(sentence)`, once for each slice and each problem.
    stop : callable
        Asked several times a second; the watch ends where it returns True.

    Returns
    -------
    LiveState
        What it knew at the end; also in `live.json`.

    Raises
    ------
    InputError
        The folder is none, another watch writes to the same place, or that place belongs to another folder.
    KeyboardInterrupt
        As it was raised; the state is written first.
    """
    spool = request.spool
    if not spool.is_dir():
        raise InputError(f"{spool} is not a folder that can be watched; give the one in which scans arrive")
    if request.folder.resolve().is_relative_to(spool.resolve()):
        raise InputError(
            f"{request.folder} lies in {spool}, where raw data are, and nothing is written there; choose another "
            f"place with --output"
        )
    (request.folder / PICTURES).mkdir(parents=True, exist_ok=True)
    with _lock_folder(request.folder):
        watching = _Watch(request, _read_state(request), tell)
        watching.run(stop)
        return watching.state


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    busy = f"another watch writes to {folder}; stop it, or choose another place with --output"
    descriptor = take_lock(folder / PICTURES, busy)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _read_state(request: WatchRequest) -> LiveState:
    """Go on with what an earlier watch wrote."""
    clear_drafts(request.folder / "live.json")
    spool = str(request.spool.resolve())
    state = read_live(request.folder) or LiveState(spool=spool)
    if state.spool != spool:
        raise InputError(
            f"{request.folder} holds the watch of {state.spool}; choose another place for that of {spool} with --output"
        )
    state.slices = [
        entry for entry in state.slices if (request.folder / PICTURES / entry["picture"]).is_file()
    ]
    state.started, state.state, state.running = moment(time.time()), "running", ""
    state.protocol, state.row, state.problem = request.protocol, request.settings.row, ""
    return state


@dataclass
class _Watch:
    """A watch that runs: the folder is looked at here; one thread makes slices, another one makes checks."""

    request: WatchRequest
    state: LiveState
    tell: Callable[[str], object]
    axes: dict[str, Axis] = field(default_factory=dict)
    jobs: dict[Kind, queue.SimpleQueue[Job | None]] = field(
        default_factory=lambda: {kind: queue.SimpleQueue() for kind in KINDS}
    )
    results: queue.SimpleQueue[Result] = field(default_factory=queue.SimpleQueue)
    busy: dict[Kind, Job] = field(default_factory=dict)
    written_at: float = 0.0
    checked_at: float = field(default_factory=time.time)
    previewed: dict[str, float] = field(default_factory=dict)
    looked: tuple[Arrival, Look] | None = None
    unfinished: Unfinished = field(default_factory=Unfinished)

    def run(self, stop: Callable[[], bool]) -> None:
        """Look and work until `stop`, or until all is done where that was asked for."""
        for entry in reversed(self.state.slices):
            if entry["confidence"] == "high" and entry["axis_column"] is not None:
                self.axes[entry["station"]] = Axis(
                    entry["axis_column"], "high", entry["scan"], entry["station"]
                )
        watch_drafts.try_again(self.state)
        spool, arrivals = Spool(self.request.spool, self.request.match), dict[str, Arrival]()
        workers = [
            threading.Thread(target=self._do_jobs, args=(kind,), name=f"tomarium watch, {kind}", daemon=True)
            for kind in self.jobs
        ]
        for worker in workers:
            worker.start()
        try:
            while not stop():
                began = time.monotonic()
                arrivals = self._look(spool)
                self._give_work(arrivals)
                self._write(arrivals)
                if self.request.once and not self.busy and not self._is_work_left(arrivals):
                    break
                # A look that takes long, as on a network disk, is not repeated at once.
                self._take_result(max(self.request.every_s, 4 * (time.monotonic() - began)))
        finally:
            for jobs in self.jobs.values():
                jobs.put(None)
            for worker in workers:
                worker.join(timeout=1.0)
            self.state.state, self.state.running = "stopped", ""
            write_live(self.request.folder, self.state)
            self._note(arrivals, 0.0 if self.request.once else FAILED_S)

    def _look(self, spool: Spool) -> dict[str, Arrival]:
        before = dict(spool.known)
        try:
            arrivals = spool.look()
            self.state.problem = ""
        except OSError as problem:
            if not self.state.problem:
                self.tell(f"{self.request.spool}: {refusal(problem)}")
            self.state.problem = f"the folder cannot be looked at: {refusal(problem)}"
            return spool.known
        gone = {name: arrival for name, arrival in before.items() if name not in arrivals}
        new_names = {arrival.identity: name for name, arrival in arrivals.items() if name not in before}
        for name, arrival in gone.items():
            self._note_gone(name, new_names.get(arrival.identity) if arrival.identity else None)
        return arrivals

    def _note_gone(self, name: str, now_called: str | None) -> None:
        entry = self.state.slice_of(name)
        if now_called and entry is not None:
            self.state.slices = [other for other in self.state.slices if other is not entry]
            self.state.put_slice({**entry, "scan": now_called, "stamp": None, "was": name})
        if entry is None or now_called:
            self.state.failed = [failure for failure in self.state.failed if failure["scan"] != name]
            reason = f"was renamed to {now_called}" if now_called else "vanished before it was reconstructed"
            self.state.skipped.insert(0, {"scan": name, "reason": reason, "at": moment(time.time())})
            self.tell(f"! {name}: {reason}")
        self.written_at = 0.0

    def _give_work(self, arrivals: dict[str, Arrival]) -> None:
        now = time.time()
        newest = sorted(arrivals.values(), key=lambda arrival: arrival.changed_at, reverse=True)
        lacking = [arrival for arrival in newest if self._lacks_slice(arrival, now)]
        for job in (
            self._next_slice(lacking, now),
            self._next_checks(newest, len(lacking), now),
            self._next_to_file(newest, now),
        ):
            if job is not None:
                self.busy[job.kind] = job
                self.written_at = 0.0
                self.jobs[job.kind].put(job)
        at_work = [self.busy[kind].arrival.name for kind in self.jobs if kind in self.busy]
        self.state.running = at_work[0] if at_work else ""

    def _next_slice(self, lacking: list[Arrival], now: float) -> Job | None:
        """Choose the newest scan; one that is written to all the time is looked at now and then."""
        if "slice" in self.busy:
            return None
        for arrival in lacking:
            is_settled = arrival.at_rest_s(now) >= SETTLED_S
            last = self.previewed.setdefault(arrival.name, now)
            if is_settled or now - last >= PREVIEW_S:
                self.previewed[arrival.name] = now
                return Job("slice", arrival, growing=not is_settled, quick=len(lacking) > MANY)
        return None

    def _next_checks(self, newest: list[Arrival], lacking: int, now: float) -> Job | None:
        """Choose the newest scan with a slice and without checks; where many slices wait, not often."""
        if "checks" in self.busy or (lacking > MANY and now - self.checked_at < CHECKS_AT_LEAST_S):
            return None
        arrival = next((arrival for arrival in newest if self._lacks_checks(arrival)), None)
        entry = None if arrival is None else self.state.slice_of(arrival.name)
        return (
            None
            if arrival is None or entry is None
            else Job("checks", arrival, quick=not entry["axis_sought"])
        )

    def _next_to_file(self, newest: list[Arrival], now: float) -> Job | None:
        """Choose the oldest scan that is whole, checked and at rest, and no draft yet."""
        if self.request.drafts is None or "file" in self.busy:
            return None
        lacking = [arrival for arrival in newest if self._lacks_draft(arrival, now)]
        return Job("file", lacking[-1]) if lacking else None

    def _lacks_draft(self, arrival: Arrival, now: float) -> bool:
        at_rest_s = 0.0 if self.request.once else FAILED_S
        return self.request.drafts is not None and watch_drafts.lacks_draft(
            self.state.slice_of(arrival.name), arrival, now, at_rest_s
        )

    def _lacks_slice(self, arrival: Arrival, now: float) -> bool:
        entry = self.state.slice_of(arrival.name)
        if entry is not None and entry["stamp"] is None:  # renamed: its slice is that of the old name
            entry["stamp"] = list(arrival.stamp)
        if entry is not None and entry["stamp"] == list(arrival.stamp):
            return False
        if self.unfinished.waits(arrival, now):
            return False
        failure = self.state.failure_of(arrival.name)
        if failure is None or failure["stamp"] != list(arrival.stamp):
            return True
        tries = failure["tries"]
        return tries <= len(RETRIES_S) and now - seconds_of(failure["at"]) > RETRIES_S[tries - 1]

    def _lacks_checks(self, arrival: Arrival) -> bool:
        entry = self.state.slice_of(arrival.name)
        return (
            entry is not None
            and entry["complete"]
            and not entry["checked"]
            and entry["stamp"] == list(arrival.stamp)
        )

    def _is_work_left(self, arrivals: dict[str, Arrival]) -> bool:
        """Tell whether something is still to be done that does not wait for another try."""
        return any(
            self._lacks_checks(arrival)
            or self._lacks_draft(arrival, time.time())
            or (
                self._lacks_slice(arrival, 0.0)
                and (
                    (failure := self.state.failure_of(arrival.name)) is None
                    or failure["stamp"] != list(arrival.stamp)
                )
            )
            for arrival in arrivals.values()
        )

    def _write(self, arrivals: dict[str, Arrival]) -> None:
        now = time.time()
        if now - self.written_at < HEARTBEAT_S:
            return
        self.written_at = now
        waiting = []
        for arrival in sorted(arrivals.values(), key=lambda arrival: arrival.changed_at, reverse=True):
            waiting_entry = {"scan": arrival.name, "arrived_at": moment(arrival.changed_at)}
            if self._lacks_checks(arrival):
                waiting.append({**waiting_entry, "why": "checks to come"})
            elif self._lacks_slice(arrival, now):
                is_settled = arrival.at_rest_s(now) >= SETTLED_S
                waiting.append({**waiting_entry, "why": "waiting" if is_settled else "being written"})
            elif self.unfinished.waits(arrival, now):
                waiting.append({**waiting_entry, "why": "being written"})
        self.state.queue = waiting
        for entry, warning in not_whole(self.state.slices, arrivals, now):
            entry["warnings"] = [*entry["warnings"], warning.as_data()]
            self.tell(f"! {entry['scan']}: {warning.title}: {warning.text}")
        try:
            write_live(self.request.folder, self.state)
        except OSError as problem:  # a full disk: the work goes on, and it is written once there is room
            self.tell(f"! live.json cannot be written: {refusal(problem)}")
        self._note(arrivals, FAILED_S)

    def _note(self, arrivals: dict[str, Arrival], still_s: float) -> None:
        """Note in the log book of the beamtime what is not in it yet."""
        if self.request.log is not None:
            events = of_watch(self.state, arrivals.values(), time.time(), still_s)
            self.request.log.note_all(events, lambda text: self.tell(f"! {text}"))

    def _take_result(self, seconds: float) -> None:
        """Wait for the worker, but no longer than until the next look."""
        try:
            result = self.results.get(timeout=seconds)
        except queue.Empty:
            return
        del self.busy[result.job.kind]
        self.written_at = 0.0
        if result.job.kind == "file":
            watch_drafts.put_filed(self.state, result, time.time(), self.tell)
            return
        if result.problem:
            self._put_failure(result)
            return
        if result.look is not None:
            self._put_slice(result, result.look)
        if result.job.kind == "checks":
            self._put_checks(result)

    def _put_failure(self, result: Result) -> None:
        arrival = result.job.arrival
        if result.job.kind == "checks":
            entry = self.state.slice_of(arrival.name)
            if entry is not None:
                entry["checked"] = True
                entry["notes"] = [*entry["notes"], f"its checks could not be made: {result.problem}"]
            return
        told = None if self.request.once else self.unfinished.take(arrival, result.problem, time.time())
        if told is not None:
            if told:
                self.tell(told)
            return
        before = self.state.failure_of(arrival.name)
        tries = before["tries"] + 1 if before is not None and before["stamp"] == list(arrival.stamp) else 1
        self.state.put_failure(
            {
                "scan": arrival.name,
                "reason": result.problem,
                "at": moment(time.time()),
                "arrived_at": moment(arrival.changed_at),
                "stamp": list(arrival.stamp),
                "tries": tries,
            }
        )
        if before is None or tries == 1 or before["reason"] != result.problem:
            self.tell(f"! {arrival.name}: {result.problem}")

    def _put_slice(self, result: Result, look: Look) -> None:
        arrival, axis = result.job.arrival, look.axis
        self.looked = (arrival, replace(look, picture=b""))
        if axis.confidence == "high" and axis.column is not None:
            self.axes[axis.station] = axis
        entry: dict[str, Any] = {
            "scan": arrival.name,
            "row": look.row,
            "picture": picture_name(arrival.name),
            "width": look.width,
            "height": look.height,
            "finished_at": moment(time.time()),
            "arrived_at": moment(arrival.changed_at),
            "views": look.views,
            "covered_deg": list(look.covered_deg),
            "complete": look.complete,
            "axis_column": axis.column,
            "confidence": axis.confidence,
            "axis_of": axis.scan,
            "axis_sought": look.axis_sought,
            "station": axis.station,
            "protocol": self.request.protocol,
            "warnings": [warning.as_data() for warning in look.warnings],
            "notes": list(look.notes),
            "checked": False,
            "seconds": round(result.seconds, 3),
            "stamp": list(arrival.stamp),
        }
        self.state.put_slice(entry)
        self.unfinished.since.pop(arrival.name, None)
        self.tell(slice_text(entry))

    def _put_checks(self, result: Result) -> None:
        arrival = result.job.arrival
        entry = self.state.slice_of(arrival.name)
        self.checked_at = time.time()
        if entry is None or entry["stamp"] != list(arrival.stamp):
            return
        entry["checked"] = True
        titles = {warning["title"] for warning in entry["warnings"]}
        new_warnings = [warning for warning in result.found if warning.title not in titles]
        entry["warnings"] = [*entry["warnings"], *(warning.as_data() for warning in new_warnings)]
        for warning in new_warnings:
            self.tell(f"! {arrival.name}: {warning.title}: {warning.text}")

    def _do_jobs(self, kind: Kind) -> None:
        """Do the jobs, one after the other; an error of one does not stop the next."""
        while (job := self.jobs[kind].get()) is not None:
            began = time.perf_counter()
            try:
                result = self._do_job(job)
            except (TomariumError, OSError) as problem:
                message = refusal(problem) if isinstance(problem, OSError) else str(problem)
                result = Result(job, problem=message.removeprefix(f"{job.arrival.path}: "))
            except MemoryError:
                result = Result(job, problem="memory ran out; watch with --bin 2, or on a larger machine")
            except Exception as problem:  # a mistake of ours: named, and the watch goes on
                result = Result(job, problem=f"{type(problem).__name__}: {problem}")
            self.results.put(replace(result, seconds=time.perf_counter() - began))

    def _do_job(self, job: Job) -> Result:
        arrival = job.arrival
        if arrival.problem:
            return Result(job, problem=arrival.problem)
        if job.kind == "file" and self.request.drafts is not None:
            return Result(job, draft=self.request.drafts.file_scan(arrival.path, arrival.name))
        if job.kind == "slice":
            return Result(job, look=self._look_at(arrival, growing=job.growing, quick=job.quick))
        last_look, new_look = self.looked, None
        look = last_look[1] if last_look is not None and last_look[0] == arrival else None
        if job.quick:  # the slice was made in haste, about the axis of another scan
            look = new_look = self._look_at(arrival)
        elif look is None:  # it was made by an earlier process, and stays as it is
            look = look_at_scan(arrival.path, arrival.name, self.request.settings, self.axes)
        column = None if look.axis.confidence == "last good" else look.axis.column
        return Result(job, look=new_look, found=(*of_sample(look.seen, column), *of_frames(look.opened)))

    def _look_at(self, arrival: Arrival, *, growing: bool = False, quick: bool = False) -> Look:
        look = look_at_scan(
            arrival.path, arrival.name, self.request.settings, self.axes, growing=growing, quick=quick
        )
        write_whole(self.request.folder / PICTURES / picture_name(arrival.name), look.picture)
        return look
