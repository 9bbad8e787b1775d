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
    from tomarium.pipeline.plan.section import Section

F = TypeVar("F", bound=Callable[..., Any])

on: Final[Callable[[F], F]] = click.option(
    "--on",
    "--executor",
    "executor",
    default="threads",
    show_default=True,
    metavar="EXECUTOR",
    help="How the slabs of a scan are shared out: threads; serial; gpu, which demands one; dask, in processes; "
    "dask:tcp://HOST:PORT; slurm, in job arrays; slurm:partition=long,account=p1,time=2h,memory=64GB,cpus=16, also "
    "qos, tasks, stop=cancel, sbatch; dask:slurm:…, in workers of Dask in jobs of SLURM.",
)
"""Takes `--on`."""

_device = click.option(
    "--device",
    metavar="N[,N…] | auto | none",
    help="GPU that slabs go over, by its number, or several in turn; auto, the first where there is one and the slabs "
    "fit; none, the processors alone. By default what the environment variable TOMARIUM_DEVICE says, else auto.",
)
_device_memory = click.option(
    "--device-memory",
    metavar="SIZE",
    help="Limit of the GPU's memory, such as 8GB; by default 80 % of what is free.",
)


def on_device(command: F) -> F:
    """Take `--device` and `--device-memory`."""
    return _device(_device_memory(command))


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
    on_slurm = executor.removeprefix("dask:")  # jobs of SLURM that hold workers of Dask take the same options
    if on_slurm.partition(":")[0] == "slurm":
        profile = opening.in_use.profile
        told = with_profile(on_slurm, {} if profile is None else profile.slurm)
        read_options(told.partition(":")[2])
        executor = executor.removesuffix(on_slurm) + told
    if word in ("dask", "slurm"):
        logger = logging.getLogger("tomarium.executors")
        logger.setLevel(logging.INFO)
        if not any(isinstance(handler, _Lines) for handler in logger.handlers):
            logger.addHandler(_Lines())
    find_executor(executor)
    return executor


class _Lines(logging.Handler):
    """Tells each message on a line of its own, also while a line of progress moves."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell a message."""
        clear_line = "\r\x1b[K" if sys.stderr.isatty() else ""
        click.echo(clear_line + show.line(record.getMessage()), err=True)


def show_plan(plan: Plan, place: Path, executor: str) -> None:
    """Say what a run would do, with the scripts of its jobs.

    Parameters
    ----------
    plan : Plan
        Its plan.
    place : Path
        Folder of the record.
    executor : str
        How slabs are shared out.
    """
    for probe in plan.probes:
        memory = units.show(probe.peak_bytes, "B", 3)
        click.echo(f"first {probe.items[0].step.name}; {memory} of memory, {clock(probe)}", err=True)
    for section, title in zip(plan.sections, plan.titles, strict=True):
        steps = " → ".join(item.step.name for item in section.items) or "copy"
        click.echo(
            f"{title}: {steps}; {section.slabs} slabs, {units.show(section.peak_bytes, 'B', 3)} of memory, "
            f"{clock(section)}",
            err=True,
        )
        if section.device is not None:
            click.echo(f"    {over_device(section)}", err=True)
    click.echo(
        f"{place}: nothing is made; without --dry-run a volume of {' × '.join(map(str, plan.shape))}",
        err=True,
    )
    show_scripts(plan, place, executor)


def over_device(section: Section) -> str:
    """Say which steps are done on a GPU, how much of its memory they take, and where slabs go down and up again."""
    assert section.device is not None
    device_room = section.device
    memory = f"{units.show(section.device_bytes, 'B', 3)} of {units.show(device_room.memory_bytes, 'B', 3)}"
    in_turn = f", numbers {', '.join(map(str, device_room.indices))} in turn" if device_room.others else ""
    sentence = f"{', '.join(section.on_device)} on {device_room.name}{in_turn}, {memory} of its memory"
    is_on_device = [item.step.name in section.on_device for item in section.items]
    ends = [k for k, is_there in enumerate(is_on_device) if is_there]
    between = [section.items[k].step.name for k in range(ends[0], ends[-1]) if not is_on_device[k]]
    return (
        f"{sentence}; {', '.join(between)} on the processors, for which slabs go down and up again"
        if between
        else sentence
    )


def clock(section: Section) -> str:
    """Say how long a section takes: the estimate is that of the processors."""
    return f"{'at most' if section.device is not None else 'about'} {show.clock(section.seconds)}"


def show_scripts(plan: Plan, place: Path, executor: str) -> None:
    """Print the scripts that a run would send; nothing where it sends none.

    Parameters
    ----------
    plan : Plan
        Its plan.
    place : Path
        Folder of the record.
    executor : str
        How slabs are shared out.
    """
    word, _, argument = executor.partition(":")
    if word == "slurm":
        from tomarium.executors.slurm.follow import scripts_of

        for script in scripts_of(plan, place, argument):
            click.echo(script)
