"""The same work on several parts at once, in as many threads as there are processors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from tomarium.array import processors

Part = TypeVar("Part")
Result = TypeVar("Result")


def at_once(work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """Do the same work on several parts, in threads.

    Parameters
    ----------
    work : callable
        Takes a part; should spend its time in NumPy, which lets other threads run meanwhile.
    parts : iterable
        What it is given, one at a time.

    Returns
    -------
    list
        The results in the order of the parts.
    """
    listed, threads = list(parts), processors()
    if threads < 2 or len(listed) < 2:
        return [work(part) for part in listed]
    with ThreadPoolExecutor(min(threads, len(listed))) as pool:
        return list(pool.map(work, listed))


def shares(count: int) -> list[slice]:
    """Cut elements into as many slices as there are processors.

    Parameters
    ----------
    count : int
        How many elements.

    Returns
    -------
    list of slice
        Nearly equal, in order; none is empty unless `count` is 0.
    """
    edges = np.linspace(0, count, min(processors(), max(count, 1)) + 1).astype(int)
    return [slice(int(start), int(stop)) for start, stop in pairwise(edges)]
