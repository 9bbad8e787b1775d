"""Half acquisition, a full turn about an axis near an edge of the detector."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from tomarium.array import lies_elsewhere, like
from tomarium.kernels.half_acquisition import overlap_weights
from tomarium.model import Geometry, Layout, Slab
from tomarium.model.half_acquisition import is_half_acquisition
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Column
from tomarium.steps.core.step import Cost, Values, step
from tomarium.steps.reconstruct.corrected import moved_back


def _first(layout: Layout, values: Values) -> tuple[str, ...]:
    """Weights of opposite views add up to one ray only where both stand at their places."""
    angles, axis, columns = layout.geometry.angles_deg.value, values["axis_column"], layout.shape[2]
    if values["mode"] == "off" or axis is None:
        return ()
    if values["mode"] == "auto" and not is_half_acquisition(angles, axis, columns):
        return ()
    return moved_back(layout, values)


@step(
    accepts=("attenuation",),
    anywhere=True,
    cost=Cost(host=2.0, nanoseconds=0.5),
    first=_first,
    place=50,
    aliases=("half_acq", "d", "extended_field", "pentezone.py"),
)
def half_acquisition(
    slab: Slab,
    *,
    geometry: Geometry,
    context: Context,
    axis_column: Column = FROM_SCAN,
    mode: Literal["auto", "on", "off"] = "auto",
) -> Slab:
    """Weight the views of a half acquisition, so that opposite ones join to a field almost twice as wide.

    In a full turn every ray is seen twice. Columns that both opposite views see are weighted linearly, so that
    the two add up to one ray; those only one view sees count whole. What follows reconstructs the whole field
    from all views, without joining rows and without interpolating between angles.

    Parameters
    ----------
    slab : Slab
        Attenuation, shape (angle, row, column), dimensionless.
    geometry : Geometry
        Tells the angles.
    context : Context
        Memory for the result.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    mode : str
        "auto", only where the scan is a full turn about an axis at least 15 % of the width off the middle; "on",
        in any case; "off", never.

    Returns
    -------
    Slab
        Attenuation; as it was where the scan is no half acquisition.

    Raises
    ------
    InputError
        Fewer than 8 columns overlap.

    References
    ----------
    G. Wang, Medical Physics 29, 1634 (2002); N. T. Vo et al., Optics Express 29, 17849 (2021), on the data.
    """
    columns = slab.data.shape[2]
    if mode == "off" or (
        mode == "auto" and not is_half_acquisition(geometry.angles_deg.value, axis_column, columns)
    ):
        return slab
    weights = overlap_weights(columns, axis_column).astype(np.float32)
    if lies_elsewhere(slab.data):
        return replace(slab, data=slab.data * like(weights[None, None], slab.data))
    result = context.result(slab.data.shape)
    return replace(slab, data=np.multiply(slab.data, weights, out=result))
