"""Slabs shared out to processes by Dask distributed: a cluster of this computer, or one that is there already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, Final, TypeVar

from tomarium.errors import EngineUnavailable
from tomarium.executors.executor import Executor

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGE_BYTES: Final = 1_000_000
"""Above this a function is not sent with every item."""

ANSWERS_WITHIN_S: Final = 10.0
"""Time after which a scheduler that gives no answer is taken for absent."""
RETRIES: Final = 3
"""How often a slab is tried again whose worker died."""


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
        Calls at a time; of a cluster of this computer, its processes.
    argument : str
        Address of a scheduler, "tcp://host:8786"; a cluster of this computer is started where it is empty, and ended
        with the work.

    Yields
    ------
    object
        Results, as they come.

    Raises
    ------
    EngineUnavailable
        Dask distributed is not installed, or nobody answers at the address.
    """
    try:
        import dask
        from distributed import Client, LocalCluster, as_completed, wait
    except ImportError as problem:
        raise EngineUnavailable(
            "the executor dask needs Dask distributed; install it with: pip install 'tomarium[dask]'"
        ) from problem
    workers = max(1, workers)
    with ExitStack() as stack:
        # Workers are given their threads with each slab; the variables that Dask would set stay in this process too.
        settings = {
            "distributed.scheduler.allowed-failures": RETRIES,
            "distributed.nanny.pre-spawn-environ": {},
        }
        stack.enter_context(dask.config.set(settings))
        if argument:
            try:
                client = stack.enter_context(Client(argument, timeout=ANSWERS_WITHIN_S))
            except (OSError, ValueError) as problem:
                raise EngineUnavailable(
                    f"no Dask scheduler answers at {argument}: {problem}; start one with `dask scheduler` and give its "
                    f"address as dask:tcp://HOST:PORT"
                ) from problem
        else:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",  # not 8787 of every interface, as None would
                    memory_limit=0,  # the plan bounds the memory; a worker is not to be stopped for it
                    silence_logs=logging.CRITICAL,
                )
            )
            client = stack.enter_context(Client(cluster))
        handle = _send_function(client, function)
        queue = iter(items)

        def submit(item: Item) -> Any:
            return client.submit(_call, handle, item, pure=False, retries=RETRIES)

        working = as_completed([submit(item) for item in islice(queue, workers)])
        try:
            for future in working:
                yield future.result()
                working.update([submit(item) for item in islice(queue, 1)])
        finally:
            if working.futures:
                wait(list(working.futures))


def _send_function(client: Any, function: Callable[[Item], Result]) -> Any:
    """Send a small function with each item; one that carries frames goes to every worker once."""
    import cloudpickle

    if len(cloudpickle.dumps(function)) < LARGE_BYTES:
        return function
    [remote_function] = client.scatter([function], broadcast=True, hash=False)
    return remote_function


def _call(function: Callable[[Any], Any], item: Any) -> Any:
    return function(item)


DASK = Executor(
    "dask",
    "slabs in processes by Dask distributed: of this computer, or dask:tcp://HOST:PORT with a disk that all see",
    map_dask,
    crosses=True,
)
