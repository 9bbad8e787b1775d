"""What a user asks of SLURM: partition, account, time, memory and processors of the jobs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Final

from tomarium import units
from tomarium.errors import ParameterError, UnitError

MOST_TASKS: Final = 64
"""Array tasks of a section, unless the user says otherwise."""

_SLURM_TIME: Final = re.compile(r"(\d+-)?\d+:\d\d(:\d\d)?|\d+-\d+")
_PLAIN: Final = re.compile(r"[\w.,@%+-]+")


@dataclass(frozen=True)
class Options:
    """Options of the jobs; None leaves a value to the plan, or to SLURM.

    Attributes
    ----------
    partition, account, qos : str or None
        As for `sbatch`.
    time : str or None
        Limit of an array task, in SLURM's spelling.
    memory_bytes : int or None
        Memory of an array task.
    cpus : int or None
        Processors of an array task.
    tasks : int
        Array tasks of a section at most.
    stop : str
        What Ctrl-C does to the jobs: "leave" or "cancel".
    sbatch : tuple of str
        Further words for `sbatch`, such as "--constraint=avx512".
    setup : str
        Lines of shell that come first in each job, such as "module load x".
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: str | None = None
    memory_bytes: int | None = None
    cpus: int | None = None
    tasks: int = MOST_TASKS
    stop: str = "leave"
    sbatch: tuple[str, ...] = ()
    setup: str = ""


WORDS: Final = tuple("memory" if field.name == "memory_bytes" else field.name for field in fields(Options))
"""Names of the options, as users and profiles write them."""


def read_options(text: str) -> Options:
    """Read options as they stand behind `slurm:`.

    Parameters
    ----------
    text : str
        "partition=long,account=p123,time=2 h,memory=64 GB,cpus=16"; a value that holds a comma stands in quotes.

    Returns
    -------
    Options
        Checked.

    Raises
    ------
    ParameterError
        A word is not known, or a value is not what it should be.
    """
    values: dict[str, str] = {}
    parts = shlex.shlex(text, posix=True)
    parts.whitespace, parts.whitespace_split, parts.commenters = ",", True, ""
    try:
        words = list(parts)
    except ValueError as problem:
        raise ParameterError(f"slurm:{text}: {problem}; a quotation mark lacks its other one") from problem
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ParameterError(
                f"slurm:{text}: {word.strip()!r} was found, but name=value was expected, such as partition=long"
            )
        values[name.strip()] = value.strip()
    return make_options(values, f"slurm:{text}")


def make_options(values: Mapping[str, object], source: str) -> Options:
    """Make options of names and values.

    Parameters
    ----------
    values : mapping of str to object
        Any of `WORDS`; text, or numbers where a profile has them.
    source : str
        Where they were read, for messages.

    Returns
    -------
    Options
        Checked.

    Raises
    ------
    ParameterError
        A word is not known, or a value is not what it should be.
    """
    for name in values:
        if name not in WORDS:
            near = get_close_matches(name, WORDS, 1)
            hint = f"did you mean {near[0]!r}" if near else f"one of {', '.join(WORDS)} was expected"
            raise ParameterError(f"{source}: {name!r} is no option of slurm; {hint}")
    text = {name: str(value) for name, value in values.items()}
    for name in ("partition", "account", "qos"):
        if name in text and not _PLAIN.fullmatch(text[name]):
            raise ParameterError(f"{source}: {name} is {text[name]!r}; a name as SLURM has it was expected")
    stop = text.get("stop", "leave")
    if stop not in ("leave", "cancel"):
        raise ParameterError(f"{source}: stop is {stop!r}; leave or cancel was expected")
    if "\n" in text.get("sbatch", ""):
        raise ParameterError(
            f"{source}: sbatch holds several lines; words such as --constraint=avx512 were expected"
        )
    try:
        memory = int(units.parse(text["memory"], "B")) if "memory" in text else None
        time = _time(text["time"]) if "time" in text else None
        sbatch = tuple(shlex.split(text.get("sbatch", "")))
    except (UnitError, ValueError) as problem:
        raise ParameterError(f"{source}: {problem}") from problem
    if memory is not None and memory < 1:
        raise ParameterError(f"{source}: memory is {text['memory']}; more than nothing was expected")
    return Options(
        partition=text.get("partition"),
        account=text.get("account"),
        qos=text.get("qos"),
        time=time,
        memory_bytes=memory,
        cpus=_count(text, "cpus", source),
        tasks=_count(text, "tasks", source) or MOST_TASKS,
        stop=stop,
        sbatch=sbatch,
        setup=text.get("setup", ""),
    )


def with_profile(executor: str, profile: Mapping[str, object]) -> str:
    """Add to an executor what a profile tells of SLURM and the user does not.

    Parameters
    ----------
    executor : str
        As the user wrote it.
    profile : mapping of str to object
        Any of `WORDS`.

    Returns
    -------
    str
        The executor with all that holds; others than slurm as they are.
    """
    word, _, argument = executor.partition(":")
    if word != "slurm" or not profile:
        return executor
    own = [argument] if argument else []
    options_named = read_names(argument)
    more = [f"{name}={_quoted(str(value))}" for name, value in profile.items() if name not in options_named]
    return f"slurm:{','.join(own + more)}"


def read_names(text: str) -> set[str]:
    """Tell which options a text names."""
    return {part.partition("=")[0].strip() for part in re.split(r",(?=\s*\w+=)", text) if "=" in part}


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\"'\"'") + "'" if re.search(r"[,'\"\\\s]", value) else value


def _time(text: str) -> str:
    """Write a limit of time in SLURM's spelling; it counts whole minutes."""
    if _SLURM_TIME.fullmatch(text):
        return text
    return minutes(units.parse(text, "s"))


def minutes(seconds: float) -> str:
    """Write a time as SLURM takes it: whole minutes, one at least."""
    return str(max(1, -int(-seconds // 60)))


def _count(text: Mapping[str, str], name: str, source: str) -> int | None:
    if name not in text:
        return None
    if not text[name].isdecimal() or int(text[name]) < 1:
        raise ParameterError(f"{source}: {name} is {text[name]!r}; a whole number from 1 was expected")
    return int(text[name])
