"""The view that crops rows and columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tomarium.errors import ParameterError
from tomarium.model import Layout, Scan, Value
from tomarium.model.scan import Reference
from tomarium.steps.core.parameter import Range
from tomarium.steps.core.step import Example, view
from tomarium.steps.views.frames import CroppedFrames

# Where a profile told which motor moves along z: its position holds at the middle row.
_AT_MIDDLE_ROW: Final = ("motor_along_z", "motor_sign_along_z")


def _column_before(values: Mapping[str, Any], before: Layout, column: float) -> float:
    """Tell which column of the scan, at its middle row, is a column of the cropped one at its own."""
    _, height, width = before.shape
    rows, columns = (
        _ends_of(values[name], length) for name, length in (("rows", height), ("columns", width))
    )
    return float(column + columns.start) - _moved_by_roll(rows, height, before.geometry.axis_roll_deg)


@view(
    place=0,
    example=Example({"rows": "2:10", "columns": "8:56"}),
    aliases=("roi", "crop_frames"),
    column_before=_column_before,
)
def crop(scan: Scan, *, rows: Range = "", columns: Range = "") -> Scan:
    """Crop detector rows and columns of projections, flats and darks.

    The column of the rotation axis is moved along: it counts from the first column that is kept, and where the axis is
    known to lean it is that at the middle of the rows that are kept.

    Parameters
    ----------
    scan : Scan
        The scan.
    rows : str
        Rows that are kept, "A:B", from 0; negative numbers count from the end. All by default.
    columns : str
        Columns that are kept, "A:B". All by default.

    Returns
    -------
    Scan
        A lazy view.

    Raises
    ------
    ParameterError
        Nothing would be left, or the frames are smaller.
    """
    _, height, width = scan.shape
    kept_rows = part_of(rows, height, "rows", scan)
    kept_columns = part_of(columns, width, "columns", scan)

    def cropped(reference: Reference | None) -> Reference | None:
        if reference is None:
            return None
        return replace(reference, frames=CroppedFrames(reference.frames, kept_rows, kept_columns))

    axis, roll = scan.axis_column, scan.geometry.axis_roll_deg
    if axis is not None and kept_columns.start:
        moved = f"{axis.source}, from the crop's first column on"
        axis = Value(axis.value - kept_columns.start, axis.origin, moved)
    if axis is not None and roll is not None and roll.value:
        moved = f"{axis.source}, at the middle row of the crop"
        axis = Value(axis.value + _moved_by_roll(kept_rows, height, roll), axis.origin, moved)
    # The position of a motor along z holds at the middle row, which is another one now.
    same_middle = kept_rows.start + kept_rows.stop == height
    metadata = {
        name: value for name, value in scan.metadata.items() if same_middle or name not in _AT_MIDDLE_ROW
    }
    cropped_scan = replace(
        scan,
        metadata=metadata,
        projections=CroppedFrames(scan.projections, kept_rows, kept_columns),
        flats=cropped(scan.flats),
        darks=cropped(scan.darks),
    )
    return cropped_scan.with_geometry(axis_column=axis)


def part_of(text: str, length: int, unit: str, scan: Scan) -> slice:
    """Read a range of rows or columns and check it against the frames.

    Parameters
    ----------
    text : str
        "A:B"; empty for all.
    length : int
        How many there are.
    unit : str
        "rows" or "columns", for the message.
    scan : Scan
        The scan, for the message.

    Returns
    -------
    slice
        With `start` and `stop` given.

    Raises
    ------
    ParameterError
        It holds none of them, or more than there are.
    """
    ends = [int(end) if end else None for end in text.partition(":")[::2]]
    part = _ends_of(text, length)
    if part.start >= part.stop or any(end is not None and not -length <= end <= length for end in ends):
        raise ParameterError(
            f"{scan.path}: {unit} {text} were asked for, but the frames have the {unit} 0:{length}; give A:B with "
            f"0 <= A < B <= {length}"
        )
    return part


def _ends_of(text: str, length: int) -> slice:
    """Read a range "A:B" of so many, negative numbers from the end, as a slice with both its ends."""
    start, stop, _ = slice(*(int(end) if end else None for end in text.partition(":")[::2])).indices(length)
    return slice(start, stop)


def _moved_by_roll(rows: slice, height: int, roll: Value[float] | None) -> float:
    """Tell how far the axis lies aside at the middle of some rows, where it is told at the middle of all."""
    lower = (rows.start + rows.stop - height) / 2
    return 0.0 if roll is None else lower * math.tan(math.radians(roll.value))
