"""How far the rotation axis leans to the side, from its column at several heights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.estimate import AxisEstimate, Confidence

CLOSE_PX: Final = 0.3
"""Farthest that columns of high confidence may lie from the line through them."""

FEWEST: Final = 3
"""Heights without which no line is drawn."""


@dataclass(frozen=True)
class RollEstimate:
    """How far the rotation axis leans in the plane of the detector.

    Attributes
    ----------
    roll_deg : float
        Counter-clockwise, the top of the axis to lower columns; degrees.
    error_deg : float
        One standard deviation, from how far the columns lie from a line; nan where none is drawn.
    column : float
        Column of the axis at the middle row, 0-based, pixel centres at integers.
    confidence : Confidence
        "high": at least four heights of high confidence within 0.3 px of a line, or three and nothing else;
        "medium": at least three within 1 px; "low": look at slices near the top and the bottom.
    heights : tuple of (float, float, str)
        Row, column of the axis there (in frames turned by `roll_deg`, where that was done), and its confidence.
    """

    roll_deg: float
    error_deg: float
    column: float
    confidence: Confidence
    heights: tuple[tuple[float, float, Confidence], ...]


def fit_roll(rows: Sequence[float], found: Sequence[AxisEstimate], middle: float) -> RollEstimate:
    """Draw a line through the columns of the axis at several heights.

    Parameters
    ----------
    rows : sequence of float
        Height of each, 0-based detector row.
    found : sequence of AxisEstimate
        The axis at each.
    middle : float
        The middle row, where the column is told.

    Returns
    -------
    RollEstimate
        From the heights whose confidence is not low, if they are three; a roll of 0 with low confidence where fewer
        are, or where they lie at one height.
    """
    heights = tuple(
        (float(row), axis_estimate.column, axis_estimate.confidence)
        for row, axis_estimate in zip(rows, found, strict=True)
    )
    used = [height for height in heights if height[2] != "low"]
    if len(used) < FEWEST or len({row for row, _, _ in used}) < FEWEST:
        column = float(np.median([column for _, column, _ in used or heights]))
        return RollEstimate(0.0, math.nan, column, "low", heights)
    row = np.array([row for row, _, _ in used]) - middle
    columns = np.array([column for _, column, _ in used])
    weight = np.array([1.0 if confidence == "high" else 0.5 for _, _, confidence in used])
    (slope, at_middle), variance = _line(row, columns, weight)
    apart = np.abs(columns - at_middle - slope * row)
    sure = sum(confidence == "high" for _, _, confidence in used)
    if sure >= min(4, len(heights)) and sure == len(used) and apart.max() <= CLOSE_PX:
        trust: Confidence = "high"
    else:
        trust = "medium" if apart.max() <= 1.0 else "low"
    error = math.degrees(math.sqrt(variance))
    return RollEstimate(math.degrees(math.atan(slope)), error, float(at_middle), trust, heights)


def _line(
    row: NDArray[np.float64], column: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[tuple[float, float], float]:
    """Fit column = slope · row + offset; return both, and the variance of the slope."""
    system = np.stack([row, np.ones_like(row)], axis=1) * weight[:, None]
    solution, *_ = np.linalg.lstsq(system, column * weight, rcond=None)
    residuals = (column - row * solution[0] - solution[1]) * weight
    variance = float(residuals @ residuals) / max(len(row) - 2, 1)
    return (float(solution[0]), float(solution[1])), float(variance * np.linalg.inv(system.T @ system)[0, 0])
