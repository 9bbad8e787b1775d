"""The lines by which `tomarium status` tells how a piece of work stands."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from tomarium.cli import show
from tomarium.pipeline.run.workers import in_words, slow_in_words

if TYPE_CHECKING:
    from tomarium.pipeline.run.work_state import WorkState

COLOURS: Final = {
    "failed": "red", "stopped": "red", "unknown": "yellow", "elsewhere": "yellow", "halted": "yellow",
    "running": "green", "waiting": "cyan",
}  # fmt: skip
"""State → colour of its line."""

NEWEST: Final = 10
"""Finished records that are listed where not all are asked for."""

_INDENT: Final = " " * 11
_DAY_S: Final = 86400.0
_REST: Final = 43
"""Characters of a line beside names and slabs, with an end such as "Tue 03:42"."""


def newest(work: Iterable[WorkState], all_finished: bool) -> tuple[list[WorkState], int]:
    """Choose what is listed: all that is at no end, and the newest of what is finished.

    Parameters
    ----------
    work : iterable of WorkState
        What was found.
    all_finished : bool
        Whether all that is finished is listed, too.

    Returns
    -------
    tuple of list of WorkState and int
        What is listed, and how many finished are not.
    """
    finished = sorted(
        (state for state in work if state.state == "finished"), key=lambda state: state.last_at or 0.0
    )
    others = [state for state in work if state.state != "finished"]
    first = 0 if all_finished else max(0, len(finished) - NEWEST)
    return [*finished[first:], *others], first


def widths(work: Iterable[WorkState], width: int) -> tuple[int, int]:
    """Share out a line: characters for names, which get what the rest leaves, and for slabs.

    Parameters
    ----------
    work : iterable of WorkState
        What is listed.
    width : int
        Characters of a line.

    Returns
    -------
    tuple of int
        For `row`.
    """
    states = list(work)
    slabs = max([5, *(len(_slabs(state)) for state in states)])
    longest = max([6, *(len(str(state.path)) for state in states)])
    return max(12, min(width - _REST - slabs, longest)), slabs


def _slabs(state: WorkState) -> str:
    return f"{state.done}/{state.total}" if state.total and state.state != "finished" else ""


def heading(name_width: int, slabs_width: int) -> str:
    """Write what stands above the lines."""
    return _columns(
        "state", "record".ljust(name_width), "sect.", "slabs".rjust(slabs_width), "share", "last", "end"
    )


def _columns(state: str, name: str, section: str, slabs: str, share: str, last: str, end: str) -> str:
    return f"{state:9s}  {name} {section:>5s} {slabs} {share:>5s} {last:>7s}  {end}".rstrip()


def row(state: WorkState, name: str, name_width: int, slabs_width: int, now: float) -> str:
    """Write the line of a piece of work.

    Parameters
    ----------
    state : WorkState
        How it stands.
    name : str
        What it is called.
    name_width, slabs_width : int
        Characters for that, a longer one loses its beginning, and for slabs.
    now : float
        Seconds since 1970.

    Returns
    -------
    str
        State, name, section of how many, slabs of the section, share, time since the last slab, expected end.
    """
    shown = name if len(name) <= name_width else f"…{name[1 - name_width :]}"
    section = f"{state.section}/{state.sections}" if state.sections else ""
    share = "" if state.share is None else f"{100 * state.share:.0f} %"
    last = "" if state.last_at is None else show.clock(max(0.0, now - state.last_at))
    end = clock_time(state.ends_at, now) if state.is_live and state.ends_at is not None else ""
    if state.state == "finished":
        share, last = "", ""
        end = "" if state.last_at is None else clock_time(state.last_at, now)
    slabs = _slabs(state).rjust(slabs_width)
    return _columns(state.state, shown.ljust(name_width), section, slabs, share, _brief(last), end)


def _brief(clock: str) -> str:
    """Cut "2 h 5 min" to the hours."""
    return clock.partition(" h ")[0] + " h" if " h " in clock else clock


def clock_time(moment: float, now: float) -> str:
    """Write a moment by the clock of this computer, with its day where that is not today's.

    Parameters
    ----------
    moment, now : float
        Seconds since 1970.

    Returns
    -------
    str
        "03:42", "Tue 03:42" or "2026-11-02".
    """
    then, today = time.localtime(moment), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%a %H:%M" if abs(moment - now) < 6 * _DAY_S else "%Y-%m-%d", then)


def details(state: WorkState, width: int) -> list[str]:
    """Write what stands below the line: who does the work, what is wrong, and what goes on with it.

    Parameters
    ----------
    state : WorkState
        How it stands.
    width : int
        Characters of a line; a command to be copied is not broken.

    Returns
    -------
    list of str
        None of what is finished.
    """
    if state.state == "finished":
        return []
    texts = [_who(state), *state.notes]
    if state.workers:
        texts.append(f"done by: {in_words(state.workers)}")
        texts += [f"! {slow_in_words(share)}" for share in state.workers if share.slower]
    if state.lost:
        texts.append(f"! lost: {', '.join(state.lost)}")
    lines = [
        line
        for text in texts
        if text
        for line in textwrap.wrap(
            show.line(text), max(30, width - len(_INDENT)), break_long_words=False, break_on_hyphens=False
        )
    ]
    if state.advice:
        lines.append(f"next: {state.advice}")
    return [_INDENT + line for line in lines]


def _who(state: WorkState) -> str:
    """Say what is done, and by which process."""
    if state.state not in ("running", "waiting"):
        return ""
    parts = [f"at work on {state.doing}" if state.kind in ("batch", "watch") and state.doing else state.doing]
    if state.process is not None:
        on = f" on {state.host}" if state.host else ""
        executor = f", --on {state.executor}" if state.executor else ""
        since = "" if state.since is None else f", since {clock_time(state.since, time.time())}"
        parts.append(f"process {state.process}{on}{executor}{since}")
    if state.ends_at is not None:
        parts.append(f"about {show.clock(max(0.0, state.ends_at - time.time()))} left")
    return "; ".join(part for part in parts if part)


def headline(work: Sequence[WorkState]) -> str:
    """Count the states: "2 running, 1 stopped, 40 finished"."""
    from tomarium.pipeline.run.work_state import STATES

    counts = Counter(state.state for state in work)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
