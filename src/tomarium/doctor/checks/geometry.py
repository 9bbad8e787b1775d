"""Geometry: whether pixel, sensor, magnification, field of view, steps and distance agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from tomarium import units
from tomarium.doctor.checks.sampling import HALF_ACQUISITION
from tomarium.doctor.core.check import check, compares
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, frames_there
from tomarium.doctor.samples.opposites import axis_of

WAVELENGTH_M_KEV: Final = 1.239841984e-9
"""h c in keV m: the wavelength in m is this over the energy in keV (CODATA 2018, exact)."""

MOST_PARALLEL: Final = 1.25
"""Geometric magnification a synchrotron's beam has at most: 35 m behind a source 145 m away."""

LONGEST_M: Final = 45.0
"""Longest distance between sample and detector of the beamlines for tomography: 38 m at the ESRF's BM18."""

FULL_TURN_DEG: Final = 350.0
"""Turn from which a scan may be a half acquisition."""

FAR_OFF: Final = 0.1
"""Part of the width by which the axis may be off the middle."""


@compares("pixel_m", "sensor_pixel_m", "magnification")
def pixel_against_sensor(
    subject: Subject, pixel_m: float, sensor_pixel_m: float, magnification: float
) -> Iterator[Finding]:
    """Compare the pixel size at the sample with that of the sensor over the magnification of the optics.

    What is left is the geometric magnification of the diverging beam, (R1 + R2) / R1 ≥ 1, which tells the
    distance R1 of the source where R2 is known.

    Parameters
    ----------
    subject : Subject
        Anything that knows these.
    pixel_m, sensor_pixel_m : float
        Pixel size at the sample and of the sensor, m.
    magnification : float
        Of the optics between scintillator and sensor.

    Yields
    ------
    Finding
        An information where they agree; a warning where the rest is below 0.97, or above what the beam's
        divergence can be.
    """
    expected = sensor_pixel_m / magnification
    ratio = expected / pixel_m
    source, distance = subject.facts.get("source_distance_m"), subject.facts.get("distance_m")
    found = f"{units.show(pixel_m, 'm')} at the sample"
    optics = f"{units.show(sensor_pixel_m, 'm')} / {magnification:g} = {units.show(expected, 'm')}"
    if source is not None and distance is not None:
        beam = 1 + distance.value / source.value
        expectation = f"{optics}, / {beam:.4g} for the diverging beam = {units.show(expected / beam, 'm')}"
        good = abs(ratio / beam - 1) < 0.05
    else:
        expectation = f"{optics}: a geometric magnification of {ratio:.3f}"
        good = 0.97 <= ratio <= MOST_PARALLEL
        if good and ratio > 1.005 and distance is not None and distance.value > 0:
            source_m = distance.value / (ratio - 1)
            expectation += f" at {units.show(distance.value, 'm')}, so a source {source_m:.0f} m away"
    if good:
        yield info("pixel size", found, expectation)
    else:
        yield warning(
            "pixel size",
            found,
            expectation,
            "one of the three is wrong: measure the pixel size with a known object",
        )


@compares("rows", "pixel_m", "step_z_m")
def field_of_view_against_step(
    subject: Subject, rows: float, pixel_m: float, step_z_m: float
) -> Iterator[Finding]:
    """Compare the height of the field of view with the step between two stages.

    Parameters
    ----------
    subject : Subject
        Anything that knows these.
    rows : float
        Detector rows, px.
    pixel_m, step_z_m : float
        Pixel size at the sample and vertical step, m.

    Yields
    ------
    Finding
        An information with the overlap; a warning below 5 % of it, an error where a gap is left.
    """
    if not step_z_m:
        return
    high = subject.facts["pixel_height_m"].value if "pixel_height_m" in subject.facts else pixel_m
    height = rows * high
    overlap = 1 - step_z_m / height
    found = f"{rows:.0f} px × {units.show(high, 'm')} = {_millimetres(height)} for steps of {_millimetres(step_z_m)}"
    if overlap < -0.005:
        yield error(
            "vertical steps",
            f"{found}: {100 * -overlap:.0f} % is left out between two stages",
            "steps below the height of the field of view",
            "check the step and its unit, or scan the gaps",
        )
    elif overlap < 0.05:
        yield warning(
            "vertical steps",
            f"{found}: {100 * overlap:.1f} % overlap",
            "at least 5 %",
            "stitch by the motor positions: there is too little in common to correlate",
        )
    else:
        yield info("vertical steps", f"{found}: {height / step_z_m:.2f} times the step", "more than the step")


@compares("volume_z", "step_z_m", "stages_z")
def volume_height_against_steps(
    subject: Subject, volume_z: float, step_z_m: float, stages_z: float
) -> Iterator[Finding]:
    """Compare the height of the volume with what the stages cover: (stages - 1) steps and one field of view.

    Parameters
    ----------
    subject : Subject
        Knows the size of a voxel or pixel too; else nothing is said.
    volume_z : float
        Slices of the volume.
    step_z_m : float
        Vertical step, m.
    stages_z : float
        Vertical stages.

    Yields
    ------
    Finding
        An information where they agree within 3 %, else a warning.
    """
    heights = ("voxel_height_m", "voxel_m", "pixel_height_m", "pixel_m")
    voxel = next((subject.facts[name] for name in heights if name in subject.facts), None)
    if voxel is None or not step_z_m:
        return
    height, stepped = volume_z * voxel.value, stages_z * step_z_m
    most = stepped
    if "rows" in subject.facts and "pixel_m" in subject.facts:
        high = subject.facts.get("pixel_height_m") or subject.facts["pixel_m"]
        most = (stages_z - 1) * step_z_m + subject.facts["rows"].value * high.value
    found = f"{volume_z:.0f} × {units.show(voxel.value, 'm')} = {_millimetres(height)}"
    expected = f"{stages_z:.0f} × {_millimetres(step_z_m)} = {_millimetres(stepped)}"
    expected += f", at most {_millimetres(max(most, stepped))}"
    if 0.97 * min(stepped, most) <= height <= 1.03 * max(stepped, most):
        yield info("height of the volume", found, expected)
    else:
        yield warning(
            "height of the volume",
            found,
            expected,
            "a stage is missing in the volume, or the step, its unit or the number of stages is wrong",
        )


@compares("volume_x", "columns")
def volume_width_against_detector(subject: Subject, volume_x: float, columns: float) -> Iterator[Finding]:
    """Compare the width of the volume with what the detector sees in this geometry.

    Parameters
    ----------
    subject : Subject
        Anything that knows these; voxel and pixel size where they differ.
    volume_x, columns : float
        Width of the volume in voxels and of the detector in px.

    Yields
    ------
    Finding
        An information where it is wider than the detector and may be; a warning where it may not.
    """
    words = str(subject.facts["scan_geometry"].value).lower() if "scan_geometry" in subject.facts else ""
    # A full turn about an axis at the edge sees twice the width; records of such runs do not call themselves half.
    turned = "span_deg" in subject.facts and subject.facts["span_deg"].value > FULL_TURN_DEG
    times = 4 if "quarter" in words else 2 if turned or HALF_ACQUISITION[0] in words else 1
    stages = subject.facts["stages_x"].value if "stages_x" in subject.facts else 1
    ratio = 1.0
    if "voxel_m" in subject.facts and "pixel_m" in subject.facts:
        ratio = subject.facts["voxel_m"].value / subject.facts["pixel_m"].value
    width, most = volume_x * ratio, times * stages * columns
    found = f"{volume_x:.0f} voxels, {width:.0f} px of the detector"
    expected = f"at most {times * stages:g} × {columns:.0f} = {most:.0f} px"
    if width <= columns:
        return
    if width <= 1.05 * most:
        yield info("width of the volume", found, expected)
    else:
        yield warning(
            "width of the volume",
            found,
            expected,
            "the scan geometry is not the one that is told, or the voxel or pixel size is wrong",
        )


@compares("voxel_m", "pixel_m")
def voxel_against_pixel(subject: Subject, voxel_m: float, pixel_m: float) -> Iterator[Finding]:
    """Compare the voxel size with the pixel size: it is the same, or a whole multiple where it was binned.

    Parameters
    ----------
    subject : Subject
        Anything that knows these.
    voxel_m, pixel_m : float
        Metres.

    Yields
    ------
    Finding
        A warning where it is neither.
    """
    ratio = voxel_m / pixel_m
    if abs(ratio - max(1, round(ratio))) > 0.02 * ratio:
        yield warning(
            "voxel size",
            f"{units.show(voxel_m, 'm')}, {ratio:.4g} pixels",
            f"{units.show(pixel_m, 'm')} or a multiple",
            "the volume was interpolated, or one of the two is wrong",
        )


@compares("pixel_m", "energy_kev", "distance_m")
def fresnel_number(
    subject: Subject, pixel_m: float, energy_kev: float, distance_m: float
) -> Iterator[Finding]:
    """Compute the Fresnel number of a pixel, pixel² / (λ R2): the near field ends about 0.3.

    Parameters
    ----------
    subject : Subject
        Anything that knows these.
    pixel_m, distance_m : float
        Metres.
    energy_kev : float
        Photon energy, keV.

    Yields
    ------
    Finding
        An information below 0.3; a warning below 1e-4, where pixel, distance or energy must be wrong.
    """
    if distance_m <= 0 or energy_kev <= 0 or pixel_m <= 0:
        return
    wavelength = WAVELENGTH_M_KEV / energy_kev
    number = pixel_m**2 / (wavelength * distance_m)
    if number >= 0.3:
        return
    fringe = units.show(float(np.sqrt(wavelength * distance_m)), "m")
    found = f"{number:.2g} for {units.show(pixel_m, 'm')}, {energy_kev:g} keV, {units.show(distance_m, 'm')}"
    found += f"; fringes of {fringe}"
    if number < 1e-4:
        yield warning(
            "Fresnel number", found, "above 1e-4", "check pixel size, distance and energy and their units"
        )
    else:
        yield info(
            "Fresnel number", found, "above 0.3", "Paganin's formula blurs here; several distances allow more"
        )


@compares("distance_m")
def distance_unit(subject: Subject, distance_m: float) -> Iterator[Finding]:
    """Compare the distance from sample to detector with the longest hutches and with the sample's own radius.

    Parameters
    ----------
    subject : Subject
        Anything that knows it; the width of the field of view where it is known.
    distance_m : float
        Metres.

    Yields
    ------
    Finding
        A warning above 45 m, or below a tenth of the field of view's radius (0 stands for contact).
    """
    if distance_m > LONGEST_M:
        yield warning(
            "distance",
            units.show(distance_m, "m"),
            f"at most {LONGEST_M:g} m; {units.show(distance_m / 1000, 'm')}, if mm were written as m",
            "check the unit; give the right one: --distance",
        )
    if {"pixel_m", "columns"} <= subject.facts.keys():
        radius = subject.facts["pixel_m"].value * subject.facts["columns"].value / 2
        if 0 < distance_m < 0.1 * radius:
            yield warning(
                "distance",
                units.show(distance_m, "m"),
                f"more than the radius of the sample, up to {units.show(radius, 'm')}, or it could not turn",
                "check the unit; give the right one: --distance",
            )


@check(frames_there)
def axis_far_off(subject: Subject) -> Iterator[Finding]:
    """Find the rotation axis by sampled opposite projections, and compare it with the middle and the told one.

    Parameters
    ----------
    subject : Subject
        A scan with flats that turned half a turn; else nothing is said.

    Yields
    ------
    Finding
        A warning where the axis is off by more than a tenth of the width though the scan is no half
        acquisition, or by more than 1 % of it (5 px at least) from the column the file tells.
    """
    column = axis_of(subject.frames)
    if column is None:
        return
    assert subject.scan is not None
    columns, value = subject.scan.shape[2], subject.scan.axis_column
    middle = (columns - 1) / 2
    full_turn = "span_deg" in subject.facts and subject.facts["span_deg"].value > 340
    if abs(column - middle) > FAR_OFF * columns:
        found, expected = f"about column {column:.0f} of {columns}", f"near the middle, {middle:.0f}"
        if full_turn:
            yield info(
                "rotation axis", found, expected, "reconstruct as half acquisition if the sample is cut off"
            )
        else:
            yield warning(
                "rotation axis", found, expected, "part of the sample is seen from one side only: centre it"
            )
    if value is not None and abs(column - value.value) > max(5.0, 0.01 * columns):
        yield warning(
            "rotation axis",
            f"{value.source} says column {value.value:.1f}",
            f"about {column:.0f}, where opposite views agree",
            "leave the axis to `tomarium axis`; the file may count from the middle or from the other side",
        )


def _millimetres(length_m: float) -> str:
    return f"{1e3 * length_m:.4g} mm"
