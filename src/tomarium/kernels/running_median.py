"""Medians in a window that moves along the last axis."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


def running_median(values: NDArray[np.floating], width: int) -> NDArray[np.floating]:
    """Return the median in a window about each element of the last axis.

    Parameters
    ----------
    values : array, shape (…, column)
        Any finite numbers.
    width : int
        Window in elements; an even one is widened by one. Beyond the ends the end value is repeated.

    Returns
    -------
    array, shape (…, column)
        Medians, of the input's type.
    """
    half = width // 2
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(half, half)], mode="edge")
    return np.asarray(np.median(sliding_window_view(padded, 2 * half + 1, axis=-1), axis=-1), values.dtype)
