"""The step that turns frames until the rotation axis stands upright in them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tomarium.kernels.invalid import open_beam_for_invalid
from tomarium.kernels.roll import rows_beside, turn_frames
from tomarium.model import Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Degrees
from tomarium.steps.core.square_pixels import demand_square
from tomarium.steps.core.step import Cost, Example, Figure, Values, step


def _after(layout: Layout, values: Values) -> Layout:
    geometry = replace(layout.geometry, axis_roll_deg=None)
    axis, middle = geometry.axis_column, (layout.shape[2] - 1) / 2
    if axis is not None:  # the frame is turned about its middle, not about the axis
        cosine = math.cos(math.radians(_roll(values)))
        geometry = replace(geometry, axis_column=replace(axis, value=middle + (axis.value - middle) * cosine))
    return replace(layout, geometry=geometry, dtype=np.dtype(np.float32))


def _halo(values: Values, layout: Layout) -> int:
    return rows_beside(_roll(values), layout.shape[2]) if _roll(values) else 0


def _roll(values: Values) -> float:
    """Return the roll, 0 while a probe has still to find it."""
    return float(values["axis_roll_deg"] or 0)


@step(
    accepts=("transmission", "attenuation"),
    cut="any",
    after=_after,
    halo=_halo,
    cost=Cost(host=3.0, nanoseconds=100.0),
    figures=(
        Figure(
            "not_finite", 0.0, "{percent} % of the values were no numbers; they became those of an open beam"
        ),
    ),
    demand=demand_square("correct_roll"),
    place=26,
    example=Example({"axis_roll_deg": 1.5}),
)
def correct_roll(slab: Slab, *, context: Context, axis_roll_deg: Degrees = FROM_SCAN) -> Slab:
    """Turn frames until the rotation axis, which leans to the side in them, stands upright.

    Frames are turned about the middle of the detector by three shears, each interpolated by a windowed sinc of 8
    pixels; near the edges of the frame their outermost pixels are repeated.

    Parameters
    ----------
    slab : Slab
        Transmission or attenuation, shape (angle, row, column).
    context : Context
        Memory for the result.
    axis_roll_deg : float
        How far the axis leans counter-clockwise, its top to lower columns, degrees.

    Returns
    -------
    Slab
        The same domain, float32; the axis is upright for the steps behind it.

    References
    ----------
    A. W. Paeth, Graphics Interface 86, 77 (1986).
    """
    data, not_finite = open_beam_for_invalid(
        np.asarray(slab.data, np.float32), transmission=slab.domain == "transmission"
    )
    report = {**slab.report, "correct_roll.not_finite": not_finite}
    if axis_roll_deg == 0:
        return replace(slab, data=data, report=report)
    height = slab.data.shape[1] if context.whole is None else context.whole.shape[1]
    first = slab.rows.start if slab.frames is None else 0
    result = context.result(data.shape)
    turn_frames(data, axis_roll_deg, first, height, result)
    return replace(slab, data=result, report=report)
