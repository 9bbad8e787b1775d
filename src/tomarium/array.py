"""Where an array lies and which functions suit it there; devices are said aloud, never faked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import control_groups
from tomarium.optional_packages import optional_import

M_MMAP_THRESHOLD: Final = -3
"""Number of that setting in malloc.h of the GNU C library."""

M_TRIM_THRESHOLD: Final = -1
M_ARENA_MAX: Final = -8
"""Numbers of further ones."""

KEPT_BYTES: Final = 1 << 27
"""Freed memory of small blocks that a process keeps for itself."""

LARGE_BYTES: Final = 1 << 24
"""Below this, giving blocks back and fetching them anew was seen to cost more than a tenth of a run's time."""


def namespace(array: Any) -> Any:
    """Return the module whose functions work on `array` where it lies.

    Parameters
    ----------
    array : array
        NumPy or CuPy array.

    Returns
    -------
    module
        `numpy`, or the array's own namespace by the Python array API standard
        (https://data-apis.org/array-api/, `__array_namespace__`).
    """
    if isinstance(array, np.ndarray):
        return np
    if (
        type(array).__module__.partition(".")[0] == "cupy"
    ):  # whose own namespace lacks some names of the standard
        return optional_import("array_api_compat.cupy", "gpu")
    return array.__array_namespace__()


def lies_elsewhere(array: Any) -> bool:
    """Tell whether something is an array that NumPy does not work on: of CuPy, or of the array API standard.

    Parameters
    ----------
    array : object
        Array, or what NumPy makes one of.

    Returns
    -------
    bool
        False of what `numpy.asarray` takes.
    """
    if isinstance(array, np.ndarray | np.generic):
        return False
    return type(array).__module__.partition(".")[0] == "cupy" or hasattr(array, "__array_namespace__")


def on_host(array: Any) -> NDArray[Any]:
    """Return what an array holds as one of NumPy; of an array elsewhere, few values, for it waits for them.

    Parameters
    ----------
    array : array
        Wherever it lies.

    Returns
    -------
    array
        The same one where it is NumPy's, else a copy.
    """
    if isinstance(array, np.ndarray):
        return array
    if hasattr(array, "get"):  # CuPy
        return np.asarray(array.get())
    host = namespace(array).__array_namespace_info__().default_device()
    return np.asarray(array.to_device(host))


def like(host: Any, array: Any) -> Any:
    """Return a copy of an array of the host where another one lies.

    Parameters
    ----------
    host : array
        NumPy's.
    array : array
        Tells the place.

    Returns
    -------
    array
        Of the same shape and type as `host`.
    """
    return namespace(array).asarray(host, device=array.device)


def empty_there(array: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of float32 where another one lies, not initialised.

    Parameters
    ----------
    array : array
        Tells the place.
    shape : tuple of int
        Of the new one.

    Returns
    -------
    array of float32
        In C order.
    """
    xp = namespace(array)
    return xp.empty(shape, dtype=xp.float32, device=array.device)


def zeros_there(array: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of float32 where another one lies, all zero.

    Parameters
    ----------
    array : array
        Tells the place.
    shape : tuple of int
        Of the new one.

    Returns
    -------
    array of float32
        In C order.
    """
    if isinstance(array, np.ndarray):
        return np.zeros(shape, np.float32)
    xp = namespace(array)
    return xp.zeros(shape, dtype=xp.float32, device=array.device)


def not_negative(array: Any) -> Any:
    """Return an array with 0 in place of what is below.

    Parameters
    ----------
    array : array of float
        The caller's own: one of NumPy is changed.

    Returns
    -------
    array
        The same one where it is NumPy's.
    """
    if isinstance(array, np.ndarray):
        return np.maximum(array, 0, out=array)
    return namespace(array).maximum(array, 0.0)


def contiguous(array: Any) -> Any:
    """Return an array in C order.

    Parameters
    ----------
    array : array
        Wherever it lies.

    Returns
    -------
    array
        The same one where it is in C order, else a copy.
    """
    flags = getattr(array, "flags", None)
    if flags is not None and flags.c_contiguous:
        return array
    xp = namespace(array)
    return getattr(xp, "ascontiguousarray", lambda value: xp.asarray(value, copy=True))(array)


def numpy_dtype(array: Any) -> np.dtype[Any]:
    """Return the type of an array's numbers as NumPy names it, wherever the array lies.

    Parameters
    ----------
    array : array
        NumPy, CuPy or any other of the array API standard.

    Returns
    -------
    numpy.dtype
        Of the same name.
    """
    return np.dtype(str(array.dtype).rpartition(".")[2])


def processors() -> int:
    """Return how many processors this process may use.

    Returns
    -------
    int
        Count of the scheduler's affinity mask, or of the whole processors whose time a control group
        (container, batch job) gives where that is less; at least 1.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = control_groups.processors()
    return available if allowed is None else max(1, min(available, int(allowed + 0.5)))


def available_memory() -> int:
    """Return how much memory a process may still take without pushing others out.

    Returns
    -------
    int
        Bytes: what the kernel calls available, or less where a control group (container, batch job) sets
        a limit; 4 GB where the system does not tell.
    """
    limits = [_kernel_available(), control_groups.available_memory()]
    return min([limit for limit in limits if limit is not None], default=4_000_000_000)


def _kernel_available() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None


def return_freed_memory() -> bool:
    """Let the system have large blocks of memory back as soon as they are freed.

    The GNU C library raises the size from which it does so with every block that is freed (M_MMAP_THRESHOLD
    in mallopt(3)); slabs of several threads then leave holes that no other slab fits into, and a run was seen
    to take twice the memory it had planned.

    Returns
    -------
    bool
        Whether the C library of this process knows that setting.
    """
    import ctypes

    if not sys.platform.startswith("linux"):
        return False
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    if setting is None:
        return False
    setting(M_ARENA_MAX, 1)  # threads that come and go would each leave a heap of their own
    setting(M_TRIM_THRESHOLD, KEPT_BYTES)  # small blocks (packed chunks) are used again, not fetched anew
    return bool(setting(M_MMAP_THRESHOLD, LARGE_BYTES) == 1)
