"""Tables of what has one axis: what was noted of each frame of a scan, a spectrum, a line, one dataset of a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.formats.hdf5 import SIDE_CAR, Source, attribute, is_hdf5, reading
from tomarium.formats.hdf5_frames import Hdf5Frames
from tomarium.formats.table_csv import Column, Position, Table
from tomarium.model import Frames, Image, Scan

# Codes of NXtomo's image_key.
_CODES: Final = {"projections": 0, "flats": 1, "darks": 2}
# How names of values end, and the unit that means.
_ENDINGS: Final = {
    "m": "m",
    "s": "s",
    "a": "A",
    "ma": "mA",
    "kev": "keV",
    "deg": "deg",
    "k": "K",
    "v": "V",
    "pa": "Pa",
    "kg": "kg",
    "hz": "Hz",
    "w": "W",
    "pixel": "pixel",
}
_LONGEST_TEXT: Final = 200
_MOST_LISTED: Final = 12


def table_of(opened: Scan | Image) -> Table:
    """Make a table of what was opened.

    Parameters
    ----------
    opened : Scan or Image
        Of a scan: one row a frame, projections first, then flats and darks, with `image_key` as NXtomo numbers
        them, `position` on the scale of the projections' own index, `angle` and every further value the file
        holds for each frame, in the file's units; no number where it holds none. An image must have one axis.

    Returns
    -------
    Table
        What held for the whole is among its positions.

    Raises
    ------
    InputError
        An image has more axes than one.
    FormatError
        The file is damaged.
    """
    return _table_of_scan(opened) if isinstance(opened, Scan) else _table_of_image(opened)


def table_of_dataset(path: Path, place: str) -> Table:
    """Make a table of one dataset of an HDF5 file, with its axis where the file tells one.

    Parameters
    ----------
    path : Path
        The file.
    place : str
        HDF5 path of a dataset of numbers with one axis (axes of length one are dropped).

    Returns
    -------
    Table
        The columns are its axis and its values; a dataset without an axis is counted from 0.

    Raises
    ------
    InputError
        The file is no HDF5, or there is no such dataset; lists those there are.
    FormatError
        The file is damaged.
    """
    if not is_hdf5(path):
        raise InputError(f"{path}: is no HDF5 file, so no dataset of it can be named; leave out --data")
    with reading(path) as source:
        node = source.find(place)
        if not isinstance(node, h5py.Dataset) or not _is_line(node):
            what = f"{node.shape} {node.dtype}" if isinstance(node, h5py.Dataset) else "no dataset"
            raise InputError(
                f"{path}: {place} is {what}; a table shows numbers with one axis, such as "
                f"{_listed(source) or 'none of this file'}"
            )
        name, values = place.rstrip("/").rsplit("/", 1)[-1], _numbers(node)
        axis = _axis_of(source, node, len(values))
        positions = {"dataset": Position(str(node.name)), "file": Position(path.name)}
        return _named([axis, (name, _unit(node), values)], f"{path.name} {place}", positions)


def _table_of_image(image: Image) -> Table:
    kept = [axis for axis, length in zip(image.axes, image.shape, strict=True) if length > 1]
    if len(kept) > 1 or not image.shape:
        path, told = image.path, ""
        if path is not None and is_hdf5(path):
            with reading(path) as source:
                listed = _listed(source)
                told = f", or choose a dataset with --data, such as {listed}" if listed else ""
        raise InputError(
            f"{path or image.name}: has the axes {', '.join(axis.name for axis in image.axes)} of lengths "
            f"{image.shape}; a table shows one axis: choose another format{told}"
        )
    values = np.asarray(image).reshape(-1)
    axis = kept[0] if kept else image.axes[0]
    places = (
        np.asarray(axis.coordinates)
        if axis.coordinates
        else axis.offset + axis.scale * np.arange(len(values))
    )
    columns = [(axis.name, axis.unit, places), ("values", image.unit, values)]
    return _named(columns, image.name, _positions(image.metadata))


def _table_of_scan(scan: Scan) -> Table:
    stacks = [("projections", np.arange(scan.shape[0], dtype=np.float64), scan.projections)]
    stacks += [
        (word, one.position, one.frames)
        for word, one in (("flats", scan.flats), ("darks", scan.darks))
        if one
    ]
    angles = np.full(sum(len(place) for _, place, _ in stacks), math.nan)
    angles[: scan.shape[0]] = scan.angles_deg.value
    columns: list[tuple[str, str, NDArray[Any]]] = [
        ("image_key", "", np.concatenate([np.full(len(place), _CODES[word]) for word, place, _ in stacks])),
        ("position", "", np.concatenate([place for _, place, _ in stacks])),
        ("angle", "deg", angles),
    ]
    if is_hdf5(scan.path):
        columns += _noted(scan, {word: frames for word, _, frames in stacks})
    told: dict[str, Any] = {
        name: value.value
        for name in ("pixel_m", "energy_kev", "distance_m", "axis_column")
        if (value := getattr(scan, name)) is not None
    }
    for name, one in scan.metadata.items():
        values = one.value
        if isinstance(values, np.ndarray | list | tuple) and np.shape(values) == (scan.shape[0],):
            array = np.asarray(values)
            if array.dtype.kind in "iuf":
                text, unit = _split(name)
                columns.append((text, unit, _padded(array, len(angles))))
        elif not name.startswith("/"):
            told[name] = values
    return _named(columns, scan.name, _positions(told))


def _noted(scan: Scan, stacks: dict[str, Frames]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Find what the file says of each of the frames in the dataset of the projections, with any others there."""
    own = getattr(scan.projections, "parts", (scan.projections,))
    with reading(scan.path) as source:
        lines = _lines(source)
        if scan.format == "nxtomo":  # an entry is a scan; the next entry is another
            entry = scan.angles_deg.source.partition(":/")[2].split("/")[0]
            lines = [node for node in lines if str(node.name).split("/")[1] == entry] if entry else lines
        if isinstance(own[0], Hdf5Frames):
            where, size = _where(own[0], stacks.values()), own[0].size
        else:
            where, count = _where_told(lines, stacks)
            size = (count, *scan.shape[1:])
        for node in lines:
            last = str(node.name).rsplit("/", 1)[-1]
            if node.size != size[0] or node.size < 2 or (last in "xy" and node.size in size[1:]):
                continue
            values = _numbers(node)
            if (where < 0).any():
                values = np.where(where < 0, math.nan, values.astype(np.float64)[where])
            else:
                values = values[where]
            yield str(node.name).strip("/"), _unit(node), values


def _where(stack: Hdf5Frames, stacks: Iterable[Frames]) -> NDArray[np.intp]:
    """Tell which frame of the projections' dataset each frame is; -1 for one that lies elsewhere."""
    found = []
    for frames in stacks:
        for one in getattr(frames, "parts", (frames,)):
            if isinstance(one, Hdf5Frames) and (one.file, one.name) == (stack.file, stack.name):
                found.append(_index(one))
            else:
                found.append(np.full(one.shape[0], -1, np.intp))
    return np.concatenate(found)


def _where_told(lines: list[h5py.Dataset], stacks: dict[str, Frames]) -> tuple[NDArray[np.intp], int]:
    """Tell the same of frames that are absent, by the file's image key, and the number of frames it tells of."""
    for node in lines:
        if str(node.name).endswith("/image_key"):
            keys = _numbers(node)
            found = [np.flatnonzero(keys == _CODES[word]) for word in stacks]
            if [len(one) for one in found] == [frames.shape[0] for frames in stacks.values()]:
                return np.concatenate(found), len(keys)
    counts = [frames.shape[0] for frames in stacks.values()]
    return np.append(np.arange(counts[0]), np.full(sum(counts[1:]), -1)), counts[0]


def _index(part: Hdf5Frames) -> NDArray[np.intp]:
    return np.arange(part.size[0]) if part.index is None else np.asarray(part.index)


def _lines(source: Source) -> list[h5py.Dataset]:
    found: dict[int, h5py.Dataset] = {}

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if name.split("/")[0] != SIDE_CAR and isinstance(node, h5py.Dataset) and _is_line(node):
            found.setdefault(h5py.h5o.get_info(node.id).addr, node)

    source.file.visititems(visit)
    return list(found.values())


def _listed(source: Source) -> str:
    names = [str(node.name) for node in _lines(source) if node.size > 1]
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _is_line(node: h5py.Dataset) -> bool:
    shape = node.shape
    return (
        bool(shape)
        and node.dtype.kind in "iuf"
        and sum(length > 1 for length in shape) <= 1
        and bool(node.size)
    )


def _numbers(node: h5py.Dataset) -> NDArray[Any]:
    values = np.asarray(node[()]).reshape(-1)
    return values.astype(values.dtype.newbyteorder("="))


def _unit(node: h5py.Dataset) -> str:
    return attribute(node, "units") or ""


def _axis_of(source: Source, node: h5py.Dataset, count: int) -> tuple[str, str, NDArray[Any]]:
    """Find the axis of a dataset: its dimension scale, or what its NXdata names."""
    parent = node.parent
    named = parent.attrs.get("axes", node.attrs.get("axes", ()))
    names = [named] if isinstance(named, str | bytes) else list(np.atleast_1d(named))
    places = [one.decode() if isinstance(one, bytes) else str(one) for one in names]
    found = [
        source.find(part, parent) for place in places for part in place.split(":") if part not in ("", ".")
    ]
    scales = [one for axis in node.dims for one in axis.values()]
    for one in (*scales, *found):
        if isinstance(one, h5py.Dataset) and one.size == count and _is_line(one) and one != node:
            return str(one.name).rsplit("/", 1)[-1], _unit(one), _numbers(one)
    return "index", "", np.arange(count)


def _positions(told: Mapping[str, Any]) -> dict[str, Position]:
    """Take what is one number or one short text."""
    found: dict[str, Position] = {}
    for name, value in told.items():
        plain = value.item() if isinstance(value, np.generic) else value
        text, unit = _split(name)
        if isinstance(plain, int | float) and not isinstance(plain, bool):
            found[_clean(text)] = Position(plain, unit)
        elif isinstance(plain, str) and 0 < len(plain) <= _LONGEST_TEXT:
            found[_clean(name)] = Position(plain)
    found.pop("title", None)  # the table has one of its own
    return found


def _split(name: str) -> tuple[str, str]:
    """Split "energy_kev" into name and unit."""
    text, _, ending = name.rpartition("_")
    return (text, _ENDINGS[ending]) if text and ending in _ENDINGS else (name, "")


def _clean(name: str) -> str:
    return re.sub(r"[\[\]\r\n:]+", " ", name).strip("# ") or "value"


def _padded(values: NDArray[Any], count: int) -> NDArray[Any]:
    return (
        values
        if len(values) == count
        else np.append(values.astype(np.float64), np.full(count - len(values), math.nan))
    )


def _named(
    columns: list[tuple[str, str, NDArray[Any]]], title: str, positions: Mapping[str, Position]
) -> Table:
    """Give each column a name of its own."""
    names: list[str] = []
    for name, *_ in columns:
        text, number = _clean(name), 2
        while text in names:
            text, number = f"{_clean(name)} {number}", number + 1
        names.append(text)
    made = (
        Column(name, _clean(unit) if unit else "", values)
        for name, (_, unit, values) in zip(names, columns, strict=True)
    )
    return Table(tuple(made), title, positions)
