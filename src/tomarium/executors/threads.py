"""Several slabs at a time in threads: while one waits for the disk, another computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Final, TypeVar

from tomarium.executors.executor import Executor, in_work

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD: Final = "slab"
"""What the names of the threads begin with."""


def map_threads(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Map in threads.

    Parameters
    ----------
    function : callable
        Called once for each item; the kernels it calls release the interpreter's lock.
    items : iterable
        Taken as they are needed, so that only `workers` of them are in memory.
    workers : int
        Calls at a time.

    Yields
    ------
    object
        Results, as they come.
    """
    queue = iter(items)
    with in_work(), ThreadPoolExecutor(max(1, workers), thread_name_prefix=THREAD) as pool:
        working: set[Future[Result]] = {
            pool.submit(function, item) for item in islice(queue, max(1, workers))
        }
        while working:
            finished, working = wait(working, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
            working |= {pool.submit(function, item) for item in islice(queue, len(finished))}


THREADS = Executor("threads", "several slabs at a time in this process, sharing the processors", map_threads)
