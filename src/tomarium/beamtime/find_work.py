"""Work that lies below a folder: runs, batches, watches and copies, each with how it stands."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tomarium.beamtime.batch_files import RECORDS, RESULTS, STATE, Row, drafts_in_words, read_results
from tomarium.beamtime.beamtime_folder import LEDGER
from tomarium.beamtime.live_file import NAME as LIVE_NAME
from tomarium.beamtime.live_file import LiveState, read_live, runs, seconds_of
from tomarium.errors import FormatError
from tomarium.executors.slurm.jobs_state import with_jobs
from tomarium.formats.record.reader import CRATE
from tomarium.pipeline.run.at_work import AtWork, presence, read_at_work
from tomarium.pipeline.run.journal import FOLDER
from tomarium.pipeline.run.work_state import STATES, WorkState, go_on_with, state_of_run

DEPTH: Final = 4
"""Folders below one another that are looked into: a beamtime's batches/NAME/records/SCAN."""

ERROR_LOG: Final = ".error.log"
_NOT_INTO: Final = (".zarr", ".slurm")
_LEDGER_ANSWERS_WITHIN_S: Final = 2.0


@dataclass
class Found:
    """What was found.

    Attributes
    ----------
    work : list of WorkState
        The worst last, by path among those of one state.
    not_seen : list of str
        Folders that could not be looked into, and why.
    """

    work: list[WorkState] = field(default_factory=list)
    not_seen: list[str] = field(default_factory=list)


def find_work(folders: list[Path], depth: int = DEPTH, now: float | None = None) -> Found:
    """Look for work below folders. Nothing is written, locked or removed.

    Parameters
    ----------
    folders : list of Path
        Where to look; also a record, a batch, or the folder of a watch.
    depth : int
        Folders below one another that are looked into; 0 for those of `folders` alone.
    now : float, optional
        Seconds since 1970; by default the time.

    Returns
    -------
    Found
        What was found. One folder is listed once for each record that is finished, and no file of it is read.
    """
    now = time.time() if now is None else now
    found = Found()
    by_path: dict[tuple[str, Path], WorkState] = {}
    for folder in folders:
        for state in _look(folder, depth, now, found):
            key = ("run" if state.kind == "scan" else state.kind, state.path)
            other = by_path.get(key)
            if other is None or _rank(state) > _rank(other):
                by_path[key] = state
    found.work = sorted(by_path.values(), key=lambda state: (STATES.index(state.state), str(state.path)))
    return found


def _rank(state: WorkState) -> tuple[int, bool]:
    """Of two words on one record take the worse, and of two alike that of its own journal."""
    return STATES.index(state.state), state.kind == "run"


def _look(folder: Path, depth: int, now: float, found: Found) -> Iterator[WorkState]:
    try:
        with os.scandir(folder) as listed:
            entries = {entry.name: entry for entry in listed}
    except OSError as problem:
        found.not_seen.append(f"{folder}: {problem.strerror or problem}")
        return
    if FOLDER in entries:
        state = state_of_run(folder, now)
        if state is not None:
            yield with_jobs(state)
            return
    if CRATE in entries:
        yield WorkState("run", folder, "finished", last_at=_changed(entries[CRATE]), share=1.0)
        return
    if LIVE_NAME in entries:
        yield from _watch(folder, now)
        return
    if STATE in entries and RESULTS in entries:
        yield from _batch(folder, now)
    if LEDGER in entries:
        yield from _copies(folder / LEDGER)
    for name, entry in sorted(entries.items()):
        if name.endswith(ERROR_LOG) and (record := name.removesuffix(ERROR_LOG)) not in entries:
            note = f"a step ended in an error, and no slab was done; its traceback: {folder / name}"
            advice = "read that, and repeat the command"
            yield WorkState(
                "run", folder / record, "failed", last_at=_changed(entry), notes=(note,), advice=advice
            )
        if depth > 0 and not name.startswith(".") and not name.endswith(_NOT_INTO) and _is_folder(entry):
            yield from _look(folder / name, depth - 1, now, found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _changed(entry: os.DirEntry[str]) -> float | None:
    try:
        return entry.stat().st_mtime
    except OSError:
        return None


def _batch(folder: Path, now: float) -> Iterator[WorkState]:
    """Tell how a batch stands, and which of its scans failed."""
    state = WorkState("batch", folder, "unknown")
    try:
        rows, at_work = read_results(folder), read_at_work(folder)
    except (FormatError, OSError, TypeError, ValueError, KeyError) as problem:
        yield replace(state, notes=(f"its state cannot be read ({type(problem).__name__}: {problem})",))
        return
    ended = [row for row in rows if row.state not in ("waiting", "at work")]
    failed = [row for row in rows if row.state in ("failed", "differs")]
    at = ", ".join(row.name for row in rows if row.state == "at work")
    state = replace(
        state,
        done=len(ended),
        total=len(rows),
        share=len(ended) / len(rows) if rows else None,
        doing=at,
        notes=(
            *((f"{len(failed)} of its scans failed",) if failed else ()),
            *((told,) if (told := drafts_in_words(rows)) else ()),
        ),
    )
    yield _batch_process(state, at_work, rows, now)
    for row in rows:
        if row.not_filed:
            note, advice = (
                f"not filed in the catalogue: {row.not_filed}",
                "the command of the batch tries it again",
            )
            yield WorkState("scan", folder / row.record, "failed", notes=(note,), advice=advice)
    for row in failed:
        yield WorkState(
            "scan",
            folder / (row.record or f"{RECORDS}/{row.name}"),
            "failed",
            notes=(row.error,),
            advice="the command of the batch with --redo tries it again",
        )


def _batch_process(state: WorkState, at_work: AtWork | None, rows: list[Row], now: float) -> WorkState:
    """Say whether a batch is at work, and when it is expected to be done."""
    if at_work is None:
        if state.done == state.total:
            return replace(state, state="finished")
        note = (
            "no process has said that it is at work: it was begun by another version of tomarium, or just now"
        )
        return replace(state, notes=(*state.notes, note), advice="repeat its command: it goes on")
    mark = at_work.mark
    state = replace(
        state,
        since=at_work.began,
        process=mark.process,
        host=mark.host,
        executor=at_work.executor,
        folder=at_work.folder,
        command=at_work.command,
    )
    go_on = go_on_with(at_work)
    if at_work.state in ("stopped", "failed"):
        told = (at_work.problem,) if at_work.problem else ()
        is_failed = at_work.state == "failed"
        return replace(
            state, state="failed" if is_failed else "stopped", notes=(*state.notes, *told), advice=go_on
        )
    who = f"process {mark.process} on {mark.host}"
    match presence(mark):
        case "runs":
            seconds = [row.seconds for row in rows if row.seconds]
            left = sum(seconds) / len(seconds) * (state.total - state.done) if seconds else None
            return replace(state, state="running", ends_at=None if left is None else now + left)
        case "halted":
            note = f"{who} was halted (Ctrl-Z, or SIGSTOP)"
            return replace(
                state, state="halted", notes=(*state.notes, note), advice=f"kill -CONT {mark.process}"
            )
        case "elsewhere":
            note = f"begun by {who}, which cannot be seen from here"
            return replace(state, state="elsewhere", notes=(*state.notes, note), advice=f"ask on {mark.host}")
    return replace(state, state="stopped", notes=(*state.notes, f"{who} is gone"), advice=go_on)


def _watch(folder: Path, now: float) -> Iterator[WorkState]:
    """Tell how a watch stands; it is at no end by itself."""
    state = WorkState("watch", folder, "unknown")
    try:
        live = read_live(folder)
    except FormatError as problem:
        yield replace(state, notes=(str(problem),))
        return
    if live is None:
        return
    state = replace(state, doing=live.running, done=len(live.slices), process=live.process or None)
    notes = _watch_notes(live)
    last = seconds_of(live.heartbeat) or None
    if runs(live, now):
        yield replace(
            state, state="running", last_at=last, notes=notes, since=seconds_of(live.started) or None
        )
        return
    if live.state == "running":
        notes = (
            *notes,
            "it says nothing any more: its process is gone, or its computer does not reach this disk",
        )
    yield replace(state, state="stopped", last_at=last, notes=notes, advice="repeat its command: it goes on")


def _watch_notes(live: LiveState) -> tuple[str, ...]:
    counts = {
        "slices": len(live.slices),
        "waiting": len(live.queue),
        "failed": len(live.failed),
        "filed as drafts": sum(bool(entry.get("draft")) for entry in live.slices),
        "not filed": sum(bool(entry.get("not_filed")) for entry in live.slices),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return tuple(text for text in (f"{live.spool}: {told or 'nothing yet'}", live.problem) if text)


def _copies(ledger: Path) -> Iterator[WorkState]:
    """Tell of copies that are not whole; none where all are."""
    try:
        address = f"{ledger.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_LEDGER_ANSWERS_WITHIN_S)) as connection:
            counts = dict(connection.execute("SELECT state, count(*) FROM copy GROUP BY state"))
    except sqlite3.Error as problem:
        yield WorkState("copies", ledger, "unknown", notes=(f"the ledger cannot be read: {problem}",))
        return
    bad = {word: counts[word] for word in ("damaged", "missing") if counts.get(word)}
    if bad:
        note = ", ".join(f"{count} {word}" for word, count in bad.items())
        yield WorkState(
            "copies",
            ledger,
            "failed",
            notes=(f"copies: {note}",),
            advice="tomarium disks tells which and where",
        )
    elif counts.get("copying"):
        note = f"copies not whole yet: {counts['copying']}; whether they are being made is not known"
        yield WorkState(
            "copies", ledger, "unknown", notes=(note,), advice="tomarium disks tells which and where"
        )
