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
