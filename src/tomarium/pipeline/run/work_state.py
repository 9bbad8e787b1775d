"""How a run stands, by what lies in its folder: read while it runs, and without disturbing it."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

from tomarium.errors import FormatError
from tomarium.formats.record.reader import CRATE
from tomarium.formats.resumable.progress import ProgressLog
from tomarium.pipeline.run.at_work import AtWork, boot, presence, read_at_work
from tomarium.pipeline.run.journal import FOLDER, REQUEST, SLABS
from tomarium.pipeline.run.workers import Share, read_workers, shares_of

State = Literal["finished", "running", "waiting", "halted", "elsewhere", "unknown", "stopped", "failed"]

STATES: Final[tuple[State, ...]] = (
    "finished", "running", "waiting", "halted", "elsewhere", "unknown", "stopped", "failed",
)  # fmt: skip
"""States, those that ask most for somebody last."""

LIVE: Final = frozenset({"running", "waiting", "halted", "elsewhere"})
"""States that change without somebody: the work is at no end, as far as can be seen."""

SILENT_S: Final = 60.0
"""Time without a slab below which nothing is said of that."""
SILENT: Final = 3.0
"""Multiple of the longest time between two slabs before, likewise."""


@dataclass(frozen=True)
class WorkState:
    """How a piece of work stands.

    Attributes
    ----------
    kind : str
        "run", "batch", "scan" (of a batch), "watch" or "copies".
    path : Path
        Folder of the record, of the batch, of the watch; the ledger of copies.
    state : str
        One of `STATES`. "halted" was stopped by Ctrl-Z; "elsewhere" is at work on another computer, as far as is known.
    section, sections : int
        Which section of how many, from 1; 0 where there is none.
    doing : str
        What is done, in words.
    done, total : int
        Slabs of the section, scans of a batch.
    slabs_done, slabs : int
        Slabs of all sections.
    share : float or None
        Part of the work that is done, 0 to 1, sections weighted by the plan's time.
    last_at : float or None
        When the last slab was done, seconds since 1970.
    ends_at : float or None
        When the work is expected to be done, likewise.
    since : float or None
        When the process began.
    process, host, executor, folder, command : object
        Who is at work, by its own word: number of the process, its computer, how slabs are shared out, in which folder
        which command was typed.
    workers : tuple of Share
        Who has done how many slabs of the section, where there are several.
    lost : tuple of str
        Workers that were lost.
    notes : tuple of str
        What else is to be said, a sentence each.
    advice : str
        What to do next; empty where nothing is to be done.
    """

    kind: str
    path: Path
    state: State
    section: int = 0
    sections: int = 0
    doing: str = ""
    done: int = 0
    total: int = 0
    slabs_done: int = 0
    slabs: int = 0
    share: float | None = None
    last_at: float | None = None
    ends_at: float | None = None
    since: float | None = None
    process: int | None = None
    host: str = ""
    executor: str = ""
    folder: str = ""
    command: str = ""
    workers: tuple[Share, ...] = ()
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    advice: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it is at no end, as far as can be seen."""
        return self.state in LIVE


def state_of_run(folder: Path, now: float) -> WorkState | None:
    """Tell how a run stands that has not come to its end.

    Parameters
    ----------
    folder : Path
        Folder of its record.
    now : float
        Seconds since 1970.

    Returns
    -------
    WorkState or None
        None where there is no such run in the folder (any more).
    """
    home = folder / FOLDER
    found = WorkState("run", folder, "unknown")
    try:
        at_work = read_at_work(home)
    except FormatError as problem:
        return replace(found, notes=(f"{problem}; whether it runs is not known",), advice=_REPEAT)
    entries, damaged = ProgressLog(home / SLABS).look()
    slabs = [entry for entry in entries if _is_slab(entry)]
    if damaged or len(slabs) < len(entries):
        note = f"{home / SLABS}: {damaged + len(entries) - len(slabs)} of its lines cannot be read"
        found = replace(found, notes=(note,))
    if at_work is None:
        return _without_word(found, slabs)
    found = _with_word(_progress(found, at_work, slabs, now), at_work)
    return _with_silence(found, slabs, at_work, now) if found.state == "running" else found


def _is_slab(entry: Any) -> bool:
    """Tell whether a line of the journal is of a slab."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("section"), int)
        and isinstance(entry.get("slab"), int)
        and isinstance(entry.get("at", 0.0), int | float)
        and isinstance(entry.get("seconds", {}), dict)
        and all(isinstance(seconds, int | float) for seconds in entry.get("seconds", {}).values())
    )


_REPEAT: Final = "repeat the command that began it: it goes on with what is done"


def _without_word(found: WorkState, slabs: Sequence[dict[str, Any]]) -> WorkState | None:
    home = found.path / FOLDER
    if not (home / REQUEST).is_file():
        if (found.path / CRATE).is_file() or not home.is_dir():
            return None
        note = "it was begun just now, or was killed before it said anything"
        return replace(found, notes=(*found.notes, note), advice=_REPEAT)
    note = "no process has said that it is at work: it was begun by another version of tomarium, or just now"
    done = len({(slab["section"], slab["slab"]) for slab in slabs})
    return replace(found, slabs_done=done, done=done, notes=(*found.notes, note), advice=_REPEAT)


def _progress(found: WorkState, at_work: AtWork, slabs: Sequence[dict[str, Any]], now: float) -> WorkState:
    """Say how far it is, and when it is expected to be done."""
    stages, number = at_work.stages, at_work.stage
    done = [{slab["slab"] for slab in slabs if slab["section"] == k} for k in range(len(stages))]
    here = [slab for slab in slabs if slab["section"] == number]
    seconds = [max(stage.seconds, 1e-9) for stage in stages]
    parts = [len(indices) / max(1, stage.slabs) for indices, stage in zip(done, stages, strict=True)]
    times = [float(slab["at"]) for slab in slabs if "at" in slab]
    there, lost = read_workers(found.path / FOLDER)
    in_section = 0 <= number < len(stages)
    return replace(
        found,
        section=min(number + 1, len(stages)),
        sections=len(stages),
        doing=at_work.doing,
        done=len(done[number]) if in_section else sum(map(len, done)),
        total=stages[number].slabs if in_section else sum(stage.slabs for stage in stages),
        slabs_done=sum(map(len, done)),
        slabs=sum(stage.slabs for stage in stages),
        share=sum(map(float.__mul__, seconds, parts)) / sum(seconds) if stages else None,
        last_at=max(times, default=None),
        ends_at=_end(at_work, here, len(done[number]), now) if in_section else None,
        since=at_work.began,
        process=at_work.mark.process,
        host=at_work.mark.host,
        executor=at_work.executor,
        folder=at_work.folder,
        command=at_work.command,
        workers=shares_of(here),
        lost=tuple(sorted(lost.keys() - set(there))),
    )


def _end(at_work: AtWork, here: Sequence[dict[str, Any]], done: int, now: float) -> float:
    """Estimate the end: by the pace of this section, and for later ones by the plan and what came of it."""
    stage, later = at_work.stages[at_work.stage], at_work.stages[at_work.stage + 1 :]
    planned = stage.seconds / max(1, stage.slabs)
    times = [float(slab["at"]) for slab in here if float(slab.get("at", 0)) >= at_work.since]
    pace = (max(times) - at_work.since) / len(times) if times else planned
    factor = pace / planned if planned > 0 else 1.0
    left = pace * (stage.slabs - done) + factor * sum(one.seconds for one in later)
    return max(now, max(times, default=at_work.since) + left)


def _with_word(found: WorkState, at_work: AtWork) -> WorkState:
    """Say whether it runs, and what is to be done where it does not."""
    go_on = go_on_with(at_work)
    told = (at_work.problem,) if at_work.problem else ()
    if at_work.state in ("stopped", "failed"):
        state: State = "stopped" if at_work.state == "stopped" else "failed"
        return replace(found, state=state, ends_at=None, notes=(*found.notes, *told), advice=go_on)
    who = f"process {at_work.mark.process} on {at_work.mark.host}"
    match presence(at_work.mark):
        case "runs":
            return replace(found, state="running")
        case "halted":
            return replace(
                found,
                state="halted",
                ends_at=None,
                notes=(*found.notes, f"{who} was halted (Ctrl-Z, or SIGSTOP)"),
                advice=f"kill -CONT {at_work.mark.process}, or fg in its terminal",
            )
        case "elsewhere":
            here = socket.gethostname()
            note = f"begun by {who}; from here ({here}) it cannot be seen whether that runs"
            there = f"ssh {at_work.mark.host} tomarium status {shlex.quote(str(found.path.absolute()))}"
            return replace(found, state="elsewhere", ends_at=None, notes=(*found.notes, note), advice=there)
    why = (
        "the computer was started anew since"
        if at_work.mark.boot != boot()
        else "it was killed, ended at once, or crashed"
    )
    return replace(
        found, state="stopped", ends_at=None, notes=(*found.notes, f"{who} is gone: {why}"), advice=go_on
    )


def _with_silence(
    found: WorkState, slabs: Sequence[dict[str, Any]], at_work: AtWork, now: float
) -> WorkState:
    """Say that no slab was done for long, by the measure of those before."""
    if not 0 <= at_work.stage < len(at_work.stages):
        return found
    times = sorted(float(slab["at"]) for slab in slabs if float(slab.get("at", 0)) >= at_work.since)
    times = [at_work.since, *times]
    longest = max((b - a for a, b in pairwise(times)), default=0.0)
    silent = now - times[-1]
    if len(times) < 2 or silent < SILENT_S or silent < SILENT * longest:
        return found
    note = (
        f"no slab for {silent:.0f} s, where it took {longest:.0f} s at most before: see whether the disk, a worker or "
        f"the computer hangs"
    )
    return replace(found, notes=(*found.notes, note))


def go_on_with(at_work: AtWork) -> str:
    """Write what goes on with work that was stopped.

    Parameters
    ----------
    at_work : AtWork
        What its process said.

    Returns
    -------
    str
        The command that was typed, in its folder.
    """
    if not at_work.command:
        return _REPEAT.replace("command", "call")
    place = "" if Path(at_work.folder) == Path.cwd() else f"cd {shlex.quote(at_work.folder)} && "
    return place + at_work.command
