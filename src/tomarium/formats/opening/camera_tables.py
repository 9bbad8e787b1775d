"""Pixel size, magnification and scintillator by the camera and objective that a scan's file names, from a profile."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from tomarium import units
from tomarium.model import Scan, Value

CAMERA: Final = ("detector", "camera", "detector_model", "ccd")
"""Keys under which files name their camera, the first that is told counts."""

OBJECTIVE: Final = ("objective", "lens", "objective_model")
"""Keys under which files name their objective."""

MAGNIFICATION: Final = ("magnification", "objective_magnification")
"""Keys under which files tell their magnification."""

NOMINAL: Final = 0.1
"""A pixel by sensor and nominal magnification differs by less from one that was calibrated."""


def by_camera_tables(
    scan: Scan,
    detectors: Mapping[str, Mapping[str, float]],
    optics: Mapping[str, Mapping[str, Any]],
    profile: str,
) -> tuple[dict[str, Value[Any]], list[str]]:
    """Tell of a scan what follows from the camera and the objective that its file names.

    The pixel at the sample is that of the sensor, times the binning, divided by the magnification.

    Parameters
    ----------
    scan : Scan
        As its file and its user tell it.
    detectors : mapping
        Name of a camera → columns, rows, sensor_pixel_m (m), bits, as far as they are known.
    optics : mapping
        Name of an objective → magnification, scintillator, as far as they are known.
    profile : str
        What the profile is called, for sources and messages.

    Returns
    -------
    dict of str to Value
        `pixel_m` (m), `magnification`, `scintillator`: those that the file does not tell, with the origin "profile".
        Nothing that is not sure: where two entries fit, frames are larger than the camera, or the binning is not known.
    list of str
        What could not be told and why, and what contradicts the file.
    """
    values: dict[str, Value[Any]] = {}
    problems: list[str] = []
    camera = _entry(scan, CAMERA, detectors, "camera", "detectors", problems)
    objective = _entry(scan, OBJECTIVE, optics, "objective", "optics", problems)
    own = next((number for key in MAGNIFICATION if (number := _number(scan, key)) is not None), None)
    magnification, by = own, "magnification of the file"
    unread = (
        "" if own is not None else next((text for key in MAGNIFICATION if (text := _told(scan, key))), "")
    )
    if unread and (camera is not None or objective is not None):
        problems.append(
            f"the magnification {unread[:60]!r} of the file is no number: nothing of [detectors] and [optics] was "
            f"taken; give --pixel"
        )
        return {}, problems
    if objective is not None:
        name, entry = objective
        source = f"{profile}, objective {name}"
        stated = entry.get("magnification")
        if own is None and stated is not None:
            magnification, by = float(stated), f"magnification of the objective {name}"
            values["magnification"] = Value(magnification, "profile", source)
        elif own is not None and stated is not None and not math.isclose(own, stated, rel_tol=NOMINAL):
            problems.append(
                f"magnification is {own:g} by the file, but {stated:g} by {source}: the file's was taken; correct "
                f"[optics] where that is wrong"
            )
        if entry.get("scintillator") and not _told(scan, "scintillator"):
            values["scintillator"] = Value(str(entry["scintillator"]), "profile", source)
    pixel = None
    if camera is not None and magnification is not None:
        pixel = _pixel(scan, camera, magnification, by, profile, problems)
    elif camera is not None and scan.pixel_m is None and "sensor_pixel_m" in camera[1]:
        problems.append(
            f"the pixel size does not follow from the camera {camera[0]} of {profile}: the magnification is not told; "
            f"give --pixel, or the objective in [optics]"
        )
    if pixel is not None and (scan.pixel_m is None or scan.pixel_m.origin == "default"):
        values["pixel_m"] = pixel
    elif pixel is not None and _contradicts(scan.pixel_m, pixel):
        assert scan.pixel_m is not None
        problems.append(
            f"pixel is {units.show(scan.pixel_m.value, 'm')} by {scan.pixel_m.source}, but "
            f"{units.show(pixel.value, 'm')} by {pixel.source}: the file's was taken"
        )
    return values, problems


def _contradicts(own: Value[float] | None, pixel: Value[float]) -> bool:
    """Tell whether a file's own pixel is farther from that of the tables than a calibrated one is."""
    return (
        own is not None and own.origin == "read" and not math.isclose(own.value, pixel.value, rel_tol=NOMINAL)
    )


def _entry(
    scan: Scan,
    keys: tuple[str, ...],
    table: Mapping[str, Mapping[str, Any]],
    noun: str,
    title: str,
    problems: list[str],
) -> tuple[str, Mapping[str, Any]] | None:
    """Find the one entry of a table that the file names: all words of its name stand in what the file says."""
    text = next((_told(scan, key) for key in keys if _told(scan, key)), "")
    if not text or not table:
        return None
    said = _words(text)
    found = [name for name in table if _words(name) == said] or [
        name for name in table if set(_words(name)) <= set(said)
    ]
    if len(found) == 1:
        return found[0], table[found[0]]
    if found:
        problems.append(
            f"the {noun} {text[:60]!r} may be {' or '.join(map(repr, found))} of [{title}]: neither was taken; call "
            f"one as the file does"
        )
    return None


def _pixel(
    scan: Scan,
    camera: tuple[str, Mapping[str, Any]],
    magnification: float,
    by: str,
    profile: str,
    problems: list[str],
) -> Value[float] | None:
    """Return the pixel at the sample, where it is sure that the frames are of this camera, and how they were binned."""
    name, entry = camera
    sensor = entry.get("sensor_pixel_m")
    if sensor is None or not magnification > 0:
        return None
    columns, rows = scan.shape[2], scan.shape[1]
    told = [_number(scan, f"detector_binning_{axis}") for axis in "xy"]
    binning = told[0] if told[0] is not None else 1.0 if columns == entry.get("columns") else None
    reason = ""
    if binning is None:
        most = f"{entry['columns']:g}" if "columns" in entry else "an unknown number of"
        reason = (
            f"frames have {columns} of {most} columns, and whether they were binned or cropped is not told"
        )
    elif told[1] is not None and told[1] != binning:
        reason = f"its binning is {binning:g} along rows and {told[1]:g} along columns"
    elif any(
        length * binning > entry.get(word, math.inf)
        for length, word in ((columns, "columns"), (rows, "rows"))
    ):
        reason = (
            f"frames of {columns} × {rows} pixels, binned by {binning:g}, are larger than its "
            f"{entry.get('columns', math.nan):g} × {entry.get('rows', math.nan):g}"
        )
    if reason:
        if scan.pixel_m is None:
            problems.append(
                f"the pixel size does not follow from the camera {name} of {profile}: {reason}; give --pixel"
            )
        return None
    assert binning is not None
    source = (
        f"{profile}, camera {name}: {units.show(sensor, 'm')} × binning {binning:g} / {magnification:g}, {by}"
    )
    return Value(sensor * binning / magnification, "profile", source)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w.]+", text.casefold())


def _told(scan: Scan, key: str) -> str:
    value = scan.metadata.get(key)
    return "" if value is None or value.value is None else str(value.value).strip()


def _number(scan: Scan, key: str) -> float | None:
    """Read a number that a file tells, also as the text "10", "10x" or "x10"."""
    match = re.fullmatch(r"[x×]?\s*(\d+(?:\.\d+)?)\s*[x×]?", _told(scan, key).casefold())
    return float(match[1]) if match and float(match[1]) > 0 else None
