"""Fluorescence maps in Data Exchange: one image for each element, as MAPS, XRF-Maps and XRFtomo write them at the APS.

An exchange group whose `data` have a list of names beside them (`data_names`, `elements` …) holds no projections: its
first axis is the element, as in `[element, y, x]` of one map with positions `x_axis` and `y_axis`, or
`[element, angle, y, x]` of a fluorescence tomography with `theta`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.data_exchange.unlisted_fields import element_names
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.hdf5.array import array_of
from tomarium.formats.hdf5.attributes import attribute
from tomarium.formats.hdf5.axes import axis_of, pixel_axis
from tomarium.formats.hdf5.dialect import dataset_at, detecting
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import Source, reading
from tomarium.model import Axis, Image

_UNITS: Final = ("data_units", "units")
_POSITIONS: Final = {"x": ("x_axis", "x"), "y": ("y_axis", "y")}
_DIMENSIONS: Final = {3: ("y", "x"), 4: ("angle", "y", "x")}
_MOST_SHOWN: Final = 6
_MOST_CHANNELS: Final = 32


@detecting
def detect(source: Source) -> Match | None:
    """Look for an exchange group with data and as many names of elements as its first axis is long."""
    entries: dict[str, list[str]] = {}
    lacking = []
    for group in source.numbered(source.file, "exchange"):
        data, names = dataset_at(source, f"/{group}/data"), element_names(source, group)
        if data is None or not names:
            continue
        if data.ndim in _DIMENSIONS and data.shape[0] == len(names) and data.dtype.kind in "iuf":
            entries[group] = names
        else:
            lacking.append(
                f"/{group} names {len(names)} elements ({_some(names)}), but its data have the shape {data.shape}, "
                f"where (element, y, x) or (element, angle, y, x) was expected"
            )
    if not entries:
        return no_match("; ".join(lacking)) if lacking else None
    entry, names = next(iter(entries.items()))
    why = f"its root holds /{entry}/data and the names of its {len(names)} elements: {_some(names)}"
    return Match(0.95, "element maps", why, entry=entry, entries=tuple(entries))


def _some(names: list[str]) -> str:
    return ", ".join(names[:_MOST_SHOWN]) + (" …" if len(names) > _MOST_SHOWN else "")


def read(path: Path, match: Match) -> Image:
    """Read the header of the maps of an exchange group.

    `match.entry` names the exchange group. Result: axes channel (element, above 32 of them), y, x, or with angle
    before y; x and y in m where the file gives a unit of them, angles in deg. The names of the elements are in
    `metadata["channels"]`; "uncalibrated" is true where positions are not lengths.
    """
    with reading(path) as source:
        group, data = source.find(f"/{match.entry}"), dataset_at(source, f"/{match.entry}/data")
        names = element_names(source, match.entry)
        if not isinstance(group, h5py.Group) or data is None or data.ndim not in _DIMENSIONS:
            raise FormatError(
                f"{path}: there are no maps of elements in /{match.entry}; choose one of "
                f"{', '.join(match.entries) or '(the file holds none)'}"
            )
        dimensions = _DIMENSIONS[data.ndim]
        # More channels than that are shown as a spectrum, which elements are not.
        axes = [Axis("channel" if len(names) <= _MOST_CHANNELS else "element", 1.0, 0.0, "")]
        axes += [
            _axis(source, match.entry, name, length)
            for name, length in zip(dimensions, data.shape[1:], strict=True)
        ]
        metadata: dict[str, Any] = {name: value.value for name, value in source.walk(source.file).items()}
        theta = source.quantity("theta", "deg", "deg", group) if "angle" not in dimensions else None
        if theta is not None:
            metadata["angle_deg"] = theta.value
        metadata |= {"format": match.dialect, "why": match.why, "entry": match.entry}
        unit, units = attribute(data, "units") or "", _units(source, match.entry, len(names))
        if len(set(units)) == 1:
            unit = units[0]
        metadata["channels"] = [
            {"name": f"{name}, {units[number]}" if len(set(units)) > 1 and units[number] else name}
            for number, name in enumerate(names)
        ]
        if any(axis.unit != "m" for axis in axes[-2:]):
            metadata["uncalibrated"] = True
        if len(match.entries) > 1:
            others = ", ".join(entry for entry in match.entries if entry != match.entry)
            source.warnings.append(f"/{match.entry} was opened; the file also holds maps in {others}")
        metadata |= {"warnings": tuple(source.warnings), "missing": tuple(source.missing)}
        title = source.text("title", group)
        return Image(array_of(source, data), tuple(axes), unit, title or path.stem, path, metadata)


def _units(source: Source, entry: str, count: int) -> list[str]:
    """Read a unit for each element, where the group lists them."""
    for name in _UNITS:
        node = source.find(f"/{entry}/{name}")
        if isinstance(node, h5py.Dataset) and node.shape == (count,) and node.dtype.kind in "OS":
            return [as_text(text) or "" for text in np.ravel(node[()])]
    return []


def _axis(source: Source, entry: str, name: str, length: int) -> Axis:
    """Make an axis of the positions beside the data; in px where there are none, or not as many as it is long."""
    for written in ("theta",) if name == "angle" else _POSITIONS[name]:
        place = f"/{entry}/{written}"
        values = source.array(place)
        if values is None:
            continue
        if len(values) == length and np.isfinite(values).all():
            return axis_of(source, place, name, values, "deg" if name == "angle" else None)
        source.warnings.append(
            f"{place} has {len(values)} positions where the maps have {length}, or some that are no numbers; they were "
            f"left out"
        )
    return pixel_axis(name)


FORMAT = Format(
    name="data-exchange-maps",
    title="Fluorescence maps in Data Exchange (HDF5)",
    suffixes=(".h5", ".hdf5", ".hdf"),
    detect=detect,
    read=read,
)
