"""Direct filtered backprojection in the compiled extension: exact crops, quickest for small regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import extension, level
from tomarium.kernels.backprojection.geometry import Task, padded_length
from tomarium.kernels.ramp import filtered_samples

OVERSAMPLING = 8
"""Filtered samples per pixel; read linearly, they misplace 1/225 of what lies at the Nyquist frequency."""

ANGLES = 64
"""Projections that are filtered and backprojected together; part of the order of the sum, so no parameter."""

LANES = 16
"""Projections that a Fourier transform takes side by side at most."""


def backproject(sinogram: NDArray[np.float32], task: Task, out: NDArray[np.float32]) -> None:
    """Reconstruct by summing every projection into every pixel of the disc.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, row, column)
        Attenuation.
    task : Task
        What to reconstruct.
    out : array of float32, shape (row, y, x)
        Where the result goes; C-contiguous.

    References
    ----------
    Kak & Slaney (1988), Principles of Computerized Tomographic Imaging, eq. 34 of chapter 3.
    """
    run, instructions = extension().backproject, level()
    out[:] = 0
    start, stop = _window(task)
    directions = np.stack([task.cosine, task.sine, task.axes + task.left]) * OVERSAMPLING
    directions[2] -= start
    weight = (task.weight * task.scale).astype(np.float32)[:, None, None]
    for row in range(0, sinogram.shape[1], 16):
        rows = slice(row, row + 16)
        for k in range(0, len(task.weight), ANGLES):
            block = slice(k, k + ANGLES)
            samples = _filtered(sinogram[block, rows] * weight[block], task)[..., start:stop]
            run(
                samples, np.ascontiguousarray(directions[:, block]), task.size, task.region, out[rows],
                task.threads, instructions,
            )  # fmt: skip
            del samples  # the largest array here; the next block must not find it still there


def _filtered(weighted: NDArray[np.float32], task: Task) -> NDArray[np.float32]:
    """Filter (angle, row, column) so that each is rounded alike, however many others there are.

    The transforms take `LANES` projections side by side and the rest one by one, which rounds otherwise: every thread
    is given whole groups of them.
    """
    angles, rows, columns = weighted.shape
    whole = np.zeros((-(-angles // LANES) * LANES, rows, columns), np.float32)
    whole[:angles] = weighted
    groups = len(whole) * rows // LANES
    threads = max(count for count in range(1, min(task.threads, groups) + 1) if groups % count == 0)
    samples: NDArray[np.float32] = filtered_samples(
        whole, task.response, task.padding, task.left, OVERSAMPLING, threads
    )
    return samples[:angles]


def _window(task: Task) -> tuple[int, int]:
    """Return the samples the disc can look at, so that no others are packed."""
    lowest, highest = task.axes.min() + task.left, task.axes.max() + task.left
    first = max(0, int((lowest - task.size / 2 - 1) * OVERSAMPLING))
    return first, min(int((highest + task.size / 2 + 1) * OVERSAMPLING) + 2, task.padded * OVERSAMPLING)


def scratch_bytes(angles: int, rows: int, columns: int, axis_column: float, size: int) -> int:
    """Return the memory a call takes beside its input and output.

    Parameters
    ----------
    angles, rows, columns, size : int
        See `Task`.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.

    Returns
    -------
    int
        Upper bound in bytes.
    """
    padded, rows, angles = (
        padded_length(columns, axis_column, size),
        min(rows, 16),
        min(-(-angles // LANES) * LANES, ANGLES),
    )
    # the weighted rows, the same padded, their spectrum and the samples
    filtering = angles * rows * 4 * (2 * columns + padded + 2 * OVERSAMPLING * padded + 2)
    packing = angles * 64 * (OVERSAMPLING * (size + 2) + 4) + 2**22
    return filtering + packing + 2**20
