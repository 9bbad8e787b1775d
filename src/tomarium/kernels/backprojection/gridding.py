"""Filtered backprojection by gridding in Fourier space, in the compiled extension: the default engine.

Sixteen slices are worked on side by side, or four where no more are asked for; `native/gridding.h` tells how.
"""

from __future__ import annotations

from functools import cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import extension, level
from tomarium.errors import InputError
from tomarium.kernels.backprojection.geometry import Task, padded_length
from tomarium.kernels.backprojection.kaiser_bessel import correction, shape_parameter
from tomarium.kernels.backprojection.short_period import short_period
from tomarium.kernels.ramp import filter_response, good_length

TAPS = 6
"""Cells along an edge of a sample's footprint, as in native/kernels.h."""

OVERSAMPLING = 1.25
"""Grid cells per pixel of the image."""

BATCH, FEW = 16, 4
"""Rows worked on side by side, and where no more than a few are asked for, as in native/kernels.h."""

DEGREE = 7
"""Of the polynomials that stand for the kernel: their error, 5e-8 of its height, is below the precision of float32."""


def backproject(sinogram: NDArray[np.float32], task: Task, out: NDArray[np.float32]) -> None:
    """Reconstruct by gridding.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, row, column)
        Attenuation; columns contiguous.
    task : Task
        What to reconstruct.
    out : array of float32, shape (row, y, x)
        Where the result goes; C-contiguous.

    Raises
    ------
    InputError
        The sinogram holds a value that is not finite.

    References
    ----------
    O'Sullivan (1985), doi 10.1109/TMI.1985.4307723; Beatty et al. (2005), doi 10.1109/TMI.2005.848376.
    """
    direction = np.mod(np.arctan2(task.sine, task.cosine), np.pi)
    direction[direction >= np.pi] = 0.0  # the remainder of a tiny negative angle rounds up to pi
    order = np.argsort(direction, kind="stable").astype(np.int32)
    directions = np.ascontiguousarray(
        np.stack([direction, task.cosine, task.sine, task.weight, task.axes])[:, order]
    )
    grid, short = grid_length(task.size), short_period(task)
    response = filter_response(short.period, task.window, task.cutoff).astype(np.float32)
    broken = extension().gridding(
        sinogram, order, directions, response, task.padding == "edge", short.block, short.far, short.ranges,
        short.spectrum, np.zeros(0) if task.row_offsets is None else task.row_offsets, task.size, task.region,
        grid, _polynomials(), _correction(task.size, grid),
        task.scale, out, task.threads, level(),
    )  # fmt: skip
    if broken:
        raise InputError(not_finite(sinogram))


def not_finite(sinogram: NDArray[np.floating], name: str = "fbp") -> str:
    """Return the message that names the first value that is not finite.

    Parameters
    ----------
    sinogram : array of float, shape (angle, row, column)
        Attenuation.
    name : str
        Of the step that refuses it.

    Returns
    -------
    str
        Where it lies, and what to do.
    """
    where = [int(i) for i in np.argwhere(~np.isfinite(sinogram))[0]]
    return (
        f"{name}: the sinogram is {sinogram[tuple(where)]} at (angle, row, column) = {tuple(where)}; "
        f"every value must be finite: normalise with flat and dark fields, or remove the projection"
    )


def grid_length(size: int) -> int:
    """Return the grid cells along an edge for an image.

    Parameters
    ----------
    size : int
        Pixels along an edge of the image.

    Returns
    -------
    int
        Cells.
    """
    return good_length(max(ceil(OVERSAMPLING * size), size + 2 * TAPS, 64))


def scratch_bytes(angles: int, rows: int, columns: int, axis_column: float, size: int, threads: int) -> int:
    """Return the memory a call takes beside its input and output.

    Parameters
    ----------
    angles, rows, columns, size, threads : int
        See `Task`.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.

    Returns
    -------
    int
        Upper bound in bytes.
    """
    padded, grid = padded_length(columns, axis_column, size), grid_length(size)
    line, page, strip = 4 * (FEW if rows <= FEW else BATCH), 2**21, 32
    own = max(2 * padded, (strip + 2 * TAPS) * (grid + 3 * TAPS + 2) + grid, 5 * grid) + 4
    lines = angles * (padded + 1) + grid * (size + 16) + threads * own
    return lines * line + 3 * page + 16 * (padded + grid) + 40 * angles


@cache
def _polynomials() -> NDArray[np.float32]:
    """Tap j of the kernel as a polynomial of z in [-1, 1], shape (DEGREE + 1, 8), highest power first.

    A sample lies (z + 1) / 2 below its footprint's first cell less half the width of the footprint.
    """
    beta = shape_parameter(TAPS, OVERSAMPLING)
    table = np.zeros((DEGREE + 1, 8), np.float32)
    for tap in range(TAPS):

        def kernel(z: NDArray[np.float64], tap: int = tap) -> NDArray[np.float64]:
            distance = (z + 1) / 2 + tap - TAPS / 2
            root = np.sqrt(np.clip(1 - (2 * distance / TAPS) ** 2, 0, None))
            values: NDArray[np.float64] = np.i0(beta * root) / np.i0(beta)
            return values

        fit = np.polynomial.Chebyshev.interpolate(kernel, DEGREE)
        table[:, tap] = fit.convert(kind=np.polynomial.Polynomial).coef[::-1]
    return table


@cache
def _correction(size: int, grid: int) -> NDArray[np.float32]:
    return correction(size, grid, TAPS, shape_parameter(TAPS, OVERSAMPLING))
