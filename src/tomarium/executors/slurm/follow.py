"""Slabs shared out to job arrays of SLURM, and followed until the last of them is done."""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from tomarium.errors import InputError, Interrupted, JobFailed, TomariumError
from tomarium.executors.executor import Executor
from tomarium.executors.slurm import queue
from tomarium.executors.slurm.job_folder import (
    Array,
    JobFolder,
    job_folder_for,
    jobs_folder,
    live_jobs,
    number_of,
)
from tomarium.executors.slurm.options import Options, read_options
from tomarium.executors.slurm.script import Needs, groups_of, write_script
from tomarium.pipeline.plan.planner import Plan
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.run.work import Task

Item = TypeVar("Item")
Result = TypeVar("Result")

RETRIES: Final = 3
"""How often a slab is sent again whose task ended before it was done."""

LOOKS_EVERY_S: Final = 0.3
"""Time between two looks for finished slabs."""
ASKS_FIRST_S: Final = 1.0
"""Time until SLURM is first asked for the tasks; each later one is half as long again, up to `ASKS_EVERY_S`."""
ASKS_EVERY_S: Final = 15.0
SEEN_WITHIN_S: Final = 60.0
"""Time within which a shared disk shows what another computer has written."""
NO_ANSWER_S: Final = 1800.0
"""Time after which a SLURM that gives no answer is no longer waited for."""
ENDED_WITHIN_S: Final = 60.0
"""Time within which cancelled jobs are at their end."""
SPARE: Final = 1.2
"""Memory that a job asks for, as a multiple of the plan's."""

_LOG: Final = logging.getLogger(__name__)


def map_slurm(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, argument: str = ""
) -> Iterator[Result]:
    """Map in job arrays.

    The jobs and this process tell each other of slabs by files in the folder `RECORD.slurm` beside the record, which
    stays where the work is not brought to its end: the same run goes on with what is in it. Where the user stops this
    process the jobs are left at work, or cancelled with `stop=cancel`.

    Parameters
    ----------
    function : callable
        Called once for each item, on a node; it must pickle. Where its job is lost it is called once more, so it must
        bear that.
    items : iterable
        All are sent at once.
    workers : int
        Calls at a time in one array task.
    argument : str
        Options, as `read_options` takes them.

    Yields
    ------
    object
        Results, as they come.

    Raises
    ------
    ParameterError
        The options are wrong.
    EngineUnavailable
        There is no SLURM here, or it refuses the jobs.
    InputError
        Jobs of another run are at work on the record, or a node does not see its files.
    JobFailed
        A task ended before its slabs were done, and so it did when they were sent again.
    Interrupted
        The jobs were cancelled, or SLURM does not answer.
    """
    options = read_options(argument)
    todo = {number_of(item, position): item for position, item in enumerate(items)}
    if not todo:
        return
    job_folder = job_folder_for(function)
    is_kept = isinstance(function, Task) and function.folder is not None
    if is_kept:
        _demand_own(job_folder)
    following = _Following(job_folder, function, todo, workers, options)
    try:
        following.begin()
        yield from following.results()
    except KeyboardInterrupt as stop:
        jobs = following.jobs()
        if is_kept and options.stop == "leave" and jobs:
            raise KeyboardInterrupt(
                f"job {', '.join(jobs)} of SLURM goes on: the same command follows it, and it is cancelled with: "
                f"scancel {' '.join(jobs)}"
            ) from stop
        following.give_up()
        if not is_kept:
            job_folder.remove()
        raise KeyboardInterrupt("its jobs were cancelled") from stop
    except queue.NoAnswer as problem:  # asked for jobs of an earlier call, which are left as they are
        raise Interrupted(
            f"SLURM gives no answer ({problem}), so whether jobs of an earlier call are at work is unknown; see squeue"
        ) from problem
    except GeneratorExit:
        following.give_up()
        if not is_kept:
            job_folder.remove()
        raise
    except BaseException:
        following.give_up()
        raise
    job_folder.remove()


@dataclass
class _Following:
    """The work of one section while its jobs are followed."""

    job_folder: JobFolder
    function: Callable[[Any], Any]
    todo: dict[int, Any]
    workers: int
    options: Options
    arrays: list[Array] = field(default_factory=list)
    sent_before: int = 0
    attempts: Counter[int] = field(default_factory=Counter)
    ended_at: dict[tuple[int, int], float] = field(default_factory=dict)
    told: str = ""

    def jobs(self) -> list[str]:
        """List the jobs that are not known to be at their end."""
        numbers = []
        for array in self.arrays:
            with suppress(queue.NoAnswer):
                if not any(standing.live for standing in queue.standings(array.job).values()):
                    continue
            numbers.append(array.job)
        return numbers

    def begin(self) -> None:
        """Resume jobs of an earlier call that are running, and send the slabs that are in no job."""
        job_folder = self.job_folder
        self.arrays = job_folder.arrays() if job_folder.folder.is_dir() else []
        self.sent_before = len(self.arrays)
        live: set[int] = set()
        ended: dict[int, str] = {}
        for array in self.arrays:
            standings = queue.standings(array.job)
            for task, group in enumerate(array.groups):
                standing = standings.get(task, queue.Standing())
                if standing.live:
                    live.update(group)
                else:
                    what = f"task {array.job}_{task} of an earlier call ended as {standing.state}"
                    ended.update(
                        dict.fromkeys(group, f"{what}, its log: {job_folder.log(array.submission, task)}")
                    )
        if live:
            _LOG.info("job %s of an earlier call is at work: it is followed", ", ".join(self.jobs()))
        else:
            job_folder.begin(self.function)
        job_folder.go_on()
        for number in job_folder.done() & self.todo.keys() - live:
            problem = _error_of_slab(job_folder, number)
            if problem is not None:
                _LOG.info("slab %d ended in an error: %s", number, problem)
                job_folder.clear(number)
        again = self.todo.keys() - job_folder.done() - live
        for text in sorted({ended[number] for number in again & ended.keys()}):
            _LOG.info("%s; what it has not done is sent again", text)
        self.send(again)

    def send(self, numbers: Iterable[int]) -> None:
        """Send slabs as an array."""
        numbers = sorted(numbers)
        if not numbers:
            return
        submission = len(self.arrays) + 1
        groups = groups_of(numbers, self.workers, self.options.tasks)
        self.job_folder.lay_down(
            submission, self.workers, [[(number, self.todo[number]) for number in group] for group in groups]
        )
        script = self.job_folder.folder / f"{submission}.sh"
        needs = needs_of(self.function, self.workers)
        script.write_text(write_script(self.job_folder.folder, submission, groups, needs, self.options))
        job = queue.send(script)
        self.arrays.append(Array(submission, job, tuple(map(tuple, groups))))
        self.job_folder.note(self.arrays)
        _LOG.info("job %s of SLURM: %d slabs in %d tasks", job, len(numbers), len(groups))

    def results(self) -> Iterator[Any]:
        """Yield results as they come."""
        missing = set(self.todo)
        pause, asks_at, answered_at = ASKS_FIRST_S, time.monotonic() + ASKS_FIRST_S, time.monotonic()
        while True:
            for number in sorted(self.job_folder.done() & missing):
                yield self.result(number)
                missing.discard(number)
            if not missing:
                return
            if time.monotonic() >= asks_at:
                try:
                    self.look(missing)
                    answered_at = time.monotonic()
                except queue.NoAnswer as problem:
                    if time.monotonic() - answered_at > NO_ANSWER_S:
                        raise Interrupted(
                            f"SLURM gives no answer ({problem}); what its jobs do is kept"
                        ) from problem
                    _LOG.info("SLURM gives no answer (%s); it is asked again", problem)
                pause = min(1.5 * pause, ASKS_EVERY_S)
                asks_at = time.monotonic() + pause
            time.sleep(LOOKS_EVERY_S)

    def result(self, number: int) -> Any:
        """Return the result of a slab, or raise the error that it ended in."""
        result, problem, name = self.job_folder.take(number)
        if problem is None:
            return result
        submission, task = map(int, name.split("-"))
        log = self.job_folder.log(submission, task)
        if isinstance(problem, TomariumError) and len(problem.args) == 1:
            problem.args = (f"{problem.args[0]} ({self.name(submission, task)}; its log: {log})",)
        else:
            _LOG.info("%s ended in an error; its log: %s", self.name(submission, task), log)
        raise problem

    def name(self, submission: int, task: int) -> str:
        """Name a task as SLURM does."""
        return f"task {self.arrays[submission - 1].job}_{task}"

    def look(self, missing: set[int]) -> None:
        """Ask SLURM for the tasks, tell how they stand, and send again what is lost."""
        standings = {array.submission: queue.standings(array.job) for array in self.arrays}
        owners = {
            number: (array.submission, task)
            for array in self.arrays
            for task, group in enumerate(array.groups)
            for number in group
        }
        not_done = missing - self.job_folder.done()  # asked for after SLURM was: what ended since is not lost
        of = {
            number: standings[owners[number][0]].get(owners[number][1], queue.Standing())
            for number in not_done
        }
        self.tell({owners[number]: standing for number, standing in of.items()})
        lost_slabs = {
            number: standing
            for number, standing in of.items()
            if not standing.live and self.is_lost(owners[number], standing)
        }
        if not lost_slabs:
            return
        if all(standing.state == "CANCELLED" for standing in of.values()):
            jobs = ", ".join(dict.fromkeys(self.name(*owners[number]) for number in sorted(lost_slabs)))
            raise Interrupted(f"{jobs} of SLURM was cancelled before its slabs were done")
        for number, standing in sorted(lost_slabs.items()):
            self.demand_again(number, owners[number], standing)
        _LOG.info(
            "%s ended as %s before its slabs were done; they are sent again",
            ", ".join(dict.fromkeys(self.name(*owners[number]) for number in sorted(lost_slabs))),
            ", ".join(sorted({standing.state for standing in lost_slabs.values()})),
        )
        self.send(lost_slabs)

    def is_lost(self, owner: tuple[int, int], standing: queue.Standing) -> bool:
        """Tell whether the slabs of a task at its end are not only not seen yet."""
        if standing.state not in ("COMPLETED", queue.UNKNOWN):
            return True
        if standing.state == queue.UNKNOWN and owner[0] <= self.sent_before:
            return True
        return time.monotonic() - self.ended_at.setdefault(owner, time.monotonic()) > SEEN_WITHIN_S

    def demand_again(self, number: int, owner: tuple[int, int], standing: queue.Standing) -> None:
        """Refuse to send a slab again where that helps nothing."""
        group = self.arrays[owner[0] - 1].groups[owner[1]]
        on = f" on node {standing.node}" if standing.node else ""
        failure = f"{self.name(*owner)} of SLURM ended as {standing.state}{on} before slab {number} was done"
        log = self.job_folder.log(*owner)
        if standing.state == "OUT_OF_MEMORY":
            self.fail(f"{failure}; ask for more with --on slurm:memory=64GB; its log: {log}")
        if standing.state == "TIMEOUT":
            if not self.job_folder.done() & set(group):
                self.fail(f"{failure}; ask for more with --on slurm:time=4h; its log: {log}")
            return  # it came forward: the rest is sent with the time of a new task
        self.attempts[number] += 1
        if self.attempts[number] > RETRIES:
            log_text = f"its log: {log}" if log.exists() else (
                f"it left no log at {log}, so that node may not see {self.job_folder.folder}; every node must see the "
                f"scan and the record under the same path"
            )  # fmt: skip
            self.fail(f"{failure}, as {RETRIES} times before; {log_text}")

    def fail(self, failure: str) -> NoReturn:
        """End in an error that says that nothing is lost."""
        raise JobFailed(f"{failure}; finished slabs are kept, and the same command goes on with them")

    def tell(self, standings: dict[tuple[int, int], queue.Standing]) -> None:
        """Tell how many tasks wait and run, where that has changed."""
        states = Counter(standing.state for standing in standings.values() if standing.live)
        reasons = sorted(
            {standing.reason for standing in standings.values() if standing.state == "PENDING"} - {"None", ""}
        )
        words = [f"{count} {state.lower()}" for state, count in sorted(states.items())]
        text = ", ".join(words) + (f" ({', '.join(reasons)})" if reasons else "")
        if words and text != self.told:
            self.told = text
            _LOG.info("tasks of SLURM: %s", text)

    def give_up(self) -> None:
        """Cancel the jobs, and wait until none of them writes any more."""
        if self.job_folder.folder.is_dir():
            self.job_folder.stop()
        for job in self.jobs():
            queue.cancel(job)
        until = time.monotonic() + ENDED_WITHIN_S
        while self.jobs() and time.monotonic() < until:
            time.sleep(LOOKS_EVERY_S)


def needs_of(function: Callable[[Any], Any], workers: int) -> Needs:
    """Tell what an array task needs to do some calls at a time."""
    if not isinstance(function, Task):
        return Needs(processors=max(1, workers))
    return _needs(function.name, function.threads, workers, function.peak_bytes, function.slab_seconds)


def _needs(name: str, threads: int, workers: int, peak_bytes: int, slab_seconds: float) -> Needs:
    return Needs(name, threads * max(1, workers), int(SPARE * peak_bytes) or None, slab_seconds)


def scripts_of(plan: Plan, record: Path, argument: str = "") -> list[str]:
    """Write the scripts that a run would send, one for each section.

    Parameters
    ----------
    plan : Plan
        Its plan.
    record : Path
        Folder of its record.
    argument : str
        Options, as `read_options` takes them.

    Returns
    -------
    list of str
        In order; a section's is sent when the one before is done.
    """
    options = read_options(argument)
    return [
        write_script(
            jobs_folder(record) / f"{number}-RUN",
            1,
            groups_of(section.cuts, section.workers, options.tasks),
            _needs(
                section.name,
                section.threads,
                section.workers,
                section.peak_bytes,
                section.seconds / section.slabs,
            ),
            options,
        )
        for number, section in enumerate(plan.sections)
    ]


def resources(measured: Resources, argument: str = "") -> Resources:
    """Tell what one array task may use.

    Parameters
    ----------
    measured : Resources
        What this computer lets a run use.
    argument : str
        Options, as `read_options` takes them.

    Returns
    -------
    Resources
        The same with the memory and the processors that the options ask for.
    """
    options = read_options(argument)
    return replace(
        measured,
        memory_bytes=options.memory_bytes or measured.memory_bytes,
        processors=options.cpus or measured.processors,
    )


def _demand_own(job_folder: JobFolder) -> None:
    """Remove what other runs left in the folder of jobs; refuse where their jobs are running."""
    record = job_folder.folder.parent
    for folder in record.glob("*"):
        if folder == job_folder.folder or not folder.is_dir():
            continue
        jobs = live_jobs(folder)
        if jobs:
            raise InputError(
                f"{record}: jobs of another run are at work for this record: {', '.join(jobs)}; cancel them with: "
                f"scancel {' '.join(jobs)}"
            )
        shutil.rmtree(folder)


def _error_of_slab(job_folder: JobFolder, number: int) -> BaseException | None:
    return job_folder.take(number)[1]


SLURM = Executor(
    "slurm",
    "slabs in job arrays of SLURM, with a disk that all nodes see; slurm:partition=NAME,time=2h,memory=64GB,cpus=16 …",
    map_slurm,
    crosses=True,
    resources=resources,
)
