"""Values scaled to integers, with the range they stand for kept, so that the scaling can be undone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError


def to_grey(values: NDArray[Any], low: float, high: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Scale values to unsigned integers.

    `low`, `high`: the values that become 0 and the greatest integer; what lies beyond becomes these, NaN
    becomes 0. Result: of the same shape, rounded to the nearest integer.
    """
    if dtype.name not in ("uint8", "uint16") or not (
        math.isfinite(low) and math.isfinite(high) and low < high
    ):
        raise InputError(
            f"a grey range from {low} to {high} in {dtype.name} cannot be; give two finite values, the lower "
            f"first, and uint8 or uint16"
        )
    greatest = np.iinfo(dtype).max
    # float32 holds every integer up to 65535; the scale is applied in float64 where the values have it.
    work = np.dtype(np.float64 if values.dtype.itemsize > 4 else np.float32)
    scaled: NDArray[Any] = values.astype(work)
    scaled -= low
    scaled *= greatest / (high - low)
    grey: NDArray[Any] = np.rint(np.nan_to_num(np.clip(scaled, 0, greatest), nan=0.0)).astype(dtype)
    return grey


def from_grey(stored: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """Undo `to_grey`.

    Result: the values, to half a step of (high - low) / 255 or / 65535; what was clipped stays so.
    """
    step = (high - low) / np.iinfo(stored.dtype).max
    return (low + step * stored.astype(np.float64)).astype(np.float32)
