"""Simultaneous iterative reconstruction."""

from __future__ import annotations

from functools import partial

from tomarium.kernels.iterative import RayWeights, Stop
from tomarium.kernels.iterative import sirt as iterate
from tomarium.kernels.least_squares import StopBy
from tomarium.model import Geometry, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, Metres, NotNegative, Percent, Relaxation
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
    demand=demand("sirt"),
    first=moved_back,
    figures=FIGURES,
    place=60,
    example=Example({"iterations": 2}),
    aliases=("sirt.py",),
)
def sirt(
    slab: Slab,
    *,
    geometry: Geometry,
    context: Context,
    axis_column: Column = FROM_SCAN,
    pixel_m: Metres | None = FROM_SCAN,
    iterations: Count = 400,
    relaxation: Relaxation = 1.0,
    non_negative: bool = True,
    weights: RayWeights = "length",
    start: Start = "zero",
    stop_by: StopBy = "error",
    held_out_percent: Percent = 5.0,
    change_percent: NotNegative = 0.0,
    residual: NotNegative = 0.0,
    change: NotNegative = 0.0,
) -> Slab:
    """Reconstruct slices by the simultaneous iterative reconstruction technique.

    Adds the backprojected residual to the slice again and again. Coarse detail comes first and noise last, so it is
    ended where the error is lowest. For few views, missing angles and noise; slower than fbp by the iterations.

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
    relaxation : float
        Factor of each correction, above 0 and below 2; 1.9 takes half of the iterations.
    non_negative : bool
        Whether attenuation below 0 becomes 0 in each iteration; only where no real value is below 0.
    weights : str
        What each ray counts: "length", one over its length in the field, as in other programs, with a tenth less error;
        "equal", the same for all, in a third of the time.
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
    J. Gregor and T. Benson, IEEE Transactions on Medical Imaging 27, 918 (2008), doi 10.1109/TMI.2008.923696.
    S. Ramani, T. Blu and M. Unser, IEEE Transactions on Image Processing 17, 1540 (2008), for the estimated error.
    """
    return reconstruct_slices(
        "sirt", slab, geometry, context, axis_column, pixel_m,
        partial(iterate, relaxation=relaxation, non_negative=non_negative, weights=weights),
        Stop(iterations, change_percent, residual, change), start, stop_by, held_out_percent,
    )  # fmt: skip
