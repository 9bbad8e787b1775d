"""What a reconstruction needs corrected beforehand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tomarium.errors import InputError, MissingData
from tomarium.model import Geometry, Layout, Scan
from tomarium.model.geometry import BY_NAME
from tomarium.model.half_acquisition import is_half_acquisition
from tomarium.steps.core.step import Values


def demand_corrected(name: str) -> Callable[[Scan, Layout], None]:
    """Return the `demand` of a reconstruction step that does not correct a tilted axis."""

    def demand(scan: Scan, layout: Layout) -> None:
        """Refuse what this step would leave out of account without a word."""
        mends = {
            "axis_roll_deg": "put --step correct_roll before it",
            "axis_tilt_deg": "turn the frames first",
        }
        for field, mend in mends.items():
            angle = getattr(layout.geometry, field)
            if angle is not None and angle.value != 0:
                raise MissingData(
                    f"{scan.path} tells {BY_NAME[field].label.lower()} of {angle.value:g}°, which step {name} does not "
                    f"correct; {mend}, or set it to 0 where it may be left out of account"
                )

    return demand


def demand_whole_field(name: str, instead: str) -> Callable[[Scan, Layout], None]:
    """Return the `demand` of a step that makes slices as wide as the detector, and takes a corrected scan."""

    def demand(scan: Scan, layout: Layout) -> None:
        """Refuse what `demand_corrected` does, and a half acquisition where its axis is known."""
        demand_corrected(name)(scan, layout)
        axis = layout.geometry.axis_column
        if axis is not None:
            refuse_half_acquisition(name, layout.geometry, axis.value, layout.shape[2], instead)

    return demand


def refuse_half_acquisition(
    name: str, geometry: Geometry, axis_column: float, columns: int, instead: str
) -> None:
    """Refuse a half acquisition, whose field is wider than the detector.

    Parameters
    ----------
    name : str
        The step.
    geometry : Geometry
        Tells the angles.
    axis_column : float
        Column of the rotation axis.
    columns : int
        Width of the detector.
    instead : str
        What to do, the end of a sentence.

    Raises
    ------
    InputError
        It is one.
    """
    if is_half_acquisition(geometry.angles_deg.value, axis_column, columns):
        raise InputError(
            f"the scan is a half acquisition: a full turn with the axis at column {axis_column:.2f} of {columns}. Step "
            f"{name} does not reconstruct its wider field; {instead}"
        )


def moved_back(layout: Layout, _: Values) -> tuple[str, ...]:
    """Return the step that moves views back, for a step that takes no shifts: its `first`."""
    geometry = layout.geometry
    return () if geometry.shift_columns_px is None and geometry.shift_rows_px is None else ("apply_shifts",)


def rows_moved_back(layout: Layout, _: Values) -> tuple[str, ...]:
    """Return the step that moves views back, for a step that takes shifts along columns alone: its `first`."""
    value = layout.geometry.shift_rows_px
    return () if value is None or not np.any(value.value) else ("apply_shifts",)
