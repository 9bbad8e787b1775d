"""Filtered backprojection as the adjoint of a non-uniform Fourier transform, by ducc0: no compiler needed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.backprojection.geometry import Task, disc

ACCURACY = 1e-4
"""Relative accuracy asked of the transform."""


def backproject(sinogram: NDArray[np.float32], task: Task, out: NDArray[np.float32]) -> None:
    """Reconstruct by the central slice theorem.

    The backprojection is a sum of plane waves with one frequency for each sample of each projection's
    spectrum, that is, a non-uniform Fourier transform of type 1. Two slices are the real and the imaginary
    part of one.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, row, column)
        Attenuation.
    task : Task
        What to reconstruct.
    out : array of float32, shape (row, y, x)
        Where the result goes.

    References
    ----------
    Natterer & Wübbeling (2001), Mathematical Methods in Image Reconstruction, section 5.2.
    """
    import ducc0

    padded, (y0, y1, x0, x1) = task.padded, task.region
    inside = disc(task.size, task.region)
    frequency = np.arange(-padded // 2, padded // 2 + 1) / padded
    # The plan wants coordinates as fine as the data; in float32 they cost 1e-5 of the contrast at 1024.
    coordinates = np.empty((len(task.weight), len(frequency), 2), np.float32)
    coordinates[..., 0] = np.multiply.outer(task.sine, frequency)
    coordinates[..., 1] = np.multiply.outer(task.cosine, frequency)
    factors = _factors(task, frequency)

    def some_pairs(rows: range) -> None:
        plan = ducc0.nufft.plan(
            nu2u=True, coord=coordinates.reshape(-1, 2), grid_shape=(task.size, task.size), epsilon=ACCURACY,
            nthreads=1, periodicity=1.0,
        )  # fmt: skip
        for row in rows:
            points = _spectrum(sinogram[:, row : row + 2], task)
            points *= factors
            image = plan.nu2u(forward=False, points=points.reshape(-1))
            part = image[y0:y1, x0:x1]
            out[row] = np.where(inside, part.real, 0)
            if row + 1 < sinogram.shape[1]:
                out[row + 1] = np.where(inside, part.imag, 0)

    # One transform in several threads adds in an order that changes from run to run, and a plan must not be used
    # by two threads at once (it crashes): so each thread has a plan and pairs of rows of its own.
    pairs = range(0, sinogram.shape[1], 2)
    workers = min(task.threads, len(pairs))
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(some_pairs, [pairs[k::workers] for k in range(workers)]))


def _factors(task: Task, frequency: NDArray[np.float64]) -> NDArray[np.complex64]:
    """Filter, angular weight and the shift of the origin to the axis, shape (angle, padded + 1)."""
    response = np.concatenate([task.response[:0:-1], task.response])
    response[[0, -1]] /= 2  # both ends are the one Nyquist frequency
    # An image of even size has its pixels half-way between the integers of the transform.
    half = 0.5 * (1 - task.size % 2)
    shift = task.axes + half * (task.cosine + task.sine)
    weight = task.weight * (task.scale / task.padded)
    factors = np.empty((len(shift), len(frequency)), np.complex64)
    for k, row in enumerate(factors):
        row[:] = weight[k] * response * np.exp(2j * np.pi * shift[k] * frequency)
    return factors


def _spectrum(pair: NDArray[np.float32], task: Task) -> NDArray[np.complex64]:
    """Fourier transform of one or two padded rows, shape (angle, padded + 1), lowest frequency first."""
    import ducc0

    padded, columns = task.padded, task.columns
    rows = np.zeros((pair.shape[0], padded), np.complex64)
    middle = columns + (padded - columns) // 2
    for part, row in zip((rows.real, rows.imag), np.moveaxis(pair, 1, 0), strict=False):
        part[:, :columns] = row
        if task.padding == "edge":
            part[:, columns:middle] = row[:, -1:]
            part[:, middle:] = row[:, :1]
    ducc0.fft.c2c(rows, axes=[1], nthreads=1, out=rows)
    return np.concatenate([rows[:, padded // 2 :], rows[:, : padded // 2 + 1]], axis=1)
