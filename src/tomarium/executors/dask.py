"""Slabs shared out to processes by Dask distributed: of this computer, of an address, or in jobs of SLURM."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tomarium.errors import EngineUnavailable, Interrupted, JobFailed
from tomarium.executors.dask_clusters import RETRIES, client_of, is_on_slurm, place_of, remove_logs, settings
from tomarium.executors.executor import Executor, in_work
from tomarium.executors.slurm.options import read_options
from tomarium.pipeline.run.work import SlabResult, Task
from tomarium.pipeline.run.workers import note_workers

if TYPE_CHECKING:
    from tomarium.pipeline.plan.section import Resources

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGE_BYTES: Final = 1_000_000
"""Above this a function is not sent with every item."""

LOOKS_EVERY_S: Final = 5.0
"""Time between two looks for workers that came or were lost, where no slab is finished meanwhile."""

_LOG: Final = logging.getLogger(__name__)


def map_dask(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, argument: str = ""
) -> Iterator[Result]:
    """Map in processes.

    Parameters
    ----------
    function : callable
        Called once for each item, in another process; it must pickle. Where a worker dies it is called once more, so
        it must bear that.
    items : iterable
        Taken as they are needed.
    workers : int
        Calls at a time on one computer: the processes of a cluster that is started on this one; of another, calls at
        a time in each worker at most, as many as it has threads.
    argument : str
        Address of a scheduler, "tcp://host:8786", or "slurm" with the options of `read_options` behind a colon, for
        workers in jobs of SLURM; a cluster of this computer where it is empty. What is started here ends with the work.

    Yields
    ------
    object
        Results, as they come.

    Raises
    ------
    EngineUnavailable
        Dask distributed is not installed, nobody answers at the address, or no worker can be started.
    JobFailed
        Workers died while they worked on an item, and so they did when it was tried again.
    Interrupted
        The scheduler is gone.
    """
    try:
        import dask
        import distributed  # noqa: F401  imported under other settings, it would lose its own with them
    except ImportError as problem:
        raise EngineUnavailable(
            "the executor dask needs Dask distributed; install it with: pip install 'tomarium[dask]'"
        ) from problem
    workers = max(1, workers)
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(settings()))
        stack.enter_context(_silent())
        client = client_of(stack, argument, function, workers, length_hint(items, workers))
        sharing = _Sharing(
            client, _sent(client, function), workers, bool(argument), place_of(argument),
            function.folder if isinstance(function, Task) else None,
        )  # fmt: skip
        with in_work():
            yield from sharing.results(iter(items))
    remove_logs(function)


@dataclass
class _Sharing:
    """Items shared out to the workers of a cluster."""

    client: Any
    function: Any
    workers: int
    foreign: bool
    place: str
    journal: Path | None = None
    pending: set[Any] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)
    lost: dict[str, float] = field(default_factory=dict)

    def results(self, queue: Iterator[Any]) -> Iterator[Any]:
        """Yield results as they come."""
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        try:
            with self.told():
                self.submit(queue)
            while self.pending:
                with self.told():
                    finished = self.finished()
                for future in finished:
                    self.pending.discard(future)
                    yield future.result()
                with self.told():
                    self.submit(queue)
        except (CancelledError, CommClosedError) as problem:
            raise self.gone(problem) from problem
        except KilledWorker as problem:
            worker = getattr(problem.last_worker, "address", problem.last_worker)
            raise JobFailed(
                f"the Dask worker {worker} died while it worked on a slab, and so did {RETRIES} before it; where "
                f"memory ran out, give less with --memory; finished slabs are kept, and the same command goes on "
                f"with them"
            ) from problem
        finally:
            self.let_end()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell in words of a scheduler that gives no answer any more."""
        try:
            yield
        except (CancelledError, OSError) as problem:
            raise self.gone(problem) from problem

    def gone(self, problem: Exception) -> Interrupted:
        """Say that the scheduler is gone; its workers end with it."""
        self.pending.clear()
        return Interrupted(
            f"the Dask scheduler {self.place} is gone ({type(problem).__name__}); start it again, or take another "
            f"executor"
        )

    def submit(self, queue: Iterator[Any]) -> None:
        """Give the workers as many items as they have room for."""
        room = self.room() - len(self.pending)
        for item in islice(queue, max(0, room)):
            self.pending.add(self.client.submit(_call, self.function, item, pure=False, retries=RETRIES))

    def room(self) -> int:
        """Tell how many items may be in work, and what workers came and were lost."""
        threads: dict[str, int] = dict(self.client.nthreads())
        lost = sorted(self.seen.keys() - threads.keys())
        if lost:
            _LOG.info("Dask worker %s was lost; its slabs are done once more", ", ".join(lost))
        if threads.keys() != self.seen.keys() and self.journal is not None:
            self.lost |= dict.fromkeys(lost, time.time())
            note_workers(self.journal, threads, self.lost)
        if not threads and (lost or not self.pending):
            _LOG.info("no worker of Dask is there, %s; the run waits for one", self.place)
        self.seen = threads
        if not self.foreign:
            return self.workers
        return max(1, sum(min(count, self.workers) for count in threads.values()))

    def finished(self) -> set[Any]:
        """Wait until an item is finished; none where it is time to look for workers."""
        from distributed import wait

        try:
            done: set[Any] = wait(
                list(self.pending), timeout=LOOKS_EVERY_S, return_when="FIRST_COMPLETED"
            ).done
        except TimeoutError:
            return set()
        return done

    def let_end(self) -> None:
        """Begin nothing more, and let what is in work come to its end while there are workers."""
        if not self.pending:
            return
        with suppress(CancelledError, OSError):
            self.wait_for_begun()

    def wait_for_begun(self) -> None:
        """Wait for what workers have begun, and cancel the rest."""
        from distributed import wait

        begun = {key for keys in self.client.processing().values() for key in keys}
        rest = [future for future in self.pending if future.key in begun]
        self.client.cancel([future for future in self.pending if future.key not in begun])
        while rest and self.client.nthreads():
            try:
                wait(rest, timeout=LOOKS_EVERY_S)
            except TimeoutError:
                continue
            return


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what Dask's parts of this process log of lost connections off the terminal: it is told in a sentence."""
    loggers = [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.partition(".")[0] == "distributed"
    ]
    handlers = {handler: handler.level for logger in loggers for handler in logger.handlers}
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in handlers.items():
            handler.setLevel(level)


def _sent(client: Any, function: Callable[[Item], Result]) -> Any:
    """Send a small function with each item; one that carries frames goes to every worker once."""
    import cloudpickle

    if len(cloudpickle.dumps(function)) < LARGE_BYTES:
        return function
    [remote_function] = client.scatter([function], broadcast=True, hash=False)
    return remote_function


def _call(function: Callable[[Any], Any], item: Any) -> Any:
    result = function(item)
    if isinstance(result, SlabResult):
        from distributed import get_worker

        return replace(result, worker=f"{socket.gethostname()}, {get_worker().address}")
    return result


def resources(measured: Resources, argument: str = "") -> Resources:
    """Tell what workers may use: in a job of SLURM what its options ask for, else what this computer lets a run use.

    Parameters
    ----------
    measured : Resources
        What this computer lets a run use.
    argument : str
        As `map_dask` takes it.

    Returns
    -------
    Resources
        With the memory and the processors of a job; of processes that are started here, that there are several.
    """
    if not is_on_slurm(argument):
        return replace(measured, in_processes=not argument)
    options = read_options(argument.partition(":")[2])
    return replace(
        measured,
        memory_bytes=options.memory_bytes or measured.memory_bytes,
        processors=options.cpus or measured.processors,
    )


DASK = Executor(
    "dask",
    "slabs in processes by Dask distributed: of this computer, dask:tcp://HOST:PORT or dask:slurm with a disk that all "
    "see",
    map_dask,
    crosses=True,
    resources=resources,
)
