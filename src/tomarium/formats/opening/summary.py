"""A scan or an image in plain words and numbers: exactly what `tomarium info --json` prints."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.formats.format import Format, Match
from tomarium.formats.provenance.json_values import as_json
from tomarium.model import Axis, FrameKind, Image, MotorPositions, Scan, Value, Volume
from tomarium.model.geometry import FIELDS

_plain: Final = partial(as_json, null=True)


def describe(opened: Scan | Image, recognised: tuple[Format, Match] | None = None) -> dict[str, Any]:
    """Describe a scan or an image without reading a frame of it.

    `opened`: as `tomarium.formats.open` returns it. `recognised`: what was said of an image's file, which,
    unlike a scan, it does not keep itself. Result: JSON-ready. Of a scan: `kind` "scan", `path`, `name`,
    `format`, `dialect`, `why`; `frames` {kind: count}; `shape` [frames, rows, columns] of the projections;
    `dtype` (null where the frames are absent); `domain` ("counts", "transmission" or "attenuation");
    `angles_deg` {`first`, `last`, `count`, `origin`, `source`}; `pixel_m`, `energy_kev`, `distance_m`,
    `axis_column`, each {`value`, `origin`, `source`} or null; `axis_roll_deg`, `axis_tilt_deg` like these and
    `shift_columns_px`, `shift_rows_px`, `beam_intensity` like the angles, where known; `motors` {name: like the
    angles, with `lowest`, `highest` and `unit` ("m", "deg", "" where none is told)}; `missing`, `repaired`, `warnings`;
    `metadata`, in which each name holds {`value`, `origin`, `source`}, without the file's other values. Of an
    image: `kind` "image" or "volume", `path`, `name`, `format`, `dialect`, `why`, `entries`; `shape`,
    `dtype`, `unit` of the values; `axes` [{`name`, `length`, `unit`, `scale`, `offset`, `first`, `last`,
    `even`}]; `uncalibrated`; `missing`, `warnings`; `metadata` {name: value}, without the file's other
    values.
    """
    return _image(opened, recognised) if isinstance(opened, Image) else _scan(opened)


def _image(image: Image, recognised: tuple[Format, Match] | None) -> dict[str, Any]:
    form, match = recognised or (None, None)
    metadata = dict(image.metadata)
    notes = {name: [str(note) for note in metadata.pop(name, ())] for name in ("missing", "warnings")}
    return {
        "kind": "volume" if isinstance(image, Volume) else "image",
        "path": str(image.path or ""),
        "name": image.name,
        "format": form.name if form else None,
        "dialect": match.dialect if match else None,
        "why": match.why if match else None,
        "entries": list(match.entries) if match else [],
        "shape": list(image.shape),
        "dtype": image.dtype.name,
        "unit": image.unit,
        "axes": [_axis(axis, length) for axis, length in zip(image.axes, image.shape, strict=True)],
        "uncalibrated": bool(
            metadata.pop("uncalibrated", any(axis.unit in ("px", "") for axis in image.axes))
        ),
        **notes,
        "metadata": {name: _plain(value) for name, value in metadata.items() if not name.startswith("/")},
    }


def _axis(axis: Axis, length: int) -> dict[str, Any]:
    last = axis.coordinates[-1] if axis.coordinates else axis.offset + axis.scale * (length - 1)
    return {
        "name": axis.name,
        "length": length,
        "unit": axis.unit,
        "scale": _plain(axis.scale),
        "offset": _plain(axis.offset),
        "first": _plain(axis.coordinates[0] if axis.coordinates else axis.offset),
        "last": _plain(last),
        "even": not axis.coordinates,
    }


def _scan(scan: Scan) -> dict[str, Any]:
    dtype = np.dtype(scan.projections.dtype)
    kinds = (FrameKind.PROJECTION, FrameKind.FLAT, FrameKind.DARK)
    counts = {kind: scan.counts.get(kind, 0) for kind in kinds} | dict(scan.counts)
    return {
        "kind": "scan",
        "path": str(scan.path),
        "name": scan.name,
        "format": scan.format,
        "dialect": scan.dialect,
        "why": scan.why,
        "frames": {str(kind): int(count) for kind, count in counts.items()},
        "shape": [int(length) for length in scan.shape],
        "dtype": None if dtype.kind == "V" else dtype.name,
        "domain": scan.domain,
        **{
            field.name: _per_view(value) if field.per_view and value else _value(value)
            for field in FIELDS
            if (value := getattr(scan.geometry, field.name)) or field.expected
        },
        "motors": {name: _motor(motor) for name, motor in scan.geometry.motors.items()},
        "missing": list(scan.missing),
        "repaired": list(scan.repaired),
        "warnings": list(scan.warnings),
        "metadata": {name: _value(item) for name, item in scan.metadata.items() if not name.startswith("/")},
    }


def _per_view(value: Value[NDArray[np.float64]] | MotorPositions) -> dict[str, Any]:
    numbers = value.value
    return {
        "first": _plain(numbers[0]) if len(numbers) else None,
        "last": _plain(numbers[-1]) if len(numbers) else None,
        "count": len(numbers),
        "origin": value.origin,
        "source": value.source,
    }


def _motor(motor: MotorPositions) -> dict[str, Any]:
    edges = (motor.value.min(), motor.value.max()) if motor.value.size else (None, None)
    lowest, highest = (None if edge is None else _plain(edge) for edge in edges)
    return {**_per_view(motor), "lowest": lowest, "highest": highest, "unit": motor.unit}


def _value(value: Value[Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"value": _plain(value.value), "origin": value.origin, "source": value.source}
