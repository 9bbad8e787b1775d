"""Filtered backprojection by gridding on a GPU, and the tables that it needs; native/gridding.h is the twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.backprojection import gridding
from tomarium.kernels.backprojection.geometry import Task
from tomarium.kernels.backprojection.kaiser_bessel import coefficients, correction, shape_parameter
from tomarium.kernels.backprojection.short_period import short_period
from tomarium.kernels.cuda.modules import Modules
from tomarium.kernels.ramp import filter_response

PAIRS: Final = 4
"""Pairs of rows that go together: their samples share the weights of gridding."""

ROWS: Final = 2 * PAIRS
"""Rows that go together; a last group is filled up with zeros, so that all are worked out alike."""

TILE: Final = 16
"""Cells along an edge of what a block gathers, as in gridding.cu."""

THREADS: Final = 256
"""Of a block."""

HALF_SCALE: Final = 256.0
"""By which samples are multiplied while they are stored: attenuation fills the range of 16-bit floats better so."""

Region = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class GridTables:
    """One geometry, as the kernels of a device want it. Made by `fbp_tables` and `projection_tables`.

    Arrays lie on the device; those of the angles are sorted by direction.

    Attributes
    ----------
    columns, size : int
        Columns of the detector and pixels along an edge of the whole image.
    region : tuple of int
        (y0, y1, x0, x1): the part of it that is wanted, ends excluded.
    period : int
        Samples of a padded projection.
    cells : int
        Grid cells along an edge.
    extend_edges : bool
        Whether projections go on with their edge values.
    disc : bool
        Whether pixels outside of the inscribed disc are 0.
    scale : float
        Factor of the result.
    options : tuple of str
        Of the compiler.
    order : array of int32, shape (angle,)
        Number of each projection.
    bearing : array of float32, shape (angle,)
        Direction in [0, pi), ascending.
    steps : array of float32, shape (angle, 4)
        Grid cells from one frequency to the next along x and y, and what single precision lacks of them.
    shift : array of float64, shape (angle,)
        Pixels by which the origin is moved.
    weight : array of float32, shape (angle,)
        Angular weight over the mean one.
    response : array of float32, shape (period / 2 + 1,)
        Filter.
    offsets : array of float64, shape (row,), or None
        How far the axis of each row lies behind that of the views; on the host.
    correction : array of float32, shape (size,)
        One over the transform of the gridding kernel.
    far : tuple or None
        What a short period lacks: columns of a block, `far` of `short_period` transposed and its factors.
    """

    columns: int
    size: int
    region: Region
    period: int
    cells: int
    extend_edges: bool
    disc: bool
    scale: float
    options: tuple[str, ...]
    order: Any
    bearing: Any
    steps: Any
    shift: Any
    weight: Any
    response: Any
    offsets: NDArray[np.float64] | None
    correction: Any
    far: tuple[int, Any, Any] | None


def fbp_tables(modules: Modules, task: Task) -> GridTables:
    """Work out the tables of one filtered backprojection, once for all slabs.

    Parameters
    ----------
    modules : Modules
        Of the device.
    task : Task
        What to reconstruct, as `tomarium.kernels.backprojection.geometry.make_task` tells it; its `threads` are not
        looked at.

    Returns
    -------
    GridTables
        On the device.
    """
    xp, short, cells = modules.xp, short_period(task), gridding.grid_length(task.size)
    far = None
    if short.far.size:
        factors = short.spectrum[:, 0] + 1j * short.spectrum[:, 1]
        far = (
            short.block,
            xp.asarray(np.ascontiguousarray(short.far.T)),
            xp.asarray(factors.astype(np.complex64)),
        )
    mean = float(task.weight.mean())
    return make_tables(
        modules,
        (task.cosine, task.sine, task.axes, task.weight / mean),
        filter_response(short.period, task.window, task.cutoff),
        (task.columns, task.size, task.region, short.period, cells),
        shape_parameter(gridding.TAPS, gridding.OVERSAMPLING),
        scale=task.scale * mean / short.period,
        extend_edges=task.padding == "edge",
        disc=True,
        offsets=task.row_offsets,
        far=far,
    )


def make_tables(
    modules: Modules,
    views: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    response: NDArray[np.float64],
    sizes: tuple[int, int, Region, int, int],
    beta: float,
    *,
    scale: float,
    extend_edges: bool,
    disc: bool,
    offsets: NDArray[np.float64] | None = None,
    far: tuple[int, Any, Any] | None = None,
) -> GridTables:
    """Put a geometry on the device.

    Parameters
    ----------
    modules : Modules
        Of the device.
    views : tuple of array of float64, shape (angle,)
        Cosine, sine, column of the rotation axis and relative weight of each, in any order.
    response : array of float64, shape (period / 2 + 1,)
        Filter.
    sizes : tuple
        Columns, size, region, period and cells of `GridTables`.
    beta : float
        Shape parameter of the gridding kernel.
    scale, extend_edges, disc, offsets, far
        See `GridTables`.

    Returns
    -------
    GridTables
        On the device.
    """
    xp, (cosine, sine, axes, weight) = modules.xp, views
    columns, size, region, period, cells = sizes
    bearing = np.mod(np.arctan2(sine, cosine), np.pi)
    bearing[bearing >= np.pi] = 0.0  # the remainder of a tiny negative angle rounds up to pi
    order = np.argsort(bearing, kind="stable").astype(np.int32)
    step = np.stack([cosine, sine], axis=1)[order] * (cells / period)
    coarse = step.astype(np.float32)
    # An image of even size has its pixels half-way between the integers of the transform.
    shift = axes + (0.0 if size % 2 else 0.5 * (cosine + sine))
    return GridTables(
        columns, size, region, period, cells, extend_edges, disc, scale / HALF_SCALE,
        (f"-DPAIRS={PAIRS}", f"-DCOEFFICIENTS={coefficients(beta)}"),
        xp.asarray(order),
        xp.asarray(bearing[order].astype(np.float32)),
        xp.asarray(np.concatenate([coarse, (step - coarse).astype(np.float32)], axis=1)),
        xp.asarray(shift[order]),
        xp.asarray((HALF_SCALE * weight[order]).astype(np.float32)),
        xp.asarray(response.astype(np.float32)),
        offsets,
        xp.asarray(correction(size, cells, gridding.TAPS, beta)),
        far,
    )  # fmt: skip


def grid_fbp(modules: Modules, sinogram: Any, tables: GridTables, out: Any, *, half: bool = False) -> None:
    """Reconstruct by gridding.

    1. Rows are padded with zeros, or their edge values, and transformed, `ROWS` at a time.
    2. Their spectra, two rows as one complex series, take the ramp, the move to the axis and the angular weight.
    3. Each tile of the grid gathers the samples whose footprints touch it; grids are transformed.
    4. Pixels of the disc take the grid's value over the transform of the gridding kernel.

    Parameters
    ----------
    modules : Modules
        Of the device.
    sinogram : array of float32, shape (angle, row, column)
        Attenuation.
    tables : GridTables
        Of `fbp_tables`.
    out : array of float32, shape (row, y, x)
        Where the result goes.
    half : bool
        Keep the filtered projections in 16-bit floats, which halves the memory that they take and what is read.

    Raises
    ------
    InputError
        Shapes do not fit, a value of the sinogram is not finite, or with `half` one is beyond what 16 bits hold.
    """
    xp, (angles, rows, columns) = modules.xp, sinogram.shape
    y0, y1, x0, x1 = tables.region
    if (angles, columns) != (len(tables.order), tables.columns) or out.shape != (rows, y1 - y0, x1 - x0):
        raise InputError(
            f"grid_fbp: the sinogram has shape {sinogram.shape} and out {out.shape}; give {len(tables.order)} angles "
            f"of {tables.columns} columns, and slices of {y1 - y0} x {x1 - x0}"
        )
    padded = xp.zeros((angles, ROWS, tables.period), np.float32)
    not_finite = xp.zeros(1, np.uint32)
    for first in range(0, rows, ROWS):
        part = slice(first, min(first + ROWS, rows))
        samples = polar_samples(modules, sinogram[:, part], padded, tables, part, not_finite, half=half)
        grid = gathered(modules, samples, tables, half=half)
        del samples
        write_slices(modules, transformed(modules, grid), tables, first, out)
        del grid
    if int(not_finite[0]):
        if bool(xp.isfinite(sinogram).all()):
            raise InputError(
                "grid_fbp: filtered projections are beyond what 16-bit floats hold; use 32 bits, or attenuation in "
                "units in which it is smaller"
            )
        raise InputError(gridding.not_finite(sinogram))


def polar_samples(
    modules: Modules,
    rows: Any,
    padded: Any,
    tables: GridTables,
    part: slice,
    not_finite: Any,
    *,
    half: bool = False,
) -> Any:
    """Filter some rows, at most `ROWS`.

    Parameters
    ----------
    modules : Modules
        Of the device.
    rows : array of float32, shape (angle, row, column)
        Attenuation.
    padded : array of float32, shape (angle, ROWS, period)
        Scratch, 0 beyond the columns unless `extend_edges`.
    tables : GridTables
        The geometry.
    part : slice
        Which rows of the whole they are.
    not_finite : array of uint32, shape (1,)
        Samples that are not finite are added to it.
    half : bool
        Keep samples in 16 bits.

    Returns
    -------
    array of float32, or of the bits of 16-bit floats, shape (angle, period + 1, ROWS)
        Samples of the pairs (real, imaginary), sorted by direction.
    """
    xp, count, columns = modules.xp, rows.shape[1], tables.columns
    padded[:, :count, :columns] = rows
    padded[:, count:] = 0
    if tables.extend_edges:
        middle = columns + (tables.period - columns) // 2
        padded[:, :count, columns:middle] = rows[:, :, -1:]
        padded[:, :count, middle:] = rows[:, :, :1]
    spectrum = xp.fft.rfft(padded, axis=2)
    if tables.far is not None:
        block, matrix, factors = tables.far
        blocks = matrix.shape[0]
        sums = padded[:, :, : blocks * block].reshape(len(rows), ROWS, blocks, block).sum(axis=3)
        lacking = (sums.reshape(-1, blocks) @ matrix).reshape(len(rows), ROWS, -1)
        spectrum[:, :, : len(factors)] += xp.fft.rfft(lacking, axis=2) * factors
    offsets = tables.shift  # not looked at
    if tables.offsets is not None:
        offsets = xp.asarray(np.resize(tables.offsets[part], ROWS))
    angles, frequencies = len(rows), tables.period + 1
    kind = np.uint16 if half else np.float32
    samples = xp.empty((angles, frequencies, ROWS), kind)
    modules.kernel("gridding", "polar_samples", _options(tables, half))(
        (-(-frequencies // THREADS), angles), (THREADS,),
        (spectrum, tables.order, tables.shift, tables.weight, tables.response, offsets, samples, not_finite,
         np.int32(tables.period // 2), np.int32(tables.offsets is not None)),
    )  # fmt: skip
    return samples


def _options(tables: GridTables, half: bool) -> tuple[str, ...]:
    return (*tables.options, f"-DREACH={gridding.TAPS / 2}f", f"-DHALF={int(half)}")


def gathered(modules: Modules, samples: Any, tables: GridTables, *, half: bool = False) -> Any:
    """Put samples on grids.

    Parameters
    ----------
    modules : Modules
        Of the device.
    samples : array
        See `polar_samples`.
    tables : GridTables
        The geometry.
    half : bool
        Whether samples are kept in 16 bits.

    Returns
    -------
    array of complex64, shape (pair, cells, cells)
        Frequencies along y and x, as a transform wants them.
    """
    xp, cells = modules.xp, tables.cells
    tiles = -(-cells // TILE)
    grid = xp.empty((PAIRS, cells, cells), np.complex64)
    modules.kernel("gridding", "gather", _options(tables, half))(
        (tiles, tiles), (TILE, TILE),
        (samples, tables.steps, tables.bearing, grid, np.int32(len(samples)), np.int32(tables.period // 2),
         np.int32(cells), np.float32(tables.period / cells)),
    )  # fmt: skip
    return grid


def transformed(modules: Modules, grid: Any) -> Any:
    """Transform grids back.

    Parameters
    ----------
    modules : Modules
        Of the device.
    grid : array of complex64, shape (pair, cells, cells)
        See `gathered`.

    Returns
    -------
    array of complex64, shape (pair, cells, cells)
        Slices not yet over the kernel's transform, with their middle at (0, 0).
    """
    return modules.xp.fft.ifft2(grid, axes=(1, 2), norm="forward")


def write_slices(modules: Modules, image: Any, tables: GridTables, first: int, out: Any) -> None:
    """Write the pixels of the region.

    Parameters
    ----------
    modules : Modules
        Of the device.
    image : array of complex64, shape (pair, cells, cells)
        See `transformed`.
    tables : GridTables
        The geometry.
    first : int
        First of the slices.
    out : array of float32, shape (row, y, x)
        All slices.
    """
    y0, y1, x0, x1 = tables.region
    modules.kernel("gridding", "write_slices", _options(tables, False))(
        (-(-(x1 - x0) // 32), -(-(y1 - y0) // 8), PAIRS), (32, 8),
        (image, tables.correction, out, *map(np.int32, (first, len(out), tables.size, tables.cells, y0, y1, x0, x1)),
         np.float32(tables.scale), np.int32(tables.disc)),
    )  # fmt: skip


def scratch_bytes(tables: GridTables, angles: int, half: bool = False) -> int:
    """Return the memory of the device that a call of `grid_fbp` takes beside its input and output.

    Parameters
    ----------
    tables : GridTables
        Of `fbp_tables`.
    angles : int
        Of the sinogram.
    half : bool
        See `grid_fbp`.

    Returns
    -------
    int
        Upper bound in bytes, however many rows there are.
    """
    rows = angles * ROWS * (tables.period + 2) * 4
    samples = angles * ROWS * (tables.period + 1) * (2 if half else 4)
    grids = PAIRS * tables.cells**2 * 8
    # The padded rows; their spectrum, or the grids before and after their transform; the scratch of both transforms,
    # which the library of the device keeps.
    return rows + samples + max(rows, 2 * grids) + rows + grids + 2**24
