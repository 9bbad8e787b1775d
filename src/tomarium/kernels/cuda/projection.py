"""Forward projection and its exact transpose on a GPU; `tomarium.kernels.projection` is the twin."""

from __future__ import annotations

from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.backprojection.gridding import TAPS
from tomarium.kernels.backprojection.kaiser_bessel import shape_parameter
from tomarium.kernels.cuda.gridding import (
    PAIRS,
    ROWS,
    THREADS,
    GridTables,
    gathered,
    make_tables,
    polar_samples,
    transformed,
    write_slices,
)
from tomarium.kernels.cuda.modules import Modules
from tomarium.kernels.projection import projected_length
from tomarium.kernels.ramp import good_length

OVERSAMPLING: Final = 2.0
"""Grid cells per pixel: with six taps the projections are exact to some 1e-6 then."""


def projection_tables(
    modules: Modules, angles_deg: NDArray[np.float64], axis_column: float, columns: int, size: int
) -> GridTables:
    """Work out the tables of one geometry, once for all slices and iterations.

    Parameters
    ----------
    modules : Modules
        Of the device.
    angles_deg : array of float64, shape (view,)
        Degrees, in any order.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    columns, size : int
        Columns of the detector and pixels along an edge of the slices.

    Returns
    -------
    GridTables
        On the device.
    """
    angles = np.deg2rad(np.asarray(angles_deg, np.float64))
    cosine, sine = np.cos(angles), -np.sin(angles)
    period = projected_length(axis_column, columns, size)
    response = np.ones(period // 2 + 1)
    response[-1] = 0  # nothing at the Nyquist frequency, as in `tomarium.kernels.projection`
    cells = good_length(max(ceil(OVERSAMPLING * size), size + 2 * TAPS))
    return make_tables(
        modules,
        (cosine, sine, np.full(len(angles), float(axis_column)), np.ones(len(angles))),
        response,
        (columns, size, (0, size, 0, size), period, cells),
        shape_parameter(TAPS, OVERSAMPLING),
        scale=1 / period,
        extend_edges=False,
        disc=False,
    )


def project(modules: Modules, images: Any, tables: GridTables, out: Any) -> None:
    """Project slices along parallel rays.

    Parameters
    ----------
    modules : Modules
        Of the device.
    images : array of float32, shape (row, y, x)
        Square slices.
    tables : GridTables
        Of `projection_tables`.
    out : array of float32, shape (view, row, column)
        Where the line integrals go.

    Raises
    ------
    InputError
        Shapes do not fit.
    """
    xp, views = modules.xp, len(tables.order)
    _demand_fit("project", images, out, tables)
    cells, period = tables.cells, tables.period
    options = (*tables.options, f"-DTAPS={TAPS}")
    place = modules.kernel("projection", "place_slices", options)
    read = modules.kernel("projection", "read_samples", options)
    for first in range(0, len(images), ROWS):
        grid = xp.empty((PAIRS, cells, cells), np.complex64)
        place(
            (-(-cells // 32), -(-cells // 8), PAIRS), (32, 8),
            (images, tables.correction, grid, *map(np.int32, (first, len(images), tables.size, cells))),
        )  # fmt: skip
        grid = xp.fft.fft2(grid, axes=(1, 2))
        spectrum = xp.empty((PAIRS, views, period), np.complex64)
        read(
            (-(-period // THREADS), views), (THREADS,),
            (grid, tables.steps, tables.order, tables.shift, spectrum, *map(np.int32, (views, period // 2, cells)),
             np.float32(1 / period)),
        )  # fmt: skip
        rows = xp.fft.ifft(spectrum, axis=2, norm="forward")[:, :, : tables.columns]
        for row in range(first, min(first + ROWS, len(images))):
            pair = rows[(row - first) // 2]
            out[:, row] = pair.imag if (row - first) % 2 else pair.real


def project_adjoint(modules: Modules, sinogram: Any, tables: GridTables, out: Any) -> None:
    """Apply the transpose of `project`: backprojection without filter and weights.

    Parameters
    ----------
    modules : Modules
        Of the device.
    sinogram : array of float32, shape (view, row, column)
        Line integrals.
    tables : GridTables
        Of `projection_tables`.
    out : array of float32, shape (row, y, x)
        Where the sum over the views goes.

    Raises
    ------
    InputError
        Shapes do not fit.
    """
    xp = modules.xp
    _demand_fit("project_adjoint", out, sinogram, tables)
    padded = xp.zeros((len(sinogram), ROWS, tables.period), np.float32)
    not_finite = xp.zeros(1, np.uint32)
    for first in range(0, len(out), ROWS):
        part = slice(first, min(first + ROWS, len(out)))
        samples = polar_samples(modules, sinogram[:, part], padded, tables, part, not_finite)
        write_slices(modules, transformed(modules, gathered(modules, samples, tables)), tables, first, out)


def _demand_fit(name: str, images: Any, rows: Any, tables: GridTables) -> None:
    size = tables.size
    if images.shape[1:] != (size, size) or rows.shape != (len(tables.order), len(images), tables.columns):
        raise InputError(
            f"{name}: slices have shape {images.shape} and projections {rows.shape}; give (row, {size}, {size}) and "
            f"({len(tables.order)}, row, {tables.columns})"
        )
