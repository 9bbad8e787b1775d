"""Conjugate gradients for least squares."""

from __future__ import annotations

from tomarium.kernels.iterative import Stop
from tomarium.kernels.iterative import cgls as iterate
from tomarium.kernels.least_squares import StopBy
from tomarium.model import Geometry, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, Metres, NotNegative, Percent
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
    cost=Cost(host=host_bytes, device=device_bytes, nanoseconds=1500.0),
    demand=demand("cgls"),
    first=moved_back,
    figures=FIGURES,
    place=60,
    example=Example({"iterations": 2}),
    aliases=("conjugate_gradient",),
)
def cgls(
    slab: Slab,
    *,
    geometry: Geometry,
    context: Context,
    axis_column: Column = FROM_SCAN,
    pixel_m: Metres | None = FROM_SCAN,
    iterations: Count = 50,
    start: Start = "zero",
    stop_by: StopBy = "error",
    held_out_percent: Percent = 5.0,
    change_percent: NotNegative = 0.0,
    residual: NotNegative = 0.0,
    change: NotNegative = 0.0,
) -> Slab:
    """Reconstruct slices by conjugate gradients for the least squares of the residual.

    The quickest of the iterative steps: what takes sirt a hundred iterations takes it ten. Coarse detail comes first
    and noise last, so it is ended where the error is lowest; as iterations are few, it meets that less finely.

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
    iterations : int
        Iterations at most.
    start : str
        "zero", or the slice of "fbp", with its noise.
    stop_by : str
        "error": where the estimated error of the slice is lowest (Stein's estimate, from the noise of the data, which
        must not have been smoothed); "held-out": where the residual of views that are not fitted is lowest, for data
        with correlated noise and many views; "iterations": after all of them.
    held_out_percent : float
        Views that are held out, evenly spread, at least 2; none of fewer than 16.
    change_percent : float
        Ends where an iteration changes the slice by less; 0 for never.
    residual : float
        Ends where the root mean square of data less projections falls to this attenuation; 0 for never.
    change : float
        Ends where the root mean square change of the field falls below this, in the unit of the slice; 0 for never.

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
    M. Hestenes and E. Stiefel, Journal of Research of the National Bureau of Standards 49, 409 (1952), section 10.
    S. Ramani, T. Blu and M. Unser, IEEE Transactions on Image Processing 17, 1540 (2008), for the estimated error.
    """
    return reconstruct_slices(
        "cgls", slab, geometry, context, axis_column, pixel_m, iterate,
        Stop(iterations, change_percent, residual, change, patience=3), start, stop_by, held_out_percent,
    )  # fmt: skip
