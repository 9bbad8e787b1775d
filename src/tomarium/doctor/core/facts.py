"""The numbers that checks compare, their units and the range they can be in; and where subjects hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from tomarium.model import Image, Record, Scan, Value, Volume


@dataclass(frozen=True)
class Fact:
    """One quantity that checks know.

    Attributes
    ----------
    unit : str
        Unit of the number, as the name carries it; "" for counts and ratios.
    lowest, highest : float
        Beyond these the value is absurd: not of this field, or a placeholder.
    aliases : tuple of str
        What tables call it, in lower case without units and punctuation.
    """

    unit: str
    lowest: float
    highest: float
    aliases: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it counts something."""
        return not self.unit and self.lowest in (0, 1) and self.highest >= 1e4


_COUNT: Final = (1.0, 1e7)

# Ranges: from nano-holotomography (pixel of some nm) to medical and industrial CT; energies from soft X-rays to
# linear accelerators; times up to a month of beam.
FACTS: Final[dict[str, Fact]] = {
    "columns": Fact("", *_COUNT, ("detector columns", "pixel x", "pixels x")),
    "rows": Fact("", *_COUNT, ("detector rows", "pixel y", "pixels y")),
    "projections": Fact("", *_COUNT, ("number of projections", "views", "angles")),
    "flats": Fact("", 0, 1e6, ("refon", "flat fields", "references")),
    "darks": Fact("", 0, 1e6, ("darkn", "dark fields")),
    "accumulated_frames": Fact("", 1, 1e6, ("acc frames", "acc frames count")),
    "pixel_m": Fact("m", 5e-10, 1e-3, ("pixel", "pixel size", "effective pixel size", "sample pixel size")),
    "pixel_height_m": Fact("m", 5e-10, 1e-3, ("pixel height",)),
    "voxel_m": Fact("m", 5e-10, 1e-3, ("voxel", "voxel size")),
    "voxel_height_m": Fact("m", 5e-10, 1e-3, ("voxel height", "slice thickness")),
    "sensor_pixel_m": Fact("m", 1e-7, 1e-3, ("size", "sensor size", "sensor pixel", "sensor pixel size")),
    "magnification": Fact("", 1e-3, 1e5, ("optical magnification",)),
    "distance_m": Fact("m", 0.0, 500.0, ("distance", "detector distance", "propagation distance")),
    "source_distance_m": Fact("m", 1e-4, 1000.0, ("source distance", "source sample distance")),
    "energy_kev": Fact("keV", 0.03, 5e4, ("energy", "energy avg", "average energy", "photon energy")),
    "ring_current_ma": Fact("mA", 0.0, 2000.0, ("sr current", "ring current", "source current")),
    "exposure_s": Fact("s", 1e-10, 7200.0, ("exposure", "exposure time", "count time")),
    "scan_time_s": Fact("s", 1e-6, 3e6, ("scan time", "scan duration")),
    "series_time_s": Fact("s", 1e-6, 3e7, ("series time", "series duration")),
    "span_deg": Fact("deg", 1e-3, 1e6, ("scan range", "angular range", "rotation range")),
    "step_x_m": Fact("m", 0.0, 10.0, ("step x",)),
    "step_y_m": Fact("m", 0.0, 10.0, ("step y",)),
    "step_z_m": Fact("m", 0.0, 10.0, ("step z", "z step")),
    "stages_x": Fact("", 1, 1e5, ("stages in x",)),
    "stages_y": Fact("", 1, 1e5, ("stages in y",)),
    "stages_z": Fact("", 1, 1e5, ("stages in z",)),
    "scans_per_stage": Fact("", 1, 1e4),
    "volume_x": Fact("", *_COUNT, ("volume x",)),
    "volume_y": Fact("", *_COUNT, ("volume y",)),
    "volume_z": Fact("", *_COUNT, ("volume z",)),
    "bytes_per_voxel": Fact("", 0.125, 16),
    "grey_low": Fact("1/m", -1e8, 1e8, ("32to16bitsmin", "grey low")),
    "grey_high": Fact("1/m", -1e8, 1e8, ("32to16bitsmax", "grey high")),
    "compression_ratio": Fact("", 0.5, 1e4, ("jp2comprratio", "jp2 compression ratio")),
    "file_bytes": Fact("B", 1, 1e18, ("size", "file size", "download size")),
    "dose_rate_gy_per_s": Fact("Gy/s", 0.0, 1e9, ("dose rate", "sur dose rate", "surface dose rate")),
    "dose_gy": Fact("Gy", 0.0, 1e12, ("dose", "integrated dose", "voi integ dose", "voi integrated dose")),
    "transmission": Fact("", 0.0, 1.0, ("mean transmission",)),
}  # fmt: skip

# Facts that are words.
TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "mode": ("scan mode",),
    "scan_geometry": ("scan geometry", "field of view"),
    "data_type": ("dtype", "data type"),
}

# What a table gives as several numbers in one cell.
VECTORS: Final[dict[str, tuple[str, ...]]] = {
    "step": ("step_x_m", "step_y_m", "step_z_m"),
    "stages": ("stages_x", "stages_y", "stages_z"),
    "pixel": ("columns", "rows"),
    "pixels": ("columns", "rows"),
    "volume": ("volume_x", "volume_y", "volume_z"),
}

Facts = Mapping[str, Value[Any]]


def facts_of_scan(scan: Scan) -> Facts:
    """Collect the facts a scan holds.

    Parameters
    ----------
    scan : Scan
        Only its header is looked at.

    Returns
    -------
    mapping of str to Value
        Name → value, in the unit its name carries.
    """
    views, rows, columns = scan.shape
    angles = scan.angles_deg
    facts: dict[str, Value[Any] | None] = {
        "projections": _derived(views, "number of projections"),
        "rows": _derived(rows, "frame shape") if rows else None,
        "columns": _derived(columns, "frame shape") if columns else None,
        "pixel_m": scan.pixel_m,
        "pixel_height_m": _height(scan.geometry.voxel_m, "pixel size and pixel_aspect"),
        "energy_kev": scan.energy_kev,
        "distance_m": scan.distance_m,
        "exposure_s": scan.metadata.get("exposure_s"),
        "scan_geometry": scan.metadata.get("field_of_view"),
        "scan_time_s": _duration(scan),
    }
    if angles.origin != "default" and len(angles.value) > 1:
        facts["span_deg"] = _derived(turn_deg(angles.value), angles.source)
    for name in ("sensor_pixel_m", "magnification", "source_distance_m", "ring_current_ma", "mode"):
        facts[name] = scan.metadata.get(name)
    return {name: value for name, value in facts.items() if value is not None}


def facts_of_image(image: Image) -> Facts:
    """Collect the facts a volume holds.

    Parameters
    ----------
    image : Image
        Only its header is looked at; what is no volume has none.

    Returns
    -------
    mapping of str to Value
        Name → value, in the unit its name carries.
    """
    if not isinstance(image, Volume):
        return {}
    facts = {f"volume_{axis}": _derived(n, "its shape") for axis, n in zip("zyx", image.shape, strict=True)}
    if image.voxel_m is not None:
        facts["voxel_m"] = Value(image.voxel_m[2], "read", "its axes")
        facts |= _given(voxel_height_m=_height(image.voxel_m, "its axes"))
    return facts


def facts_of_record(record: Record) -> Facts:
    """Collect the facts a record holds.

    Parameters
    ----------
    record : Record
        Its parameters and the summary of its volume.

    Returns
    -------
    mapping of str to Value
        Name → value, in the unit its name carries.
    """
    facts = {
        name: value
        for name, value in record.parameters.items()
        if name in TEXTS or (name in FACTS and isinstance(value.value, (int, float)))
    }
    ends = [record.parameters.get(f"{name}_angle_deg") for name in ("first", "last")]
    angles = [float(end.value) for end in ends if end is not None and isinstance(end.value, (int, float))]
    if len(angles) == 2 and "projections" in facts:
        steps = max(1.0, facts["projections"].value - 1)
        facts["span_deg"] = _derived(abs(angles[1] - angles[0]) * (1 + 1 / steps), "first and last angle")
    shape, voxel = record.volume.get("shape") or (), record.volume.get("voxel_m")
    facts |= {
        f"volume_{axis}": _derived(n, "the volume's shape") for axis, n in zip("zyx", shape, strict=False)
    }
    sizes = voxel if isinstance(voxel, (list, tuple)) else [voxel]
    if sizes and isinstance(sizes[-1], (int, float)):
        facts["voxel_m"] = _derived(sizes[-1], "the volume's axes")
        facts |= _given(voxel_height_m=_height(sizes, "the volume's axes"))
    return facts


def _height(size_m: Sequence[Any] | None, source: str) -> Value[Any] | None:
    """Return the height of a voxel (z, y, x) or of a pixel that is no square, else None."""
    if size_m is None or size_m[0] == size_m[-1]:
        return None
    return _derived(size_m[0], source)


def _given(**facts: Value[Any] | None) -> dict[str, Value[Any]]:
    return {name: value for name, value in facts.items() if value is not None}


def turn_deg(angles_deg: Any) -> float:
    """Return the turn that angles sample, the step after the last included.

    Parameters
    ----------
    angles_deg : array of float64, shape (angle,)
        At least two, in degrees, in any order.

    Returns
    -------
    float
        Degrees, above 0.
    """
    ordered = np.unique(angles_deg[np.isfinite(angles_deg)])
    if len(ordered) < 2:
        return 0.0
    return float(ordered[-1] - ordered[0] + np.median(np.diff(ordered)))


def _derived(number: float, source: str) -> Value[Any]:
    return Value(float(number), "derived", source)


def _duration(scan: Scan) -> Value[Any] | None:
    times = []
    for name in ("start_time", "end_time"):
        value = scan.metadata.get(name)
        try:
            times.append(datetime.fromisoformat(str(value.value)) if value is not None else None)
        except ValueError:  # written for people, "September 25, 2020 12:41:57"
            return None
    start, end = times
    if start is None or end is None or (start.tzinfo is None) != (end.tzinfo is None):
        return None
    seconds = (end - start).total_seconds()
    return _derived(seconds, "end_time less start_time") if math.isfinite(seconds) else None
