"""The numbers of a scan, or of a planned one, that advice is given by; each with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any, Final

import numpy as np

from tomarium.errors import ParameterError
from tomarium.kernels.refractive_index import Material, parse_material
from tomarium.model import FrameKind, Scan, Value
from tomarium.model.geometry import BY_NAME, user_value
from tomarium.model.sentence import Sentence
from tomarium.pipeline.advice.questions import NO_COUNT

NOT_ABOVE_ZERO: Final = "%(label)s is %(text)s; give a finite number above 0"

FULL_TURN_DEG: Final = 359.0
"""Angles that span less, with one step more, are no full turn."""

WIDEST_STEP_DEG: Final = 30.0
"""Neighbouring views that lie further apart do not follow each other."""

COUNTS: Final = ("columns", "rows", "views", "flats", "darks", "scans", "methods", "width")
POSITIVE: Final = (
    "sample_m", "delta_beta", "length_px", "exposure_s", "speed_deg_s", "span_deg", "scan_time_s", "disk_b_s",
)  # fmt: skip


@dataclass(frozen=True)
class Acquisition:
    """What is known of a scan; None where nobody told.

    Attributes
    ----------
    columns, rows : Value of int or None
        Pixels of the detector.
    pixel_bytes : Value of int or None
        Bytes of a raw pixel.
    views, flats, darks : Value of int or None
        Frames of each kind.
    span_deg : Value of float or None
        Angle through which the views go, in degrees.
    pixel_m, energy_kev, distance_m : Value of float or None
        Pixel size at the sample in m, photon energy in keV, distance from sample to detector in m.
    sample_m : Value of float or None
        Diameter of the sample in m.
    material : Value of Material or None
        What the sample is made of.
    delta_beta : Value of float or None
        Ratio delta/beta of the sample.
    length_px : Value of float or None
        Length of Paganin's filter in px, which stands for a ratio.
    scans : Value of int or None
        How many such scans.
    methods : Value of int or None
        How many volumes are made of each.
    scan_time_s, disk_b_s : Value of float or None
        Time from one scan to the next in s, and bytes a second that a disk takes.
    extended : Value of bool or None
        Whether the axis stands near an edge of the detector and the scan goes through a full turn.
    width : Value of int or None
        Voxels of the volume along x and y.
    exposure_s, speed_deg_s : Value of float or None
        Exposure time of a view in s, speed of the continuous rotation in degrees per second.
    """

    columns: Value[int] | None = None
    rows: Value[int] | None = None
    pixel_bytes: Value[int] | None = None
    views: Value[int] | None = None
    flats: Value[int] | None = None
    darks: Value[int] | None = None
    span_deg: Value[float] | None = None
    pixel_m: Value[float] | None = None
    energy_kev: Value[float] | None = None
    distance_m: Value[float] | None = None
    sample_m: Value[float] | None = None
    material: Value[Material] | None = None
    delta_beta: Value[float] | None = None
    length_px: Value[float] | None = None
    scans: Value[int] | None = None
    methods: Value[int] | None = None
    scan_time_s: Value[float] | None = None
    disk_b_s: Value[float] | None = None
    extended: Value[bool] | None = None
    width: Value[int] | None = None
    exposure_s: Value[float] | None = None
    speed_deg_s: Value[float] | None = None

    def known(self) -> dict[str, Value[Any]]:
        """Return what is known: name → value."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def is_extended(self) -> bool:
        """Whether it is said to be an extended-field scan."""
        return self.extended is not None and self.extended.value


def acquisition(user_values: Mapping[str, Any], scan: Scan | None = None) -> Acquisition:
    """Collect what a scan tells and what its user gives; what is given wins.

    Parameters
    ----------
    user_values : mapping of str to object
        Field of `Acquisition` → number in its unit, or text of a material; None where it was not given.
    scan : Scan, optional
        A scan; only its header is looked at.

    Returns
    -------
    Acquisition
        Nothing is assumed.

    Raises
    ------
    MissingData
        The scan has no frames: they lie elsewhere.
    ParameterError
        A number that no scan has, or a material that is none.
    EngineUnavailable
        A material was given and xraylib is not installed.
    """
    of_scan = Acquisition() if scan is None else _from_scan(scan)
    values = {name: _value_of_user(name, value) for name, value in user_values.items() if value is not None}
    return replace(of_scan, **values)


def _value_of_user(name: str, value: Any) -> Value[Any]:
    if name in BY_NAME:
        return user_value(name, value, "given")
    if name == "material":
        return Value(parse_material(value), "user", "given")
    if name in COUNTS:
        least = 0 if name in ("flats", "darks") else 1
        if int(value) != value or value < least:
            raise ParameterError(Sentence(NO_COUNT, label=name, text=value, least=least))
        return Value(int(value), "user", "given")
    if name in POSITIVE and not (isfinite(value) and value > 0):
        raise ParameterError(Sentence(NOT_ABOVE_ZERO, label=name, text=value))
    return Value(value, "user", "given")


def _from_scan(scan: Scan) -> Acquisition:
    scan.demand_frames()
    views, rows, columns = scan.shape
    place = scan.path.name
    angles = np.asarray(scan.angles_deg.value, np.float64)
    exposure = scan.metadata.get("exposure_s")
    return Acquisition(
        columns=Value(columns, "read", place),
        rows=Value(rows, "read", place),
        pixel_bytes=Value(np.dtype(scan.projections.dtype).itemsize, "read", place),
        views=Value(views, "read", place),
        flats=Value(scan.counts.get(FrameKind.FLAT, 0), "read", place),
        darks=Value(scan.counts.get(FrameKind.DARK, 0), "read", place),
        span_deg=_angular_range(angles, scan.angles_deg),
        pixel_m=scan.pixel_m,
        energy_kev=scan.energy_kev,
        distance_m=scan.distance_m,
        scans=Value(1, "read", place),
        extended=_is_extended_field(scan, angles),
        exposure_s=exposure if exposure is not None and _is_above_zero(exposure.value) else None,
    )


def _angular_range(angles: Any, angles_value: Value[Any]) -> Value[float] | None:
    """Return the range of the angles with one step more: 0 to 179 degrees in 180 views are half a turn.

    None where neighbours lie far apart, as golden angles do, which may never have been taken back to one turn.
    """
    if len(angles) < 2 or not np.isfinite(angles).all():
        return None
    span = float(np.ptp(angles))
    step = float(np.median(np.abs(np.diff(angles))))
    if not 0 < step <= WIDEST_STEP_DEG:
        return None
    several = span * len(angles) / (len(angles) - 1)
    whole = next((turn for turn in (180.0, 360.0) if abs(span - turn) <= 1.01 * step), several)
    return Value(whole, "derived", f"from the angles, {angles_value.origin}: {angles_value.source}")


def _is_extended_field(scan: Scan, angles: Any) -> Value[bool] | None:
    """Tell an extended field by an axis in the outer third of the detector and a full turn; None without an axis."""
    axis = scan.axis_column
    if axis is None or len(angles) < 2:
        return None
    columns = scan.shape[2]
    aside = abs(axis.value - (columns - 1) / 2) > columns / 6
    turn = float(np.ptp(angles)) >= FULL_TURN_DEG - 360.0 / len(angles)
    why = f"axis at column {axis.value:g} of {columns}, angles over {float(np.ptp(angles)):g} degrees"
    return Value(aside and turn, "derived", why)


def _is_above_zero(value: Any) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return isfinite(number) and number > 0
