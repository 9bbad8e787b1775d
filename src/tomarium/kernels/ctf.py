"""Phase retrieval from several propagation distances by the contrast transfer function, refined by propagation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, pi, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.fresnel import chirp
from tomarium.kernels.paganin import WAVELENGTH_M_KEV
from tomarium.kernels.ramp import good_length

LEAST_MARGIN: Final = 32
"""Pixels by which frames go on at each side, at least."""

LEAST_PART: Final = 1e-3
"""Regularisation of low frequencies by default, as a part of the transfer there: what it takes off the phase."""

MISFIT: Final = 0.25
"""Part of the open beam by which the intensity of a wave may differ from an image."""

BORDER: Final = 3
"""Columns at either side that are taken for air, where the mean of the phase is not seen."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """What propagation makes of a weak phase at each distance, and how it is undone; made once for all views.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of a frame.
    padded : tuple of int
        Rows and columns with what goes on beyond them.
    margin : tuple of int
        Rows above and columns before the frame.
    ratio : float
        beta / delta of the sample; 0 of one that does not absorb.
    delays : array of complex64, shape (distance, row, column // 2 + 1)
        exp(-i chi) of each distance.
    alpha : array of float32, shape (row, column // 2 + 1)
        Regularisation.
    inverse : array of float32, shape (row, column // 2 + 1)
        1 / (2 sum s² + alpha) over the distances, with s = sin chi + (beta / delta) cos chi.
    """

    shape: tuple[int, int]
    padded: tuple[int, int]
    margin: tuple[int, int]
    ratio: float
    delays: NDArray[np.complex64]
    alpha: NDArray[np.float32]
    inverse: NDArray[np.float32]

    def factors(self, number: int) -> NDArray[np.float32]:
        """Return s of a distance: 1 - I has 2 s times the spectrum of the phase."""
        delay = self.delays[number]
        return np.asarray(np.float32(self.ratio) * delay.real - delay.imag)


def padded_shape(
    shape: tuple[int, int],
    distances_m: Sequence[float],
    pixel_m: float,
    energy_kev: float,
    delta_beta: float | None,
) -> tuple[int, int]:
    """Return rows and columns of a frame with what it goes on by: two lengths of Paganin's filter, half of it at most.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of a frame.
    distances_m, pixel_m, energy_kev, delta_beta
        See `transfer`.

    Returns
    -------
    tuple of int
        Lengths that are quick to transform.
    """
    farthest = max(abs(distance) for distance in distances_m)
    length = sqrt(pi * WAVELENGTH_M_KEV / energy_kev * farthest * (delta_beta or 1.0)) / pixel_m
    sides = (
        max(LEAST_MARGIN, n // 2 if delta_beta is None else min(n // 2, ceil(2 * length))) for n in shape
    )
    rows, columns = (good_length(n + 2 * side) for n, side in zip(shape, sides, strict=True))
    return rows, columns


def transfer(
    shape: tuple[int, int],
    distances_m: Sequence[float],
    pixel_m: float,
    energy_kev: float,
    *,
    delta_beta: float | None,
    low: float | None = None,
    high: float = 0.2,
) -> Transfer:
    """Prepare phase retrieval for frames of a size.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of a frame.
    distances_m : sequence of float
        Propagation distances in metres, one for each image of a view; D / M in a diverging beam.
    pixel_m, energy_kev : float
        Pixel size in metres and photon energy in keV.
    delta_beta : float or None
        Ratio delta / beta of the sample; None where it does not absorb.
    low : float, optional
        Regularisation alpha below the first maximum of the farthest distance. By default a thousandth of the transfer
        at frequency 0; of a sample that does not absorb, whose transfer is 0 there, of that at the lowest frequency
        that is in the frame.
    high : float
        Regularisation alpha above it.

    Returns
    -------
    Transfer
        For `retrieve`.

    Raises
    ------
    ParameterError
        No distance, all of them 0 for a sample that does not absorb, or a number that is out of its range.

    References
    ----------
    P. Cloetens et al., Applied Physics Letters 75, 2912 (1999), doi 10.1063/1.125225; L. D. Turner et al., Optics
    Express 12, 2960 (2004), doi 10.1364/OPEX.12.002960, for a homogeneous sample.
    """
    if not distances_m or not all(isfinite(distance) for distance in distances_m):
        raise ParameterError(f"ctf: distances_m is {list(distances_m)}; give finite distances")
    if delta_beta is not None and not (isfinite(delta_beta) and delta_beta > 0):
        raise ParameterError(
            f"ctf: delta_beta is {delta_beta}; give a number above 0, or none for no absorption"
        )
    if delta_beta is None and not any(distances_m):
        raise ParameterError("ctf: all distances are 0, where a phase shows no contrast; give another one")
    if not (high >= 0 and isfinite(high) and (low is None or (low >= 0 and isfinite(low)))):
        raise ParameterError(f"ctf: the regularisation is {low} and {high}; give numbers of 0 or more")
    padded = padded_shape(shape, distances_m, pixel_m, energy_kev, delta_beta)
    ratio = 0.0 if delta_beta is None else 1 / delta_beta
    delays = np.empty((len(distances_m), padded[0], padded[1] // 2 + 1), np.complex64)
    total = np.zeros(delays.shape[1:])
    for delay, distance in zip(delays, distances_m, strict=True):
        chi = chirp(padded, pixel_m, energy_kev, distance)
        delay[...] = np.exp(-1j * chi)
        total += (np.sin(chi) + ratio * np.cos(chi)) ** 2
    if low is None:
        low = LEAST_PART * 2 * (total[0, 0] if ratio else min(total[1, 0], total[0, 1]))
    # The first maximum of sin chi at the farthest distance, where chi is pi / 2.
    farthest = max(abs(distance) for distance in distances_m) or 1.0
    square = chirp(padded, pixel_m, energy_kev, farthest) / (pi / 2)
    part = np.clip(np.sqrt(square) - 0.5, 0, 1)  # of the way from half of that frequency to one and a half
    blend = part**2 * (3 - 2 * part)
    alpha = low + (high - low) * blend
    inverse = 1 / np.maximum(2 * total + alpha, 1e-30)
    if not ratio:
        inverse[0, 0] = 0
    before = (padded[0] - shape[0]) // 2, (padded[1] - shape[1]) // 2
    return Transfer(
        shape, padded, before, ratio, delays, alpha.astype(np.float32), inverse.astype(np.float32)
    )


def retrieve(
    images: NDArray[Any], known: Transfer, *, iterations: int = 3, threads: int = 1
) -> NDArray[np.float32]:
    """Return the phase shift that images of a view at several distances tell.

    1. To first order the spectrum of 1 - I_d is 2 s_d a, with the phase shift a = k integral of delta and
       s_d = sin chi_d + (beta / delta) cos chi_d. Least squares give a = sum s_d F(1 - I_d) / (2 sum s_d² + alpha).
    2. The wave exp(-(beta / delta) a - i a) is propagated to each distance; what its intensity I(a) exceeds the images
       by corrects a by (sum s_d F(I_d(a) - I_d) - alpha F(a)) / (2 sum s_d² + alpha). Every iteration does this once:
       strong phases and strong absorption, for which the first order is not right, are then seen as they are.
    3. A sample that does not absorb leaves the mean of the phase open; the outermost columns are taken for air.

    Parameters
    ----------
    images : array, shape (distance, row, column)
        Transmission I / I₀ at each distance.
    known : Transfer
        Made for that size and these distances.
    iterations : int
        How often step 2 is done; 0 is the contrast transfer function of the papers.
    threads : int
        Threads.

    Returns
    -------
    array of float32, shape (row, column)
        Phase shift k integral of delta in radians, positive where the sample is. 2 beta / delta of it is the
        attenuation.

    Raises
    ------
    InputError
        The images have another shape, or hold a value that is not finite.
    """
    return retrieve_and_judge(images, known, iterations=iterations, threads=threads)[0]


def retrieve_and_judge(
    images: NDArray[Any], known: Transfer, *, iterations: int = 3, threads: int = 1
) -> tuple[NDArray[np.float32], float]:
    """Return the phase shift, and the part of the pixels that the wave does not explain.

    Parameters
    ----------
    images, known, iterations, threads
        See `retrieve`.

    Returns
    -------
    array of float32, float
        The phase shift, and the part of the pixels of all images from which the intensity of the wave before the last
        correction differs by more than `MISFIT`; 0 without iterations, which do not look.

    Raises
    ------
    InputError
        The images have another shape, or hold a value that is not finite.
    """
    from ducc0.fft import c2c, c2r, r2c

    images = np.asarray(images)
    if images.shape != (len(known.delays), *known.shape):
        raise InputError(
            f"ctf: the images have shape {images.shape}; give {len(known.delays)} distances of "
            f"{known.shape[0]} × {known.shape[1]}"
        )
    if not np.isfinite(images).all():
        raise InputError("ctf: a value is not finite and would spread over the whole image; correct it first")
    far = [(b, p - n - b) for b, p, n in zip(known.margin, known.padded, known.shape, strict=True)]
    padded = np.pad(images.astype(np.float32, copy=False), [(0, 0), *far], mode="edge")
    phase = np.zeros(known.padded, np.float32)
    missed = 0.0
    for number in range(iterations + 1):
        wave = np.exp(np.complex64(-known.ratio - 1j) * phase) if number else None
        if wave is not None:
            c2c(wave, axes=(0, 1), nthreads=threads, out=wave)
        spectrum = np.zeros(known.inverse.shape, np.complex64)
        if wave is not None:
            spectrum -= known.alpha * r2c(phase, axes=(0, 1), nthreads=threads)
        for k, image in enumerate(padded):
            excess = (np.float32(1) if wave is None else _intensity(wave, known.delays[k], threads)) - image
            if number and number == iterations:
                missed += float(np.mean(np.abs(_inner(excess, known)) > MISFIT)) / len(padded)
            part = r2c(excess, axes=(0, 1), nthreads=threads)
            part *= known.factors(k)
            spectrum += part
        spectrum *= known.inverse
        phase += c2r(
            spectrum, axes=(0, 1), lastsize=known.padded[1], forward=False, inorm=2, nthreads=threads
        )
        if not known.ratio:
            phase -= _border(phase, known)
    return np.array(_inner(phase, known)), missed


def _intensity(
    wave: NDArray[np.complex64], delay: NDArray[np.complex64], threads: int
) -> NDArray[np.float32]:
    """Propagate a wave whose spectrum is given."""
    from ducc0.fft import c2c

    columns, half = wave.shape[1], delay.shape[1]
    propagated = np.empty_like(wave)
    np.multiply(wave[:, :half], delay, out=propagated[:, :half])
    np.multiply(wave[:, half:], delay[:, 1 : (columns + 1) // 2][:, ::-1], out=propagated[:, half:])
    c2c(propagated, axes=(0, 1), forward=False, inorm=2, nthreads=threads, out=propagated)
    return np.asarray(propagated.real**2 + propagated.imag**2)


def _inner(padded: NDArray[np.float32], known: Transfer) -> NDArray[np.float32]:
    (top, left), (rows, columns) = known.margin, known.shape
    return padded[top : top + rows, left : left + columns]


def _border(phase: NDArray[np.float32], known: Transfer) -> np.float32:
    inner = _inner(phase, known)
    return np.float32(np.median(np.concatenate([inner[:, :BORDER], inner[:, -BORDER:]], axis=1)))
