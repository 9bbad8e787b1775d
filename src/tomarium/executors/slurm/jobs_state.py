"""What SLURM says of the jobs of a record: read from the folder of jobs, without the command that sent them."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from tomarium.executors.slurm import queue
from tomarium.executors.slurm.job_folder import JobFolder, jobs_folder
from tomarium.pipeline.run.work_state import WorkState

_ENDED_WELL = ("COMPLETED", queue.UNKNOWN)


@dataclass(frozen=True)
class JobsState:
    """How the jobs of a section stand.

    Attributes
    ----------
    section : int
        Which, from 0.
    told : frozenset of int
        Slabs of which a job has told something; the command that follows may not have taken them yet.
    states : dict of str to int
        State of a task that is not at its end → how many.
    jobs : tuple of str
        Numbers of the jobs of these.
    reasons, nodes : tuple of str
        Why tasks wait, and where others run.
    lost : tuple of str
        Tasks that ended before their slabs were done, each with its end and its log.
    problem : str
        Why SLURM cannot be asked; empty where it answers.
    """

    section: int
    told: frozenset[int]
    states: dict[str, int]
    jobs: tuple[str, ...]
    reasons: tuple[str, ...]
    nodes: tuple[str, ...]
    lost: tuple[str, ...]
    problem: str


def jobs_of(record: Path) -> JobsState | None:
    """Ask how the jobs of a record stand.

    Parameters
    ----------
    record : Path
        Its folder.

    Returns
    -------
    JobsState or None
        Of the last section that has jobs; None where there are none.
    """
    folders = [path.parent for path in jobs_folder(record).glob("*/arrays.json")]
    numbered = {
        int(number): folder for folder in folders if (number := folder.name.partition("-")[0]).isdecimal()
    }
    if not numbered:
        return None
    section = max(numbered)
    folder = JobFolder(numbered[section])
    try:
        return _standing(folder, section)
    except (OSError, ValueError, TypeError, KeyError) as problem:  # it is removed just now, or damaged
        text = f"{folder.folder} cannot be read ({type(problem).__name__}: {problem})"
        return JobsState(section, frozenset(), {}, (), (), (), (), text)


def _standing(folder: JobFolder, section: int) -> JobsState:
    told = frozenset(folder.done())
    states: Counter[str] = Counter()
    jobs, reasons, nodes, lost, problem = [], set(), set(), [], ""
    for array in folder.arrays():
        try:
            standings = queue.standings(array.job)
        except queue.NoAnswer as silence:
            problem = f"SLURM cannot be asked: {silence}"
            continue
        for task, standing in sorted(standings.items()):
            if standing.live:
                states[standing.state] += 1
                jobs.append(array.job)
                reasons |= {standing.reason} - {"None", ""} if standing.state == "PENDING" else set()
                nodes |= {standing.node} - {""}
            elif standing.state not in _ENDED_WELL and not set(array.groups[task]) <= told:
                on = f" on {standing.node}" if standing.node else ""
                log = folder.log(array.submission, task)
                lost.append(f"task {array.job}_{task} ended as {standing.state}{on}; its log: {log}")
    return JobsState(
        section, told, dict(states), tuple(dict.fromkeys(jobs)), tuple(sorted(reasons)), tuple(sorted(nodes)),
        tuple(lost), problem,
    )  # fmt: skip


def with_jobs(found: WorkState) -> WorkState:
    """Say of a run what SLURM says of its jobs.

    Parameters
    ----------
    found : WorkState
        As its journal has it.

    Returns
    -------
    WorkState
        The same where it has no jobs.
    """
    jobs = jobs_of(found.path)
    if jobs is None:
        return found
    found = _with_told(found, jobs)
    notes = [*found.notes, *jobs.lost]
    live = sum(jobs.states.values())
    if jobs.problem:
        if found.state in ("stopped", "elsewhere"):
            found = replace(found, state="unknown")
        return replace(found, notes=(*notes, f"{jobs.problem}; whether its jobs run is not known"))
    if not live:
        return replace(found, notes=tuple(notes))
    words = ", ".join(f"{count} {state.lower()}" for state, count in sorted(jobs.states.items()))
    reasons = f" ({', '.join(jobs.reasons)})" if jobs.reasons else ""
    nodes = f" on {', '.join(jobs.nodes)}" if jobs.nodes else ""
    numbers = " ".join(jobs.jobs)
    notes.append(f"job {', '.join(jobs.jobs)} of SLURM: tasks {words}{reasons}{nodes}")
    waits = set(jobs.states) <= {"PENDING", "CONFIGURING"}
    if found.state in ("stopped", "unknown", "failed", "halted"):
        follow = found.advice or shlex.join(["tomarium", "run"])
        notes.append("no command follows the job: what it does is kept")
        found = replace(found, advice=f"{follow}, which follows it; or: scancel {numbers}")
    elif found.state == "elsewhere":
        found = replace(found, advice="")
    return replace(found, state="waiting" if waits else "running", notes=tuple(notes))


def _with_told(found: WorkState, jobs: JobsState) -> WorkState:
    """Count the slabs that jobs have done and no command has taken yet."""
    if found.section != jobs.section + 1 or not found.total:
        return found
    done = min(found.total, max(found.done, len(jobs.told)))
    more = done - found.done
    share = None if found.share is None else min(1.0, found.share + more / max(1, found.slabs))
    return replace(found, done=done, slabs_done=found.slabs_done + more, share=share)
