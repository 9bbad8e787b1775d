"""1-D data as a CSV table with units: an image of one axis, or what a scan holds for each projection.

The first column holds the positions along the axis, the second the values; what held for the whole table stands
in the lines above, as `table_csv` tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from tomarium.errors import FormatError, InputError
from tomarium.formats.format import Format, Match
from tomarium.formats.frames.mirrored import stored
from tomarium.formats.hdf5.attributes import attribute, is_hdf5
from tomarium.formats.hdf5.axes import spaced
from tomarium.formats.hdf5.filters import load_plugins_for
from tomarium.formats.hdf5.frames import Hdf5Frames
from tomarium.formats.hdf5.names import Name, path_of, shown
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.tables.csv_file import Column, Position, Table, read_table, write_table
from tomarium.model import Axis, Image, Scan
from tomarium.model.geometry import FIELDS

_HEAD: Final = 1 << 16
_FIELD: Final = re.compile(r"[^\[\]]*\[[^\]]+\]")
_NUMBER: Final = re.compile(r"(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|[+-]?inf)?", re.IGNORECASE)
# What a table has no place for is kept in the side-car.
_MOST_COLUMNS: Final = 1000
_SCAN_UNITS: Final = {field.name: field.unit for field in FIELDS if not field.per_view}


def detect(path: Path) -> Match | None:
    """Look for a table of numbers whose names tell units."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        text = head.decode("utf-8-sig", "strict" if len(head) < _HEAD else "ignore")
    except (OSError, UnicodeDecodeError):
        return None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2 or "\0" in text:
        return None
    names, first = lines[0].split(","), lines[1].split(",")
    united = [name.strip() for name in names if _FIELD.fullmatch(name.strip())]
    if (
        len(names) < 2
        or len(first) != len(names)
        or not united
        or not all(_NUMBER.fullmatch(field.strip()) for field in first)
    ):
        return None
    return Match(0.8, "table with units", f"a table of {len(names)} columns, {united[0]} among them")


def read(path: Path, match: Match) -> Image:
    """Read a table as an image of one axis.

    Result: shape (row,). Its axis is the first column, its values the second, in the table's own units;
    further columns are in `metadata["columns"]`, what held for the whole table beside them. Raises
    FormatError: a row lacks numbers or has too many.
    """
    table = read_table(path)
    if len(table.columns) < 2 or not len(table.columns[0].values):
        raise FormatError(f"{path}: holds {len(table.columns)} columns; positions and values are needed")
    along, values, *further = table.columns
    metadata: dict[str, Any] = {"value_name": values.name}
    for name, position in table.positions.items():
        metadata[name] = {"value": position.value, "unit": position.unit} if position.unit else position.value
    if not _ends_its_line(path):
        metadata["notes"] = [
            "its last line has no end: if the file was cut off, its last number may be shorter than it was, and rows "
            "be lost"
        ]
    if further:
        metadata["columns"] = {
            other.name: {"unit": other.unit, "values": other.values.tolist()} for other in further
        }
    axis = spaced(along.name, np.asarray(along.values, np.float64), along.unit)
    return Image(values.values, (axis,), values.unit, table.title or path.stem, path, metadata)


def _ends_its_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) in b"\r\n"


def write(path: Path, opened: Image | Scan) -> None:
    """Write 1-D data as a table.

    `path`: the file; an older one is replaced when the new one is whole. `opened`: an image with one axis
    longer than 1; or a scan, of which the angles and all else that is known of each projection is written.
    Raises InputError: the image has more axes, or holds no numbers.
    """
    write_table(path, table_of_scan(opened) if isinstance(opened, Scan) else table_of_image(path, opened))


def table_of_image(path: Path, image: Image) -> Table:
    """Make a table of an image with one axis.

    Result: positions and values; numbers and texts of its metadata as what held for the whole table.
    """
    long = [number for number, length in enumerate(image.shape) if length > 1]
    if len(long) > 1 or image.dtype.kind not in "iuf":
        axes = " × ".join(
            f"{axis.name} {length}" for axis, length in zip(image.axes, image.shape, strict=True)
        )
        raise InputError(
            f"{path}: an image of {axes} ({image.dtype}) is no row of numbers, which a table holds; choose a 1-D "
            f"dataset with --data or an entry with --entry, or write another format"
        )
    axis = image.axes[long[0] if long else 0]
    values = np.asarray(image[:]).reshape(-1)
    metadata = image.metadata
    columns = [
        Column(_safe(axis.name) or "position", _safe(axis.unit), positions_of(axis, len(values))),
        Column(_safe(str(metadata.get("value_name", ""))) or "value", _safe(image.unit), values),
    ]
    for name, column in (metadata.get("columns") or {}).items():
        columns.append(Column(name, column["unit"], np.asarray(column["values"])))
    return Table(tuple(columns), image.name, _positions(metadata))


def positions_of(axis: Axis, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return where the elements along an axis lie.

    Result, shape (count,): in the axis's unit.
    """
    if axis.coordinates:
        return np.asarray(axis.coordinates, np.float64)
    return axis.offset + axis.scale * np.arange(count, dtype=np.float64)


def table_of_scan(scan: Scan) -> Table:
    """Make a table of what is known of each projection.

    Result: the number, the angle, the shifts where they are known, and each 1-D dataset of an HDF5 source
    that has one number for each projection, or for each frame of the dataset the projections lie in, those of
    other scans in the file left out; what the reader understood of each projection; pixel size, energy,
    distance, axis … as what held for all.
    """
    count = scan.shape[0]
    columns = [
        Column("projection", "", np.arange(count)),
        Column("angle", "deg", np.asarray(scan.angles_deg.value, np.float64)),
        *(
            Column(field.words, field.unit, np.asarray(value.value, np.float64))
            for field, value in scan.geometry.items()
            if field.per_view and field.name != "angles_deg"
        ),
    ]
    if is_hdf5(scan.path):
        frames = stored(scan.projections)
        index = frames.index if isinstance(frames, Hdf5Frames) else None
        lengths = {count: np.arange(count)}
        if isinstance(frames, Hdf5Frames) and index is not None:
            lengths[frames.size[0]] = index
        home = frames.name.split("/")[1] if isinstance(frames, Hdf5Frames) else ""
        with reading(scan.path) as source:
            for place, node in _datasets(source):
                alike = _is_other_entry(place.split("/")[1], home)
                if node.shape[0] in lengths and len(columns) < _MOST_COLUMNS and not alike:
                    values = np.asarray(node[()])[lengths[node.shape[0]]]
                    columns.append(Column(_safe(place), _safe(attribute(node, "units") or ""), values))
    for name, value in scan.metadata.items():
        values = (
            np.asarray(value.value) if isinstance(value.value, np.ndarray | list | tuple) else np.empty(0)
        )
        if values.shape == (count,) and values.dtype.kind in "iuf" and not name.startswith("/"):
            columns.append(Column(_safe(name), "", values))
    positions = {
        name: Position(float(value.value), unit)
        for name, unit in _SCAN_UNITS.items()
        if (value := getattr(scan.geometry, name)) is not None
    }
    metadata = {name: value.value for name, value in scan.metadata.items() if not name.startswith("/")}
    return Table(tuple(columns), scan.name, {**positions, **_positions(metadata)})


def _is_other_entry(name: str, home: str) -> bool:
    """Tell whether a group of the root is another scan's: called alike but for its number."""
    bare = [re.sub(r"[\d_.]+", "", name_of_group) for name_of_group in (name, home)]
    return name != home and bare[0] == bare[1]


def table_of_dataset(path: Path, place: str) -> Table:
    """Make a table of one 1-D dataset of an HDF5 file.

    Result: along its dimension scale or the axis its NXdata group names, else along numbers from 0; the
    single numbers and texts beside it as what held for the whole table.
    """
    with reading(path) as source:
        node = source.find(place)
        if not isinstance(node, h5py.Dataset) or node.ndim != 1 or node.dtype.kind not in "iuf":
            names = [name for name, dataset in _datasets(source) if dataset.shape[0] > 1][:8]
            content = (
                f"shape {node.shape} and type {node.dtype}"
                if isinstance(node, h5py.Dataset)
                else "no dataset"
            )
            raise FormatError(
                f"{path}: {place} holds {content}, where a table needs one row of numbers; such are "
                f"{', '.join(names) or 'none in this file'}"
            )
        load_plugins_for(node)
        home, _, name = place.rpartition("/")
        group = source.find(home or "/")
        along = _along(source, node, group if isinstance(group, h5py.Group) else None, home)
        beside = {}
        for key in map(shown, group if isinstance(group, h5py.Group) else ()):
            member = source.find(f"{home}/{key}")
            if key != name and isinstance(member, h5py.Dataset) and member.size == 1 and _can_be_name(key):
                text = as_text(member[()])
                value = text if text is not None else np.ravel(member[()])[0]
                if isinstance(value, str) or np.asarray(value).dtype.kind in "iufb":
                    position = value if isinstance(value, str) else float(value)
                    beside[key] = Position(position, _safe(attribute(member, "units") or ""))
        values = Column(_safe(name), _safe(attribute(node, "units") or ""), np.asarray(node[()]))
    return Table((along, values), f"{path.name}: {place}", beside)


def _along(source: Source, node: h5py.Dataset, group: h5py.Group | None, home: str) -> Column:
    places = [path_of(dim) for dim in node.dims[0].values()]
    for holder in (group, node):
        axes = None if holder is None else holder.attrs.get("axes")
        places += [f"{home}/{as_text(axis)}" for axis in np.ravel(axes)[:1]] if axes is not None else []
    for place in places:
        candidate = source.find(place)
        if (
            isinstance(candidate, h5py.Dataset)
            and candidate.shape == node.shape
            and candidate.dtype.kind in "iuf"
            and candidate != node
        ):
            name = place.rpartition("/")[2]
            return Column(_safe(name), _safe(attribute(candidate, "units") or ""), np.asarray(candidate[()]))
    return Column("number", "", np.arange(node.shape[0]))


def _datasets(source: Source) -> list[tuple[str, h5py.Dataset]]:
    """List the rows of numbers that lie in the file itself."""
    datasets: list[tuple[str, h5py.Dataset]] = []

    def visit(place: Name, node: h5py.Group | h5py.Dataset) -> None:
        name = shown(place)
        row = isinstance(node, h5py.Dataset) and node.ndim == 1 and node.dtype.kind in "iuf"
        if row and not node.is_virtual and not node.external and not name.startswith("tomarium/"):
            datasets.append((f"/{name}", node))

    source.file.visititems(visit)
    return datasets


def _positions(metadata: Mapping[str, Any]) -> dict[str, Position]:
    """Take what a table can say; the rest is not lost, for the side-car holds it."""
    positions: dict[str, Position] = {}
    for name, content in metadata.items():
        pair = isinstance(content, Mapping) and set(content) == {"value", "unit"}
        value, unit = (content["value"], str(content["unit"])) if pair else (content, "")
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        if (
            name != "value_name"
            and plain
            and _can_be_name(name)
            and _safe(unit) == unit
            and _reads_back(value, unit)
        ):
            positions[name] = Position(value, unit)
    return positions


def _can_be_name(name: str) -> bool:
    return bool(name) and name not in ("title", "rows") and ":" not in name and _safe(name) == name


def _reads_back(value: float | str, unit: str) -> bool:
    """Whether a text stays one: one that looks like a number and its unit would come back as these."""
    if not isinstance(value, str):
        return True
    return value == " ".join(value.split()) and not unit and not _NUMBER.fullmatch(value.partition(" ")[0])


def _safe(name: str) -> str:
    return re.sub(r"[\[\]\r\n]", "", name).lstrip("#").strip()


FORMAT = Format(
    name="csv",
    title="CSV table with units",
    suffixes=(".csv",),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"scan", "image"}),
)
