"""Direct backprojection on a GPU; native/direct.h is the twin."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tomarium.errors import InputError
from tomarium.kernels.backprojection.direct import ANGLES, OVERSAMPLING
from tomarium.kernels.backprojection.geometry import Task
from tomarium.kernels.cuda.modules import Modules

ROWS: Final = 4
"""Rows that a thread sums."""

FILTERED_ROWS: Final = 16
"""Rows that are filtered together."""


def backproject(
    modules: Modules,
    filtered: Any,
    directions: Any,
    size: int,
    region: tuple[int, int, int, int],
    out: Any,
) -> None:
    """Add every filtered projection to every pixel of the disc, interpolated linearly.

    Parameters
    ----------
    modules : Modules
        Of the device.
    filtered : array of float32, shape (angle, row, sample)
        Filtered projections, angular weight included.
    directions : array of float64, shape (3, angle)
        Samples per pixel to the right, per row downwards, and the sample of the rotation axis.
    size : int
        Pixels along an edge of the whole image.
    region : tuple of int
        (y0, y1, x0, x1): the part of it that `out` holds, ends excluded.
    out : array of float32, shape (row, y1 - y0, x1 - x0)
        Added to.

    Raises
    ------
    InputError
        Shapes do not fit.
    """
    angles, rows, samples = filtered.shape
    y0, y1, x0, x1 = region
    if directions.shape != (3, angles) or out.shape != (rows, y1 - y0, x1 - x0):
        raise InputError(
            f"backproject: projections have shape {filtered.shape}, directions {directions.shape} and out {out.shape}; "
            f"give (3, {angles}) directions and {rows} slices of {y1 - y0} x {x1 - x0}"
        )
    modules.kernel("direct", "backproject", (f"-DROWS={ROWS}",))(
        (-(-(x1 - x0) // 32), -(-(y1 - y0) // 8), -(-rows // ROWS)), (32, 8),
        (filtered, directions, out, *map(np.int32, (angles, rows, samples, size, y0, y1, x0, x1))),
    )  # fmt: skip


def direct_fbp(modules: Modules, sinogram: Any, task: Task, out: Any) -> None:
    """Filter and backproject; see `tomarium.kernels.backprojection.direct`.

    Parameters
    ----------
    modules : Modules
        Of the device.
    sinogram : array of float32, shape (angle, row, column)
        Attenuation, finite.
    task : Task
        What to reconstruct.
    out : array of float32, shape (row, y, x)
        Where the result goes.
    """
    xp = modules.xp
    out[...] = 0
    directions = np.stack([task.cosine, task.sine, task.axes + task.left]) * OVERSAMPLING
    weight = xp.asarray((task.weight * task.scale).astype(np.float32)[:, None, None])
    factors = xp.asarray(_factors(task))
    for row in range(0, sinogram.shape[1], FILTERED_ROWS):
        rows = slice(row, row + FILTERED_ROWS)
        for k in range(0, len(task.weight), ANGLES):
            block = slice(k, k + ANGLES)
            samples = _filtered(xp, sinogram[block, rows] * weight[block], task, factors)
            along = xp.asarray(np.ascontiguousarray(directions[:, block]))
            backproject(modules, samples, along, task.size, task.region, out[rows])
            del samples  # the largest array here; the next block must not find it still there


def _factors(task: Task) -> Any:
    """Return the filter's response over that of the linear interpolation that will read the samples."""
    count = len(task.response)
    factors = task.response / np.sinc(np.arange(count) / (task.padded * OVERSAMPLING)) ** 2 / task.padded
    factors[-1] /= 2  # the Nyquist frequency is now two, each with half
    return factors.astype(np.float32)


def _filtered(xp: Any, rows: Any, task: Task, factors: Any) -> Any:
    """Do what `tomarium.kernels.ramp.filtered_samples` does, by the transforms of the device."""
    angles, count, columns = rows.shape
    left, padded = task.left, task.padded
    real = xp.zeros((angles, count, padded), np.float32)
    real[:, :, left : left + columns] = rows
    if task.padding == "edge":
        middle = left + columns + (padded - columns) // 2
        real[:, :, left + columns : middle] = rows[:, :, -1:]
        real[:, :, :left] = real[:, :, middle:] = rows[:, :, :1]
    spectrum = xp.zeros((angles, count, padded * OVERSAMPLING // 2 + 1), np.complex64)
    spectrum[:, :, : padded // 2 + 1] = xp.fft.rfft(real, axis=2) * factors
    return xp.fft.irfft(spectrum, n=padded * OVERSAMPLING, axis=2, norm="forward")
