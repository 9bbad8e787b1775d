"""Direct backprojection in double precision, as the textbook writes it: slow, the oracle of the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.backprojection.geometry import Task, disc, offsets
from tomarium.kernels.ramp import filtered_samples

OVERSAMPLING = 32
"""Filtered samples per pixel: linear interpolation between them is then as good as band-limited."""


def backproject(
    sinogram: NDArray[np.floating], task: Task, out: NDArray[np.floating], oversampling: int = OVERSAMPLING
) -> None:
    """Reconstruct by summing every projection into every pixel.

    f(x, y) = sum over angles of weight * q(axis + x cos + y sin), where q is the filtered projection.

    Parameters
    ----------
    sinogram : array of float, shape (angle, row, column)
        Attenuation.
    task : Task
        What to reconstruct.
    out : array of float, shape (row, y, x)
        Where the result goes.
    oversampling : int
        Samples of q per pixel; 1 is the plain linear interpolation between pixels of most programs, which
        damps the finest detail.

    References
    ----------
    Kak & Slaney (1988), Principles of Computerized Tomographic Imaging, eq. 34 of chapter 3.
    """
    y, x = offsets(task.size, task.region)
    inside = disc(task.size, task.region)
    for row in range(sinogram.shape[1]):
        image = np.zeros(inside.shape)
        for k, weight in enumerate(task.weight):
            projection = sinogram[k, row].astype(np.float64)
            q = filtered_samples(projection, task.response, task.padding, task.left, oversampling, 1)
            column = task.axes[k] + x * task.cosine[k] + y[:, None] * task.sine[k]
            position = (column[inside] + task.left) * oversampling
            before = position.astype(np.intp)
            fraction = position - before
            image[inside] += weight * (q[before] * (1 - fraction) + q[before + 1] * fraction)
        out[row] = image * task.scale
