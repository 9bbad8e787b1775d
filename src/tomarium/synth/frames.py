"""Frames of a simulated scan: the beam, the sample, the detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.kernels.paganin import length_m
from tomarium.kernels.phantom import pixel_coordinates
from tomarium.model import FrameKind
from tomarium.model.scan import IndexedFrames
from tomarium.synth.config import SimulationConfig, Truth, truth
from tomarium.synth.course import BAR_TRANSMISSION, STREAM, hits, positions
from tomarium.synth.wave import BLUR_PIXELS, through_sample, wave_intensity

_FULL: Final = 65535
_MANY_PHOTONS: Final = 64.0
# (periods over the height, relative amplitude, phase): the stripes a multilayer monochromator leaves.
_STRIPES: Final = ((7.3, 0.03, 0.4), (13.1, 0.02, 2.1), (23.7, 0.015, 4.0))


@dataclass(frozen=True, eq=False)
class SimulatedFrames(IndexedFrames):
    """The frames of one kind of a simulated scan, each made when it is read.

    Attributes
    ----------
    config : SimulationConfig
        The scan.
    known : Truth
        Its truth.
    kind : FrameKind
        DARK, FLAT (those before the scan first, then those after it) or PROJECTION.
    on_read : callable or None
        Called with the number of frames after each was made, in whatever thread made it.
    """

    config: SimulationConfig
    known: Truth
    kind: FrameKind
    on_read: Callable[[int], None] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        frames = {
            FrameKind.DARK: self.config.darks,
            FrameKind.FLAT: 2 * self.config.flats,
            FrameKind.PROJECTION: self.config.views,
        }[self.kind]
        return frames, self.config.rows, self.config.columns

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel: uint16."""
        return np.dtype(np.uint16)

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[np.uint16]:
        """Simulate some frames; a frame is the same however it is asked for.

        Parameters
        ----------
        frames : slice or array of int
            Which frames.
        rows : slice
            Detector rows kept of them.

        Returns
        -------
        array of uint16, shape (frame, row, column)
            Detector counts.

        Notes
        -----
        counts = min(65535, dark + gain · N + read noise), N Poisson of photons · beam(row, time) · pixel gain
        · column response · bars · mean of exp(-p) over the sub-rays of the pixel. The mean is of the transmission,
        not of p: an edge across a pixel is then as non-linear as in a real one.
        """
        numbers = np.arange(self.shape[0])[frames]
        with ThreadPoolExecutor(processors()) as pool:
            images = list(pool.map(lambda number: self._make(int(number))[rows], numbers))
        empty = np.empty((0, *self.shape[1:]), np.uint16)[:, rows]
        return np.stack(images) if images else empty

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return the bytes read from disk and decompressed: none of either.

        Parameters
        ----------
        frames : int
            How many frames.
        rows : slice
            Detector rows.

        Returns
        -------
        tuple of int
            (0, 0).
        """
        return 0, 0

    def position(self) -> NDArray[np.float64]:
        """Return when each frame is taken, on the scale of the projections' own index; shape (frame,)."""
        return positions(self.config, self.kind)

    def _make(self, number: int) -> NDArray[np.uint16]:
        counts = _expose(self.config, self.known, self.kind, number)
        if self.on_read is not None:
            self.on_read(1)
        return counts


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
        Detector counts, as `SimulatedFrames.read` makes them.
    """
    scan_truth = truth(config)
    sequence = [
        (FrameKind.DARK, 0, config.darks),
        (FrameKind.FLAT, 0, config.flats),
        (FrameKind.PROJECTION, 0, config.views),
        (FrameKind.FLAT, config.flats, 2 * config.flats),
    ]
    total = sum(stop - start for _, start, stop in sequence)
    frames_done = 0
    for kind, start, stop in sequence:
        stack = SimulatedFrames(config, scan_truth, kind)
        for first in range(start, stop, block):
            counts = stack.read(slice(first, min(first + block, stop)), slice(None))
            frames_done += len(counts)
            if on_progress is not None:
                on_progress(frames_done, total)
            yield kind, counts


def beam(config: SimulationConfig, place_px: float) -> NDArray[np.float32]:
    """Return the height profile of the beam.

    Parameters
    ----------
    config : SimulationConfig
        The scan.
    place_px : float
        Where the beam stands beside the middle row, px.

    Returns
    -------
    array of float32, shape (row,)
        Intensity over that of the brightest place, above 0 and at most 1.
    """
    place = (np.arange(config.rows) - (config.rows - 1) / 2 - place_px) / config.rows
    scale = config.beam_stripes / sum(size for _, size, _ in _STRIPES)
    stripes = scale * sum(
        size * np.cos(2 * np.pi * periods * place + phase) for periods, size, phase in _STRIPES
    )
    return np.asarray(np.exp(-1.2 * place**2) * (1 + stripes) / (1 + config.beam_stripes), dtype=np.float32)


def transmission(config: SimulationConfig, truth: Truth, view: int) -> NDArray[np.float32]:
    """Return what the sample lets through in one view.

    Parameters
    ----------
    config : SimulationConfig
        The scan.
    truth : Truth
        Its truth.
    view : int
        Number of the projection.

    Returns
    -------
    array of float32, shape (row, column)
        Mean over each pixel of exp(-line integral), with the fringes of propagation where there are some.
    """
    if config.delta_beta and config.propagation == "wave":
        return wave_intensity(config, truth, view)
    s = config.subrays
    z = pixel_coordinates(config.rows, (config.rows - 1) / 2, s)
    u = pixel_coordinates(config.columns, truth.axis_column, s)
    through = through_sample(truth, view, z, u)
    np.negative(through, out=through)
    np.exp(through, out=through)
    by_row = sum(through[i::s] for i in range(1, s)) + through[::s]
    by_pixel = sum(by_row[:, i::s] for i in range(1, s)) + by_row[:, ::s]
    contact = np.asarray(by_pixel / np.float32(s * s))
    return propagated(config, contact) if config.delta_beta else contact


def propagated(config: SimulationConfig, contact: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what reaches a detector at a distance: edges have bright and dark fringes.

    1. The transport of intensity of a homogeneous sample multiplies the spectrum by 1 + L² f², which Paganin's filter
       undoes; L² = π λ R δ/β.
    2. The detector blurs by `BLUR_PIXELS`, without which the factor would grow without an end.

    Parameters
    ----------
    config : SimulationConfig
        Tells energy, distance, pixel size and δ/β.
    contact : array of float32, shape (row, column)
        Transmission behind the sample.

    Returns
    -------
    array of float32, shape (row, column)
        Intensity at the detector over that of the beam, at least 0.1 %.

    References
    ----------
    D. Paganin et al., Journal of Microscopy 206, 33 (2002), equation 8, doi 10.1046/j.1365-2818.2002.01010.x.
    """
    from ducc0.fft import c2r, r2c

    length = length_m(config.delta_beta, config.energy_kev, config.distance_m) / config.pixel_m
    rows, columns = contact.shape
    squared = np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.rfftfreq(columns)[None] ** 2
    gain = (1 + length**2 * squared) * np.exp(-2 * (np.pi * BLUR_PIXELS) ** 2 * squared)
    spectrum = r2c(contact, axes=(0, 1))
    spectrum *= gain.astype(np.float32)
    intensity = c2r(spectrum, axes=(0, 1), lastsize=columns, forward=False, inorm=2)
    return np.asarray(np.maximum(intensity, np.float32(1e-3)))


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
        λ + √λ z + (z² - 1) / 6 with z normal, which has its mean, its variance to 1 / (18 λ) and its skewness
        to 1/λ (Cornish & Fisher 1938, Revue de l'Institut International de Statistique 5, 307-320), at a
        tenth of the time.
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


def bars(truth: Truth, view: int) -> NDArray[np.float32]:
    """Return what bars in the beam let through in one view, a column cut by an edge in part; shape (column,)."""
    columns = truth.config.columns
    first = truth.course.blocked_from[view] * columns
    last = first + truth.course.blocked_share[view] * columns
    place = np.arange(columns)
    covered = np.clip(np.minimum(place + 1, last) - np.maximum(place, first), 0, 1)
    return np.asarray(1 - (1 - BAR_TRANSMISSION) * covered, np.float32)


def _expose(config: SimulationConfig, truth: Truth, kind: FrameKind, number: int) -> NDArray[np.uint16]:
    """Take one frame: shape (row, column)."""
    stream = (config.seed, STREAM[kind], number, *([config.part] if config.part else []))
    draw = np.random.Generator(np.random.SFC64(stream))
    counts = draw.standard_normal((config.rows, config.columns), np.float32)
    counts *= config.read_noise
    counts += config.dark_level
    if kind is not FrameKind.DARK:
        place_px, intensity = truth.course.beam(kind, number)
        light = np.float32(config.photons * intensity) * beam(config, place_px)
        expected = light[:, None] * truth.pixel_gain
        if kind is FrameKind.PROJECTION:
            expected *= transmission(config, truth, number)
            expected *= truth.column_response * bars(truth, number)
        counts += config.gain * photon_counts(draw, expected)
    if config.zingers:
        for row, column, length, height in hits(config, kind, number):
            counts[int(row), int(column) : int(column + length)] += np.float32(height)
    counts.ravel()[truth.dead] = 0
    counts.ravel()[truth.hot] = _FULL
    np.rint(counts, out=counts)
    return np.clip(counts, 0, _FULL, out=counts).astype(np.uint16)
