"""Whether a scan is a half acquisition: a full turn about an axis near an edge of the detector."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FULL_TURN_DEG: Final = 340.0
"""Angles that span less are no full turn."""

FAR_OFF: Final = 0.15
"""Part of the width by which the axis of a half acquisition lies off the middle, at least."""


def turn_deg(angles_deg: NDArray[np.floating]) -> float:
    """Return the turn that angles sample, the step after the last included.

    Parameters
    ----------
    angles_deg : array, shape (angle,)
        Angles in degrees, in any order.

    Returns
    -------
    float
        Degrees.
    """
    ordered = np.sort(np.asarray(angles_deg, np.float64))
    steps = np.diff(ordered)
    steps = steps[steps > 1e-6]
    return float(ordered[-1] - ordered[0] + (np.median(steps) if steps.size else 0.0))


def is_half_acquisition(angles_deg: NDArray[np.floating], axis_column: float, columns: int) -> bool:
    """Tell whether a scan is a full turn about an axis near an edge of the detector.

    Parameters
    ----------
    angles_deg : array, shape (angle,)
        Angles in degrees.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    columns : int
        Width of the detector.

    Returns
    -------
    bool
        True for a turn of 340 degrees or more about an axis at least 15 % of the width off the middle.
    """
    return turn_deg(angles_deg) >= FULL_TURN_DEG and abs(axis_column - (columns - 1) / 2) >= FAR_OFF * columns
