"""Slices of a specimen that was milled or cut, as a drifting microscope takes them, with their truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.motion.register import smooth

MARGIN: Final = 32

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SimulatedSlices:
    """Slices and what is true of them.

    Attributes
    ----------
    images : array of float32, shape (slice, row, column)
        As they are taken: grey values about 0 to 2, with noise.
    truth : array of float32, shape (slice, row, column)
        The specimen without drift, curtains and noise.
    shifts : array of float64, shape (slice, 2)
        How far the content of each slice lies towards higher rows and columns, pixels.
    curtains : array of float32, shape (slice, row, column)
        What was added to them as curtains.
    """

    images: NDArray[np.float32]
    truth: NDArray[np.float32]
    shifts: Array
    curtains: NDArray[np.float32]


def simulated_slices(
    count: int,
    shape: tuple[int, int],
    seed: int,
    *,
    grain_px: float = 4.0,
    slice_px: float = 1.0,
    jitter_px: float = 1.5,
    walk_px: float = 0.3,
    slant: tuple[float, float] = (0.0, 0.0),
    noise: float = 0.2,
    curtains: float = 0.0,
) -> SimulatedSlices:
    """Draw a rock of three phases, cut it into slices and let the microscope drift.

    Parameters
    ----------
    count : int
        Slices.
    shape : tuple of int
        Rows and columns.
    seed : int
        The same seed draws the same.
    grain_px : float
        Size of grains, standard deviation in pixels.
    slice_px : float
        Distance of two slices, pixels.
    jitter_px, walk_px : float
        Drift: what each slice has on its own, and each step of a random walk, standard deviations in pixels.
    slant : tuple of float
        By how much all grains go on towards higher rows and columns from slice to slice, pixels.
    noise : float
        Standard deviation; the phases are 0, 1 and 2.
    curtains : float
        Strength of single curtains, standard deviation.

    Returns
    -------
    SimulatedSlices
        The mean of its shifts is 0.
    """
    draw = np.random.default_rng(seed)
    beyond = int(3 * grain_px / slice_px) + 1  # smoothing mirrors what lies at the ends
    size = (count + 2 * beyond, shape[0] + 2 * MARGIN, shape[1] + 2 * MARGIN)
    field = draw.standard_normal(size, dtype=np.float32)
    for axis, sigma in ((0, max(grain_px / slice_px, 0.3)), (1, grain_px), (2, grain_px)):
        field = smooth(field, sigma, axis)
    field = field[beyond : beyond + count] / field.std()
    phases = smooth(smooth((field > 0.3).astype(np.float32) + (field > 1.2), 0.8, 1), 0.8, 2)
    shifts = draw.normal(0, jitter_px, (count, 2)) + np.cumsum(draw.normal(0, walk_px, (count, 2)), axis=0)
    shifts -= shifts.mean(axis=0)
    leaning = (np.arange(count) - (count - 1) / 2)[:, None] * np.array(slant)
    inner = slice(MARGIN, MARGIN + shape[0]), slice(MARGIN, MARGIN + shape[1])
    truth = np.stack([moved_by(plane, lean)[inner] for plane, lean in zip(phases, leaning, strict=True)])
    images = np.stack(
        [moved_by(plane, shift)[inner] for plane, shift in zip(phases, shifts + leaning, strict=True)]
    )
    stripes = np.zeros_like(images)
    if curtains:
        stripes = np.stack([_curtains(shape, curtains, draw) for _ in range(count)])
    noisy = images + stripes + np.float32(noise) * draw.standard_normal(images.shape, dtype=np.float32)
    return SimulatedSlices(noisy, truth, shifts, stripes)


def moved_by(plane: NDArray[np.float32], shift: Array) -> NDArray[np.float32]:
    """Move an image by parts of a pixel, by the phases of its waves; what leaves it comes in on the other side.

    Parameters
    ----------
    plane : array of float32, shape (row, column)
        An image.
    shift : array of float64, shape (2,)
        Towards higher rows and columns, pixels.

    Returns
    -------
    array of float32, shape (row, column)
        Moved.
    """
    rows, columns = (np.fft.fftfreq(length) for length in plane.shape)
    turn = np.exp(-2j * np.pi * (rows[:, None] * shift[0] + columns[None] * shift[1]))
    return np.real(np.fft.ifft2(np.fft.fft2(plane) * turn)).astype(np.float32)


def _curtains(shape: tuple[int, int], strength: float, draw: np.random.Generator) -> NDArray[np.float32]:
    """Draw stripes that begin at some row and fade below it."""
    rows, columns = shape
    y, x = np.arange(rows)[:, None], np.arange(columns)[None]
    stripes = np.zeros(shape, np.float32)
    for _ in range(columns // 6):
        begin = draw.integers(-rows // 2, 2 * rows // 3)
        long, wide, at = draw.uniform(0.4, 1.5) * rows, draw.uniform(0.7, 4), draw.integers(columns)
        fade = np.exp(-np.maximum(y - begin, 0) / long) * np.clip((y - begin) / 10, 0, 1)
        stripes += np.float32(draw.normal(0, strength)) * (fade * np.exp(-0.5 * ((x - at) / wide) ** 2))
    return stripes
