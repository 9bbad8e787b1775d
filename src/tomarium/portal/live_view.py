"""What the page /live says of a watch: whether all is well, the last slices with their age, warnings, the queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from tomarium.beamtime.beamtime_folder import find_beamtime
from tomarium.beamtime.live_file import LiveState, read_live, runs, seconds_of
from tomarium.beamtime.log_file import LOG, read_log
from tomarium.beamtime.roster import read_roster
from tomarium.errors import FormatError, InputError
from tomarium.model.sentence import Sentence, joined
from tomarium.portal import live_words
from tomarium.portal.page import FOR_PEOPLE

SHOWN: Final = 6
"""Slices on the page."""

QUEUED: Final = 8
"""Scans of the queue, and failures, that are listed; the others are counted."""

LOGGED: Final = 10
"""Lines of the log book on the page."""

BEHIND_S: Final = 60.0
"""Age of a scan that still waits from which the watch does not keep up."""

Verdict = Literal["good", "warn", "stop"]


@dataclass(frozen=True)
class LiveWarning:
    """A warning of a scan: `title` in two words, `text`, the `scan`, its `level` ("warn", "stop") and `at`, a time."""

    title: str
    text: str
    scan: str
    level: str
    at: str
    anchor: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class LiveSlice:
    """A slice.

    Attributes
    ----------
    scan, picture : str
        Name of the scan, and address of the picture.
    width, height, row, views : int
        Size of the picture; detector row; projections it was made of.
    age_s : float
        Seconds since the scan was last written to.
    arrived_at : str
        That time, ISO 8601.
    complete : bool
        Whether the scan was whole.
    covered_deg : tuple of float
        Lowest and highest angle.
    axis_column : float or None
        Column of the rotation axis.
    confidence : str
        How sure it is.
    flags : tuple of str
        Titles of its warnings, and that it is incomplete.
    warnings : tuple of LiveWarning
        All of them.
    notes : tuple of str
        What one may want to know.
    """

    scan: str
    picture: str
    width: int
    height: int
    row: int
    views: int
    age_s: float
    arrived_at: str
    complete: bool
    covered_deg: tuple[float, float]
    axis_column: float | None
    confidence: str
    flags: tuple[str, ...]
    warnings: tuple[LiveWarning, ...]
    notes: tuple[str, ...]
    age: str = field(metadata=FOR_PEOPLE)
    anchor: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Waiting:
    """A scan that waits: its name, why, and for how long in seconds."""

    scan: str
    why: str
    age_s: float
    age: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Failure:
    """A scan without a slice: its name, the reason, and when that was found, ISO 8601."""

    scan: str
    reason: str
    at: str
    time: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class OnShift:
    """Who does something now.

    Attributes
    ----------
    role : str
        What, as the roster says: acquisition, reconstruction …
    names : tuple of str
        Who.
    until : str
        When the shift ends, by the clock of the beamline.
    """

    role: str
    names: tuple[str, ...]
    until: str


@dataclass(frozen=True)
class LogLine:
    """A line of the beamtime's log book: `when` (ISO 8601), `who`, `text`, and whether a program wrote it."""

    when: str
    who: str
    text: str
    machine: bool
    time: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Remarks:
    """Where a reader of the page may write a remark: the address, and whether it asks for the reader's name."""

    address: str
    ask_name: bool


@dataclass(frozen=True)
class LivePage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Whether all is well, in a few words.
    verdict : {"good", "warn", "stop"}
        The same for machines.
    sentence : str
        Why.
    running : bool
        Whether the watcher runs.
    spool, protocol : str
        What is watched, and by which protocol.
    heartbeat : str
        When the watcher last said that it runs, ISO 8601; "" for never.
    working_on : str
        Scan that is being reconstructed.
    slices : tuple of LiveSlice
        The last six, newest first.
    warnings : tuple of LiveWarning
        Those of these six.
    queue, failed : tuple
        Scans that wait, and those that failed or are gone; the first eight of each.
    waiting, failures, scans : int
        How many there are of all.
    axis_column : float or None
        Column of the rotation axis of the newest slice.
    confidence : str
        How sure it is.
    as_of : str
        Time of this answer, ISO 8601.
    on_shift : tuple of OnShift
        Who is on shift, by the roster of the beamtime in whose folder the watch lies.
    log : tuple of LogLine
        The last lines of the log book of that beamtime, newest first.
    """

    title: str
    verdict: Verdict
    sentence: str
    running: bool
    spool: str
    protocol: str
    heartbeat: str
    working_on: str
    slices: tuple[LiveSlice, ...]
    warnings: tuple[LiveWarning, ...]
    queue: tuple[Waiting, ...]
    failed: tuple[Failure, ...]
    waiting: int
    failures: int
    scans: int
    axis_column: float | None
    confidence: str
    as_of: str
    clock: str = field(metadata=FOR_PEOPLE)
    not_listed: int = field(metadata=FOR_PEOPLE)
    on_shift: tuple[OnShift, ...] = ()
    log: tuple[LogLine, ...] = ()
    roster_problem: str = field(default="", metadata=FOR_PEOPLE)
    log_problem: str = field(default="", metadata=FOR_PEOPLE)
    has_log: bool = field(default=False, metadata=FOR_PEOPLE)
    remarks: Remarks | None = field(default=None, metadata=FOR_PEOPLE)
    events: str = field(default="", metadata=FOR_PEOPLE)
    day: bool = field(default=False, metadata=FOR_PEOPLE)
    hold: bool = field(default=False, metadata=FOR_PEOPLE)


def live_page(
    folder: Path | None,
    now: float,
    picture: Callable[[str, str], str],
    *,
    events: str = "",
    remarks: Remarks | None = None,
    day: bool = False,
    hold: bool = False,
) -> LivePage:
    """Describe the state of a watch.

    Parameters
    ----------
    folder : Path or None
        The folder that the watch writes.
    now : float
        Seconds since 1970.
    picture : callable
        `picture(file, version)`: address of a picture.
    events : str
        Address of the events that tell of changes.
    remarks : Remarks, optional
        Where the reader may write into the log book of the beamtime; None where the reader may not.
    day, hold : bool
        Whether the page is light, and whether it stays as it is.

    Returns
    -------
    LivePage
        Also where there is no watch, or its file is damaged.
    """
    problem = ""
    state: LiveState | None = None
    try:
        state = read_live(folder) if folder is not None else None
    except FormatError as damaged:
        problem = str(damaged)
    if state is None:
        title = live_words.UNREADABLE if problem else live_words.NOTHING
        sentence = problem or live_words.START
        verdict: Verdict = "stop" if problem else "warn"
        return _page(LiveState(), now, picture, title, verdict, sentence, events=events, day=day, hold=hold)
    title, verdict, sentence = _verdict(state, now)
    beamtime = beamtime_of(folder)
    shifts, roster_problem = _on_shift(beamtime, now)
    lines, unread = _log(beamtime)
    return _page(
        state,
        now,
        picture,
        title,
        verdict,
        sentence,
        on_shift=shifts,
        roster_problem=roster_problem,
        log=lines,
        log_problem=unread,
        has_log=beamtime is not None,
        remarks=None if beamtime is None else remarks,
        events=events,
        day=day,
        hold=hold,
    )


def beamtime_of(folder: Path | None) -> Path | None:
    """Return the folder of the beamtime in which a watch writes, or None where it lies in none."""
    return find_beamtime(start=folder) if folder is not None else None


def _log(beamtime: Path | None) -> tuple[tuple[LogLine, ...], str]:
    """Tell the last lines of the log book, or why they cannot be read."""
    if beamtime is None:
        return (), ""
    try:
        entries = read_log(beamtime)
    except OSError as problem:
        return (), f"{beamtime / LOG}: {problem.strerror}"
    newest = entries[: -LOGGED - 1 : -1]
    return tuple(
        LogLine(log_entry.when, log_entry.who, log_entry.said, log_entry.machine, clock(log_entry.when))
        for log_entry in newest
    ), ""


def _on_shift(beamtime: Path | None, now: float) -> tuple[tuple[OnShift, ...], str]:
    """Tell who is on shift, or what is wrong with the roster."""
    if beamtime is None:
        return (), ""
    try:
        roster = read_roster(beamtime)
    except InputError as problem:
        return (), str(problem)
    if roster is None:
        return (), ""
    when = datetime.fromtimestamp(now, UTC)
    return tuple(
        OnShift(role, names, roster.local(shift.ends)[-5:])
        for shift in roster.at(when)
        for role, names in shift.roles.items()
        if names
    ), ""


def _page(
    state: LiveState,
    now: float,
    picture: Callable[[str, str], str],
    title: str,
    verdict: Verdict,
    sentence: str,
    **more: Any,
) -> LivePage:
    slices = tuple(
        _slice(entry, number, now, picture) for number, entry in enumerate(state.slices[:SHOWN], start=1)
    )
    warnings = tuple(
        sorted((w for live_slice in slices for w in live_slice.warnings), key=lambda w: w.level != "stop")
    )
    gone = [*state.failed, *state.skipped]
    newest = sorted(gone, key=lambda failure: str(failure["at"]), reverse=True)
    return LivePage(
        title=title,
        verdict=verdict,
        sentence=sentence,
        running=runs(state, now),
        spool=state.spool,
        protocol=state.protocol,
        heartbeat=state.heartbeat,
        working_on=state.running,
        slices=slices,
        warnings=warnings,
        queue=tuple(_waiting(entry, now) for entry in state.queue[:QUEUED]),
        failed=tuple(
            Failure(failure["scan"], failure["reason"], failure["at"], clock(failure["at"]))
            for failure in newest[:QUEUED]
        ),
        waiting=len(state.queue),
        failures=len(gone),
        scans=len(state.slices),
        axis_column=slices[0].axis_column if slices else None,
        confidence=slices[0].confidence if slices else "",
        as_of=datetime.fromtimestamp(round(now, 2), UTC).isoformat(),
        clock=datetime.fromtimestamp(now).strftime("%H:%M:%S"),
        not_listed=max(0, len(state.queue) - QUEUED),
        **more,
    )


def _verdict(state: LiveState, now: float) -> tuple[str, Verdict, str]:
    """Say in one line whether all is well; the worst decides."""
    if not runs(state, now):
        since = clock(state.heartbeat) if state.heartbeat else Sentence("its start")
        how = Sentence(live_words.STOPPED if state.state == "stopped" else live_words.ENDED)
        return (
            Sentence(live_words.NOT_RUNNING, time=since),
            "stop",
            Sentence(live_words.AGAIN, how=how, spool=state.spool),
        )
    if state.problem:
        return live_words.AWAY, "stop", f"{state.problem[:1].upper()}{state.problem[1:]}."
    last = state.slices[:SHOWN]
    warnings = [(entry["scan"], warning) for entry in last for warning in entry["warnings"]]
    wait_s = max((now - seconds_of(entry["arrived_at"]) for entry in state.queue[:1]), default=0.0)
    failed = _failed_lately(state)
    seen = Sentence(live_words.SEEN, scans=counted(len(state.slices), "scan"), waiting=len(state.queue))
    for level in ("stop", "warn"):
        of_level = [warning for warning in warnings if warning[1]["level"] == level]
        if of_level:
            scan, warning = of_level[0]
            more = Sentence(live_words.BELOW, warnings=counted(len(warnings) - 1, "more warning"))
            verdict: Verdict = "stop" if level == "stop" else "warn"
            title = Sentence(live_words.IN_SCAN, title=Sentence(warning["title"]), scan=scan)
            return title, verdict, joined([live_words.LOOK, *([more] if warnings[1:] else ()), seen], " ")
    if failed:
        return (
            Sentence(live_words.NOT_MADE, scan=failed[0]["scan"]),
            "warn",
            joined([seen, live_words.REASON], " "),
        )
    if wait_s > BEHIND_S and state.queue[0]["why"] == "waiting":
        return live_words.BEHIND, "warn", joined([Sentence(live_words.WAITED, age=age(wait_s)), seen], " ")
    if not state.slices:
        return live_words.NOT_YET, "good", Sentence(live_words.WATCHED, spool=state.spool)
    return live_words.KEEPS_UP, "good", seen


def _failed_lately(state: LiveState) -> list[dict[str, Any]]:
    """List failures newer than the newest slice."""
    newest = state.slices[0]["arrived_at"] if state.slices else ""
    return [failure for failure in state.failed if failure["arrived_at"] >= newest]


def _slice(
    entry: Mapping[str, Any], number: int, now: float, picture: Callable[[str, str], str]
) -> LiveSlice:
    old = max(0.0, now - seconds_of(entry["arrived_at"]))
    anchor = f"slice-{number}"
    at = clock(entry["arrived_at"])
    warnings = tuple(
        LiveWarning(warning["title"], warning["text"], entry["scan"], warning["level"], at, anchor)
        for warning in entry["warnings"]
    )
    flags = tuple(dict.fromkeys(warning.title for warning in warnings))
    first, last = entry["covered_deg"]
    return LiveSlice(
        scan=entry["scan"],
        picture=picture(entry["picture"], entry["finished_at"]),
        width=entry["width"],
        height=entry["height"],
        row=entry["row"],
        views=entry["views"],
        age_s=round(old, 1),
        arrived_at=entry["arrived_at"],
        complete=entry["complete"],
        covered_deg=(first, last),
        axis_column=entry["axis_column"],
        confidence=entry["confidence"],
        flags=flags
        if entry["complete"]
        else (Sentence(live_words.INCOMPLETE, first=f"{first:.4g}", last=f"{last:.4g}"), *flags),
        warnings=warnings,
        notes=tuple(entry["notes"]),
        age=age(old),
        anchor=anchor,
    )


def _waiting(entry: Mapping[str, Any], now: float) -> Waiting:
    old = max(0.0, now - seconds_of(entry["arrived_at"]))
    return Waiting(entry["scan"], entry["why"], round(old, 1), age(old))


def counted(number: int, noun: str) -> Sentence:
    """Write a number with noun is counted: "1 scan", "3 scans"."""
    return Sentence(f"%(number)s {noun}{'' if number == 1 else 's'}", number=number)


def age(seconds: float) -> str:
    """Say how long something is ago, as people do: "12 s", "3 min", "5 h", "2 days".

    Parameters
    ----------
    seconds : float
        How long.

    Returns
    -------
    str
        In the largest unit of which there are two, or one.
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return (
        f"{seconds / 3600:.0f} h"
        if seconds < 48 * 3600
        else Sentence(live_words.DAYS, days=f"{seconds / 86400:.0f}")
    )


def clock(text: str) -> str:
    """Write a moment as the clock on the wall of this machine shows it; with its day where that is another."""
    seconds = seconds_of(text)
    if not seconds:
        return text
    when = datetime.fromtimestamp(seconds)
    today = when.date() == datetime.now().date()
    return when.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")
