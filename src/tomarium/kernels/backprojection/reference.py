"""Direct backprojection in double precision, as the textbook writes it: slow, the oracle of the others."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.backprojection.geometry import Task, disc, offsets
from tomarium.kernels.ramp import filtered_samples

OVERSAMPLING = 32
"""Filtered samples per pixel: linear interpolation between them is then as good as band-limited."""
_TOGETHER: Final = 4  # rows for which the places are reckoned once


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
    x_inside = np.broadcast_to(x, inside.shape)[inside]
    y_inside = np.broadcast_to(y[:, None], inside.shape)[inside]
    for first in range(0, sinogram.shape[1], _TOGETHER):
        rows = slice(first, min(first + _TOGETHER, sinogram.shape[1]))
        total = np.zeros((rows.stop - first, x_inside.size))
        for k, weight in enumerate(task.weight):
            fraction = (
                task.axes[k] + x_inside * task.cosine[k] + y_inside * task.sine[k] + task.left
            ) * oversampling
            before = fraction.astype(np.intp)
            fraction -= before
            rest = 1 - fraction
            for projection, image in zip(sinogram[k, rows].astype(np.float64), total, strict=True):
                q = filtered_samples(projection, task.response, task.padding, task.left, oversampling, 1)
                term = q[before] * rest
                term += q[before + 1] * fraction
                term *= weight
                image += term
        total *= task.scale
        out[rows] = 0
        out[rows, inside] = total
