"""A scan in plain words and numbers: exactly what `tomarium info --json` prints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tomarium.model import FrameKind, Scan, Value


def describe(scan: Scan) -> dict[str, Any]:
    """Describe a scan without reading a frame of it.

    Parameters
    ----------
    scan : Scan
        The scan.

    Returns
    -------
    dict
        JSON-ready: `path`, `name`, `format`, `dialect`, `why`; `frames` {kind: count}; `shape` [frames,
        rows, columns] of the projections; `dtype` (null where the frames are absent); `angles_deg` {`first`,
        `last`, `count`, `origin`, `source`}; `pixel_m`, `energy_kev`, `distance_m`, `axis_column`, each
        {`value`, `origin`, `source`} or null; `missing`, `repaired`, `warnings`; `metadata`,
        in which each name holds {`value`, `origin`, `source`}, without the file's other values.
    """
    dtype = np.dtype(scan.projections.dtype)
    angles = scan.angles_deg
    kinds = (FrameKind.PROJECTION, FrameKind.FLAT, FrameKind.DARK)
    counts = {kind: scan.counts.get(kind, 0) for kind in kinds} | dict(scan.counts)
    return {
        "path": str(scan.path),
        "name": scan.name,
        "format": scan.format,
        "dialect": scan.dialect,
        "why": scan.why,
        "frames": {str(kind): int(count) for kind, count in counts.items()},
        "shape": [int(length) for length in scan.shape],
        "dtype": None if dtype.kind == "V" else dtype.name,
        "angles_deg": {
            "first": _plain(angles.value[0]) if len(angles.value) else None,
            "last": _plain(angles.value[-1]) if len(angles.value) else None,
            "count": len(angles.value),
            "origin": angles.origin,
            "source": angles.source,
        },
        "pixel_m": _value(scan.pixel_m),
        "energy_kev": _value(scan.energy_kev),
        "distance_m": _value(scan.distance_m),
        "axis_column": _value(scan.axis_column),
        "missing": list(scan.missing),
        "repaired": list(scan.repaired),
        "warnings": list(scan.warnings),
        "metadata": {name: _value(item) for name, item in scan.metadata.items() if not name.startswith("/")},
    }


def _value(value: Value[Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"value": _plain(value.value), "origin": value.origin, "source": value.source}


def _plain(value: Any) -> Any:
    """Turn a value into one JSON holds; what is not finite becomes null, since JSON has no word for it."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
