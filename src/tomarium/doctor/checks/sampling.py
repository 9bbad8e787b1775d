"""Sampling: how many angles, which, and how far the stage turned during an exposure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.core.check import check, compares
from tomarium.doctor.core.facts import turn_deg
from tomarium.doctor.core.finding import Finding, info, warning
from tomarium.doctor.core.subject import Subject, a_scan
from tomarium.kernels.scan_design import views_in_full

SPARSE: Final = 0.5
"""Part of the projections that full sampling asks for from which streaks are not to be seen."""

WIDEST_STEP_DEG: Final = 30.0
LESS_THAN_HALF_DEG: Final = 179.0
HALF_ACQUISITION: Final = ("half", "quarter")


@compares("projections", "columns")
def projections_against_width(subject: Subject, projections: float, columns: float) -> Iterator[Finding]:
    """Compare the number of projections in half a turn with π / 2 times the width of the field of view.

    Parameters
    ----------
    subject : Subject
        Anything that knows both; the angles' range and the volume's width where they are known.
    projections : float
        Number of projections.
    columns : float
        Detector columns, px.

    Yields
    ------
    Finding
        A warning below half of it, an information below all of it.

    References
    ----------
    Kak & Slaney, Principles of Computerized Tomographic Imaging (1988), section 5.1.1.
    """
    span = _number(subject, "span_deg") or 180.0
    if span / projections > WIDEST_STEP_DEG:  # golden angles that were never taken back to one turn
        span = 180.0
    # A scan that is wider than the detector looks at each place from one side only.
    width = (
        max(columns, min(_number(subject, "volume_x") or 0.0, 4 * columns)) if _extended(subject) else columns
    )
    turns = max(1.0, span / (360.0 if _extended(subject) else 180.0))
    views = projections / turns if span >= LESS_THAN_HALF_DEG else projections * 180.0 / span
    needed = views_in_full(width) * (2 if _extended(subject) else 1)
    share = views / needed
    if share >= 1:
        return
    turn = "a turn" if _extended(subject) else "half a turn"
    found = f"{views:.0f} projections in {turn} for a width of {width:.0f} px"
    expected = f"{needed} for full sampling up to the rim (π/2 · width{' · 2' if _extended(subject) else ''})"
    if share < SPARSE:
        yield warning(
            "projections",
            found,
            expected,
            f"{100 * share:.0f} % of it: expect streaks; bin the detector {math.ceil(1 / share)}-fold, or use an "
            f"iterative method",
        )
    else:
        yield info("projections", f"{found}: {100 * share:.0f} %", expected)


@check(a_scan)
def angles_assumed(subject: Subject) -> Iterator[Finding]:
    """Say where the angles are nobody's measurement.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        A warning where they were assumed.
    """
    assert subject.scan is not None
    if subject.scan.angles_deg.origin == "default":
        yield warning(
            "angles",
            subject.scan.angles_deg.source,
            "angles in the file",
            "find the angles in the acquisition's log and give them when the scan is opened",
        )


@check(a_scan)
def angles_range(subject: Subject) -> Iterator[Finding]:
    """Compare the range of the angles with half a turn and a whole one.

    Parameters
    ----------
    subject : Subject
        A scan with angles of its own.

    Yields
    ------
    Finding
        A warning below half a turn, an information between half a turn and a whole one, and beyond.
    """
    angles = _angles(subject)
    if len(angles) < 3:
        return
    turn, step = turn_deg(angles), _step(angles)
    found = f"{np.min(angles):.6g}° … {np.max(angles):.6g}°, a turn of {turn:.6g}°"
    in_radians = any(abs(turn / math.radians(whole) - 1) < 0.01 for whole in (180, 360))
    if in_radians:  # angles_unit says so
        return
    if turn < 180 - max(1.0, 2 * step):
        yield warning(
            "angles",
            found,
            "180° or 360°",
            "a wedge is missing: the scan was broken off, or use a method for limited angles",
        )
    elif min(abs(turn - 180), abs(turn - 360)) > max(2.0, 2.5 * step):
        yield info(
            "angles",
            found,
            "180° or 360°",
            "opposite views count twice: cut the range with the angles you give",
        )


@check(a_scan)
def angles_gaps(subject: Subject) -> Iterator[Finding]:
    """Look for angles that are missing: steps above one and a half times the usual one.

    Parameters
    ----------
    subject : Subject
        A scan with angles of its own.

    Yields
    ------
    Finding
        A warning with the place of the widest gap.
    """
    ordered = np.unique(_angles(subject))
    if len(ordered) < 3:
        return
    steps, usual = np.diff(ordered), _step(ordered)
    gaps = np.flatnonzero(steps > 1.5 * usual)
    # Golden-angle and other interleaved scans have steps of two or three lengths, none of them a gap.
    if not len(gaps) or (len(gaps) > 0.1 * len(steps) and steps.max() < 5 * usual):
        return
    widest = int(np.argmax(steps))
    yield warning(
        "angles",
        f"{len(gaps)} gaps; the widest is {steps[widest]:.4g}° after {ordered[widest]:.6g}°",
        f"steps of {usual:.4g}°",
        "frames were lost there: check the frame numbers, and that the angles still belong to their frames",
    )


@check(a_scan)
def angles_repeated(subject: Subject) -> Iterator[Finding]:
    """Look for angles that come more than once.

    Parameters
    ----------
    subject : Subject
        A scan with angles of its own.

    Yields
    ------
    Finding
        A warning with their number.
    """
    angles = _angles(subject)
    if len(angles) < 3:
        return
    usual = _step(angles)
    close = int(np.count_nonzero(np.diff(np.sort(angles)) < 0.01 * usual))
    if close:
        yield warning(
            "angles",
            f"{close} of {len(angles)} angles repeat another one",
            "each angle once",
            "the stage stood still or the encoder was read twice: leave these frames out, unless they were meant",
        )


@check(a_scan)
def angles_order(subject: Subject) -> Iterator[Finding]:
    """Look whether the angles only rise or only fall.

    Parameters
    ----------
    subject : Subject
        A scan with angles of its own.

    Yields
    ------
    Finding
        A warning where a few steps go back, an information where many do, as in interleaved scans.
    """
    angles = _angles(subject)
    steps = np.diff(angles)
    steps = steps[np.abs(steps) > 1e-9]
    back = int(np.count_nonzero(np.sign(steps) != np.sign(np.median(np.sign(steps))))) if len(steps) else 0
    if not back:
        return
    found = f"{back} of {len(steps)} steps go against the others"
    if back > 0.02 * len(steps) and back > 2:
        yield info(
            "angles", found, "angles that rise or fall", "nothing, if the scan was interleaved or unordered"
        )
    else:
        yield warning(
            "angles",
            found,
            "angles that rise or fall",
            "the stage went back or the encoder jumped: look at the angles about those frames",
        )


@compares("projections", "columns", "span_deg", "exposure_s", "scan_time_s")
def rotation_blur(
    subject: Subject,
    projections: float,
    columns: float,
    span_deg: float,
    exposure_s: float,
    scan_time_s: float,
) -> Iterator[Finding]:
    """Compute how far the rim of the field of view moves during one exposure.

    Parameters
    ----------
    subject : Subject
        Anything that knows these; says nothing of scans whose mode is a step scan.
    projections, columns : float
        Number of projections; detector columns, px.
    span_deg : float
        Range of the angles, degrees.
    exposure_s, scan_time_s : float
        Exposure time of a projection and time of the scan, s.

    Yields
    ------
    Finding
        A warning above 2 px, an information above 1 px.
    """
    if "step" in str(subject.facts["mode"].value).lower() if "mode" in subject.facts else False:
        return
    width = max(columns, _number(subject, "volume_x") or 0.0) if _extended(subject) else columns
    duty = min(1.0, exposure_s * projections / scan_time_s) if scan_time_s > 0 else 1.0
    blur = width / 2 * math.radians(span_deg / projections) * duty
    if blur <= 1:
        return
    found = (
        f"{width / 2:.0f} px · {span_deg / projections:.4g}° · {100 * duty:.0f} % = {blur:.2f} px at the rim"
    )
    if blur > 2:
        yield warning("exposure", found, "at most 1 px", "take more projections or expose more briefly")
    else:
        yield info("exposure", found, "at most 1 px", "take more projections or expose more briefly")


def _angles(subject: Subject) -> NDArray[np.float64]:
    assert subject.scan is not None
    value = subject.scan.angles_deg
    values = np.asarray(value.value, np.float64)
    return values[np.isfinite(values)] if value.origin != "default" else values[:0]


def _step(angles: NDArray[np.float64]) -> float:
    """Return the usual step of angles in any order; what is closer than a hundredth of it repeats."""
    steps = np.diff(np.sort(angles))
    moving = steps[steps > 1e-9]
    if not len(moving):
        return 0.0
    return float(np.median(moving[moving > 0.01 * np.median(moving)]))


def _number(subject: Subject, name: str) -> float | None:
    value: Any = subject.facts.get(name)
    return None if value is None else float(value.value)


def _extended(subject: Subject) -> bool:
    """Tell whether the axis stands near an edge of the detector, by the scan's own words."""
    value = subject.facts.get("scan_geometry")
    return value is not None and any(word in str(value.value).lower() for word in HALF_ACQUISITION)
