"""What an executor is: a way to map a function over slabs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tomarium.pipeline.plan.section import Resources

IN_WORK: Final[set[object]] = set()
"""One for each map of this process that lets calls in work come to their end when it is stopped."""


@contextmanager
def in_work() -> Iterator[None]:
    """Say, within the block, that who stops this process waits until the calls in work have come to their end."""
    mark = object()
    IN_WORK.add(mark)
    try:
        yield
    finally:
        IN_WORK.discard(mark)


@dataclass(frozen=True)
class Executor:
    """One way to map; a module of `tomarium.executors` makes itself known by holding one.

    Attributes
    ----------
    name : str
        Word users write.
    summary : str
        What it does, in one line.
    map : callable
        `map(function, items, workers)` calls the function once for each item, at most `workers` at a time,
        and yields its results as they come, in any order. If a call fails, or the caller stops, calls in
        work are let come to their end, no further one begins, and the failure is raised.
    crosses : bool
        Whether the calls are made in other processes, which share the disk but not the memory.
    resources : callable or None
        `resources(measured)` tells what the process of a call may use, from what this computer lets a run use; None
        where that is the same.
    """

    name: str
    summary: str
    map: Callable[[Callable[[Any], Any], Iterable[Any], int], Iterator[Any]]
    crosses: bool = False
    resources: Callable[[Resources], Resources] | None = None
