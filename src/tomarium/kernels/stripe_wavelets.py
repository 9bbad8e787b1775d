"""Stripes found in the vertical bands of a wavelet transform."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import comb
from typing import Any, Final

import ducc0
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.kernels.columns import mirrored_places
from tomarium.kernels.stripes import each_sinogram

_ROWS: Final = 16

MOMENTS: Final = 5
"""Vanishing moments of the wavelet: 5 is Daubechies' with ten taps, "db5"."""

CYCLES: Final = 0.5
"""Standard deviation of the damping, in cycles over the scan: what is slower in a column is a stripe."""


def remove_stripes_by_wavelets(
    sinograms: Any,
    levels: int = 3,
    *,
    cycles: float = CYCLES,
    moments: int = MOMENTS,
    threads: int | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Remove stripes by damping the vertical bands of a wavelet transform.

    1. A sinogram is split into bands by Daubechies' wavelets, mirrored at its edges.
    2. Each band that is fine across the columns and coarse along the angles is Fourier transformed along the angles,
       and its frequency f, in cycles over the scan, is multiplied by 1 - exp(-f² / (2 cycles²)).
    3. The bands are put together again.

    Simulated as for `remove_stripes_by_agreement`, the error of a slice falls to less than a half, and a sinogram
    without stripes is changed by 0.03 of the matrix's attenuation: all that hardly moves is damped.

    Parameters
    ----------
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, finite.
    levels : int
        Levels of the transform, 1 to 8; n remove stripes up to about 2ⁿ columns wide, and each more of the sample.
    cycles : float
        Width σ of the damping in cycles over the scan, above 0; larger is stronger, and takes more of the sample.
    moments : int
        Vanishing moments of the wavelet, 1 to 12; its filters have twice as many taps.
    threads : int, optional
        Sinograms in work at a time; by default as many as processors.
    out : array of float32, shape (angle, row, column), optional
        Where the result goes; C-contiguous.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Corrected sinograms.

    Raises
    ------
    ParameterError
        A parameter is out of its range.
    InputError
        The sinograms have not three axes.

    References
    ----------
    B. Münch, P. Trtik, F. Marone and M. Stampanoni, Optics Express 17, 8567 (2009), doi 10.1364/OE.17.008567;
    I. Daubechies, Communications on Pure and Applied Mathematics 41, 909 (1988), on the wavelets.
    """
    if not 1 <= levels <= 8 or not cycles > 0 or not 1 <= moments <= 12:
        raise ParameterError(
            f"remove_stripes: levels is {levels}, cycles {cycles} and moments {moments}; give 1 to 8 levels, cycles "
            f"above 0 and 1 to 12 moments"
        )
    low = daubechies(moments)
    block = 2**levels
    reach = block * len(low)  # further than the filters of all levels together

    def correct(sinogram: NDArray[np.float32]) -> NDArray[np.float32]:
        angles, columns = sinogram.shape
        down, across = (_places(size, reach, block) for size in sinogram.shape)
        padded = sinogram[np.ix_(down, across)]
        stripes = _stripes(padded, levels, low, cycles * len(padded) / angles)
        return sinogram - stripes[reach : reach + angles, reach : reach + columns]

    return each_sinogram(sinograms, correct, threads, out)


@cache
def daubechies(moments: int) -> NDArray[np.float32]:
    """Return the low-pass filter of Daubechies' wavelet of least phase.

    Parameters
    ----------
    moments : int
        Vanishing moments N, 1 to 12.

    Returns
    -------
    array of float32, shape (2 * moments,)
        h with Σh = √2 and Σ h[k] h[k + 2j] = δ(j).

    References
    ----------
    I. Daubechies, Communications on Pure and Applied Mathematics 41, 909 (1988), section 4.
    """
    polynomial = [comb(moments - 1 + k, k) for k in range(moments)]
    h = np.ones(1)
    for _ in range(moments):
        h = np.convolve(h, [1, 1])
    for y in np.roots(polynomial[::-1]):
        # y = (2 - z - 1/z) / 4 has two solutions, z and 1/z; the one within the unit circle is taken.
        pair = np.roots([1, 4 * y - 2, 1])
        h = np.convolve(h, [1, -pair[np.argmin(np.abs(pair))]])
    real = np.real(h)
    return np.asarray(real / real.sum() * 2**0.5, np.float32)


def _places(size: int, reach: int, block: int) -> NDArray[np.intp]:
    """Return what stands where in a mirrored axis whose length is a multiple of a block."""
    further_lines = -(size + 2 * reach) % block
    return mirrored_places(size, reach + further_lines)[further_lines:]


def _stripes(
    numbers: NDArray[np.float32], levels: int, low: NDArray[np.float32], cycles: float
) -> NDArray[np.float32]:
    """Return what the damping removes, periodic in both axes; both are divisible by 2 ** levels."""
    if not levels:
        return np.zeros_like(numbers)
    high = low[::-1] * np.where(np.arange(len(low)) % 2, -1, 1).astype(np.float32)
    coarse = _split(numbers, low, 0)
    stripe = _slow(_split(coarse, high, 1), cycles)
    within = _stripes(_split(coarse, low, 1), levels - 1, low, cycles)
    return _joined(_joined(stripe, high, 1) + _joined(within, low, 1), low, 0)


def _slow(band: NDArray[np.float32], cycles: float) -> NDArray[np.float32]:
    """Return what varies slowly along the angles: exp(-f² / (2 cycles²)) of each frequency f."""
    spectrum = ducc0.fft.r2c(band, axes=(0,))
    frequency = np.arange(len(spectrum)) / cycles
    spectrum *= np.exp(-0.5 * frequency**2).astype(np.float32)[:, None]
    return np.asarray(ducc0.fft.c2r(spectrum, axes=(0,), lastsize=len(band), inorm=2))


def _split(numbers: NDArray[np.float32], taps: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return Σ_k taps[k] numbers[2 n + k], periodic."""
    filtered = np.zeros([size // (1 + (k == axis)) for k, size in enumerate(numbers.shape)], np.float32)
    reach = len(taps) // 2
    if axis == 0:
        halves = [np.concatenate([numbers[start::2], numbers[start : 2 * reach : 2]]) for start in (0, 1)]
    for rows in _blocks(len(filtered)):
        if axis == 1:
            block = np.concatenate([numbers[rows], numbers[rows, : 2 * reach]], axis=1)
            halves = [np.ascontiguousarray(block[:, start::2]) for start in (0, 1)]
        room = np.empty_like(filtered[rows])
        for k, tap in enumerate(taps):
            half = halves[k % 2]
            first = k // 2
            shifted = (
                half[rows.start + first : rows.stop + first]
                if axis == 0
                else half[:, first : first + room.shape[1]]
            )
            filtered[rows] += np.multiply(shifted, tap, out=room)
    return filtered


def _joined(band: NDArray[np.float32], taps: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return the transpose of `_split`."""
    joined = np.empty([size * (1 + (k == axis)) for k, size in enumerate(band.shape)], np.float32)
    reach = len(taps) // 2
    longer = np.concatenate([band[-reach:], band]) if axis == 0 else band
    for rows in _blocks(len(band)):
        parts = np.zeros((2, *band[rows].shape), np.float32)
        block = longer if axis == 0 else np.concatenate([band[rows, -reach:], band[rows]], axis=1)
        room = np.empty_like(parts[0])
        for k, tap in enumerate(taps):
            first = reach - k // 2
            shifted = (
                block[rows.start + first : rows.stop + first]
                if axis == 0
                else block[:, first : first + room.shape[1]]
            )
            parts[k % 2] += np.multiply(shifted, tap, out=room)
        for start in (0, 1):
            if axis == 0:
                joined[2 * rows.start + start : 2 * rows.stop : 2] = parts[start]
            else:
                joined[rows, start::2] = parts[start]
    return joined


def _blocks(rows: int) -> Iterator[slice]:
    """Cut rows into blocks that stay in the processor's cache while all taps go over them."""
    for first in range(0, rows, _ROWS):
        yield slice(first, min(first + _ROWS, rows))
