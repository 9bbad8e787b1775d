"""Where an image lies in another one: shifts by correlation, and one image on the pixels of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.shifts import TAPS, sinc_weights

FINE: Final = 50
"""Parts of a pixel to which a shift is found."""

SLOWEST: Final = 8
"""Waves over the image below which nothing counts: they are light that drifts."""


@dataclass(frozen=True)
class Shift:
    """Where an image lies in another one.

    Attributes
    ----------
    rows_px, columns_px : float
        The value at (row, column) of the first is that at (row + rows_px, column + columns_px) of the second.
    likeness : float
        Their correlation there: 1 for images that differ by nothing else, 0 for images without any likeness.
    """

    rows_px: float
    columns_px: float
    likeness: float


def find_shift(
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    first_transfer: NDArray[Any] | None = None,
    second_transfer: NDArray[Any] | None = None,
) -> Shift:
    """Find how far an image is shifted against another one, to a fiftieth of a pixel.

    1. Both are multiplied by a window that falls to 0 at their edges, and transformed; slow waves are left out.
    2. Each is filtered by the transfer function of the other, so that both show one thing as one imaging would.
    3. The whole pixel is the maximum of their cross-correlation, summed over pairs of images that are all shifted
       alike; the part is that of the correlation's Fourier sum on a grid of a fiftieth of a pixel around it.

    Parameters
    ----------
    first, second : array, shape (row, column) or (pair, row, column)
        Images of the same size.
    first_transfer, second_transfer : array, shape (row, column // 2 + 1), optional
        What each imaging makes of the thing, for `rfft2`; by default the same.

    Returns
    -------
    Shift
        Of the second against the first, and how alike they are.

    Raises
    ------
    InputError
        The images differ in size.

    References
    ----------
    M. Guizar-Sicairos et al., Optics Letters 33, 156 (2008), doi 10.1364/OL.33.000156.
    """
    if first.shape != second.shape or first.ndim not in (2, 3):
        raise InputError(f"registration: images of {first.shape} and {second.shape}; give two of one size")
    rows, columns = first.shape[-2:]
    first_spectra, second_spectra = (
        _spectra(images.reshape(-1, rows, columns)) for images in (first, second)
    )
    if second_transfer is not None:
        first_spectra *= second_transfer
    if first_transfer is not None:
        second_spectra *= first_transfer
    cross = np.sum(second_spectra * np.conj(first_spectra), axis=0)
    correlation = np.fft.irfft2(cross, s=(rows, columns))
    peak = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    whole_px = [int(p) - n if p > n // 2 else int(p) for p, n in zip(peak, (rows, columns), strict=True)]
    near = np.arange(-FINE, FINE + 1) / FINE
    down, across = whole_px[0] + near, whole_px[1] + near
    f_down, f_across = np.fft.fftfreq(rows), np.fft.rfftfreq(columns)
    weight = np.where((np.arange(len(f_across)) == 0) | (2 * np.arange(len(f_across)) == columns), 1.0, 2.0)
    fine = (
        np.exp(2j * np.pi * np.outer(down, f_down))
        @ (cross * weight)
        @ np.exp(2j * np.pi * np.outer(f_across, across))
    ).real
    best = np.unravel_index(int(np.argmax(fine)), fine.shape)
    energy = np.sqrt(np.sum(weight * abs(first_spectra) ** 2) * np.sum(weight * abs(second_spectra) ** 2))
    likeness = float(fine[best] / energy) if energy > 0 else 0.0
    return Shift(float(down[best[0]]), float(across[best[1]]), likeness)


def _spectra(images: NDArray[Any]) -> NDArray[np.complex128]:
    rows, columns = images.shape[1:]
    window = np.outer(_window(rows), _window(columns))
    values = np.asarray(images, np.float64)
    mean = np.sum(values * window, axis=(1, 2), keepdims=True) / np.sum(window)
    spectra = np.fft.rfft2((values - mean) * window)
    waves = np.hypot(np.fft.fftfreq(rows)[:, None] * columns, np.arange(spectra.shape[2]))
    spectra[:, waves < min(SLOWEST, columns / 8)] = 0
    return np.asarray(spectra)


def _window(length: int) -> NDArray[np.float64]:
    """Fall as a cosine over an eighth of the length at each end."""
    distance = (np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5) / max(1, length / 8)
    return np.asarray(np.sin(np.pi / 2 * np.minimum(distance, 1)) ** 2)


@dataclass(frozen=True, eq=False)
class Placement:
    """How the pixels of one frame are made of another's; made once for all frames that lie alike.

    Attributes
    ----------
    rows, columns : array of int, shape (place, 8)
        Pixels from which each row and column is made.
    row_weights, column_weights : array of float32, shape (place, 8)
        Their weights.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    row_weights: NDArray[np.float32]
    column_weights: NDArray[np.float32]

    def __call__(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Return the image on the pixels of the other frame; beyond its edge its outermost values go on."""
        down = np.zeros((len(self.rows), image.shape[1]), np.float32)
        for tap in range(TAPS):
            down += self.row_weights[:, tap, None] * image[self.rows[:, tap]]
        placed = np.zeros((len(self.rows), len(self.columns)), np.float32)
        for tap in range(TAPS):
            placed += self.column_weights[:, tap] * down[:, self.columns[:, tap]]
        return placed


def placement(
    shape: tuple[int, int],
    source: tuple[int, int],
    scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Placement:
    """Prepare to put frames on the pixels of another frame with the same middle.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns that are made.
    source : tuple of int
        Rows and columns of the frames it is made of.
    scale : float
        Pixel size of what is made over that of the source: below 1 the source is enlarged.
    shift : tuple of float
        How far the source lies towards higher rows and columns, in pixels of what is made.

    Returns
    -------
    Placement
        Interpolates by a windowed sinc over 8 pixels.
    """
    parts = []
    for n, m, moved in zip(shape, source, shift, strict=True):
        at = (m - 1) / 2 + scale * (np.arange(n) - (n - 1) / 2 + moved)
        whole_px = np.floor(at).astype(np.intp)
        taps = np.clip(whole_px[:, None] + np.arange(1 - TAPS // 2, TAPS // 2 + 1), 0, m - 1)
        parts.append((taps, sinc_weights(at - whole_px).astype(np.float32)))
    (rows, row_weights), (columns, column_weights) = parts
    return Placement(rows, columns, row_weights, column_weights)
