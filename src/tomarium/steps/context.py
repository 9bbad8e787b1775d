"""What a step is handed besides its data: threads, a random generator, memory to use again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.model import Layout


class Scratch:
    """Arrays that a worker uses again for every slab, so that the system need not hand out fresh pages each time.

    Each thread has its own; they are given back when the scratch is.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def empty(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array that is not initialised; the next call of that name in this thread returns it again."""
        held: dict[str, NDArray[np.uint8]] = self._local.__dict__.setdefault("held", {})
        size = prod(shape) * np.dtype(dtype).itemsize
        buffer = held.get(name)
        if buffer is None or buffer.nbytes < size:
            held.pop(name, None)
            buffer = held[name] = np.empty(size, np.uint8)
        return buffer[:size].view(dtype).reshape(shape)


@dataclass(frozen=True)
class Context:
    """Where and how a step works.

    Attributes
    ----------
    threads : int
        Threads it may use.
    device : str
        "cpu", or the device the slab's array lies on.
    seed : int
        Seed of `random`: one for each slab, the same whenever the run is repeated.
    whole : Layout or None
        What reaches the step in the whole, of which the slab is a part; None where it is called by itself.
    warm_start : array or None
        A result to start from, for iterative methods; of the same shape as the step's result.
    on_progress : callable or None
        `on_progress(done, total)` for steps that take long; raises where the user wants to stop.
    scratch : Scratch
        Memory to use again.
    taken : array or None
        The step's input, which `result` does not hand out.
    """

    threads: int = 1
    device: str = "cpu"
    seed: int = 0
    whole: Layout | None = None
    warm_start: Any = None
    on_progress: Callable[[int, int], None] | None = None
    scratch: Scratch = field(default_factory=Scratch, compare=False)
    taken: Any = field(default=None, compare=False)

    @property
    def random(self) -> np.random.Generator:
        """A fresh random generator of this slab's seed."""
        return np.random.default_rng(self.seed)

    def result(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return an array for the step's result, not initialised.

        Two arrays serve the steps of a slab in turn: a result is valid until the second step after it.
        """
        first = self.scratch.empty("result 0", shape, dtype)
        if self.taken is None or not np.may_share_memory(first, np.asarray(self.taken)):
            return first
        return self.scratch.empty("result 1", shape, dtype)

    def empty(self, name: str, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return an array to work in, not initialised; `name` tells it from the step's others."""
        return self.scratch.empty(name, shape, dtype)
