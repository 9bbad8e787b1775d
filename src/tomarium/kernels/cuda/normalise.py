"""Flat field and logarithm of counts that lie on a device: `tomarium.kernels.flat_field.normalise` there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.array import contiguous, empty_there, like, namespace, numpy_dtype, on_host
from tomarium.kernels.cuda.device import kernels_of
from tomarium.kernels.flat_field import Report, check_shapes, interpolation


def normalise_there(
    counts: Any,
    dark: NDArray[Any],
    flats: NDArray[Any],
    flat_position: NDArray[np.float64],
    projection_position: NDArray[np.float64],
    *,
    log: bool = True,
    lowest_counts: float = 0.5,
) -> tuple[Any, Report]:
    """Divide projections by the flat field and take the logarithm, where they lie.

    Parameters
    ----------
    counts : array, shape (angle, row, column)
        Detector counts, on a device.
    dark, flats, flat_position, projection_position, log, lowest_counts
        See `tomarium.kernels.flat_field.normalise`; on the host.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Attenuation or transmission, on the device.
    Report
        How many values were clipped or replaced; it waits for the device.

    Raises
    ------
    InputError
        Shapes do not fit, or positions are not finite or do not increase.
    EngineUnavailable
        There are no kernels for such arrays.
    """
    check_shapes(counts, dark, flats)
    lower, fraction = interpolation(flat_position, projection_position, len(flats), counts.shape[0])
    modules = kernels_of(counts)
    if numpy_dtype(counts) not in (np.uint16, np.float32):
        xp = namespace(counts)
        counts = xp.astype(counts, xp.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        bright = (flats.astype(np.float64) - dark).astype(np.float32)
    out = empty_there(counts, counts.shape)
    tally = modules.flat_log(
        contiguous(counts),
        like(np.ascontiguousarray(dark, np.float32), counts),
        like(bright, counts),
        like(lower, counts),
        like(fraction, counts),
        out,
        lowest_counts=lowest_counts,
        log=log,
    )
    clipped, dead, not_finite = (int(n) for n in on_host(tally).sum(axis=1))
    empty = modules.fill_invalid(out, 0.0 if log else 1.0) if dead or not_finite else 0
    return out, Report(int(np.prod(counts.shape)), clipped, dead, not_finite, empty)
