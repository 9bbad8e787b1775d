"""The option that says how slabs are shared out, and what jobs of a cluster tell of themselves."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from tomarium import units
from tomarium.cli import show

if TYPE_CHECKING:
    from tomarium.cli.scan_options import Opening
    from tomarium.pipeline.plan.planner import Plan

F = TypeVar("F", bound=Callable[..., Any])

on: Final[Callable[[F], F]] = click.option(
    "--on",
    "--executor",
    "executor",
    default="threads",
    show_default=True,
    metavar="EXECUTOR",
    help="How the slabs of a scan are shared out: threads; serial; dask, in processes; dask:tcp://HOST:PORT; slurm, in "
    "job arrays; slurm:partition=long,account=p1,time=2h,memory=64GB,cpus=16, also qos, tasks, stop=cancel, sbatch.",
)
"""Takes `--on`."""


def resolve(executor: str, opening: Opening) -> str:
    """Add what the profile tells of SLURM, check the executor, and let its messages through.

    Parameters
    ----------
    executor : str
        As the user wrote it.
    opening : Opening
        Knows the profile.

    Returns
    -------
    str
        For `find_executor`.

    Raises
    ------
    ParameterError
        There is none of that name, or an option of it is wrong.
    """
    from tomarium.executors import find_executor
    from tomarium.executors.slurm.options import read_options, with_profile

    word = executor.partition(":")[0]
    if word == "slurm":
        profile = opening.in_use.profile
        executor = with_profile(executor, {} if profile is None else profile.slurm)
        read_options(executor.partition(":")[2])
        logger = logging.getLogger("tomarium.executors")
        logger.setLevel(logging.INFO)
        if not any(isinstance(one, _Lines) for one in logger.handlers):
            logger.addHandler(_Lines())
    find_executor(executor)
    return executor


class _Lines(logging.Handler):
    """Tells each message on a line of its own, also while a line of progress moves."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell a message."""
        moving = "\r\x1b[K" if sys.stderr.isatty() else ""
        click.echo(moving + show.line(record.getMessage()), err=True)


def show_plan(made: Plan, place: Path, executor: str) -> None:
    """Say what a run would do, with the scripts of its jobs.

    Parameters
    ----------
    made : Plan
        Its plan.
    place : Path
        Folder of the record.
    executor : str
        How slabs are shared out.
    """
    for section in made.sections:
        steps = " → ".join(item.step.name for item in section.items) or "copy"
        click.echo(
            f"{section.name}: {steps}; {section.slabs} slabs, {units.show(section.peak_bytes, 'B', 3)} of memory, "
            f"about {show.clock(section.seconds)}",
            err=True,
        )
    click.echo(
        f"{place}: nothing is made; without --dry-run a volume of {' × '.join(map(str, made.shape))}",
        err=True,
    )
    show_scripts(made, place, executor)


def show_scripts(made: Plan, place: Path, executor: str) -> None:
    """Print the scripts that a run would send; nothing where it sends none.

    Parameters
    ----------
    made : Plan
        Its plan.
    place : Path
        Folder of the record.
    executor : str
        How slabs are shared out.
    """
    word, _, argument = executor.partition(":")
    if word == "slurm":
        from tomarium.executors.slurm.follow import scripts_of

        for script in scripts_of(made, place, argument):
            click.echo(script)
