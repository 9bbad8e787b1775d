"""Free propagation of a wave: Fresnel's integral by its transfer function."""

from __future__ import annotations

from math import isfinite, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.paganin import WAVELENGTH_M_KEV


def chirp(
    shape: tuple[int, int], pixel_m: float, energy_kev: float, distance_m: float
) -> NDArray[np.float64]:
    """Return chi = pi lambda D f², by which propagation delays the part of a wave that has the frequency f.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the frame, padding included.
    pixel_m : float
        Pixel size in metres, above 0.
    energy_kev : float
        Photon energy in keV, above 0.
    distance_m : float
        Distance D in metres; in a diverging beam D / M with the magnification M, and pixels at the sample.

    Returns
    -------
    array of float64, shape (row, column // 2 + 1)
        In radians, for the half of the spectrum that a real transform gives (`rfft2`).

    Raises
    ------
    ParameterError
        A number is out of its range.
    """
    if not (0 < pixel_m < np.inf and 0 < energy_kev < np.inf and isfinite(distance_m)):
        raise ParameterError(
            f"fresnel: pixel_m is {pixel_m}, energy_kev {energy_kev} and distance_m {distance_m}; give finite numbers, "
            f"pixel and energy above 0"
        )
    down, across = np.fft.fftfreq(shape[0], pixel_m), np.fft.rfftfreq(shape[1], pixel_m)
    squared = np.add.outer(down**2, across**2)
    return np.asarray(pi * WAVELENGTH_M_KEV / energy_kev * distance_m * squared, np.float64)


def propagate(
    wave: NDArray[Any], pixel_m: float, energy_kev: float, distance_m: float, *, threads: int = 1
) -> NDArray[Any]:
    """Propagate a wave through free space.

    psi_D = F⁻¹{F(psi_0) exp(-i chi)} with chi = pi lambda D f²; the phase of a plane wave along the beam, exp(ikD), is
    left out. The frame is taken for periodic: what leaves it on one side comes in on the other, so that it must go on
    beyond what is wanted by lambda D / (2 p) with the pixel size p. That is how far the finest detail spreads.

    Parameters
    ----------
    wave : array of complex64 or complex128, shape (row, column)
        Amplitude exp(-B - i k integral of delta) behind the sample: B half the line integral of the attenuation.
    pixel_m, energy_kev, distance_m
        See `chirp`. A negative distance goes back.
    threads : int
        Threads.

    Returns
    -------
    array, shape (row, column)
        Wave at the distance, of the same type; its intensity is the square of its modulus. The sum of the intensity is
        that of the wave it was given.

    Raises
    ------
    InputError
        The wave is not complex or has no such shape.
    ParameterError
        A number is out of its range.

    References
    ----------
    J. W. Goodman, Introduction to Fourier Optics (2005), equation 4-21.
    """
    from ducc0.fft import convolve_axis

    wave = np.asarray(wave)
    if wave.ndim != 2 or wave.dtype.kind != "c" or 0 in wave.shape:
        raise InputError(
            f"fresnel: the wave is {wave.dtype} of shape {wave.shape}; give complex (row, column)"
        )
    result = np.empty_like(wave)
    for axis in (1, 0):  # f² is a sum, so exp(-i chi) is a product: rows and columns are delayed in turn
        half = chirp((1, wave.shape[axis]), pixel_m, energy_kev, distance_m)[0]
        whole = np.concatenate([half, half[1 : (wave.shape[axis] + 1) // 2][::-1]])  # f² is even
        kernel = np.fft.ifft(np.exp(-1j * whole)).astype(wave.dtype)
        convolve_axis(result if axis == 0 else wave, result, axis, kernel, nthreads=threads)
    return result


def spread_m(pixel_m: float, energy_kev: float, distance_m: float) -> float:
    """Return how far the finest detail of a frame spreads, lambda D / (2 p) in metres.

    Parameters
    ----------
    pixel_m, energy_kev, distance_m : float
        See `chirp`.

    Returns
    -------
    float
        Metres, 0 or more.
    """
    return WAVELENGTH_M_KEV / energy_kev * abs(distance_m) / (2 * pixel_m)
