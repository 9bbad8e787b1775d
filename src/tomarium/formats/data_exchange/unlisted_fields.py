"""Values of a Data Exchange file that no table of the guide names: their own names, in SI.

The guide leaves groups to the instrument (Table 21), and the areaDetector layouts of the APS beamlines fill them
with motors, slits, mirrors and furnaces, each beamline by names of its own. They are read by those names, and the
unit of the value ends the name here as it does everywhere: `/measurement/instrument/mirror/setup/mirror_x` in mm
is `mirror_x_m`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.formats.data_exchange.fields import CELSIUS, ZERO_CELSIUS_K
from tomarium.formats.hdf5.attributes import content
from tomarium.formats.hdf5.names import path_of
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import NO_UNIT, Source
from tomarium.model import Value

# Groups that the guide leaves to the instrument (Table 21): all that lies in them is read by its own name.
FREE: Final = (("setup", "instrument/setup"), ("acquisition", "instrument/acquisition"),
               ("acquisition", "/process/acquisition"))  # fmt: skip
# Read as the rotation axis of the scan.
AXIS: Final = "instrument/setup/rotation_axis_column"

# Parts of a path that say nothing of the value.
_SILENT: Final = frozenset({"instrument", "setup"})
# Unit of a value here → how its name ends.
_ENDINGS: Final = {
    "m": "m", "keV": "kev", "deg": "deg", "s": "s", "kg": "kg", "A": "a", "Pa": "pa", "K": "k", "N": "n", "V": "v",
    "kg/m^3": "kg_per_m3", "1/s": "per_s", "1/m": "per_m", "m/s": "m_per_s", "deg/s": "deg_per_s", "K/s": "k_per_s",
    "pixel": "pixel", "count": "counts", "B": "bytes", "percent": "percent",
}  # fmt: skip
# One number for every frame that was written; more than any scan has is no such list. All lists together stay
# below what is worth its memory.
_MOST_FRAMES: Final = 200_000
_MOST_NUMBERS: Final = 1_000_000
# Frames and their scales have readers of their own.
_TAKEN: Final = (*(path for _, path in FREE), "exchange/data", "exchange/theta", "exchange/x", "exchange/y")
# Names of elements beside `data`: MAPS and XRF-Maps, then XRFtomo.
_ELEMENTS: Final = ("data_names", "elements", "element_names", "channel_names")
_PLACES: Final = re.compile(r"/(?:measurement|process|exchange)[^\s,;]*")


def element_names(source: Source, entry: str) -> list[str]:
    """Read the names of the elements that the first axis of a fluorescence map stands for; empty where there are none.

    `entry`: name of the exchange group.
    """
    for name in _ELEMENTS:
        node = source.find(f"/{entry}/{name}")
        if isinstance(node, h5py.Dataset) and node.ndim == 1 and node.dtype.kind in "OS":
            texts = content(node)
            return [as_text(text) or "" for text in np.ravel(texts)] if texts is not None else []
    return []


def own_value(source: Source, node: Any) -> tuple[str, Value[Any]] | None:
    """Read a value under its own name.

    `node`: a text, a number, or a list of numbers. Result: how its name must end: "_m" for a length, "" for a
    text and for a number without unit. Result: the number in that unit, or the text; a number in a unit that
    is not known keeps it: "12.3 furlong".
    """
    if not isinstance(node, h5py.Dataset):
        return None
    place = f"{source.path.name}:{path_of(node)}"
    if node.dtype.kind not in "iuf":
        text = source.text(path_of(node)) if node.size == 1 or node.dtype.kind in "iu" else None
        return None if text is None else ("", Value(text, "read", place))
    unit_text = (source.attribute(node, "units") or source.attribute(node, "unit") or "").strip()
    numbers = _as_python(np.ravel(node[()]))
    single = node.size == 1
    if not numbers or (single and not np.isfinite(numbers[0])):
        return None
    if unit_text.lower() in NO_UNIT:
        return "", Value(numbers[0] if single else numbers, "read", place)
    warm = unit_text.lower() in CELSIUS
    base = "K" if warm else units.SPELLINGS.get(unit_text, ("", 1.0))[0]
    if base not in _ENDINGS:
        return ("", Value(f"{numbers[0]!r} {unit_text}", "read", place)) if single else None
    converted: list[Any] = [
        float(f"{number + ZERO_CELSIUS_K:.15g}") if warm else units.convert(number, unit_text, base)
        for number in numbers
    ]
    return f"_{_ENDINGS[base]}", Value(converted[0] if single else converted, "read", place)


def _as_python(numbers: NDArray[Any]) -> list[Any]:
    if numbers.dtype.kind != "f" or numbers.dtype.itemsize == 8:
        return list(numbers.tolist())
    # By way of text, so that the float32 6.7e-6 stays 6.7e-6.
    return [float(str(number)) for number in numbers]


def read_free(source: Source, measurement: h5py.Group | None) -> dict[str, Value[Any]]:
    """Read the groups that are the instrument's own.

    `measurement`: /measurement, or one of several; None where there is none, and /process alone is read.
    """
    values: dict[str, Value[Any]] = {}
    for prefix, path in FREE:
        group = source.find(path, measurement) if measurement is not None or path.startswith("/") else None
        if not isinstance(group, h5py.Group):
            continue
        base = f"{path_of(group).rstrip('/')}/"
        for place in source.walk(group):
            read = own_value(source, source.find(place)) if place.startswith(base) else None
            if read is not None and not place.endswith(AXIS):
                values[f"{prefix}_{place.removeprefix(base).replace('/', '_')}{read[0]}"] = read[1]
    return values


def read_rest(
    source: Source, groups: Iterable[h5py.Group | None], values_read: Mapping[str, Value[Any]]
) -> dict[str, Value[Any]]:
    """Read every value of some groups that nothing else has read.

    `values_read`: what was read; where each came from is left out here, and no name is given twice.
    """
    known_values = {name: value for name, value in values_read.items() if not name.startswith("/")}
    places_used = {place for value in known_values.values() for place in _PLACES.findall(value.source)}
    values: dict[str, Value[Any]] = {}
    for group in groups:
        if group is None:
            continue
        lists = _lists(source, group)
        base = f"{path_of(group).rstrip('/')}/"
        prefix = "exchange/" if base.startswith("/exchange") else ""
        for place in (*(name for name in values_read if name.startswith(base)), *lists):
            below = f"{prefix}{place.removeprefix(base)}"
            if place in places_used or below.startswith(_TAKEN):
                continue
            read = own_value(source, source.find(place))
            if read is None:
                continue
            name = f"{own_name(below)}{read[0]}"
            # A stage called /measurement/instrument/sample is not the sample.
            whole = f"{below.lower().replace('/', '_')}{read[0]}"
            values[whole if name in known_values or name in values else name] = read[1]
    return values


def read_scales(source: Source, exchange: h5py.Group, rows: int, columns: int) -> dict[str, Value[Any]]:
    """Read where the rows and columns of the frames lie (Table 20, x and y), and what the data are called.

    `rows`, `columns`: of a frame. Positions of another number are no scale of it. Result: "x_positions_m", or
    "x_positions" where they are no lengths; nothing where they only count the pixels. "data_description" and
    "data_units" (Table 5), where they say more than our writer does of every scan.
    """
    scales: dict[str, Value[Any]] = {}
    for name, length in (("x", columns), ("y", rows)):
        node = source.find(name, exchange)
        if not isinstance(node, h5py.Dataset) or node.shape != (length,) or node.dtype.kind not in "iuf":
            continue
        ending, value = own_value(source, node) or ("", Value([], "read", ""))
        counted = ending in ("", "_pixel", "_counts") and value.value == list(range(length))
        if value.value and not counted:
            scales[f"{name}_positions{ending}"] = value
    data = source.find("data", exchange)
    for name, usual in (("description", "projections"), ("units", "count")):
        text = None if data is None else source.attribute(data, name)
        if text and units.SPELLINGS.get(text, (text,))[0] != usual and text.lower() not in NO_UNIT:
            scales[f"data_{name}"] = Value(text, "read", f"{source.path.name}:{exchange.name}/data@{name}")
    return scales


def step_of(positions: Value[Any] | None) -> Value[float] | None:
    """Tell the pixel size by positions of pixels.

    `positions`: where columns lie, m. Result: their step, m; None where they are not evenly spaced.
    """
    if positions is None or len(positions.value) < 2:
        return None
    steps = np.abs(np.diff(positions.value))
    if not steps[0] > 0 or not np.allclose(steps, steps[0], rtol=1e-4):
        return None
    return Value(float(f"{steps.mean():.12g}"), "derived", f"{positions.source}, the step of the columns")


def own_name(below: str) -> str:
    """Name a value by its path.

    Result: "mirror_x": in small letters; parts that say nothing, and words a part repeats of the one above
    it, are left out.

    Examples
    --------
    >>> own_name("instrument/slits/upstream/horizontal/setup/size")
    'slits_upstream_horizontal_size'
    """
    parts: list[str] = []
    for part in below.lower().replace(".", "_").replace(" ", "_").split("/"):
        if part in _SILENT:
            continue
        if parts and part.startswith(f"{parts[-1]}_"):
            part = part.removeprefix(f"{parts[-1]}_")
        parts.append(part)
    return "_".join(parts)


def _lists(source: Source, group: h5py.Group) -> list[str]:
    """Find the lists of one number for each frame, which areaDetector writes on "OnFileWrite"."""
    lists: list[str] = []
    numbers, unread = 0, 0

    for _, node in source.linked(group):
        if not isinstance(node, h5py.Dataset) or node.ndim != 1 or not 1 < node.size <= _MOST_FRAMES:
            continue
        if node.dtype.kind in "iuf" and node.dtype.itemsize > 1 and not node.external and not node.is_virtual:
            numbers += node.size
            if numbers <= _MOST_NUMBERS:
                lists.append(path_of(node))
            else:
                unread += 1
    if unread:
        source.warnings.append(
            f"{unread} lists of numbers below {group.name} were not read: together they hold {numbers} numbers"
        )
    return lists
