"""Axes and metadata as rosettasciio gives them, turned into ours: SI units, JSON values, nothing left out."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, Final

import numpy as np

from tomarium import units
from tomarium.errors import UnitError
from tomarium.model import Axis

# What files write where an axis is not calibrated.
_PIXELS: Final = frozenset({"", "pix", "px", "pixel", "pixels", "<undefined>", "undefined", "none"})
_NAMES: Final = {"height": "y", "width": "x"}
_TARGETS: Final = ("m", "keV", "s", "1/m", "deg")
_DEEPEST: Final = 64


def axis_of(description: Mapping[str, Any], number: int) -> Axis:
    """Turn one axis.

    `description`: `name`, `units`, `scale`, `offset`, or `axis` with the coordinates. `number`: which axis of the
    data it is, for one without a name. Result: in m, keV, deg, s or 1/m; in the file's own unit where it is
    none of these, "px" where it has none.
    """
    name = str(description.get("name") or f"axis_{number}")
    name = _NAMES.get(name, name)
    text = str(description.get("units") or "")
    unit, factor = ("px", 1.0) if text.lower() in _PIXELS else in_base_units(text)
    if (listed := description.get("axis")) is not None:
        values = tuple(_clean(float(value), factor) for value in np.asarray(listed).ravel())
        step = (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 1.0
        return Axis(name, step, values[0], "" if unit == "px" else unit, values)
    scale, offset = float(description.get("scale") or 1.0), float(description.get("offset") or 0.0)
    if unit == "px" and (scale, offset) != (1.0, 0.0):
        unit = ""  # calibrated, but nothing says in what
    return Axis(name, _clean(scale, factor), _clean(offset, factor), unit)


def in_base_units(spelling: str) -> tuple[str, float]:
    """Find the base unit of a spelling.

    Result: "m", "keV", "deg", "s" or "1/m", or the spelling itself where it measures something else.
    """
    for target in _TARGETS:
        try:
            return target, units.factor(spelling, target)
        except UnitError:
            continue
    return spelling, 1.0


def _clean(value: float, factor: float) -> float:
    return value if factor == 1.0 or not math.isfinite(value) else float(f"{value * factor:.15g}")


def plain(value: Any, depth: int = 0) -> Any:
    """Turn metadata into JSON values.

    `depth`: how deep it lies; below 64 it is written as text. Result: JSON-ready; bytes that are no text as
    {"base64": …}, numbers that are not finite as text.
    """
    if depth > _DEEPEST:
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), depth + 1)
    if isinstance(value, np.generic):
        return plain(value.item(), depth + 1)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str | int | float | bool | None):
        return value
    return value.isoformat() if isinstance(value, date | time) else str(value)
