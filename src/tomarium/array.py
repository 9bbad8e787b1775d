"""Where an array lies and which functions suit it there; devices are said aloud, never faked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

M_MMAP_THRESHOLD: Final = -3
"""Number of that setting in malloc.h of the GNU C library."""

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
    return array.__array_namespace__()


def processors() -> int:
    """Return how many processors this process may use.

    Returns
    -------
    int
        Count of the scheduler's affinity mask, at least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Return how much memory a process may still take without pushing others out.

    Returns
    -------
    int
        Bytes: what the kernel calls available, or less where a control group (container, batch job) sets
        a limit; 4 GB where the system does not tell.
    """
    limits = [_kernel_available(), _group_available()]
    return min([limit for limit in limits if limit is not None], default=4_000_000_000)


def _kernel_available() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None


def _group_available() -> int | None:
    """Linux control groups, version 2: memory.max less memory.current."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if limit == "max" else max(int(limit) - int(used), 0)


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
    return setting is not None and setting(M_MMAP_THRESHOLD, LARGE_BYTES) == 1
