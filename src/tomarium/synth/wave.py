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
    wave = np.exp(np.complex64(-0.5 - 0.5j * config.delta_beta) * through)
    at_detector = propagate(wave, fine_m, config.energy_kev, config.distance_m)
    intensity = _blurred(at_detector.real**2 + at_detector.imag**2, BLUR_PIXELS * s)
    pixels = intensity.reshape(wide[0], s, wide[1], s).mean((1, 3), dtype=np.float64)
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


def _blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    from ducc0.fft import c2r, r2c

    squared = np.fft.fftfreq(image.shape[0])[:, None] ** 2 + np.fft.rfftfreq(image.shape[1])[None] ** 2
    spectrum = r2c(image, axes=(0, 1))
    spectrum *= np.exp(-2 * (np.pi * sigma) ** 2 * squared).astype(np.float32)
    return np.asarray(c2r(spectrum, axes=(0, 1), lastsize=image.shape[1], forward=False, inorm=2))
