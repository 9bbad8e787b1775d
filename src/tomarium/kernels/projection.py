"""Forward projection of slices and its adjoint, by the central slice theorem and a non-uniform Fourier transform."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.ramp import good_length

ACCURACY: Final = 1e-6
"""Relative accuracy asked of the transform."""


@dataclass(frozen=True, eq=False)
class Rays:
    """The rays of a parallel-beam scan through slices of one size. Made by `make_rays`.

    Attributes
    ----------
    views, columns, size : int
        Number of views, columns of the detector, and pixels along an edge of a slice.
    length : int
        Samples of a projection with the room that keeps its periodic copies away from the detector; even.
    coordinates : array of float64, shape (view · length / 2, 2)
        Frequencies (row, column) in cycles per pixel at which the Fourier transform of a slice is taken: those of
        each view from 0 to below the Nyquist frequency; those below 0 are their conjugates.
    phases : array of complex64, shape (view, length / 2)
        Shift of the origin from the rotation axis to column 0.
    """

    views: int
    columns: int
    size: int
    length: int
    coordinates: NDArray[np.float64]
    phases: NDArray[np.complex64]


def make_rays(angles_deg: NDArray[np.float64], axis_column: float, columns: int, size: int) -> Rays:
    """Work out the frequencies and phases of a geometry.

    Parameters
    ----------
    angles_deg : array of float64, shape (view,)
        Degrees, in any order.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    columns, size : int
        Columns of the detector and pixels along an edge of the slices.

    Returns
    -------
    Rays
        For `forward` and `adjoint`.
    """
    angles = np.deg2rad(np.asarray(angles_deg, np.float64))
    cosine, sine = np.cos(angles), -np.sin(angles)  # the rows of a slice run downwards
    length = projected_length(axis_column, columns, size)
    frequency = np.arange(length // 2) / length
    coordinates = np.empty((len(angles), len(frequency), 2))
    coordinates[..., 0] = np.multiply.outer(sine, frequency)
    coordinates[..., 1] = np.multiply.outer(cosine, frequency)
    # A slice of even size has its pixels half-way between the integers of the transform.
    half = 0.5 * (1 - size % 2)
    shift = axis_column + half * (cosine + sine)
    phases = np.exp(-2j * np.pi * np.multiply.outer(shift, frequency)).astype(np.complex64)
    return Rays(len(angles), columns, size, length, coordinates.reshape(-1, 2), phases)


def projected_length(axis_column: float, columns: int, size: int) -> int:
    """Return the samples of a projection with the room that keeps its periodic copies away from the detector.

    Parameters
    ----------
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    columns, size : int
        Columns of the detector and pixels along an edge of the slices.

    Returns
    -------
    int
        Even length with a fast transform.
    """
    reach = max(axis_column, columns - 1 - axis_column)
    return good_length(max(ceil(reach + size / 2**0.5) + 16, columns + 16))


def forward(rays: Rays, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Project one slice, in one thread.

    Parameters
    ----------
    rays : Rays
        The geometry.
    image : array of float32, shape (y, x)
        The slice.

    Returns
    -------
    array of float32, shape (view, column)
        Line integrals.
    """
    import ducc0

    points = ducc0.nufft.u2nu(
        grid=np.asarray(image, np.complex64), coord=rays.coordinates, forward=True, epsilon=ACCURACY, nthreads=1,
        periodicity=1.0,
    )  # fmt: skip
    spectrum = np.zeros((rays.views, rays.length // 2 + 1), np.complex64)
    np.multiply(points.reshape(rays.phases.shape), rays.phases, out=spectrum[:, :-1])
    rows = ducc0.fft.c2r(spectrum, axes=[1], lastsize=rays.length, forward=False, inorm=2, nthreads=1)
    return np.ascontiguousarray(rows[:, : rays.columns])


def adjoint(
    rays: Rays, sinogram: NDArray[np.float32], weights: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Backproject one sinogram without filter or weights, in one thread: the exact transpose of `forward`.

    Parameters
    ----------
    rays : Rays
        The geometry.
    sinogram : array of float32, shape (view, column)
        Line integrals.
    weights : array of float32, shape (length / 2,), optional
        Weights of the frequencies of a projection.

    Returns
    -------
    array of float32, shape (y, x)
        Sum over the views.
    """
    import ducc0

    rows = np.zeros((rays.views, rays.length), np.float32)
    rows[:, : rays.columns] = sinogram
    spectrum = ducc0.fft.r2c(rows, axes=[1], forward=True, nthreads=1)[:, :-1]
    points = spectrum * np.conj(rays.phases)
    points[:, 1:] *= 2  # with their conjugates below 0
    points *= np.float32(1 / rays.length) if weights is None else weights / np.float32(rays.length)
    image = np.empty((rays.size, rays.size), np.complex64)
    ducc0.nufft.nu2u(
        points=points.reshape(-1), coord=rays.coordinates, forward=False, epsilon=ACCURACY, nthreads=1,
        periodicity=1.0, out=image,
    )  # fmt: skip
    return np.ascontiguousarray(image.real)


def project(
    image: Any, angles_deg: Any, axis_column: float, columns: int, *, threads: int | None = None
) -> NDArray[np.float32]:
    """Project slices along parallel rays.

    The inverse of `tomarium.fbp`, in its geometry: pixel (i, j) lies at x = j - (size - 1) / 2 and
    y = (size - 1) / 2 - i from the rotation axis and is seen at column axis_column + x cos(angle) + y sin(angle).
    A slice is taken for a band-limited image that its pixels sample, and a detector pixel for the sample in its
    middle; of pixel averages this makes pixel averages but for the difference of a square from a turned one.

    Parameters
    ----------
    image : array, shape (y, x) or (row, y, x)
        Square slices of attenuation in 1/px; what lies in their corners is projected too.
    angles_deg : array, shape (angle,)
        Degrees, any angles in any order.
    axis_column : float
        Rotation axis in pixels from the centre of column 0; it may lie off the detector by its width.
    columns : int
        Columns of the detector; what falls beside it is lost.
    threads : int, optional
        Threads; by default every processor of this process.

    Returns
    -------
    array of float32, shape (angle, column) or (angle, row, column)
        Line integrals, dimensionless.

    Raises
    ------
    InputError
        Slices are not square or not finite, angles are no list of finite numbers, or the axis is too far off.
    ParameterError
        `columns` or `threads` is below 1.

    Notes
    -----
    For ellipses with sharp edges, 256 pixels wide, the difference from exact pixel averages is 0.07 % of the highest
    line integral (root of the mean square), and 0.9 % at most, at edges; for 128 pixels 0.15 % and 1.7 %.

    References
    ----------
    F. Natterer and F. Wübbeling, Mathematical Methods in Image Reconstruction (2001), section 2.1, theorem 2.1.
    """
    images = np.asarray(image, np.float32)
    if images.ndim not in (2, 3) or images.shape[-1] != images.shape[-2] or 0 in images.shape:
        raise InputError(
            f"project: the image has shape {images.shape}; give square slices, (y, x) or (row, y, x)"
        )
    if not np.isfinite(images).all():
        raise InputError("project: the image holds values that are not finite; replace them first")
    batch = images if images.ndim == 3 else images[None]
    rays = _checked_rays("project", angles_deg, axis_column, columns, images.shape[-1])
    result = np.empty((rays.views, len(batch), columns), np.float32)

    def one(row: int) -> None:
        result[:, row] = forward(rays, batch[row])

    _in_threads("project", one, len(batch), threads)
    return result if images.ndim == 3 else result[:, 0]


def project_adjoint(
    sinogram: Any, angles_deg: Any, axis_column: float, size: int, *, threads: int | None = None
) -> NDArray[np.float32]:
    """Apply the transpose of `project`: backprojection without filter and weights.

    Parameters
    ----------
    sinogram : array, shape (angle, column) or (angle, row, column)
        Line integrals.
    angles_deg : array, shape (angle,)
        Degrees.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    size : int
        Pixels along an edge of the slices.
    threads : int, optional
        Threads; by default every processor of this process.

    Returns
    -------
    array of float32, shape (y, x) or (row, y, x)
        Sum over the views.

    Raises
    ------
    InputError
        The sinogram is of another shape or not finite, angles do not fit, or the axis is too far off.
    ParameterError
        `size` or `threads` is below 1.
    """
    rows = np.asarray(sinogram, np.float32)
    if rows.ndim not in (2, 3) or 0 in rows.shape or len(rows) != np.size(angles_deg):
        raise InputError(
            f"project_adjoint: the sinogram has shape {rows.shape} with {np.size(angles_deg)} angles; give "
            f"(angle, column) or (angle, row, column) with one angle for each view"
        )
    if not np.isfinite(rows).all():
        raise InputError("project_adjoint: the sinogram holds values that are not finite; replace them first")
    batch = rows if rows.ndim == 3 else rows[:, None]
    rays = _checked_rays("project_adjoint", angles_deg, axis_column, batch.shape[2], size)
    result = np.empty((batch.shape[1], size, size), np.float32)

    def one(row: int) -> None:
        result[row] = adjoint(rays, batch[:, row])

    _in_threads("project_adjoint", one, len(result), threads)
    return result if rows.ndim == 3 else result[0]


def _in_threads(name: str, one: Callable[[int], None], count: int, threads: int | None) -> None:
    """Call `one(row)` for each row, each in one thread, so that the result does not depend on their number."""
    if threads is not None and threads < 1:
        raise ParameterError(f"{name}: threads is {threads}; give at least 1")
    with ThreadPoolExecutor(min(threads or processors(), count)) as pool:
        list(pool.map(one, range(count)))


def _checked_rays(name: str, angles_deg: Any, axis_column: float, columns: int, size: int) -> Rays:
    angles = np.asarray(angles_deg, np.float64)
    if angles.ndim != 1 or not len(angles) or not np.isfinite(angles).all():
        raise InputError(f"{name}: angles_deg has shape {angles.shape}; give a list of finite degrees")
    if columns < 1 or size < 1:
        raise ParameterError(f"{name}: columns is {columns} and size {size}; give at least 1")
    if not (isfinite(axis_column) and -columns <= axis_column <= 2 * columns - 1):
        raise InputError(
            f"{name}: axis_column is {axis_column} on a detector of {columns} columns; give the rotation axis in "
            f"pixels from the centre of column 0, at most {columns} beyond either edge"
        )
    return make_rays(angles, float(axis_column), columns, size)
