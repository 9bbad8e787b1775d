"""Values of a range spread over the whole numbers of 8 or 16 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import ParameterError

TYPES: Final = ("uint8", "uint16")
"""Types of the numbers."""

_BLOCK: Final = 1 << 14
"""Values that NumPy takes at a time: with what they become they stay in the processor's cache."""

_SMALL: Final = 1 << 16
"""Values at least for each thread; fewer are done before another one has begun."""


@dataclass
class Beyond:
    """How many values have no number of their own.

    Attributes
    ----------
    below, above : int
        Values below the lower limit and above the upper one; they became 0 and the greatest number.
    not_finite : int
        NaN and infinity.
    """

    below: int = 0
    above: int = 0
    not_finite: int = 0


def quantise(
    values: NDArray[Any],
    low: float,
    high: float,
    dtype: Any,
    *,
    out: NDArray[Any] | None = None,
    beyond: Beyond | None = None,
    engine: Engine = "auto",
    threads: int | None = None,
) -> NDArray[Any]:
    """Spread the values of a range over all numbers of a type.

    number = floor((value - low) · most / (high - low) + 1/2), clipped to 0 … most, most being 255 or 65535; in double
    precision. NaN becomes 0.

    Parameters
    ----------
    values : array
        Real numbers. The compiled kernel takes float32 and float64 that are C-contiguous; of others NumPy is used.
    low, high : float
        Values that become 0 and the greatest number; high is larger.
    dtype : {"uint8", "uint16"}
        Type of the numbers.
    out : array of that type, of the shape of `values`, optional
        Where the numbers go; C-contiguous.
    beyond : Beyond, optional
        What lies beyond the limits is added to it.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy, with the same numbers; "auto" takes the compiled one where it is there.
    threads : int, optional
        Threads of the compiled kernel; by default every processor of this process.

    Returns
    -------
    array of `dtype`
        The numbers, of the shape of `values`.

    Raises
    ------
    ParameterError
        There is no such type or engine, the limits do not ascend, or `out` does not suit.
    EngineUnavailable
        The compiled kernel was asked for and is not there.
    """
    kind = np.dtype(dtype)
    if kind.name not in TYPES:
        raise ParameterError(f"quantise: numbers of type {kind} are not made; choose {' or '.join(TYPES)}")
    if not low < high:
        raise ParameterError(f"quantise: the limits are {low:g} and {high:g}; give the lower one first")
    if out is None:
        out = np.empty(values.shape, kind)
    elif out.shape != values.shape or out.dtype != kind or not out.flags.c_contiguous:
        raise ParameterError(
            f"quantise: out is {out.dtype} of shape {out.shape}; give C-contiguous {kind} of shape {values.shape}"
        )
    flat, numbers = values.reshape(-1), out.reshape(-1)
    scale = float(np.iinfo(kind).max) / (high - low)
    suits = values.dtype in (np.float32, np.float64) and values.dtype.isnative and values.flags.c_contiguous
    if takes_compiled(engine, "quantise") and suits:
        thread_count = max(1, min(threads or processors(), flat.size // _SMALL))
        counts = np.zeros(0 if beyond is None else 3, np.int64)
        extension().quantise(flat, low, high, scale, numbers, counts, thread_count, level())
        if beyond is not None:
            _add(beyond, counts.tolist())
        return out
    scratch = np.empty(min(_BLOCK, flat.size))
    for first in range(0, flat.size, _BLOCK):
        block = flat[first : first + _BLOCK]
        _quantise_block(block, low, scale, scratch[: block.size], numbers[first : first + _BLOCK])
        if beyond is not None:
            counted = (block < low, block > high, ~np.isfinite(block))
            _add(beyond, [int(np.count_nonzero(one)) for one in counted])
    return out


def _add(beyond: Beyond, counts: list[int]) -> None:
    beyond.below += counts[0]
    beyond.above += counts[1]
    beyond.not_finite += counts[2]


def _quantise_block(
    values: NDArray[Any], low: float, scale: float, scratch: NDArray[np.float64], out: NDArray[Any]
) -> None:
    np.subtract(values, low, out=scratch, dtype=np.float64)
    scratch *= scale
    np.fmax(scratch, 0, out=scratch)  # of NaN and 0 it takes 0
    np.fmin(scratch, float(np.iinfo(out.dtype).max), out=scratch)
    scratch += 0.5
    out[:] = scratch  # cut to whole numbers, of which none is negative
