"""What is said of a rotation axis, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Confidence = Literal["high", "medium", "low"]
"""high: two families agree within 0.3 px, or the quarters of a full turn's opposites do, and nothing speaks
against it · medium: two agree within 0.5 px, or the axis moves in the course of a full turn ·
low: look at the slices before you trust it."""

ScanType = Literal["180", "360", "half"]
"""180: half a turn · 360: a full turn · half: a full turn about an axis near an edge of the detector."""

Family = Literal["opposite", "fourier", "mass"]
"""opposite: projections half a turn apart · fourier: spectrum of the sinogram · mass: where it balances."""


@dataclass(frozen=True)
class Candidate:
    """What one method says.

    Attributes
    ----------
    method : str
        Name of the method.
    family : Family
        Methods of one family can fail together; those of two hardly do.
    column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    score : float
        How far it stands out from the method's second choice, from 0 (not at all) to 1.
    error : float
        One standard deviation in px, from how the row groups differ; nan where there is one group only.
    """

    method: str
    family: Family
    column: float
    score: float
    error: float


@dataclass(frozen=True)
class AxisEstimate:
    """The rotation axis, and how far to trust it.

    Attributes
    ----------
    column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    confidence : Confidence
        "high", "medium" or "low".
    scan_type : ScanType
        "180", "360" or "half".
    candidates : tuple of Candidate
        What each method says, those that agree with `column` first.
    static_ratio : float
        Standard deviation of the pattern that does not turn over that of the sample's fine structure.
    notes : tuple of str
        What was mended, and what speaks against the estimate, in words.
    """

    column: float
    confidence: Confidence
    scan_type: ScanType
    candidates: tuple[Candidate, ...]
    static_ratio: float
    notes: tuple[str, ...] = ()
