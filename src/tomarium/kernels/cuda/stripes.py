"""Stripes of sinograms by sorting on a GPU; native/sorting.h is the twin."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.cuda.modules import Modules
from tomarium.kernels.stripes import LARGEST

THREADS: Final = 128
"""Of a block, as in stripes.cu."""

LINES: Final = 65535
"""Blocks along the second axis of a grid, at most."""

VALUES: Final = 1 << 26
"""Values that are sorted at a time, so that their places need half a gigabyte."""


def sort_stripes(modules: Modules, sinograms: Any, size: int, out: Any, *, strength: float = 1.0) -> None:
    """Remove stripes by sorting; see `tomarium.kernels.stripes.remove_stripes_by_sorting`.

    Parameters
    ----------
    modules : Modules
        Of the device.
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, finite.
    size : int
        Columns of the median, odd, at most 101.
    out : array of float32, shape (angle, row, column)
        Where the result goes; another array than the sinograms.
    strength : float
        How much of what was found is removed; 1 is all.

    Raises
    ------
    ParameterError
        `size` is even, or not within 1 and 101.
    InputError
        `out` does not fit, or a value is not finite.
    """
    xp, (angles, rows, columns) = modules.xp, sinograms.shape
    if size % 2 == 0 or not 1 <= size <= LARGEST:
        raise ParameterError(
            f"sort_stripes: size is {size}; give an odd number of columns from 1 to {LARGEST}"
        )
    if out.shape != sinograms.shape:
        raise InputError(
            f"sort_stripes: sinograms have shape {sinograms.shape} and out {out.shape}; give one shape"
        )
    if not bool(xp.isfinite(sinograms).all()):
        raise InputError("sort_stripes: a value is not finite; normalise with flat and dark fields first")
    median = modules.kernel("stripes", "median_of_ranks", (f"-DSIZE={size}",))
    together = max(1, VALUES // max(1, angles * columns))
    for first in range(0, rows, together):
        part = sinograms[:, first : first + together]
        order = xp.argsort(part, axis=0, kind="stable")
        ranked = xp.ascontiguousarray(xp.take_along_axis(part, order, axis=0))
        order = xp.ascontiguousarray(order)
        for line in range(0, angles * part.shape[1], LINES):
            median(
                (-(-columns // THREADS), min(LINES, angles * part.shape[1] - line)), (THREADS,),
                (ranked, order, out, np.int32(part.shape[1]), np.int32(columns), np.int64(line), np.int32(rows),
                 np.int32(first), np.float32(strength)),
            )  # fmt: skip
