"""Frames of a simulated scan, block by block: the beam, the sample, the detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.kernels.phantom import line_integrals, pixel_coordinates
from tomarium.model import FrameKind
from tomarium.synth.config import SimulationConfig, Truth, truth

_FULL: Final = 65535
_MANY_PHOTONS: Final = 64.0
# (periods over the height, relative amplitude, phase): the stripes a multilayer monochromator leaves.
_STRIPES: Final = ((7.3, 0.03, 0.4), (13.1, 0.02, 2.1), (23.7, 0.015, 4.0))
_ROUND: Final = {FrameKind.DARK: 1, FrameKind.FLAT: 2, FrameKind.PROJECTION: 3}


def frames(
    config: SimulationConfig,
    *,
    block: int = 16,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[FrameKind, NDArray[np.uint16]]]:
    """Simulate the frames of a scan in the order they would be taken.

    Parameters
    ----------
    config : SimulationConfig
        The scan.
    block : int
        Most frames yielded at once.
    on_progress : callable, optional
        Called as `on_progress(done, total)` in frames after each block.

    Yields
    ------
    kind : FrameKind
        Darks first, then flats, projections, and flats again.
    counts : array of uint16, shape (frame, row, column)
        Detector counts. Each frame is drawn from the seed and its own number: blocks do not change it.

    Notes
    -----
    counts = min(65535, dark + gain · N + read noise), N Poisson of photons · beam(row, time) · pixel gain ·
    mean of exp(-p) over the sub-rays of the pixel. The mean is of the transmission, not of p: an edge across a
    pixel is then as non-linear as in a real one.
    """
    known = truth(config)
    total = config.darks + 2 * config.flats + config.views
    done = 0
    with ThreadPoolExecutor(processors()) as pool:
        for kind, first, count, start in _sequence(config):
            for lower in range(first, first + count, block):
                numbers = range(lower, min(lower + block, first + count))
                expose = partial(_expose, config, known, kind)
                times = [(start + number - first) / max(total - 1, 1) for number in numbers]
                counts = np.stack(list(pool.map(expose, numbers, times)))
                done += len(numbers)
                if on_progress is not None:
                    on_progress(done, total)
                yield kind, counts


def _sequence(config: SimulationConfig) -> list[tuple[FrameKind, int, int, int]]:
    """List the runs of a scan: kind, number of the first frame within its kind, count, place in the scan."""
    after_flats = config.darks + config.flats
    return [
        (FrameKind.DARK, 0, config.darks, 0),
        (FrameKind.FLAT, 0, config.flats, config.darks),
        (FrameKind.PROJECTION, 0, config.views, after_flats),
        (FrameKind.FLAT, config.flats, config.flats, after_flats + config.views),
    ]


def _expose(
    config: SimulationConfig, known: Truth, kind: FrameKind, number: int, time: float
) -> NDArray[np.uint16]:
    """Take one frame: shape (row, column)."""
    draw = np.random.Generator(np.random.SFC64((config.seed, _ROUND[kind], number)))
    counts = draw.standard_normal((config.rows, config.columns), np.float32)
    counts *= config.read_noise
    counts += config.dark_level
    if kind is not FrameKind.DARK:
        expected = config.photons * beam(config, time)[:, None] * known.pixel_gain
        if kind is FrameKind.PROJECTION:
            expected *= transmission(config, known, number)
            expected *= known.column_response
        counts += config.gain * photon_counts(draw, expected)
    _add_zingers(draw, counts, config.zingers)
    counts.ravel()[known.dead] = 0
    counts.ravel()[known.hot] = _FULL
    np.rint(counts, out=counts)
    return np.clip(counts, 0, _FULL, out=counts).astype(np.uint16)


def beam(config: SimulationConfig, time: float) -> NDArray[np.float32]:
    """Return the height profile of the beam.

    Parameters
    ----------
    config : SimulationConfig
        The scan.
    time : float
        0 at the first frame, 1 at the last.

    Returns
    -------
    array of float32, shape (row,)
        Intensity over that of the brightest place, above 0 and at most 1.
    """
    place = (np.arange(config.rows) - (config.rows - 1) / 2 - time * config.beam_drift_rows) / config.rows
    stripes = sum(size * np.cos(2 * np.pi * periods * place + phase) for periods, size, phase in _STRIPES)
    largest = 1 + sum(size for _, size, _ in _STRIPES)
    return np.asarray(np.exp(-1.2 * place**2) * (1 + stripes) / largest, dtype=np.float32)


def transmission(config: SimulationConfig, known: Truth, view: int) -> NDArray[np.float32]:
    """Return what the sample lets through in one view.

    Parameters
    ----------
    config : SimulationConfig
        The scan.
    known : Truth
        Its truth.
    view : int
        Number of the projection.

    Returns
    -------
    array of float32, shape (row, column)
        Mean over each pixel of exp(-line integral).
    """
    s = config.subrays
    z = pixel_coordinates(config.rows, (config.rows - 1) / 2, s)
    u = pixel_coordinates(config.columns, known.axis_column, s)
    through = line_integrals(known.ellipsoids, known.angles_deg[view : view + 1], z, u)[0]
    np.negative(through, out=through)
    np.exp(through, out=through)
    by_row = sum(through[i::s] for i in range(s))
    return np.asarray(sum(by_row[:, i::s] for i in range(s)) / np.float32(s * s))


def photon_counts(draw: np.random.Generator, expected: NDArray[np.float32]) -> NDArray[np.float32]:
    """Draw Poisson counts quickly.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of randomness.
    expected : array of float32
        Mean counts, 0 or more.

    Returns
    -------
    array of float32
        Counts. Below 64 they are drawn from the Poisson law; above it from its Cornish-Fisher expansion
        λ + √λ z + (z² - 1) / 6 with z normal, which has its mean, variance and (to 1/λ) skewness (Abramowitz &
        Stegun 1964, 26.2.49), at a tenth of the time.
    """
    z = draw.standard_normal(expected.shape, np.float32)
    counts = z * np.sqrt(expected)
    counts += expected
    z *= z
    z -= 1
    z /= 6
    counts += z
    few = expected < _MANY_PHOTONS
    if few.any():
        counts[few] = draw.poisson(expected[few])
    return np.asarray(np.rint(np.maximum(counts, 0, out=counts), out=counts))


def _add_zingers(draw: np.random.Generator, counts: NDArray[np.float32], mean: float) -> None:
    """Add hits of stray radiation: one to three pixels, exponential height."""
    rows, columns = counts.shape
    for _ in range(draw.poisson(mean)):
        row, column = draw.integers(rows), draw.integers(columns)
        length = draw.integers(1, 4)
        counts[row, column : column + length] += draw.exponential(10_000.0)
