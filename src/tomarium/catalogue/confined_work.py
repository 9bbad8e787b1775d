"""Work of jobs on the files of members, in a process that touches those files alone and has no network.

A worker asks the database and files what was made; what reads a scan or a volume, and computes with it, is done by
`child_reader`'s process, for a whole job or for a part of a volume.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Final

from tomarium.array import available_memory
from tomarium.catalogue.child_process import MOST_MEMORY, from_bytes, to_bytes
from tomarium.catalogue.child_progress import tell_progress
from tomarium.catalogue.child_reader import ChildReaders, ReaderDied, Tell
from tomarium.catalogue.confined_volumes import VolumeQuestion, answer_in_child, confined_volume
from tomarium.catalogue.store import ObjectPath
from tomarium.compiled import takes_compiled
from tomarium.confinement import means
from tomarium.errors import FormatError
from tomarium.model import Volume

LONGEST_S: Final = 30 * 86400.0
"""Seconds that a job may take: a volume of a large scan takes days."""
PART_S: Final = 600.0
"""Seconds that a part of a volume may take."""
_BESIDES: Final = ("numpy.fft", "pydantic", "pydantic.main", "pydantic.type_adapter")


@dataclass(frozen=True)
class Call:
    """A function of a module, and what it is called with after `tell(stage, done, total)`."""

    work: Callable[..., Any]
    given: tuple[Any, ...]


def answer(question: Call | VolumeQuestion) -> Any:
    """Answer a question in the child process."""
    if isinstance(question, VolumeQuestion):
        return answer_in_child(question)
    return question.work(tell_progress, *question.given)


@cache
def readers() -> ChildReaders:
    """Return the process that works on files of members.

    Returns
    -------
    ChildReaders
        One, which begins when it is first asked, and does all jobs after.
    """
    return ChildReaders(answer, count=1, before=load, computes=True)


def load() -> None:
    """Import the readers, the steps and their kernels once for all questions: a fork would do it each time."""
    from tomarium import kernels
    from tomarium.formats import formats
    from tomarium.steps.core.serialization import all_steps

    formats()
    all_steps()
    takes_compiled("auto", "a worker")
    names = [module.name for module in walk_packages(kernels.__path__, f"{kernels.__name__}.")]
    for name in (*_BESIDES, *(name for name in names if ".cuda" not in name)):
        with suppress(ImportError):  # of an extra that is not installed
            import_module(name)


def confined(
    work: Callable[..., Any],
    *given: Any,
    readable: Sequence[Path],
    writable: Sequence[Path] = (),
    tell: Tell,
    demand_wanted: Callable[[], object] | None = None,
) -> Any:
    """Run a function in a process that may open some folders and nothing else.

    Parameters
    ----------
    work : callable
        Of a module: `work(tell, *given)`, whose result `child_process.to_bytes` can write.
    *given
        What it is called with.
    readable, writable : sequence of Path
        Folders and files; what lies in an object store is read in this process, for a child has no network.
    tell : callable
        `tell(stage, done, total)`, as the work tells it.
    demand_wanted : callable, optional
        Called some times a second; what it raises ends the process.

    Returns
    -------
    object
        What the work returned; sequences come as lists.

    Raises
    ------
    FormatError
        The process died.
    TomariumError
        As the work raises it, or `demand_wanted`.
    """
    if any(isinstance(path, ObjectPath) for path in readable) or not hasattr(os, "fork"):
        return _done_here(work, given, tell, demand_wanted)
    try:
        return readers().ask(
            Call(work, given),
            readable=[*readable, *_of_gpus()[1]],
            writable=writable,
            longest_s=LONGEST_S,
            unconfined=not means().landlock,  # a process of its own is still better than the worker's
            memory=max(MOST_MEMORY, available_memory()),
            processors=os.cpu_count() or 1,
            devices=_of_gpus()[0],
            tell=tell,
            demand_wanted=demand_wanted,
        )
    except ReaderDied as problem:
        raise FormatError(str(problem)) from problem


def _done_here(
    work: Callable[..., Any],
    arguments: tuple[Any, ...],
    tell: Tell,
    demand_wanted: Callable[[], object] | None,
) -> Any:
    def tell_here(stage: str, done: int, total: int) -> None:
        tell(stage, done, total)
        if demand_wanted is not None:
            demand_wanted()

    return from_bytes(to_bytes(work(tell_here, *arguments)))


def open_for_job(path: Path) -> Volume:
    """Open the volume of a record for a job, whose parts another process reads.

    Parameters
    ----------
    path : Path
        Folder of an OME-Zarr image on this machine.

    Returns
    -------
    Volume
        As `tomarium.viewers.volume.open_volume` gives it.

    Raises
    ------
    FormatError
        The volume is damaged.
    """

    def ask(question: VolumeQuestion) -> Any:
        return readers().ask(question, readable=[path], longest_s=PART_S, unconfined=not means().landlock)

    return confined_volume(path, ask)


def _of_gpus() -> tuple[list[Path], list[Path]]:
    """Return the files of devices of NVIDIA's GPUs, and what their driver reads besides; none where there is none."""
    devices = [*Path("/dev").glob("nvidia*"), *Path("/dev/nvidia-caps").glob("*")]
    paths = [
        "/proc/driver/nvidia",
        "/proc/devices",
        "/proc/modules",
        "/proc/self",
        "/sys/bus/pci",
        "/sys/devices",
    ]
    return devices, [Path(path) for path in paths] if devices else []
