"""Grating interferometry: absorption, dark field and differential phase of a stepping curve."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.ramp import good_length


@dataclass(frozen=True, eq=False)
class Curve:
    """Mean and first harmonic of the stepping curves I = a₀ + a₁ cos(φ + ϕ) of pixels.

    Attributes
    ----------
    mean : array of float32
        a₀ in counts.
    harmonic : array of complex64
        a₁ exp(iϕ) in counts.
    """

    mean: NDArray[np.float32]
    harmonic: NDArray[np.complex64]

    @property
    def visibility(self) -> NDArray[np.float32]:
        """a₁ / a₀; 0 where there is no light."""
        light = self.mean > 0
        return np.asarray(np.where(light, abs(self.harmonic) / np.where(light, self.mean, 1), 0), np.float32)


def weights(steps: int, periods: float) -> NDArray[np.float64]:
    """Return by what the counts of a stepping are multiplied and summed to the parts of its curve.

    Parameters
    ----------
    steps : int
        Steps N, evenly spaced: step s has the phase φ = 2π n s / N.
    periods : float
        Periods n of the grating over which they go, the N-th step included; above 0. Where n is no whole number the
        sine is fitted by least squares, which for whole ones is the Fourier sum.

    Returns
    -------
    array of float64, shape (3, step)
        For a₀, a₁ cos ϕ and a₁ sin ϕ.

    Raises
    ------
    ParameterError
        There are fewer than three steps for each period, which do not tell a sine.
    """
    if steps < 3 or not (isfinite(periods) and periods > 0) or steps / periods < 3:
        raise ParameterError(
            f"grating: {steps} steps over {periods:g} periods do not tell a sine; three steps for each period are "
            f"needed: check steps and periods"
        )
    phase = 2 * np.pi * periods * np.arange(steps) / steps
    design = np.stack([np.ones(steps), np.cos(phase), -np.sin(phase)], axis=1)
    if np.linalg.cond(design) > 20:
        raise ParameterError(
            f"grating: {steps} steps over {periods:g} periods hardly tell a sine from its mean; step over half a "
            f"period at least"
        )
    return np.asarray(np.linalg.pinv(design))


def demodulate(counts: NDArray[np.float32], parts: NDArray[np.float64]) -> Curve:
    """Fit the stepping curve of each pixel.

    Parameters
    ----------
    counts : array of float32, shape (step, row, column)
        Counts above the dark.
    parts : array of float64, shape (3, step)
        See `weights`.

    Returns
    -------
    Curve
        Shape (row, column).

    Raises
    ------
    InputError
        There are not as many frames as steps.

    References
    ----------
    T. Weitkamp et al., Optics Express 13, 6296 (2005), doi 10.1364/OPEX.13.006296.
    """
    if counts.shape[0] != parts.shape[1]:
        raise InputError(f"grating: {counts.shape[0]} frames were given for {parts.shape[1]} steps")
    harmonic = np.empty(counts.shape[1:], np.complex64)
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # what is not finite stays so, and is seen by who asked
        mean, harmonic.real, harmonic.imag = np.tensordot(parts.astype(np.float32), counts, axes=(1, 0))
    return Curve(mean, harmonic)


def phase_noise(counts: float, visibility: float, transmission: float = 1.0, relative: float = 1.0) -> float:
    """Return the standard deviation of a differential phase by photon noise.

    Parameters
    ----------
    counts : float
        Photons of a pixel in the open beam, summed over the steps; the reference has as many.
    visibility : float
        Of the reference.
    transmission, relative : float
        Transmission of the sample, and its visibility over that of the reference.

    Returns
    -------
    float
        √[(2 / (V² N)) (1 + 1 / (T v²))] in radians.

    References
    ----------
    T. Weitkamp et al., Optics Express 13, 6296 (2005); the error of a fitted sine.
    """
    return float(np.sqrt(2 / (visibility**2 * counts) * (1 + 1 / (transmission * relative**2))))


def without_ramp(phase: NDArray[np.float32], air: int) -> NDArray[np.float32]:
    """Subtract from each row the straight line between the medians of the air at its two ends.

    Parameters
    ----------
    phase : array of float32, shape (…, column)
        Differential phase in radians.
    air : int
        Columns at either end that show air, 1 or more.

    Returns
    -------
    array of float32
        Of the same shape.

    Raises
    ------
    ParameterError
        The ends overlap.
    """
    columns = phase.shape[-1]
    if not 0 < 2 * air < columns:
        raise ParameterError(
            f"grating: {air} columns of air at either end were given for {columns} columns; give less than half"
        )
    left, right = (np.median(part, axis=-1, keepdims=True) for part in (phase[..., :air], phase[..., -air:]))
    along = (np.arange(columns) - (air - 1) / 2) / (columns - air)
    return np.asarray(phase - left - (right - left) * along, np.float32)


def integrate(slope: NDArray[np.float32]) -> NDArray[np.float32]:
    """Integrate along the columns what is 0 at both ends.

    The slope of a pixel is the difference of the integral between its two edges, its spectrum so that of the integral
    times 2 i sin πf. The mean of the slope is subtracted, so that the integral ends where it began: this spares the
    random walk that noise makes of a sum. The ramp filter of a reconstruction makes of it what a Hilbert filter makes
    of the slope.

    Parameters
    ----------
    slope : array of float32, shape (…, column)
        Change for each pixel.

    Returns
    -------
    array of float32
        Integral at the centres of pixels, of the same shape.

    References
    ----------
    F. Pfeiffer et al., Physical Review Letters 98, 108105 (2007), doi 10.1103/PhysRevLett.98.108105.
    """
    from ducc0.fft import c2r, r2c

    columns = slope.shape[-1]
    length = good_length(2 * columns)
    wide = np.zeros((*slope.shape[:-1], length), np.float32)
    wide[..., :columns] = slope - slope.mean(axis=-1, keepdims=True, dtype=np.float64)
    spectrum = r2c(wide, axes=(wide.ndim - 1,))
    factor = np.zeros(length // 2 + 1, np.complex64)
    factor[1:] = 1 / (2j * np.sin(np.pi * np.arange(1, length // 2 + 1) / length))
    factor[-1] = 0  # the Nyquist frequency has no slope
    spectrum *= factor
    integral = c2r(spectrum, axes=(wide.ndim - 1,), lastsize=length, forward=False, inorm=2)
    beyond = integral[..., columns + (length - columns) // 2, None]
    return np.asarray(integral[..., :columns] - beyond, np.float32)
