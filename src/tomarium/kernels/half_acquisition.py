"""Half acquisition: a full turn about an axis near an edge of the detector sees a field almost twice as wide.

A ray is seen twice in a full turn, at column u and, half a turn later, at column 2c - u. Near the axis both are on
the detector, far from it only one. Weighted so that the two add up to one, the views of a full turn are those of
half a turn of a detector as wide as the field; filtering and backprojection are linear, so nothing need be joined.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.model.half_acquisition import is_half_acquisition


def turn_of(angles_deg: NDArray[np.floating], axis_column: float, columns: int) -> float:
    """Return the turn after which views see the same rays again.

    Parameters
    ----------
    angles_deg : array, shape (angle,)
        Angles in degrees.
    axis_column : float
        Column of the rotation axis.
    columns : int
        Width of the detector.

    Returns
    -------
    float
        180 degrees; 360 for a half acquisition, most of whose rays are seen once in a full turn.
    """
    return 360.0 if is_half_acquisition(angles_deg, axis_column, columns) else 180.0


def field_columns(columns: int, axis_column: float) -> int:
    """Return the width of the field that a full turn sees.

    Parameters
    ----------
    columns : int
        Width of the detector.
    axis_column : float
        Column of the rotation axis.

    Returns
    -------
    int
        Columns of a detector with the axis in its middle that reaches as far as this one does on its far side.
    """
    return 2 * ceil(max(axis_column, columns - 1 - axis_column)) + 1


def overlap_weights(columns: int, axis_column: float) -> NDArray[np.float32]:
    """Return what each column of a half acquisition counts.

    Parameters
    ----------
    columns : int
        Width of the detector.
    axis_column : float
        Column of the rotation axis; on the detector.

    Returns
    -------
    array of float32, shape (column,)
        w with w(u) + w(2 · axis - u) = 2, linear across the columns that both opposite views see: 0 at the near
        edge, 2 beyond the overlap. The factor 2 undoes that backprojection averages opposite views.

    Raises
    ------
    InputError
        The overlap is narrower than 8 columns: a disc around the axis would be seen by no view.

    References
    ----------
    G. Wang, Medical Physics 29, 1634 (2002), for cone beams; in a parallel beam the weighting is exact.
    """
    near = min(axis_column, columns - 1 - axis_column)
    if near < 4:
        raise InputError(
            f"half acquisition: the axis at column {axis_column:.2f} of {columns} leaves an overlap of "
            f"{max(0.0, 2 * near):.1f} columns; at least 8 are needed. Check the axis"
        )
    side = 1.0 if axis_column < (columns - 1) / 2 else -1.0
    ramp = 1.0 + side * (np.arange(columns) - axis_column) / near
    return np.asarray(np.clip(ramp, 0.0, 2.0), np.float32)
