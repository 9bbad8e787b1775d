"""Resolution of two half-set volumes by Fourier ring correlation of their slices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError


@dataclass(frozen=True)
class RingCorrelation:
    """Correlation of two images, ring by ring of their spectra.

    Attributes
    ----------
    frequency : array of float64, shape (ring,)
        Cycles per pixel, up to 0.5.
    correlation : array of float64, shape (ring,)
        -1 to 1.
    numbers : array of float64, shape (ring,)
        Independent complex numbers in a ring; the correlation scatters by (1 - C²) / sqrt(2 numbers).
    threshold : array of float64, shape (ring,)
        The half-bit criterion.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    numbers: NDArray[np.float64]
    threshold: NDArray[np.float64]

    @property
    def cut_off(self) -> float | None:
        """Cycles per pixel at which the correlation first falls below the threshold; None where it does not."""
        gap = self.correlation - self.threshold
        below = np.flatnonzero(gap < 0)
        below = below[below > 0]  # the innermost ring is the window's
        if not below.size:
            return None
        k = int(below[0])
        part = gap[k - 1] / (gap[k - 1] - gap[k]) if gap[k - 1] > 0 else 0.0
        return float(self.frequency[k - 1] + part * (self.frequency[k] - self.frequency[k - 1]))

    @property
    def resolution_px(self) -> float | None:
        """Half-bit resolution, one over the cut-off, in pixels; None where it is finer than two pixels."""
        return None if self.cut_off is None else 1 / self.cut_off


def ring_correlation(pairs: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]]) -> RingCorrelation:
    """Correlate the slices of two volumes that were made of two halves of the views.

    1. Each slice less its mean is multiplied by a round window, cos² from its middle to the inscribed circle, so that
       neither the border of the slice nor that of the circle is correlated.
    2. C(f) = Re sum F1 F2* / sqrt(sum |F1|² sum |F2|²), summed over a ring of the spectrum, one px wide, of all slices.
    3. The half-bit criterion T(n) = (0.2071 + 1.9102 / sqrt(n)) / (1.2071 + 0.9102 / sqrt(n)), n the independent
       numbers in a ring: half of its pixels, for the slices are real, times the part of them that the window leaves
       independent.

    Parameters
    ----------
    pairs : iterable of two arrays, shape (y, x)
        The same slice of the one volume and of the other.

    Returns
    -------
    RingCorrelation
        From frequency 0 to that of Nyquist.

    Raises
    ------
    InputError
        There are no slices, or two differ in shape.

    References
    ----------
    M. van Heel & M. Schatz, J. Struct. Biol. 151 (2005) 250-262, doi 10.1016/j.jsb.2005.05.009.
    """
    sums: NDArray[np.float64] | None = None
    slices, shape = 0, (0, 0)
    for a, b in pairs:
        if a.shape != b.shape or (slices and a.shape != shape) or min(a.shape) < 16:
            raise InputError(
                f"slices of shape {a.shape} and {b.shape} cannot be correlated; give two volumes of one shape, "
                f"of 16 px or more"
            )
        shape = a.shape
        window, ring, rings = _rings(shape)
        first, second = (np.fft.rfft2(_centred(image, window)) for image in (a, b))
        products = ((first * second.conj()).real, np.abs(first) ** 2, np.abs(second) ** 2)
        ring_sums = np.stack([_of_rings(ring, part, rings) for part in products])
        sums = ring_sums if sums is None else sums + ring_sums
        slices += 1
    if sums is None:
        raise InputError("there are no slices to correlate; give at least one")
    cross, first_power, second_power = sums
    power = np.sqrt(first_power * second_power)
    correlation = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    # Neighbours along a ring are correlated as the transform of the squared window falls off.
    window_spectrum = np.abs(np.fft.fft2(window**2))[0] / float(np.square(window).sum())
    part = 1 / float(np.square(window_spectrum).sum())
    # rfft2 holds half of the spectrum, which is all that is independent.
    count = np.maximum(np.bincount(ring.ravel(), minlength=rings + 1)[:rings] * slices * part, part)
    root = np.sqrt(count)
    threshold = (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    return RingCorrelation(np.arange(rings) / min(shape), correlation, count, threshold)


def _of_rings(ring: NDArray[np.intp], values: NDArray[np.float64], rings: int) -> NDArray[np.float64]:
    return np.bincount(ring.ravel(), values.ravel(), rings + 1)[:rings].astype(np.float64)


def _centred(image: NDArray[np.floating], window: NDArray[np.float64]) -> NDArray[np.float64]:
    f = np.nan_to_num(np.asarray(image, np.float64))
    return np.asarray((f - (f * window).sum() / window.sum()) * window)


def _rings(shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.intp], int]:
    """Return the window, the ring of each number of the spectrum, and how many rings there are to Nyquist."""
    rows, columns = shape
    y, x = np.ogrid[:rows, :columns]
    radius = np.hypot((y - (rows - 1) / 2) / (rows / 2), (x - (columns - 1) / 2) / (columns / 2))
    window = np.cos(np.pi / 2 * np.clip(radius, 0, 1)) ** 2
    least = min(shape)
    rings = least // 2 + 1
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    return window, np.minimum(np.rint(frequency * least).astype(np.intp), rings), rings
