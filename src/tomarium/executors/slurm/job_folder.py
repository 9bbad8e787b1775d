"""The folder in which jobs and the command that sent them tell each other of slabs."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import write_json, write_whole
from tomarium.errors import InputError
from tomarium.executors.slurm import queue
from tomarium.pipeline.plan.slabs import Cut
from tomarium.pipeline.run.work import Task

SUFFIX: Final = ".slurm"
"""The folder stands beside that of the record, under its name with this."""


@dataclass(frozen=True)
class Array:
    """A job array that was sent.

    Attributes
    ----------
    submission : int
        Its number in this folder, from 1.
    job : str
        Its number at SLURM.
    groups : tuple of tuple of int
        Slabs of each task.
    """

    submission: int
    job: str
    groups: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class JobFolder:
    """Folder of the work of one section; what lies in it, one file for each thing.

    Attributes
    ----------
    folder : Path
        `task.pickle`, `todo/1-0.pickle` …, `done/0.pickle` …, `log/1-0.txt` …, `1.sh` …, `arrays.json`.
    """

    folder: Path

    def begin(self, function: Callable[[Any], Any]) -> None:
        """Make the folder, and lay down what is done with each slab and what a node must see for that."""
        for name in ("todo", "done", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        paths = (function.scan.path, function.folder) if isinstance(function, Task) else ()
        visible_paths = [path.absolute() for path in paths if path is not None and path.exists()]
        write_whole(self.folder / "paths.pickle", pickle.dumps(visible_paths))
        write_whole(self.folder / "task.pickle", pickle.dumps(function))

    def function(self) -> Callable[[Any], Any]:
        """Return what is done with each slab."""
        function: Callable[[Any], Any] = pickle.loads((self.folder / "task.pickle").read_bytes())
        return function

    def paths(self) -> list[Path]:
        """List what a node must see."""
        paths: list[Path] = pickle.loads((self.folder / "paths.pickle").read_bytes())
        return paths

    def lay_down(self, submission: int, workers: int, groups: Sequence[Sequence[tuple[int, Any]]]) -> None:
        """Lay down the slabs of each task of an array, each with its number, and how many are done at a time."""
        for number, group in enumerate(groups):
            content = pickle.dumps((workers, list(group)))
            write_whole(self.folder / "todo" / f"{submission}-{number}.pickle", content)

    def todo(self, name: str) -> tuple[int, list[tuple[int, Any]]]:
        """Return how many slabs a task does at a time, and its slabs, each with its number."""
        slabs: tuple[int, list[tuple[int, Any]]] = pickle.loads(
            (self.folder / "todo" / f"{name}.pickle").read_bytes()
        )
        return slabs

    def give(self, number: int, result: Any, problem: BaseException | None = None, task: str = "") -> None:
        """Tell what became of a slab."""
        write_whole(self.folder / "done" / f"{number}.pickle", pickle.dumps((result, problem, task)))

    def stop(self) -> None:
        """Let no slab begin any more: one of them ended in an error."""
        (self.folder / "stop").touch()

    def go_on(self) -> None:
        """Let slabs begin again."""
        (self.folder / "stop").unlink(missing_ok=True)

    def is_stopped(self) -> bool:
        """Tell whether no slab is to begin any more, also because the folder was removed."""
        return not self.folder.is_dir() or (self.folder / "stop").exists()

    def done(self) -> set[int]:
        """List the slabs of which something was told."""
        with os.scandir(self.folder / "done") as entries:
            return {
                int(name) for entry in entries if (name := entry.name.removesuffix(".pickle")).isdecimal()
            }

    def take(self, number: int) -> tuple[Any, BaseException | None, str]:
        """Return what became of a slab: its result, or the error and the task that met it."""
        outcome: tuple[Any, BaseException | None, str] = pickle.loads(
            (self.folder / "done" / f"{number}.pickle").read_bytes()
        )
        return outcome

    def clear(self, number: int) -> None:
        """Forget what became of a slab, so that it is done again."""
        (self.folder / "done" / f"{number}.pickle").unlink(missing_ok=True)

    def log(self, submission: int, task: int) -> Path:
        """Return the log of a task."""
        return self.folder / "log" / f"{submission}-{task}.txt"

    def arrays(self) -> list[Array]:
        """List the arrays that were sent."""
        try:
            content = json.loads((self.folder / "arrays.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [
            Array(entry["submission"], entry["job"], tuple(map(tuple, entry["groups"]))) for entry in content
        ]

    def note(self, arrays: Iterable[Array]) -> None:
        """Keep which arrays were sent."""
        content = [
            {"submission": array.submission, "job": array.job, "groups": array.groups} for array in arrays
        ]
        write_json(self.folder / "arrays.json", content)

    def remove(self) -> None:
        """Remove the folder: its work is at its end."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # another section's work is there
            self.folder.parent.rmdir()


def jobs_folder(record: Path) -> Path:
    """Return the folder that stands beside a record while jobs are at work on it."""
    return record.absolute().with_name(f"{record.name}{SUFFIX}")


def job_folder_for(function: Callable[[Any], Any]) -> JobFolder:
    """Choose the folder for a section's work: beside its record, else a new one in the current folder."""
    if isinstance(function, Task) and function.folder is not None:
        return JobFolder(jobs_folder(function.folder.parent) / function.key)
    return JobFolder(Path.cwd() / f"tomarium{SUFFIX}" / uuid.uuid4().hex)


def number_of(item: Any, position: int) -> int:
    """Return the number of an item; a slab keeps its own when a run goes on."""
    return item.index if isinstance(item, Cut) else position


def live_jobs(folder: Path) -> list[str]:
    """List the jobs that are waiting or at work on a section.

    Parameters
    ----------
    folder : Path
        Folder of the section's work.

    Returns
    -------
    list of str
        Their numbers. Where SLURM does not answer, all that are not known to be at their end.
    """
    jobs = []
    for array in JobFolder(folder).arrays():
        try:
            live = any(standing.live for standing in queue.standings(array.job).values())
        except queue.NoAnswer:
            live = True
        if live:
            jobs.append(array.job)
    return jobs


def demand_no_jobs(record: Path) -> None:
    """Refuse to work on a record at which jobs are at work.

    Parameters
    ----------
    record : Path
        Folder of the record.

    Raises
    ------
    InputError
        Jobs are waiting or at work.
    """
    jobs = [job for folder in sorted(jobs_folder(record).glob("*")) for job in live_jobs(folder)]
    if jobs:
        raise InputError(
            f"{record}: jobs of SLURM are at work on it: {', '.join(jobs)}; go on with them with --on slurm, or cancel "
            f"them with: scancel {' '.join(jobs)}"
        )
