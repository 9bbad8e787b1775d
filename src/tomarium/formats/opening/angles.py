"""Rotation angles as files give them: without units, for too many frames, or not at all."""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import UnitError
from tomarium.formats.hdf5.source import NO_UNIT
from tomarium.model import Value

# A span this close to half a turn or a turn of radians is read as one.
_TURN_TOLERANCE: Final = 0.02
# As degrees no scan of many views spans 3.0 to 3.3 or 6.0 to 6.6.
_WIDE_TOLERANCE: Final = 0.05
# Fewer angles within some degrees may well be a piece of a scan.
_MANY: Final = 50
# Angles without a unit that may be radians: so many, over at least a radian, and within a turn of radians.
_FEW: Final = 20
# What readers say where a file has no angles, or none with a unit.
_ASSUMED: Final = re.compile(r"0° to 180°.*\bassumed$|has no unit; degrees were taken")
# The stage stands still where it moves by less than this part of its usual step.
_STILL: Final = 0.01


def default_angles(count: int) -> Value[NDArray[np.float64]]:
    """Assume half a turn in equal steps, its end left out.

    Result, shape (count,): degrees. The Data Exchange guide 0.9.1, 3.4, says "equally spaced between 0 and
    180 degree" and not whether 180 belongs to it; its own listings leave it out, and so does this.
    """
    return Value(
        np.arange(count, dtype=np.float64) * (180.0 / max(1, count)),
        "default",
        f"assumed: {count} equal steps from 0° to 180°, 180° left out",
    )


def assumed_angles(count: int, why: str, warnings: list[str]) -> Value[NDArray[np.float64]]:
    """Assume the usual angles, and say so in `warnings`; `why`: what of the file tells none."""
    warnings.append(f"{why}: 0° to 180° in equal steps, 180° left out, were assumed")
    return default_angles(count)


def without_assumed(warnings: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what readers say of angles they assumed, where others are given."""
    return tuple(warning for warning in warnings if not _ASSUMED.search(warning))


def in_degrees(
    angles: NDArray[np.float64], unit: str | None, place: str, *, guess: bool
) -> tuple[Value[NDArray[np.float64]], str]:
    """Turn angles into degrees.

    `unit`: unit as the file writes it; None or an empty one where it gives none. `guess`: whether angles
    without a unit may be radians; where False they are degrees. Result: what was repaired, or what to look at,
    in words, or "".
    """
    unit_known = unit if unit is not None and unit.lower() not in NO_UNIT else None
    if unit_known is not None:
        try:
            return Value(angles * units.factor(unit_known, "deg"), "read", place), ""
        except UnitError:
            unit_warning = f"{place} has the unit {unit_known!r}, which is none of an angle"
    else:
        unit_warning = f"{place} has no unit"
    if guess and _is_turn_in_radians(angles):
        return Value(np.rad2deg(angles), "derived", place), f"{unit_warning}; its size says radians"
    if guess and _may_be_of_radians(angles):
        taken = Value(np.rad2deg(angles), "default", f"assumed radians: {place}")
        ends = f"{taken.value[0]:.4g}° to {taken.value[-1]:.4g}°"
        return taken, (
            f"{unit_warning}; it was taken for radians, {ends}, since no number is above 2π: where it is degrees, open "
            f"it with --angles {angles[0]:.6g}:{angles[-1]:.6g}:{len(angles)}"
        )
    if not guess and unit_known is None:
        return Value(angles, "read", place), f"{unit_warning}; {_doubt(angles)}" if _may_be_radians(
            angles
        ) else ""
    return Value(angles, "read", place), f"{unit_warning}; degrees were taken"


def _may_be_radians(angles: NDArray[np.float64]) -> bool:
    finite = angles[np.isfinite(angles)]
    return len(finite) >= _FEW and np.abs(finite).max() <= 2 * math.pi + 0.1 and bool(np.ptp(finite) >= 1)


def _doubt(angles: NDArray[np.float64]) -> str:
    first, last = np.rad2deg(angles[[0, -1]])
    return (
        f"degrees were taken, and {angles[0]:.6g} to {angles[-1]:.6g} may be radians: then open it with "
        f"--angles {first:.6g}:{last:.6g}:{len(angles)}"
    )


def still_written(projections: int, angles: int) -> str:
    """Say that a scan was read between the writing of a projection and that of its angle."""
    return (
        f"the scan is still being written: {projections} projections and {angles} angles are there, the first "
        f"{min(projections, angles)} of both were taken"
    )


def _is_turn_in_radians(angles: NDArray[np.float64]) -> bool:
    """Tell whether angles span half a turn or a whole one, counted in radians."""
    finite = angles[np.isfinite(angles)]
    if len(finite) < 2 or not np.ptp(finite):
        return False
    spans = float(np.ptp(finite)) * np.array([1, len(finite) / (len(finite) - 1)])  # the end left out, or not
    return any(abs(span / turn - 1) < _TURN_TOLERANCE for span in spans for turn in (math.pi, 2 * math.pi))


def _may_be_of_radians(angles: NDArray[np.float64]) -> bool:
    finite = angles[np.isfinite(angles)]
    return len(finite) > 1 and bool(np.ptp(finite)) and float(np.abs(finite).max()) <= 2 * math.pi


def look_like_turns_in_radians(angles: NDArray[np.float64]) -> bool:
    """Tell whether many angles span half a turn or a turn as radians, which as degrees no scan does.

    Result: whether there are at least 50 of them, all within a turn of radians, that span π or 2π to 5 %.
    """
    if len(angles) < _MANY or not np.isfinite(angles).all():
        return False
    within = float(np.abs(angles).max()) <= 2 * math.pi + 0.1
    return within and _spans_turn(angles)


def _spans_turn(angles: NDArray[np.float64]) -> bool:
    # The end of the turn may be left out, or belong to it.
    bare = float(np.ptp(angles))
    spans = (bare, bare * len(angles) / (len(angles) - 1))
    return any(abs(span / turn - 1) <= _WIDE_TOLERANCE for span in spans for turn in (math.pi, 2 * math.pi))


def without_references(angles: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], str]:
    """Leave out angles that belong to reference frames taken while the stage stood still.

    `angles`: angles of projections and of flats and darks taken before and after, degrees. Result, shape
    (count,): the projections' angles; all n where the surplus is not just what was taken at rest.

    Notes
    -----
    1. The usual step is the median of the steps that move.
    2. Before the first of them and after the last one lie one projection each and the references.
    3. If these references are exactly the surplus, drop them.
    """
    surplus = len(angles) - count
    steps = np.abs(np.diff(angles))
    if surplus <= 0 or not np.any(steps > 0):
        return angles, ""
    moving = np.flatnonzero(steps > _STILL * np.median(steps[steps > 0]))
    before, after = int(moving[0]), len(steps) - 1 - int(moving[-1])
    if before + after != surplus:
        return angles, ""
    return angles[before : before + count], (
        f"{len(angles)} angles for {count} projections: the first {before} and the last {after}, where the "
        f"rotation stands still, are those of the reference frames and were left out"
    )
