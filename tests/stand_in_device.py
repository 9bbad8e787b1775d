"""A device made of the processor, so that everything around a GPU is tested without one.

Its arrays are those of array_api_strict on a device that NumPy cannot read: hidden NumPy raises. What is copied in
comes late: no sooner than something is computed there. Its kernels are the compiled ones of the processors.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

from tomarium.compiled import extension, level
from tomarium.errors import DeviceFull
from tomarium.kernels import engines, projection
from tomarium.kernels.backprojection import gridding
from tomarium.kernels.cuda import device as devices
from tomarium.kernels.cuda import fbp_there
from tomarium.kernels.cuda.device import KernelsThere
from tomarium.kernels.flat_field import LOWEST_TRANSMISSION
from tomarium.kernels.invalid import fill_invalid
from tomarium.kernels.spikes import Pattern, remove_spikes
from tomarium.kernels.stripes import remove_stripes_by_sorting
from tomarium.pipeline.plan import resources

PLACE = strict.Device("device1")


def there(host: Any) -> Any:
    """An array of the stand-in."""
    return strict.asarray(np.array(host), device=PLACE)


class StandIn:
    """See the module.

    `rows` is how many rows (or slices) of an array fit; `faults` names what would go wrong on a GPU.
    """

    def __init__(self, rows: int = 10**9, free: int = 10**12, index: int = 0) -> None:
        self.index, self.name, self.driver = index, "stand-in", "none"
        self.rows, self.free = rows, free
        self.faults: list[str] = []
        self.most_there = 0
        self.brought = 0
        self.released = 0
        self._lock = threading.RLock()
        self._pending: list[tuple[Any, Any]] = []
        self._there: dict[int, int] = {}
        self._read: set[int] = set()
        self._back: set[int] = set()

    def free_bytes(self) -> int:
        return self.free

    def pinned(self, size: int) -> Any:
        return np.full(size, 0xFF, np.uint8)  # floats of it are NaN

    def copy_in(self, host: Any) -> Any:
        if not host.flags.c_contiguous:
            self.faults.append("an array that is not contiguous was copied")
        if host.shape[1] > self.rows:
            raise DeviceFull("stand-in: no memory is left")
        rubbish = np.iinfo(host.dtype).max if host.dtype.kind in "iu" else np.nan
        array = there(np.full(host.shape, rubbish, host.dtype))
        with self._lock:
            self._pending.append((array, host))
            self.brought += 1
            self._there[id(array)] = threading.get_ident()
            self.most_there = max(self.most_there, len(self._there))
            weakref.finalize(array, self._gone, id(array))
        return array

    def _gone(self, key: int) -> None:
        with self._lock:
            del self._there[key]
            self._back.discard(key)
            if key in self._read:
                self.faults.append("an array was given back while the device may still read it")

    @contextmanager
    def computing(self) -> Iterator[None]:
        with self._lock:
            for array, host in self._pending:
                array._array[...] = host
            self._pending.clear()
        yield
        with self._lock:
            # What has come back is not read by what is computed for other slabs.
            self._read |= set(self._there) - self._back

    def copy_out(self, array: Any, host: Callable[[tuple[int, ...], Any], Any]) -> Any:
        result = host(array.shape, np.dtype(array._array.dtype))
        result[...] = array._array
        with self._lock:
            of_this = {key for key, thread in self._there.items() if thread == threading.get_ident()}
            self._read -= of_this
            self._back |= of_this
        return result

    def release(self) -> None:
        self.released += 1
        with self._lock:
            self._read.clear()


def _numpy(array: Any) -> Any:
    return array._array if isinstance(array, strict.asarray(0).__class__) else array


class ProcessorKernels:
    """The kernels of the processors, for arrays of the stand-in."""

    def flat_log(
        self,
        counts: Any,
        dark: Any,
        bright: Any,
        lower: Any,
        fraction: Any,
        out: Any,
        *,
        lowest_counts: float,
        log: bool,
    ) -> Any:
        angles, pixels = counts.shape[0], counts.shape[1] * counts.shape[2]
        tally = np.zeros((3, angles), np.int64)
        extension().normalise(
            _numpy(counts).reshape(angles, pixels), _numpy(dark).reshape(pixels), _numpy(bright).reshape(-1, pixels),
            _numpy(lower), _numpy(fraction), lowest_counts, LOWEST_TRANSMISSION, log,
            _numpy(out).reshape(angles, pixels), tally, 1, level(),
        )  # fmt: skip
        return there(tally)

    def fill_invalid(self, frames: Any, empty: float) -> int:
        return fill_invalid(_numpy(frames), empty)

    def fbp_tables(self, task: Any) -> Any:
        return task

    def grid_fbp(self, sinogram: Any, tables: Any, out: Any, *, half: bool = False) -> None:
        assert _numpy(out).flags.c_contiguous
        gridding.backproject(_numpy(sinogram), tables, _numpy(out))

    def sort_stripes(self, sinograms: Any, size: int, out: Any, *, strength: float = 1.0) -> None:
        remove_stripes_by_sorting(_numpy(sinograms), size, strength=strength, out=_numpy(out))

    def projection_tables(self, angles_deg: Any, axis_column: float, columns: int, size: int) -> Any:
        return projection.make_rays(angles_deg, axis_column, columns, size)

    def project(self, images: Any, tables: Any, out: Any) -> None:
        for row, image in enumerate(_numpy(images)):
            _numpy(out)[:, row] = projection.forward(tables, image)

    def project_adjoint(self, sinogram: Any, tables: Any, out: Any) -> None:
        for row, made in enumerate(_numpy(out)):
            made[...] = projection.adjoint(tables, np.ascontiguousarray(_numpy(sinogram)[:, row]))

    def despike(self, frames: Any, noise: Any, out: Any, **how: Any) -> int:
        how["pattern"] = Pattern(_numpy(how["pattern"].dark), _numpy(how["pattern"].relative))
        how |= {name: _numpy(how[name]) for name in ("beside", "more")}
        return remove_spikes(_numpy(frames), noise, out=_numpy(out), **how)[1]


class CudaKernels:
    """The CUDA kernels themselves, run as C++ on the processor, for arrays of the stand-in."""

    def __init__(self, modules: Any) -> None:
        self._there = KernelsThere(modules)

    def __getattr__(self, name: str) -> Any:
        kernel = getattr(self._there, name)
        return lambda *arguments, **how: kernel(*map(_numpy, arguments), **how)


def put_in_place(monkeypatch: pytest.MonkeyPatch, stand_in: StandIn, kernels: Any = None) -> StandIn:
    """Let the program find a stand-in where it looks for a GPU."""
    fbp_there.forget_tables()
    monkeypatch.setattr(devices, "open_device", lambda _index: stand_in)
    monkeypatch.setitem(devices.KERNELS, "array_api_strict", lambda _array: kernels or ProcessorKernels())
    for module in (resources, engines):
        monkeypatch.setattr(module, "why_not", lambda: None)
    return stand_in
