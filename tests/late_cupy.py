"""As much of CuPy as a device is made of: what streams are told is done late, in a random order that CUDA allows.

Each stream does what it was told in turn; a stream that waits for an event goes on when that was reached; nothing is
done before somebody waits for it.
"""

import ctypes
import random
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np


class OutOfMemoryError(Exception):
    """As CuPy's."""


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"error {status}")


class Event:
    """A place in the work of a stream."""

    def __init__(self, cupy: "LateCuPy") -> None:
        self._cupy, self.reached = cupy, False

    def synchronize(self) -> None:
        self._cupy.run_until(self)


class Stream:
    """Work in turn."""

    def __init__(self, cupy: "LateCuPy") -> None:
        self._cupy = cupy
        self.work: list[Event | Callable[[], object]] = []
        self._before: list[Any] = []

    def __enter__(self) -> "Stream":
        self._before.append(self._cupy.current)
        self._cupy.current = self
        return self

    def __exit__(self, *_: object) -> None:
        self._cupy.current = self._before.pop()

    def record(self) -> Event:
        event = Event(self._cupy)
        self.work.append(lambda: setattr(event, "reached", True))
        return event

    def wait_event(self, event: Event) -> None:
        self.work.append(event)

    def step(self) -> bool:
        """Do the next thing, if it may be done."""
        if not self.work or (isinstance(self.work[0], Event) and not self.work[0].reached):
            return False
        first = self.work.pop(0)
        if not isinstance(first, Event):
            first()
        return True


class Array:
    """Numbers there."""

    def __init__(self, cupy: "LateCuPy", values: Any) -> None:
        self._cupy, self.values = cupy, values
        self.shape, self.dtype, self.nbytes = values.shape, values.dtype, values.nbytes
        self.data = self

    def _bytes(self, place: int, size: int) -> Any:
        return np.frombuffer((ctypes.c_uint8 * size).from_address(place), np.uint8)

    def copy_from_host_async(self, place: int, size: int, stream: Stream) -> None:
        def copy() -> None:
            self.values.reshape(-1).view(np.uint8)[:] = self._bytes(place, size)

        stream.work.append(copy)

    def copy_to_host_async(self, place: int, size: int, stream: Stream) -> None:
        def copy() -> None:
            self._bytes(place, size)[:] = self.values.reshape(-1).view(np.uint8)

        stream.work.append(copy)


class LateCuPy:
    """The module."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._streams: list[Stream] = []
        self.current: Any = None
        runtime = SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            getDeviceCount=lambda: 1,
            getDeviceProperties=lambda _: {"name": b"late"},
            driverGetVersion=lambda: 12040,
            memGetInfo=lambda: (7, 10),
        )
        self.cuda = SimpleNamespace(
            Device=lambda _: nullcontext(),
            Stream=self._stream,
            alloc_pinned_memory=lambda size: bytearray(size),
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            runtime=runtime,
        )
        self.pool = SimpleNamespace(free_bytes=lambda: 1, free_all_blocks=lambda: None)
        plans = SimpleNamespace(clear=lambda: None)
        self.fft = SimpleNamespace(config=SimpleNamespace(get_plan_cache=lambda: plans))

    def _stream(self, non_blocking: bool) -> Stream:
        assert non_blocking, "others wait for the default stream"
        self._streams.append(Stream(self))
        return self._streams[-1]

    def get_default_memory_pool(self) -> Any:
        return self.pool

    def empty(self, shape: Any, dtype: Any) -> Array:
        assert self.current is not None, "memory was taken in the default stream"
        return Array(self, np.full(shape, 99, dtype))

    def ascontiguousarray(self, array: Array) -> Array:
        return array

    def doubled(self, array: Array) -> Array:
        """A kernel."""
        made = self.empty(array.shape, array.dtype)
        self.current.work.append(lambda: np.multiply(array.values, 2, out=made.values))
        return made

    def run_until(self, event: Event) -> None:
        """Let streams go on in any order until an event is reached."""
        while not event.reached:
            ready = [stream for stream in self._streams if stream.work]
            assert ready, "an event that is never reached"
            self._draw.choice(ready).step()
