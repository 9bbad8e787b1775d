"""Scans with other values, for tests of all parts."""

from dataclasses import replace
from typing import Any

from tomarium.model import Scan
from tomarium.model.geometry import BY_NAME


def changed(scan: Scan, **values: Any) -> Scan:
    """The scan with other fields, those of its geometry among them."""
    geometry = {name: value for name, value in values.items() if name in BY_NAME}
    others = {name: value for name, value in values.items() if name not in BY_NAME}
    return replace(scan, **others).with_geometry(**geometry)
