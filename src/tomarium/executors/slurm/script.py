"""The script of a job array, from the plan of a section and what the user asks of SLURM."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

from tomarium.executors.slurm.options import Options, minutes

Item = TypeVar("Item")

MARGIN: Final = 4.0
"""A task gets so many times the time that the plan estimates for it, and `LEAST_S` besides."""

LEAST_S: Final = 600.0
"""Time that a task gets beyond that, for its start and for flats and darks."""

_MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True)
class Needs:
    """What an array task needs; None and 0 where no plan tells.

    Attributes
    ----------
    name : str
        Name of the section.
    processors : int or None
        Processors of a task.
    memory_bytes : int or None
        Memory of a task.
    seconds : float
        Estimate of the time of one slab, where a task works on as many at a time as the plan says.
    """

    name: str = "work"
    processors: int | None = None
    memory_bytes: int | None = None
    seconds: float = 0.0


def groups_of(items: Sequence[Item], workers: int, most: int) -> list[list[Item]]:
    """Share out items to array tasks: neighbours together, as many as a task does at a time or more.

    Parameters
    ----------
    items : sequence
        Slabs, in order.
    workers : int
        Slabs that a task does at a time.
    most : int
        Tasks at most.

    Returns
    -------
    list of list
        One for each task; their sizes differ by one at most.
    """
    count = max(1, min(most, -(-len(items) // max(1, workers))))
    ends = [round(k * len(items) / count) for k in range(count + 1)]
    return [list(items[a:b]) for a, b in pairwise(ends) if b > a]


def write_script(
    folder: Path, submission: int, groups: Sequence[Sequence[object]], needs: Needs, options: Options
) -> str:
    """Write the script that `sbatch` takes.

    Parameters
    ----------
    folder : Path
        Folder of the section's work, which all nodes see under the same path.
    submission : int
        Number of the array, from 1.
    groups : sequence of sequence
        Slabs of each array task.
    needs : Needs
        What a task needs, by the plan.
    options : Options
        What the user asks for.

    Returns
    -------
    str
        Of bash, with its `#SBATCH` lines.
    """
    longest = max(map(len, groups))
    memory = options.memory_bytes or needs.memory_bytes
    processors = options.cpus or needs.processors
    time = options.time or (minutes(LEAST_S + MARGIN * needs.seconds * longest) if needs.seconds else None)
    log = str(folder / "log").replace("%", "%%") + f"/{submission}-%a.txt"
    directives = {
        "job-name": f"tomarium-{needs.name}",
        "array": f"0-{len(groups) - 1}",
        "partition": options.partition,
        "account": options.account,
        "qos": options.qos,
        "time": time,
        "ntasks": "1",
        "cpus-per-task": processors,
        "mem": None if memory is None else f"{-(-memory // _MEBIBYTE)}M",
        "output": shlex.quote(log),
        "open-mode": "append",
    }
    lines = [f"#SBATCH --{name}={value}" for name, value in directives.items() if value is not None]
    if options.sbatch:  # on one line, for a word may be the value of the one before
        lines.append(f"#SBATCH {' '.join(map(for_sbatch, options.sbatch))}")
    place, python = shlex.quote(str(folder)), shlex.quote(sys.executable)
    rule = "under the same path"
    unseen = f"node $(hostname): {folder} is not there; every node must see the record and its scan {rule}"
    absent = f"node $(hostname): {sys.executable} is not there; every node must see tomarium's Python {rule}"
    check = [
        f"[ -d {place} ] || {{ echo {_in_quotes(unseen)}; exit 66; }}",
        f"[ -x {python} ] || {{ echo {_in_quotes(absent)}; exit 69; }}",
    ]
    setup = [options.setup] if options.setup else []
    work = f"exec {python} -m tomarium.executors.slurm.node {place} {submission}-$SLURM_ARRAY_TASK_ID"
    return "\n".join(["#!/bin/bash", *lines, *setup, *check, work, ""])


def for_sbatch(word: str) -> str:
    """Quote a word for sbatch, which takes quotation marks off the lines of a script as a shell does.

    Parameters
    ----------
    word : str
        Such as "--comment=two words".

    Returns
    -------
    str
        Such as "--comment='two words'".
    """
    name, equals, value = word.partition("=")
    return f"{name}{equals}{shlex.quote(value)}" if equals and value else shlex.quote(word)


def _in_quotes(text: str) -> str:
    """Write a message for `echo`, of which bash fills in `$(hostname)` and nothing else."""
    first, _, after = text.partition("$(hostname)")
    return f'{shlex.quote(first)}"$(hostname)"{shlex.quote(after)}'
