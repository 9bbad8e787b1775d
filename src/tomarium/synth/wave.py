"""What a simulated wave makes of a sample: Fresnel propagation of the projection, true to the fringes."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import ceil, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.fresnel import propagate, spread_m
from tomarium.kernels.paganin import WAVELENGTH_M_KEV
from tomarium.kernels.phantom import Ellipsoid, line_integrals, pixel_coordinates
from tomarium.kernels.ramp import good_length
from tomarium.synth.config import SimulationConfig, Truth

MOST_SUBRAYS: Final = 8
"""Samples along the edge of a pixel, at most."""

MOST_MARGIN: Final = 256
"""Pixels simulated beyond each edge of the detector, at most."""

_ROWS_AT_ONCE: Final = 16
"""Rows of a wave that are made from their phases at once, so that these stay in the processor's cache."""

BLUR_PIXELS: Final = 0.7
"""Standard deviation of the detector's blur where fringes are simulated."""


def sampling(config: SimulationConfig) -> int:
    """Return the samples along the edge of a pixel: two of them to the first fringe, √(λD).

    Parameters
    ----------
    config : SimulationConfig
        The scan.

    Returns
    -------
    int
        At least `config.subrays`, and at most `MOST_SUBRAYS` where that is less.
    """
    wavelength = WAVELENGTH_M_KEV / config.energy_kev
    fringe = sqrt(wavelength * abs(config.distance_m)) or config.pixel_m
    return max(config.subrays, min(MOST_SUBRAYS, ceil(2 * config.pixel_m / fringe)))


def wave_intensity(config: SimulationConfig, truth: Truth, view: int) -> NDArray[np.float32]:
    """Return what reaches a detector at a distance, by the wave behind the sample.

    1. Line integrals p of the attenuation on a grid finer than the pixels, and beyond the detector as far as its finest
       detail spreads, `MOST_MARGIN` pixels at most: the wave is exp(-p / 2 - i (δ/β) p / 2).
    2. Fresnel propagation over the distance.
    3. Its intensity is blurred by `BLUR_PIXELS` and averaged over each pixel.

    Parameters
    ----------
    config : SimulationConfig
        Tells energy, distance, pixel size and δ/β.
    truth : Truth
        Its truth.
    view : int
        Number of the projection.

    Returns
    -------
    array of float32, shape (row, column)
        Intensity at the detector over that of the beam.

    References
    ----------
    P. Cloetens et al., Applied Physics Letters 75, 2912 (1999), doi 10.1063/1.125225; Goodman, Introduction to Fourier
    Optics (2005), equation 4-21.
    """
    s = sampling(config)
    fine_m = config.pixel_m / s
    spread = spread_m(fine_m, config.energy_kev, config.distance_m) / config.pixel_m
    margin = min(MOST_MARGIN, 8 + ceil(spread))
    before, wide = zip(*(_beyond(n, margin) for n in (config.rows, config.columns)), strict=True)
    z = pixel_coordinates(wide[0], before[0] + (config.rows - 1) / 2, s)
    u = pixel_coordinates(wide[1], before[1] + truth.axis_column, s)
    through = through_sample(truth, view, z, u)
    at_detector = propagate(
        _wave_behind(through, config.delta_beta), fine_m, config.energy_kev, config.distance_m
    )
    intensity = at_detector.real**2 + at_detector.imag**2
    by_column = _blurred_means(intensity, s, BLUR_PIXELS * s)
    pixels = _blurred_means(np.ascontiguousarray(by_column.T), s, BLUR_PIXELS * s).T
    inner = pixels[before[0] : before[0] + config.rows, before[1] : before[1] + config.columns]
    return np.asarray(inner, np.float32)


def through_sample(
    truth: Truth, view: int, rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the line integrals of the sample where it stands in one view.

    Parameters
    ----------
    truth : Truth
        Truth of the scan.
    view : int
        Number of the projection.
    rows, columns : array of float64, shape (row,) and (column,)
        Places on the detector in px from the middle row and from the axis, ascending.

    Returns
    -------
    array of float32, shape (row, column)
        Attenuation, dimensionless.
    """
    course, config = truth.course, truth.config
    z = rows - course.shift_rows_px[view]
    u = columns - course.shift_columns_px[view]
    sample = truth.ellipsoids
    if config.height_rows:
        sample = _lifted(sample, config.height_rows)
    through = line_integrals(sample, truth.angles_deg[view : view + 1], z, u, roll_deg=config.roll_deg)
    return np.asarray(through[0])


@lru_cache(maxsize=16)
def _lifted(sample: tuple[Ellipsoid, ...], rows: float) -> tuple[Ellipsoid, ...]:
    """Return the sample as a detector sees it that stands so many rows below its middle."""
    return tuple(
        replace(ellipsoid, centre=(ellipsoid.centre[0] - rows, *ellipsoid.centre[1:])) for ellipsoid in sample
    )


def _beyond(length: int, margin: int) -> tuple[int, int]:
    """Return how many pixels lie before the detector, and how many there are in all."""
    total = good_length(length + 2 * margin)
    return (total - length) // 2, total


def _wave_behind(through: NDArray[np.float32], delta_beta: float) -> NDArray[np.complex64]:
    """Return exp(-p / 2 - i (δ/β) p / 2), by real functions, which take a fifth of the time of a complex one."""
    wave = np.empty(through.shape, np.complex64)
    for first in range(0, len(through), _ROWS_AT_ONCE):
        part, made = through[first : first + _ROWS_AT_ONCE], wave[first : first + _ROWS_AT_ONCE]
        amplitude, phase = np.exp(np.float32(-0.5) * part), np.float32(-0.5 * delta_beta) * part
        np.multiply(amplitude, np.cos(phase), out=made.real)
        np.multiply(amplitude, np.sin(phase), out=made.imag)
    return wave


def _blurred_means(image: NDArray[np.float32], s: int, sigma: float) -> NDArray[np.float32]:
    """Blur rows by a Gaussian, and average each `s` neighbours in them.

    Both are factors of the spectrum. Taking every s-th of what they leave adds up the parts of the spectrum that lie
    n apart, n the numbers that are left; a row goes back by a transform of that length.
    """
    from ducc0.fft import c2r, r2c

    length = image.shape[1]
    count = length // s
    frequency = np.arange(length // 2 + 1) / length
    gain = np.exp(-2 * (np.pi * sigma * frequency) ** 2)
    mean = np.exp(2j * np.pi * np.outer(np.arange(s), frequency)).mean(axis=0)
    spectrum = r2c(image, axes=(1,))
    spectrum *= (gain * mean / s).astype(np.complex64)
    folded = np.zeros((len(image), count // 2 + 1), np.complex64)
    for number in range(folded.shape[1]):
        for at in range(number - (length + number) // count * count, length // 2 + 1, count):
            if (
                -length < 2 * at <= length
            ):  # the half of negative frequencies is that of the others, conjugate
                folded[:, number] += spectrum[:, at] if at >= 0 else spectrum[:, -at].conj()
    return np.asarray(c2r(folded, axes=(1,), lastsize=count, forward=False, inorm=2))
