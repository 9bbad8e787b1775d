"""Rotation: whether the angles that are told can be those of the projections, and in degrees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from tomarium.doctor.core.check import check, compares
from tomarium.doctor.core.finding import Finding, error, warning
from tomarium.doctor.core.subject import Subject, has_flats
from tomarium.doctor.samples.opposites import profiles
from tomarium.kernels.axis.mirror import other_turn

_TURNS: Final = (180.0, 360.0)


@compares("span_deg", "projections")
def angles_unit(subject: Subject, span_deg: float, projections: float) -> Iterator[Finding]:
    """Compare the range of the angles with half a turn and a whole one in radians and in thousandths of a degree.

    Parameters
    ----------
    subject : Subject
        Anything that knows these.
    span_deg : float
        Range of the angles, degrees.
    projections : float
        Number of projections.

    Yields
    ------
    Finding
        An error where it is π or 2π within half a percent, or the step less; a warning where it is 180 000 or
        360 000.
    """
    margin = max(0.005, 1.5 / max(projections, 1.0))
    for turn in _TURNS:
        if abs(span_deg / math.radians(turn) - 1) < margin:
            yield error(
                "angles",
                f"a turn of {span_deg:.5g}°, which is {turn:g}° in radians",
                f"{turn:g}°",
                "write the angles in degrees, or their unit (rad) beside them",
            )
        elif abs(span_deg / (1000 * turn) - 1) < margin:
            yield warning(
                "angles",
                f"a turn of {span_deg:.6g}°, a thousand times {turn:g}°",
                f"{turn:g}°",
                "the motor counts thousandths of a degree: divide by 1000, or write the unit (mdeg) beside them",
            )


@check(has_flats)
def angles_against_images(subject: Subject) -> Iterator[Finding]:
    """Compare which projections mirror each other with which should by their angles.

    1. Told a whole turn: views told 180° apart are no mirror images, but the first and the last are.
    2. Told half a turn: the first and the last are alike unmirrored, and the first and the middle one mirror.

    Parameters
    ----------
    subject : Subject
        A scan with flats and angles of its own; says nothing where the sample looks alike from all sides.

    Yields
    ------
    Finding
        A warning where the angles are twice or half of what the projections show.
    """
    if "span_deg" not in subject.facts:
        return
    span, sample = subject.facts["span_deg"].value, subject.frames
    if len(sample.projections) < 3 or not len(sample.flats) or not sample.good.any():
        return
    first, middle, last = (profiles(sample, place) for place in sample.landmarks)
    opposites = [(profiles(sample, value), profiles(sample, other)) for value, other in sample.opposites]
    match other_turn(span, first, last, opposites, [(first, middle)]):
        case 180:
            found, remedy = (
                "the last projection mirrors the first",
                "the sample turned by 180°: halve the angles",
            )
        case 360:
            found = "the last projection shows the sample as the first does, and the middle one mirrors them"
            remedy = "the sample turned by 360°: double the angles"
        case None:
            return
    yield warning(
        "angles",
        f"a turn of {span:.5g}° is told, but {found}",
        "views half a turn apart that mirror each other",
        remedy,
    )
