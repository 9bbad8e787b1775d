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
        return self._shaped(name, shape, dtype)

    def other(
        self, names: tuple[str, str], shape: tuple[int, ...], dtype: DTypeLike, array: Any
    ) -> NDArray[Any]:
        """Return the first of two arrays that holds nothing of `array`; where it is too small it is made anew.

        Steps in turn thus find the same arrays again, and no more is held than the plan counts: the largest result of
        every second step, and that of the others.
        """
        arrays = self._held()
        name = next(name for name in names if name not in arrays or not _overlap(arrays[name], array))
        return self._shaped(name, shape, dtype)

    def _held(self) -> dict[str, NDArray[np.uint8]]:
        buffers: dict[str, NDArray[np.uint8]] = self._local.__dict__.setdefault("held", {})
        return buffers

    def _shaped(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        arrays = self._held()
        size = prod(shape) * np.dtype(dtype).itemsize
        buffer = arrays.get(name)
        if buffer is None or buffer.nbytes < size:
            buffer = None
            arrays.pop(name, None)
            buffer = arrays[name] = np.empty(size, np.uint8)
        return buffer[:size].view(dtype).reshape(shape)


def _overlap(buffer: NDArray[np.uint8], array: Any) -> bool:
    return array is not None and bool(np.may_share_memory(buffer, np.asarray(array)))


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
    row_axes : array of float64, shape (row,), or None
        Rotation axis of each row in columns, in place of the one that the step is given: slices about many axes.
    warm_start : array or None
        A result to start from, for iterative methods; of the same shape as the step's result.
    on_progress : callable or None
        `on_progress(done, total)` for steps that take long; raises where the user wants to stop. It may be told the
        same again, while the next part is at work.
    scratch : Scratch
        Memory to use again.
    taken : array or None
        The step's input, which `result` does not hand out.
    """

    threads: int = 1
    device: str = "cpu"
    seed: int = 0
    whole: Layout | None = None
    row_axes: NDArray[np.float64] | None = None
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
        return self.scratch.other(("result 0", "result 1"), shape, dtype, self.taken)

    def empty(self, name: str, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return an array to work in, not initialised; `name` tells it from the step's others."""
        return self.scratch.empty(name, shape, dtype)
