"""Direct backprojection on a GPU; native/direct.h is the twin."""

from __future__ import annotations

from typing import Any

from tomarium.kernels.backprojection.geometry import Task
from tomarium.kernels.cuda.modules import Modules


def backproject(
    modules: Modules,
    filtered: Any,
    directions: Any,
    size: int,
    region: tuple[int, int, int, int],
    out: Any,
) -> None:
    """Add every filtered projection to every pixel of the disc, interpolated linearly.

    Parameters
    ----------
    modules : Modules
        Of the device.
    filtered : array of float32, shape (angle, row, sample)
        Filtered projections, angular weight included.
    directions : array of float64, shape (3, angle)
        Samples per pixel to the right, per row downwards, and the sample of the rotation axis.
    size : int
        Pixels along an edge of the whole image.
    region : tuple of int
        (y0, y1, x0, x1): the part of it that `out` holds, ends excluded.
    out : array of float32, shape (row, y1 - y0, x1 - x0)
        Added to.
    """
    raise NotImplementedError


def direct_fbp(modules: Modules, sinogram: Any, task: Task, out: Any) -> None:
    """Filter and backproject; see `tomarium.kernels.backprojection.direct`.

    Parameters
    ----------
    modules : Modules
        Of the device.
    sinogram : array of float32, shape (angle, row, column)
        Attenuation, finite.
    task : Task
        What to reconstruct.
    out : array of float32, shape (row, y, x)
        Where the result goes.
    """
    raise NotImplementedError
