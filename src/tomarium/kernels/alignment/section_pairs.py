"""How far one slice of a series lies beside another one: whole pixels by correlation, parts of them by its phases."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.motion.register import band_pass, window
from tomarium.kernels.ramp import good_length

FINEST_PX: Final = 0.7
COARSEST_SHARE: Final = 1 / 12
"""Structures between these two count: a standard deviation in pixels, and a share of the shorter side."""

CLIPPED: Final = 4.0
"""Values this many standard deviations off, such as charged spots, count no more than that."""

TILES: Final = 2
LEAST_TILE: Final = 24
TILE_REACH: Final = 3.0
NEWTON: Final = 6

Plane = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SectionShift:
    """Where one slice lies beside another.

    Attributes
    ----------
    rows, columns : float
        How far its content lies towards higher rows and columns, pixels.
    likeness : float
        Correlation of what both show there, -1 to 1.
    height : float
        The peak of the correlation over its standard deviation; that of two images of noise stays below 6.
    places : array of float64, shape (tile, 2)
        Middles of tiles of the first slice, (row, column), pixels from its middle.
    tiles : array of float64, shape (tile, 2)
        How far each of them lies, (row, column), pixels; NaN where it shows nothing that tells.
    """

    rows: float
    columns: float
    likeness: float
    height: float
    places: Array
    tiles: Array


def prepared_section(plane: NDArray[Any], factor: int = 1) -> Plane:
    """Make a slice ready to be compared: averaged over blocks, without what is coarse, of spread 1.

    Parameters
    ----------
    plane : array, shape (row, column)
        Grey values; those that are not finite count as their median.
    factor : int
        Pixels along each axis that are averaged; what is left over at the ends is left out.

    Returns
    -------
    array of float32, shape (row // factor, column // factor)
        Of mean about 0; all 0 where the slice has no contrast.
    """
    values = np.asarray(plane, np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite, values, np.median(values[finite]) if finite.any() else 0.0)
    rows, columns = (length // factor for length in values.shape)
    blocks = values[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    fine = np.asarray(blocks.mean(axis=(1, 3)), np.float32)
    filtered = band_pass(fine[None], FINEST_PX, max(4.0, COARSEST_SHARE * min(rows, columns)))[0]
    spread = 1.4826 * float(np.median(np.abs(filtered - np.median(filtered)))) or float(filtered.std())
    if not spread > 1e-6 * max(1e-30, float(np.abs(fine).max())):
        return np.zeros_like(filtered)
    return np.asarray(np.clip(filtered / np.float32(spread), -CLIPPED, CLIPPED), np.float32)


def register_sections(
    first: Plane,
    second: Plane,
    *,
    start: tuple[float, float] = (0.0, 0.0),
    reach: float | None = None,
    tiles: int = TILES,
) -> SectionShift:
    """Find how far a slice lies beside another one, as a whole and tile by tile.

    1. The parts of both that lie on each other by the nearest whole pixels are windowed and transformed; waves that
       do not vary along the rows or along the columns are left out, which are curtains and lines of the scan.
    2. The highest correlation within reach moves the parts, and they are cut anew where it lies elsewhere.
    3. Newton's method goes from there to the maximum of the correlation's Fourier sum.
    4. Each tile does the same on its own, from there.

    Parameters
    ----------
    first, second : array of float32, shape (row, column)
        Of one size, from `prepared_section`.
    start : tuple of float
        (rows, columns) about which is looked.
    reach : float, optional
        Farthest from there that is looked for, pixels; by default a quarter of each side.
    tiles : int
        Tiles along each axis.

    Returns
    -------
    SectionShift
        Of the second beside the first.

    References
    ----------
    M. Guizar-Sicairos et al., Optics Letters 33, 156 (2008), doi 10.1364/OL.33.000156, on parts of a pixel by a sum.
    """
    shape = (first.shape[0], first.shape[1])
    far = [min(length / 4, reach) if reach is not None else length / 4 for length in shape]
    at = (round(start[0]), round(start[1]))
    peak = _Peak(0.0, 0.0, 0.0, 0.0)
    for _ in range(3):
        first_part, second_part = _overlap(first, second, at)
        peak = _peak(first_part, second_part, (far[0] + start[0] - at[0], far[1] + start[1] - at[1]), far)
        step = (round(peak.rows), round(peak.columns))
        if step == (0, 0) or not peak.height:
            break
        at = (at[0] + step[0], at[1] + step[1])
    rows, columns = at[0] + peak.rows, at[1] + peak.columns
    nearest = (round(rows), round(columns))
    places, shifts = _tiles(first, second, nearest, tiles)
    return SectionShift(rows, columns, peak.likeness, peak.height, places, shifts)


@dataclass(frozen=True)
class _Peak:
    rows: float
    columns: float
    likeness: float
    height: float


def _overlap(first: Plane, second: Plane, at: tuple[int, int]) -> tuple[Plane, Plane]:
    """Cut out what lies on each other where the second lies at whole pixels."""
    own, second_slices = [], []
    for length, shift in zip(first.shape, at, strict=True):
        low, high = max(0, -shift), min(length, length - shift)
        own.append(slice(low, high))
        second_slices.append(slice(low + shift, high + shift))
    return first[own[0], own[1]], second[second_slices[0], second_slices[1]]


def _peak(first: Plane, second: Plane, high: tuple[float, float], far: list[float]) -> _Peak:
    """Find the highest correlation, and go to its maximum; `high` is the farthest towards higher places."""
    rows, columns = first.shape
    if min(rows, columns) < 8:
        return _Peak(0.0, 0.0, 0.0, 0.0)
    weight = window(rows, columns)
    size = (good_length(rows), good_length(columns))
    spectra = []
    for image in (first, second):
        padded = np.zeros(size, np.float32)
        padded[:rows, :columns] = (image - np.float32(np.sum(image * weight) / np.sum(weight))) * weight
        spectrum = ducc0.fft.r2c(padded, axes=[0, 1], nthreads=1)
        spectrum[0], spectrum[:, 0] = 0, 0
        spectra.append(spectrum)
    energy = np.sqrt(_energy(spectra[0], size[1]) * _energy(spectra[1], size[1]))
    if not energy > 0:
        return _Peak(0.0, 0.0, 0.0, 0.0)
    cross = np.conj(spectra[0]) * spectra[1]
    correlation = ducc0.fft.c2r(cross, axes=[0, 1], lastsize=size[1], forward=False, nthreads=1)
    lags = []
    for most, reach, length in zip(high, far, size, strict=True):
        upper = int(min(max(1, ceil(most)), length // 2 - 1))
        lower = int(min(max(1, ceil(2 * reach - most)), length // 2 - 1))
        lags.append(np.r_[-lower : upper + 1])
    near = correlation[np.ix_(*(lag % length for lag, length in zip(lags, size, strict=True)))]
    row, column = np.unravel_index(int(np.argmax(near)), near.shape)
    height = float(near[row, column] / correlation.std())
    place = _maximum(cross, size, (float(lags[0][row]), float(lags[1][column])))
    return _Peak(place[0], place[1], place[2] / float(energy), height)


def _energy(spectrum: NDArray[Any], columns: int) -> float:
    return float(np.sum(_both_sides(spectrum.shape[1], columns) * np.abs(spectrum) ** 2))


def _both_sides(count: int, columns: int) -> Array:
    """Return how often each column of a half spectrum stands in the whole one."""
    k = np.arange(count)
    return np.where((k == 0) | (2 * k == columns), 1.0, 2.0)


def _maximum(
    cross: NDArray[Any], size: tuple[int, int], start: tuple[float, float]
) -> tuple[float, float, float]:
    """Go from a whole pixel to the maximum of the Fourier sum nearby; return where it is, and the sum there."""
    down = 2 * np.pi * np.fft.fftfreq(size[0])
    across = 2 * np.pi * np.arange(cross.shape[1]) / size[1]
    weighted = np.asarray(cross * _both_sides(cross.shape[1], size[1]), np.complex64)
    place = np.array(start)
    best = (start[0], start[1], -np.inf)
    for _ in range(NEWTON):
        upright = np.exp(1j * down * place[0])
        turns = np.exp(1j * across * place[1]) * across ** np.arange(3)[:, None]
        # Without a product of matrices, whose threads would wait for each other here.
        along = np.einsum("rc,pc->pr", weighted, turns.astype(np.complex64)).astype(np.complex128)
        # Sums of c·(i ky)^a·(i kx)^b·e^{i(ky r + kx c)}: the correlation and its derivatives.
        value = float(np.real(upright @ along[0]))
        if value > best[2]:
            best = (float(place[0]), float(place[1]), value)
        slope = np.array([-np.imag((upright * down) @ along[0]), -np.imag(upright @ along[1])], np.float64)
        bend = -np.array(
            [
                [np.real((upright * down**2) @ along[0]), np.real((upright * down) @ along[1])],
                [np.real((upright * down) @ along[1]), np.real(upright @ along[2])],
            ],
            np.float64,
        )
        if not (bend[0, 0] < 0 and np.linalg.det(bend) > 0):
            break
        step = np.clip(-np.linalg.solve(bend, slope), -0.5, 0.5)
        place = np.clip(place + step, np.array(start) - 1, np.array(start) + 1)
        if np.abs(step).max() < 1e-4:
            break
    return best


def _tiles(first: Plane, second: Plane, at: tuple[int, int], count: int) -> tuple[Array, Array]:
    """Register tiles that lie on each other by whole pixels; places are from the middle of the first slice."""
    first_part, second_part = _overlap(first, second, at)
    corner = (max(0, -at[0]), max(0, -at[1]))
    edges = [np.linspace(0, length, count + 1).round().astype(int) for length in first_part.shape]
    places, shifts = [], []
    for top, bottom in zip(edges[0], edges[0][1:], strict=False):
        for left, right in zip(edges[1], edges[1][1:], strict=False):
            places.append(
                [
                    corner[0] + (top + bottom - 1) / 2 - (first.shape[0] - 1) / 2,
                    corner[1] + (left + right - 1) / 2 - (first.shape[1] - 1) / 2,
                ]
            )
            if min(bottom - top, right - left) < LEAST_TILE:
                shifts.append([np.nan, np.nan])
                continue
            part = slice(top, bottom), slice(left, right)
            reach = max(TILE_REACH, min(bottom - top, right - left) / 16)
            peak = _peak(first_part[part], second_part[part], (reach, reach), [reach, reach])
            is_found = peak.height > 4 and max(abs(peak.rows), abs(peak.columns)) < reach
            shifts.append([at[0] + peak.rows, at[1] + peak.columns] if is_found else [np.nan, np.nan])
    return np.array(places), np.array(shifts)
