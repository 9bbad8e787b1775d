"""Values as JSON and back: what JSON has no word for is written so that it can be read again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def as_json(value: Any, *, null: bool = False) -> Any:
    """Turn a value into one JSON holds.

    `value`: text, number, truth, array, or lists and mappings of them. `null`: whether an infinity or no number becomes
    null. Result: JSON-ready; else these become {"float": "inf"}; anything unknown becomes its text.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(name): as_json(item, null=null) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item, null=null) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if null else {"float": str(value)}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def from_json(value: Any) -> Any:
    """Turn what `as_json` wrote into a value again."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        if list(value) == ["float"]:
            return float(value["float"])
        return {name: from_json(item) for name, item in value.items()}
    return value
