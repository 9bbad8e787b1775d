"""SLURM as seen by its commands: arrays sent, asked for and cancelled."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.errors import EngineUnavailable

ANSWERS_WITHIN_S: Final = 60.0
"""Time after which a command of SLURM that gives no answer is given up."""

LIVE: Final = frozenset({
    "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED",
    "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT", "RESV_DEL_HOLD",
})  # fmt: skip
"""States of a task that is not at its end."""

UNKNOWN: Final = "UNKNOWN"
"""State of a task of which SLURM knows nothing any more."""


class NoAnswer(Exception):
    """SLURM does not answer for now."""


@dataclass(frozen=True)
class Standing:
    """What SLURM says of an array task.

    Attributes
    ----------
    state : str
        As SLURM has it, such as "RUNNING".
    reason : str
        Why it waits, such as "Resources"; else "None".
    node : str
        Where it runs or ran.
    """

    state: str = UNKNOWN
    reason: str = ""
    node: str = ""

    @property
    def live(self) -> bool:
        """Whether it is not at its end."""
        return self.state in LIVE


def send(script: Path) -> str:
    """Send an array.

    Parameters
    ----------
    script : Path
        Its script.

    Returns
    -------
    str
        Number of the job.

    Raises
    ------
    EngineUnavailable
        There is no `sbatch`, or SLURM refuses the script.
    """
    try:
        output = _run("sbatch", "--parsable", str(script))
    except FileNotFoundError as problem:
        raise EngineUnavailable(
            "the executor slurm needs sbatch, which is not on this computer's PATH; start the command on a login node "
            "of the cluster, or take another executor"
        ) from problem
    except NoAnswer as problem:
        raise EngineUnavailable(
            f"SLURM did not take the jobs: {problem}; see the script {script}"
        ) from problem
    job = output.strip().partition(";")[0]
    if not job.isdecimal():
        raise EngineUnavailable(f"sbatch answered {output.strip()!r}; the number of a job was expected")
    return job


def standings(job: str) -> dict[int, Standing]:
    """Ask for the tasks of an array.

    Parameters
    ----------
    job : str
        Its number.

    Returns
    -------
    dict of int to Standing
        Number of a task → how it stands; tasks that SLURM has forgotten lack.

    Raises
    ------
    NoAnswer
        SLURM does not answer for now.
    """
    try:
        output = _run(
            "squeue", "--noheader", "--array", "--states=all", f"--jobs={job}", "--format=%K|%T|%r|%N"
        )
    except FileNotFoundError as problem:
        raise NoAnswer("squeue is not on this computer's PATH") from problem
    except NoAnswer as problem:
        if "Invalid job id" not in str(problem):
            raise
        output = ""
    standings_found = {}
    for line in output.splitlines():
        number, state, reason, node = (*line.split("|"), "", "", "")[:4]
        if number.strip().isdecimal():
            standings_found[int(number)] = Standing(state.strip(), reason.strip(), node.strip())
    return standings_found or _ask_accounting(job)


def _ask_accounting(job: str) -> dict[int, Standing]:
    """Ask the accounting for an array that is forgotten otherwise; empty where there is none."""
    try:
        output = _run(
            "sacct",
            "--noheader",
            "--parsable2",
            "--allocations",
            f"--jobs={job}",
            "--format=JobID,State,NodeList",
        )
    except (FileNotFoundError, NoAnswer):
        return {}
    standings_found = {}
    for line in output.splitlines():
        name, state, node = (*line.split("|"), "", "")[:3]
        task = re.fullmatch(rf"{job}_(\d+)", name.strip())
        if task and state.split():
            standings_found[int(task[1])] = Standing(state.split()[0], "", node.strip())
    return standings_found


def cancel(job: str) -> None:
    """Cancel what is left of an array; one that is at its end already stays as it is."""
    try:
        _run("scancel", job)
    except (FileNotFoundError, NoAnswer):
        return


def _run(*words: str) -> str:
    try:
        completed_process = subprocess.run(
            words, capture_output=True, text=True, timeout=ANSWERS_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired as problem:
        raise NoAnswer(f"{words[0]} gave no answer within {ANSWERS_WITHIN_S:.0f} s") from problem
    if completed_process.returncode:
        raise NoAnswer(
            " ".join(completed_process.stderr.split())
            or f"{words[0]} ended with {completed_process.returncode}"
        )
    return completed_process.stdout
