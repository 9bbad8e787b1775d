"""Reconstruction with total variation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.iterative import Stop, default_alpha
from tomarium.kernels.iterative import tv as iterate
from tomarium.kernels.least_squares import Iterate, Problem
from tomarium.model import Geometry, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, Metres, NotNegative
from tomarium.steps.core.step import Cost, Example, step
from tomarium.steps.reconstruct.corrected import moved_back
from tomarium.steps.reconstruct.iterative import (
    FIGURES,
    Start,
    after,
    demand,
    device_bytes,
    host_bytes,
    reconstruct_slices,
)


@step(
    accepts=("attenuation",),
    after=after,
    anywhere=True,
    cost=Cost(host=host_bytes, device=device_bytes, nanoseconds=10000.0),
    demand=demand("tv"),
    first=moved_back,
    figures=FIGURES,
    place=60,
    example=Example({"iterations": 2}),
    aliases=("total_variation", "fista_tv"),
)
def tv(
    slab: Slab,
    *,
    geometry: Geometry,
    context: Context,
    axis_column: Column = FROM_SCAN,
    pixel_m: Metres | None = FROM_SCAN,
    alpha: NotNegative | None = None,
    iterations: Count = 300,
    change_percent: NotNegative = 0.1,
    residual: NotNegative = 0.0,
    change: NotNegative = 0.0,
    non_negative: bool = True,
    start: Start = "fbp",
) -> Slab:
    """Reconstruct slices that vary little: least squares with total variation.

    Finds the slice with the lowest ½ ‖projections - data‖² + alpha TV, TV being the sum of the lengths of the
    gradient. It suits samples of a few homogeneous materials, at few views and much noise; texture finer than the
    noise is smoothed away, however it looks.

    Parameters
    ----------
    slab : Slab
        Attenuation, shape (angle, row, column), dimensionless.
    geometry : Geometry
        Tells the angles.
    context : Context
        Threads, and memory for the result.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers. Slices are as wide as the detector; outside of
        the disc that every view sees they are 0.
    pixel_m : float or None
        Pixel size; with it slices are in 1/cm, without in 1/px.
    alpha : float or None
        Weight of the total variation, of a slice in 1/px and attenuation without unit; more is smoother. None for 1.6
        times the noise of the data times the square root of the number of views, in each slice.
    iterations : int
        Iterations at most.
    change_percent : float
        Ends where an iteration changes the slice by less; 0 for never.
    residual : float
        Ends where the root mean square of data less projections falls to this attenuation; 0 for never.
    change : float
        Ends where the root mean square change of the field falls below this, in the unit of the slice; 0 for never.
    non_negative : bool
        Whether attenuation is held at or above 0; only where no real value is below 0.
    start : str
        The slice of "fbp", or "zero"; changes the time, not the result.

    Returns
    -------
    Slab
        Slices (z, y, x), float32, in 1/cm or 1/px. The report has the sums over the slices of the iterations done,
        and of the root mean square of data less projections, in millionths.

    Raises
    ------
    InputError
        The scan is a half acquisition, or the axis leaves no field that every view sees.

    References
    ----------
    A. Beck and M. Teboulle, IEEE Transactions on Image Processing 18, 2419 (2009), doi 10.1109/TIP.2009.2028250.
    """

    def method(problem: Problem, image: NDArray[np.float32]) -> Iterator[Iterate]:
        weight = default_alpha(problem.data) if alpha is None else alpha
        return iterate(problem, image, weight, non_negative=non_negative)

    return reconstruct_slices(
        "tv", slab, geometry, context, axis_column, pixel_m, method,
        Stop(iterations, change_percent, residual, change), start, "iterations",
    )  # fmt: skip
