"""A GPU beside the processors: its memory, its streams, and copies between it and the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from math import prod
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import DeviceFull, EngineUnavailable
from tomarium.kernels.cuda import kernels
from tomarium.kernels.cuda.modules import Modules, modules, why_not
from tomarium.optional_packages import optional_import

OUT_OF_MEMORY: Final = 2
"""cudaErrorMemoryAllocation of the CUDA runtime."""


class Device(Protocol):
    """Where slabs are computed beside the processors; all that a run does with CuPy goes through one of these.

    Copies in, computing and copies out are each in a stream of their own: what is told to a stream is done in turn,
    and later than told. What `copy_in` gives may be used in `computing` at once, for that stream waits for it; it must
    be held until the slab has come back.

    Attributes
    ----------
    index : int
        Its number among those of this computer.
    name, driver : str
        Of the device, and the newest CUDA that its driver knows.
    """

    index: int
    name: str
    driver: str

    def free_bytes(self) -> int:
        """Return the memory that is free."""
        ...

    def pinned(self, size: int) -> NDArray[np.uint8]:
        """Return so many bytes of the host that the device copies from and to while it computes."""
        ...

    def copy_in(self, host: NDArray[Any]) -> Any:
        """Begin to copy a contiguous array to the device; it must not be changed before the slab has come back."""
        ...

    def computing(self) -> AbstractContextManager[None]:
        """Work on arrays of the device; where its memory ends, `DeviceFull` is raised."""
        ...

    def copy_out(self, array: Any, host: Callable[[tuple[int, ...], Any], NDArray[Any]]) -> NDArray[Any]:
        """Copy an array to what `host(shape, dtype)` gives, and wait until it is there."""
        ...

    def release(self) -> None:
        """Give back memory that is kept for further arrays."""
        ...


class CudaDevice:
    """A GPU by CuPy.

    Notes
    -----
    CuPy gives freed memory out again in the stream it was taken in. What is copied in is taken in the stream of
    copies, and held until its slab has come back; what steps make is taken and freed in the stream of computing. So no
    memory is given out again while another stream still works on it.
    """

    def __init__(self, index: int) -> None:
        why = why_not()
        if why is not None:
            raise EngineUnavailable(f"no GPU can be used: {why}")
        self._cupy = optional_import("cupy", "gpu")
        runtime = self._cupy.cuda.runtime
        count = runtime.getDeviceCount()
        if not 0 <= index < count:
            raise EngineUnavailable(f"there is no GPU {index}; there are {count}, counted from 0")
        self.index = index
        name = runtime.getDeviceProperties(index)["name"]
        self.name = name.decode() if isinstance(name, bytes) else str(name)
        version = runtime.driverGetVersion()
        self.driver = f"CUDA {version // 1000}.{version % 1000 // 10}"
        with self._current():
            self._in, self._work, self._out = (self._cupy.cuda.Stream(non_blocking=True) for _ in range(3))

    def _current(self) -> AbstractContextManager[object]:
        """Make it CuPy's current device: an object for each use, for each remembers what was current before."""
        context: AbstractContextManager[object] = self._cupy.cuda.Device(self.index)
        return context

    def free_bytes(self) -> int:
        """Return the memory that is free, with what CuPy keeps for further arrays."""
        with self._current():
            free, _ = self._cupy.cuda.runtime.memGetInfo()
            return int(free + self._cupy.get_default_memory_pool().free_bytes())

    def pinned(self, size: int) -> NDArray[np.uint8]:
        """Return page-locked memory."""
        with self._current():
            memory = self._cupy.cuda.alloc_pinned_memory(size)
        return np.frombuffer(memory, np.uint8, size)

    def copy_in(self, host: NDArray[Any]) -> Any:
        """Begin to copy a contiguous array to the device."""
        with self._current(), self._saying_full(), self._in:
            copy = self._cupy.empty(host.shape, host.dtype)
            copy.data.copy_from_host_async(host.ctypes.data, host.nbytes, self._in)
            self._work.wait_event(self._in.record())
        return copy

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Work in the stream of computing."""
        with self._current(), self._saying_full(), self._work:
            yield

    def copy_out(self, array: Any, host: Callable[[tuple[int, ...], Any], NDArray[Any]]) -> NDArray[Any]:
        """Copy an array to the host, and wait until it is there."""
        with self.computing():
            contiguous = self._cupy.ascontiguousarray(array)
            event = self._work.record()
        result = host(contiguous.shape, np.dtype(contiguous.dtype))
        with self._current():
            self._out.wait_event(event)
            contiguous.data.copy_to_host_async(result.ctypes.data, contiguous.nbytes, self._out)
            self._out.record().synchronize()
        return result

    def release(self) -> None:
        """Give back memory that CuPy keeps, with the plans of transforms of this thread."""
        with self._current():
            self._cupy.fft.config.get_plan_cache().clear()
            self._cupy.get_default_memory_pool().free_all_blocks()

    @contextmanager
    def _saying_full(self) -> Iterator[None]:
        cuda = self._cupy.cuda
        try:
            yield
        except cuda.memory.OutOfMemoryError as problem:
            raise DeviceFull(f"{self.name}: {problem}") from problem
        except cuda.runtime.CUDARuntimeError as problem:
            if problem.status == OUT_OF_MEMORY:
                raise DeviceFull(f"{self.name}: {problem}") from problem
            raise


@cache
def open_device(index: int) -> Device:
    """Return a device; it stays open as long as the process.

    Parameters
    ----------
    index : int
        Its number, from 0.

    Returns
    -------
    Device
        The device.

    Raises
    ------
    EngineUnavailable
        It is not there or cannot be opened, or CuPy is not installed.
    """
    try:
        return CudaDevice(index)
    except EngineUnavailable:
        raise
    except Exception as problem:  # what drivers raise has no class in common
        raise EngineUnavailable(
            f"GPU {index} cannot be opened: {problem}; see what nvidia-smi says"
        ) from problem


class KernelsThere:
    """The functions of `tomarium.kernels.cuda.kernels` for one device, without their first argument."""

    def __init__(self, compiled: Modules) -> None:
        self.modules = compiled

    def __getattr__(self, name: str) -> Any:
        return partial(getattr(kernels, name), self.modules)


def _of_cupy(array: Any) -> KernelsThere:
    return KernelsThere(modules(int(array.device.id)))


KERNELS: Final[dict[str, Callable[[Any], Any]]] = {"cupy": _of_cupy}
"""Package of arrays → what gives the kernels for one of them."""


def kernels_of(array: Any) -> Any:
    """Return the CUDA kernels for the device on which an array lies.

    Parameters
    ----------
    array : array
        Not on the host.

    Returns
    -------
    KernelsThere
        Functions as those of `tomarium.kernels.cuda.kernels`, without `modules`.

    Raises
    ------
    EngineUnavailable
        There are no kernels for such arrays.
    """
    package = type(array).__module__.partition(".")[0]
    if package not in KERNELS:
        raise EngineUnavailable(
            f"there are no compiled kernels for arrays of {package}; give arrays of NumPy or CuPy"
        )
    return KERNELS[package](array)


class Staging:
    """Memory of the host between a device and the files, used again for every slab of a thread."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._held: dict[str, NDArray[np.uint8]] = {}

    def empty(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return an array that is not initialised; the next call of that name returns it again."""
        size = prod(shape) * np.dtype(dtype).itemsize
        buffer = self._held.get(name)
        if buffer is None or buffer.nbytes < size:
            self._held.pop(name, None)
            buffer = self._held[name] = self._device.pinned(max(size, 1))
        array: NDArray[Any] = buffer[:size].view(dtype).reshape(shape)
        return array
