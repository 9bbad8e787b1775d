"""Where an array lies and which functions suit it there; devices are said aloud, never faked."""

from __future__ import annotations

import os
from typing import Any

import numpy as np


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
