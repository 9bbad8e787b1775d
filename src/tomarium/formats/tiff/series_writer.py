"""Write a scan as a folder of TIFF files, one a frame, with `angles.txt` and what else is known in `scan.json`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, InputError
from tomarium.formats.provenance.json_values import as_json
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.resumable.folder import Tally, creating_folder, tally_of, write_frames
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.tiff.header import TiffPlan, tiff_head
from tomarium.model import Frames, Image, Scan, Value
from tomarium.model.geometry import FIELDS
from tomarium.model.slab import RAW_DOMAINS

SIDE_CAR: Final = "scan.json"
_LONGEST: Final = 16 << 20


def write(
    path: Path, scan: Scan | Image, *, resume: bool = False, on_progress: OnProgress | None = None
) -> None:
    """Write a scan as a folder of TIFF files.

    `path`: folder to make, with `raw_NNNNN.tif`, `flat_NNNNN.tif`, `dark_NNNNN.tif`, `angles.txt` in degrees
    and `scan.json`. `scan`: frames keep their type, uncompressed, so that rows can be read alone. Raises
    InputError: it is no scan.
    """
    if not isinstance(scan, Scan):
        raise InputError(
            f"{path}: only a scan can be written as a TIFF series; write a volume as tiff-volume"
        )
    side_car: dict[str, Any] = {"made_by": "tomarium", "name": scan.name}
    for field, value in scan.geometry.items():
        if field.name != "angles_deg":  # they have a file of their own
            side_car[field.name] = as_json(value.value)
    if scan.domain != "counts":
        side_car["domain"] = scan.domain
    side_car["metadata"] = {
        name: value.value
        for name, value in scan.metadata.items()
        if isinstance(value.value, str | int | float | bool) and math.isfinite(_number(value.value))
    }
    tally = tally_of(scan, on_progress)
    with creating_folder(path, origin_of(scan, "tiff") if resume else None) as folder:
        _write_frames(folder, "raw", scan.projections, scan, tally)
        for word, reference in (("flat", scan.flats), ("dark", scan.darks)):
            if reference is not None:
                _write_frames(folder, word, reference.frames, scan, tally)
                side_car[f"{word}_position"] = [float(place) for place in reference.position]
        angles = "".join(f"{float(angle)!r}\n" for angle in scan.angles_deg.value)
        (folder / "angles.txt").write_text(f"# degrees, one for each projection\n{angles}", "utf-8")
        (folder / SIDE_CAR).write_text(json.dumps(side_car, indent=2) + "\n", "utf-8")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _write_frames(folder: Path, word: str, frames: Frames, scan: Scan, tally: Tally) -> None:
    _, rows, columns = frames.shape
    dtype = np.dtype(frames.dtype)
    size = scan.geometry.voxel_m
    # The height of a frame's pixels is that of slices.
    voxel = None if size is None else (size[2], size[0], size[2])
    head = tiff_head(TiffPlan((1, rows, columns), dtype, voxel, "counts", "", False, None))
    little = dtype.newbyteorder("<")
    write_frames(
        frames,
        lambda number: folder / f"{word}_{number:05d}.tif",
        lambda _, frame: (head, np.ascontiguousarray(frame, little).data),
        tally,
    )


def read_side_car(folder: Path) -> dict[str, Any]:
    """Read what `write` kept beside the frames.

    Result: `pixel_m`, `energy_kev` … as Value of float, `shift_columns_px`, `shift_rows_px` as Value of
    array; `domain`; `flat_position` and `dark_position` as arrays; `metadata` as a dict of Value. Empty where
    there is no such file of tomarium's.
    """
    file = folder / SIDE_CAR
    try:
        if not file.is_file() or file.stat().st_size > _LONGEST:
            return {}
        side_car = json.loads(file.read_text("utf-8"))
        if not isinstance(side_car, dict) or side_car.get("made_by") != "tomarium":
            return {}
        values: dict[str, Any] = {
            field.name: Value(
                _numbers(side_car[field.name], field.per_view), "read", f"{SIDE_CAR}: {field.name}"
            )
            for field in FIELDS
            if field.name in side_car
        }
        if side_car.get("domain") in RAW_DOMAINS:
            values["domain"] = side_car["domain"]
        for name in ("flat_position", "dark_position"):
            if name in side_car:
                values[name] = np.asarray([_finite(place) for place in side_car[name]], dtype=np.float64)
        metadata = dict(side_car.get("metadata", {}))
        values["metadata"] = {str(name): Value(value, "read", SIDE_CAR) for name, value in metadata.items()}
    except (OSError, ValueError, TypeError, RecursionError) as problem:
        raise FormatError(f"{file}: cannot be read ({problem}); restore it, or remove it") from problem
    return values


def _numbers(value: object, per_view: bool) -> float | NDArray[np.float64]:
    if not per_view:
        return _finite(value)
    if not isinstance(value, list):
        raise ValueError(f"{str(value)[:40]} is no list of numbers")
    return np.asarray([_finite(number) for number in value], np.float64)


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)
