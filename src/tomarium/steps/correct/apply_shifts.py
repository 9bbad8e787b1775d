"""The step that undoes shifts of the sample that are known for each view."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.invalid import open_beam_for_invalid
from tomarium.kernels.shifts import TAPS, move_views
from tomarium.model import Geometry, Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.step import Cost, Figure, Values, step


def _after(layout: Layout, _: Values) -> Layout:
    return replace(layout, geometry=replace(layout.geometry, shift_columns_px=None, shift_rows_px=None))


def _halo(_: Values, layout: Layout) -> int:
    value = layout.geometry.shift_rows_px
    farthest = 0.0 if value is None or not len(value.value) else float(np.abs(value.value).max())
    return math.ceil(farthest) + TAPS // 2 if farthest else 0


@step(
    accepts=("transmission", "attenuation"),
    cut="row",  # all angles of some rows: each view has a shift of its own
    after=_after,
    halo=_halo,
    cost=Cost(host=2.0, nanoseconds=40.0),
    figures=(
        Figure(
            "beyond",
            0.05,
            "{percent} % of the values lie beyond the frames once these are moved; the edge was repeated there",
        ),
        Figure(
            "filled", 1e-3, "{percent} % of the values were no numbers; they became those of an open beam"
        ),
    ),
    place=45,
)
def apply_shifts(slab: Slab, *, geometry: Geometry, context: Context) -> Slab:
    """Move each view back by the shift of the sample that the scan, or its user, tells for it.

    Shifts come from the file, or from `--shift-columns` and `--shift-rows` (a text file with one number a line): how
    far the sample lies towards higher columns and rows in each view, in pixels. Parts of a pixel are interpolated by
    a windowed sinc of 8 pixels.

    Parameters
    ----------
    slab : Slab
        Transmission or attenuation, shape (angle, row, column).
    geometry : Geometry
        Tells the shifts; where it tells none, nothing is moved.
    context : Context
        Memory for the result.

    Returns
    -------
    Slab
        The same domain, float32; steps behind it know of no shifts.

    References
    ----------
    C. E. Duchon, Journal of Applied Meteorology 18, 1016 (1979).
    """
    columns, rows = geometry.shift_columns_px, geometry.shift_rows_px
    data, filled = open_beam_for_invalid(
        np.asarray(slab.data, np.float32), transmission=slab.domain == "transmission"
    )
    report = {**slab.report, "apply_shifts.filled": filled}
    if columns is None and rows is None:
        return replace(slab, data=data, report=report)
    none = np.zeros(len(data))
    result: NDArray[np.float32] = context.result(data.shape)
    report["apply_shifts.beyond"] = move_views(
        data,
        none if columns is None else columns.value,
        none if rows is None else rows.value,
        result,
    )
    return replace(slab, data=result, report=report)
