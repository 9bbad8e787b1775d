"""What is known of a scan, as the parameters of its record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tomarium.formats.opening.profile_values import FACTS
from tomarium.model import Scan, Value
from tomarium.model.geometry import NUMBERS
from tomarium.model.motor import parameters_of_motors
from tomarium.pipeline.run.folders import folders_of_scan, without_folders
from tomarium.pipeline.run.provenance import PERSONAL, plain

FINGERPRINT: Final = "scan_sha256"
"""Parameter of a raw scan's record: the checksum by which the provenance of a run tells the scan's file from others."""


def parameters_of(scan: Scan) -> dict[str, Value[Any]]:
    """Name what is known of a scan, each with its origin.

    Parameters
    ----------
    scan : Scan
        Any scan.

    Returns
    -------
    dict of str to Value
        Without the folders of this machine and without what is its experimenters' own affair.
    """
    return _without_folders(_parameters(scan), folders_of_scan(scan))


def _parameters(scan: Scan) -> dict[str, Value[Any]]:
    """Name what is known of the scan, each with its origin."""
    angles = scan.angles_deg
    values: dict[str, Value[Any] | None] = {
        **{name: getattr(scan.geometry, name) for name in NUMBERS},
        "pixel_height_m": _height(scan),
        "projections": _read(scan.shape[0], scan),
        "flats": _read(scan.flats.frames.shape[0] if scan.flats else 0, scan),
        "darks": _read(scan.darks.frames.shape[0] if scan.darks else 0, scan),
        "rows": _read(scan.shape[1], scan),
        "columns": _read(scan.shape[2], scan),
        "first_angle_deg": Value(float(angles.value[0]), angles.origin, angles.source),
        "last_angle_deg": Value(float(angles.value[-1]), angles.origin, angles.source),
        "format": Value(f"{scan.format} ({scan.dialect})", "derived", scan.why),
        **parameters_of_motors(scan.geometry.motors),
        **{name: value for name, value in scan.metadata.items() if _is_public(name)},
    }
    return {name: value for name, value in values.items() if value is not None}


def _without_folders(parameters: Mapping[str, Value[Any]], folders: re.Pattern[str]) -> dict[str, Value[Any]]:
    return {
        key: Value(
            without_folders(plain(value.value), folders), value.origin, without_folders(value.source, folders)
        )
        for key, value in parameters.items()
    }


def _height(scan: Scan) -> Value[float] | None:
    """Return the height of a pixel where it is not its width."""
    pixel, aspect = scan.pixel_m, scan.geometry.pixel_aspect
    if pixel is None or aspect is None or aspect.value == 1:
        return None
    return Value(
        pixel.value * aspect.value, "derived", f"{aspect.value:g} times the pixel size: {aspect.source}"
    )


def _read(value: int, scan: Scan) -> Value[int]:
    return Value(value, "read", f"{scan.path.name}: number of frames and their size")


def _is_public(name: str) -> bool:
    """Leave out values under the file's own names, those that tell how to reach a person, and what is no parameter."""
    return not name.startswith("/") and not PERSONAL.search(name) and name != FACTS
