"""How far one image lies beside another, to hundredths of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.ramp import good_length
from tomarium.kernels.shifts import TAPS, move_lines, moves_by

ROUNDS: Final = 12
SETTLED_PX: Final = 0.002
EDGE: Final = 0.15
"""Share of each side over which the window fades."""

PART_PX: Final = 8
"""Width of the parts whose noise is taken for independent."""

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Offset:
    """Where one image lies beside another.

    Attributes
    ----------
    columns, rows : float
        How far its content lies towards higher columns and rows, pixels.
    likeness : float
        Correlation coefficient of the two once they lie on each other, -1 to 1.
    """

    columns: float
    rows: float
    likeness: float


def band_pass(images: Image, finest_px: float, coarsest_px: float) -> Image:
    """Keep what is finer than one size and coarser than another.

    Parameters
    ----------
    images : array of float32, shape (image, row, column)
        Attenuation.
    finest_px, coarsest_px : float
        Standard deviations of the Gaussians whose difference is taken, pixels; 0 keeps all that is fine.

    Returns
    -------
    array of float32, same shape
        Edges are continued by mirror images.
    """
    result = smooth(smooth(images, finest_px, 2), finest_px, 1) if finest_px else images.copy()
    result -= smooth(smooth(images, coarsest_px, 2), min(coarsest_px, images.shape[1]), 1)
    return result


def smooth(images: Image, sigma: float, axis: int) -> Image:
    """Convolve with a Gaussian along one axis.

    Parameters
    ----------
    images : array of float32
        Of any shape.
    sigma : float
        Standard deviation, pixels.
    axis : int
        Along which.

    Returns
    -------
    array of float32, same shape
        Ends are continued by mirror images.
    """
    length = images.shape[axis]
    if length == 1:
        return images
    reach = min(ceil(3 * sigma), length - 1)
    pad = [(0, 0)] * images.ndim
    pad[axis] = (reach, good_length(length + 2 * reach) - length - reach)
    padded = np.pad(images, pad, mode="symmetric")
    total = padded.shape[axis]
    gauss = np.exp(-2 * (np.pi * sigma * np.arange(total // 2 + 1) / total) ** 2).astype(np.float32)
    spectrum = ducc0.fft.r2c(padded, axes=[axis], nthreads=1)
    spectrum *= gauss.reshape([-1 if k == axis else 1 for k in range(images.ndim)])
    smooth = ducc0.fft.c2r(spectrum, axes=[axis], lastsize=total, forward=False, inorm=2, nthreads=1)
    part = [slice(None)] * images.ndim
    part[axis] = slice(reach, reach + length)
    return np.ascontiguousarray(smooth[tuple(part)])


def window(rows: int, columns: int, edge: float = EDGE) -> Image:
    """Return weights of an image's pixels that fade to zero at its edges.

    Parameters
    ----------
    rows, columns : int
        Size of the image.
    edge : float
        Share of the rows over which they fade at either end; 0.15 of the columns.

    Returns
    -------
    array of float32, shape (row, column)
        From 0 to 1.
    """

    def fade(length: int, edge: float) -> NDArray[np.float64]:
        distance = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
        return 0.5 - 0.5 * np.cos(np.pi * np.clip(distance / max(1.0, edge * length), 0, 1))

    return np.asarray(np.outer(fade(rows, edge) if rows > 1 else np.ones(1), fade(columns, EDGE)), np.float32)


def register(
    fixed: Image,
    moving: Image,
    reach_px: float,
    start: tuple[float, float] | None = None,
    row_edge: float = EDGE,
) -> Offset:
    """Find how far an image lies beside another.

    Whole pixels come from the highest correlation of both in their window, parts of a pixel from a least-squares fit
    that moves the second image until the difference has no slope (Lucas and Kanade). The slopes are those of both
    images together, so that their noise does not draw the fit to zero.

    Parameters
    ----------
    fixed, moving : array of float32, shape (row, column)
        Images of mean about zero, see `band_pass`. One row alone is registered along columns only.
    reach_px : float
        Farthest that is looked for, pixels.
    start : tuple of float, optional
        (columns, rows) to begin from, in place of the correlation.
    row_edge : float
        Share of the rows over which their weight falls at either end; 0.5 for few rows.

    Returns
    -------
    Offset
        Of `moving` beside `fixed`.

    References
    ----------
    B. D. Lucas and T. Kanade, Proceedings of the 7th International Joint Conference on Artificial Intelligence, 674
    (1981).
    """
    weight = window(fixed.shape[0], fixed.shape[1], row_edge)
    columns, rows = start or _whole(fixed * weight, moving * weight, reach_px)
    flat = fixed.shape[0] < TAPS
    for _ in range(ROUNDS):
        moved = move(moving, columns, rows)
        mean_image = 0.5 * (fixed + moved)
        slopes = (
            [np.gradient(mean_image, axis=1)]
            if flat
            else [np.gradient(mean_image, axis=axis) for axis in (1, 0)]
        )
        matrix = np.array([[float(np.sum(weight * a * b)) for a in slopes] for b in slopes])
        right = np.array([float(np.sum(weight * a * (fixed - moved))) for a in slopes])
        if not np.isfinite(matrix).all() or np.linalg.cond(matrix) > 1e6:
            break
        step = np.clip(np.linalg.solve(matrix, right), -1, 1)
        # The derivative of the content moved by d towards lower places is its slope.
        columns, rows = columns + float(step[0]), rows if flat else rows + float(step[1])
        if np.abs(step).max() < SETTLED_PX or max(abs(columns), abs(rows)) > reach_px + 2:
            break
    moved = move(moving, columns, rows)
    norm = float(np.sqrt(np.sum(weight * fixed**2) * np.sum(weight * moved**2)))
    return Offset(columns, rows, float(np.sum(weight * fixed * moved)) / norm if norm else 0.0)


@dataclass(frozen=True)
class Slips:
    """How far views lie beside images that they nearly lie on.

    Attributes
    ----------
    columns, rows : array of float64, shape (view,)
        How far each lies towards higher columns and rows by one step of the fit, pixels; one pixel at most.
    likeness : array of float64, shape (view,)
        Correlation coefficient where they lie, -1 to 1.
    error_px : array of float64, shape (view,)
        Standard error along columns, from how parts of the image that are `PART_PX` wide differ; infinite where the
        two have no slope in common.
    """

    columns: NDArray[np.float64]
    rows: NDArray[np.float64]
    likeness: NDArray[np.float64]
    error_px: NDArray[np.float64]


def slip(fixed: Image, moved: Image) -> Slips:
    """Make one step of the fit of `register` for many images, from where they lie.

    Parameters
    ----------
    fixed, moved : array of float32, shape (view, row, column)
        Images of mean about zero, see `band_pass`. Few rows are registered along columns only.

    Returns
    -------
    Slips
        Of `moved` beside `fixed`.

    References
    ----------
    P. J. Huber, Proceedings of the Fifth Berkeley Symposium on Mathematical Statistics and Probability 1, 221 (1967),
    for the error.
    """
    weight = window(*fixed.shape[1:])
    found = np.array([_slip(one, other, weight) for one, other in zip(fixed, moved, strict=True)]).T
    return Slips(*(np.ascontiguousarray(values) for values in found))


def _slip(fixed: Image, moved: Image, weight: Image) -> tuple[float, float, float, float]:
    """Return the step along columns and rows, the likeness, and the error along columns."""
    slope, other_slope = np.gradient(fixed, axis=1), np.gradient(moved, axis=1)
    mean_slope, rest = 0.5 * (slope + other_slope), weight * (fixed - moved)
    score = rest * mean_slope
    steep, right = float(np.sum(weight * mean_slope**2)), float(score.sum())
    across, mixed, below = 1.0, 0.0, 0.0
    if len(fixed) >= TAPS:
        row_slope = np.gradient(0.5 * (fixed + moved), axis=0)
        weighted = weight * row_slope
        across, mixed = float(np.sum(weighted * row_slope)), float(np.sum(weighted * mean_slope))
        below = float(np.sum(rest * row_slope))
    determinant = steep * across - mixed**2
    if not determinant > 1e-6 * steep * across:
        return 0.0, 0.0, 0.0, float("inf")
    step = (across * right - mixed * below) / determinant, (steep * below - mixed * right) / determinant
    energy = float(np.sum(weight * fixed**2) * np.sum(weight * moved**2))
    likeness = float(np.sum(weight * fixed * moved)) / energy**0.5 if energy else 0.0
    parts = [np.arange(0, length, PART_PX) for length in score.shape]
    parted = np.add.reduceat(np.add.reduceat(score, parts[0], axis=0), parts[1], axis=1)
    common = float(np.sum(weight * slope * other_slope))
    error = float(np.sqrt(np.sum(parted**2))) / common if common > 0 else float("inf")
    return float(np.clip(step[0], -1, 1)), float(np.clip(step[1], -1, 1)), likeness, error


def move(image: Image, columns: float, rows: float) -> Image:
    """Take an image where its content lies: result(row, column) = image(row + rows, column + columns).

    Parameters
    ----------
    image : array of float32, shape (row, column)
        An image.
    columns, rows : float
        How far its content lies towards higher columns and rows, pixels.

    Returns
    -------
    array of float32, shape (row, column)
        Beyond its edges the outermost values are repeated.
    """
    if rows:
        image = np.ascontiguousarray(
            move_lines(np.ascontiguousarray(image.T), moves_by(np.full(image.shape[1], rows))).T
        )
    return move_lines(image, moves_by(np.full(len(image), columns))) if columns else image


def _whole(fixed: Image, moving: Image, reach_px: float) -> tuple[float, float]:
    """Return the whole pixels at which the correlation is highest."""
    reach = [min(ceil(reach_px), max(0, length - 2)) if length > 1 else 0 for length in fixed.shape]
    shape = [good_length(length + far) for length, far in zip(fixed.shape, reach, strict=True)]
    spectra = []
    for image in (fixed, moving):
        padded = np.zeros(shape, np.float32)
        padded[: image.shape[0], : image.shape[1]] = image
        spectra.append(ducc0.fft.r2c(padded, axes=[0, 1], nthreads=1))
    product = np.conj(spectra[0]) * spectra[1]
    correlation = ducc0.fft.c2r(product, axes=[0, 1], lastsize=shape[1], forward=False, nthreads=1)
    lags = [np.r_[0 : far + 1, length - far : length] for far, length in zip(reach, shape, strict=True)]
    near = correlation[np.ix_(*lags)]
    row, column = np.unravel_index(int(np.argmax(near)), near.shape)
    signed = [int(lag[at]) for lag, at in zip(lags, (row, column), strict=True)]
    best = [at - length if at > length // 2 else at for at, length in zip(signed, shape, strict=True)]
    return float(best[1]), float(best[0])
