"""Diffraction maps of EDAX's OIM (EBSD in HDF5): patterns and what was found at each point, on the scan's grid.

Layout, as version 7 of the program writes it: `/Manufacturer` is EDAX; each group `/Scan N` holds `EBSD/Data` with
one entry a point, row after row, and `EBSD/Header` with `nRows`, `nColumns`, `Grid Type` and the steps in µm. On a
square grid the points make an image of the axes (y, x); on a hexagonal one, where every other row is shifted and
shorter, they stay in a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.hdf5.array import Hdf5Array, array_of
from tomarium.formats.hdf5.axes import pixel_axis
from tomarium.formats.hdf5.dialect import detecting
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import Source, reading
from tomarium.model import Axis, Image

PATTERNS: Final = "Pattern"
_SQUARE: Final = "sqr"
_MICROMETRE_M: Final = 1e-6
_UNITS: Final = {"Phi1": "rad", "Phi": "rad", "Phi2": "rad", "Fit": "deg"}
_POSITIONS: Final = ("X Position", "Y Position")


@dataclass(frozen=True, eq=False)
class GridArray:
    """One entry a point, shown as rows and columns of points."""

    points: Hdf5Array  # shape (point, …)
    # points of the grid, which follow each other along its rows
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, columns, and what each point holds."""
        return (self.rows, self.columns, *self.points.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element."""
        return self.points.dtype

    def __getitem__(self, key: Any) -> Any:
        keys = list(key) if isinstance(key, tuple) else [key]
        if any(key is Ellipsis for key in keys):
            place = next(number for number, key in enumerate(keys) if key is Ellipsis)
            keys[place : place + 1] = [slice(None)] * (len(self.shape) - len(keys) + 1)
        map_keys, inner_keys = tuple(keys[:2]), tuple(keys[2:])
        numbers = np.arange(self.rows * self.columns).reshape(self.rows, self.columns)[map_keys]
        if not np.size(numbers):
            return np.empty((*np.shape(numbers), *self.points.shape[1:]), self.dtype)[
                (slice(None),) * np.ndim(numbers) + inner_keys
            ]
        first, last = int(np.min(numbers)), int(np.max(numbers)) + 1
        block = self.points[first:last][numbers - first]
        return block[(slice(None),) * np.ndim(numbers) + inner_keys] if inner_keys else block


@dataclass(frozen=True)
class _Map:
    """An entry: the scan's group, the dataset, and its grid; 0 rows where its points stay in a row."""

    scan: str
    name: str
    node: h5py.Dataset
    rows: int
    columns: int

    @property
    def entry(self) -> str:
        return f"{self.scan}/{self.name}"


@detecting
def detect(source: Source) -> Match | None:
    """Look for a file of EDAX with points on a grid."""
    if not _is_edax(source):
        return None
    entries = tuple(map_.entry for map_ in _maps(source))
    if not entries:
        return no_match("its Manufacturer is EDAX, but no scan in it holds EBSD data of the points it tells")
    why = f"its Manufacturer is EDAX, and {entries[0].split('/')[0]} holds EBSD data"
    return Match(0.95, f"EDAX {_version(source)}".strip(), why, entry=entries[0], entries=entries)


def _is_edax(source: Source) -> bool:
    return any(
        (as_text(source.file[name][()]) or "").startswith("EDAX") for name in _heads(source, "manufacturer")
    )


def _version(source: Source) -> str:
    return next((as_text(source.file[name][()]) or "" for name in _heads(source, "version")), "")


def _heads(source: Source, word: str) -> list[str]:
    """Find a text at the root; the program writes a space before its name."""
    nodes = ((name, source.find(f"/{name}")) for name in source.file if name.strip().lower() == word)
    return [name for name, node in nodes if isinstance(node, h5py.Dataset) and node.size == 1]


def _maps(source: Source) -> Iterator[_Map]:
    """Yield the patterns of each scan, then what was found at each point."""
    for scan in source.file:
        data = source.find(f"/{scan}/EBSD/Data")
        if not isinstance(data, h5py.Group):
            continue
        rows, columns = (_number(source, f"/{scan}/EBSD/Header/{name}") for name in ("nRows", "nColumns"))
        square = (source.text(f"/{scan}/EBSD/Header/Grid Type") or "").lower().startswith(_SQUARE)
        nodes = {name: source.find(f"/{scan}/EBSD/Data/{name}") for name in data if name not in _POSITIONS}
        for name in sorted(nodes, key=lambda name: name != PATTERNS):
            node = nodes[name]
            if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "iuf" or node.ndim not in (1, 3):
                continue
            whole = square and rows > 0 and rows * columns == node.shape[0]
            if node.size and (whole or not square):
                yield _Map(scan, name, node, rows if whole else 0, columns if whole else node.shape[0])


def _number(source: Source, path: str) -> int:
    numbers = source.array(path)
    return int(numbers[0]) if numbers is not None and len(numbers) == 1 and numbers[0] > 0 else 0


def read(path: Path, match: Match) -> Image:
    """Read the header of one map.

    `match.entry` is "Scan 1/Pattern", "Scan 1/IQ" … Result: axes y and x of the points in m (or one axis
    `point`), then row and column of the pattern in px. The header of the scan is in `metadata`, whole.
    """
    with reading(path) as source:
        maps = {map_.entry: map_ for map_ in _maps(source)}
        if match.entry not in maps:
            raise FormatError(
                f"{path}: holds no map {match.entry!r}; choose one of {', '.join(maps) or 'none'}"
            )
        map_ = maps[match.entry]
        header = source.find(f"/{map_.scan}/EBSD/Header")
        values = source.walk(header) if isinstance(header, h5py.Group) else {}
        metadata: dict[str, Any] = {name: value.value for name, value in values.items()}
        data: Any = array_of(source, map_.node)
        axes = _points(source, map_)
        if map_.rows:
            data = GridArray(data, map_.rows, map_.columns)
        axes += tuple(pixel_axis(name) for name in ("row", "column")[: map_.node.ndim - 1])
        metadata |= {"format": match.dialect, "why": match.why, "value_name": map_.name}
        if any(axis.unit != "m" for axis in axes[: 2 if map_.rows else 1]):
            metadata["uncalibrated"] = True
        if source.warnings:
            metadata["warnings"] = tuple(source.warnings)
        unit = _UNITS.get(map_.name, "counts" if map_.name == PATTERNS else "")
        return Image(data, axes, unit, f"{path.stem} {map_.entry}", path, metadata)


def _points(source: Source, map_: _Map) -> tuple[Axis, ...]:
    if not map_.rows:
        return (pixel_axis("point"),)
    axes = []
    for name, letter in (("y", "Y"), ("x", "X")):
        step = source.array(f"/{map_.scan}/EBSD/Header/Step {letter}")
        first = source.array(f"/{map_.scan}/EBSD/Data/{letter} Position")
        if step is None or len(step) != 1 or not step[0] > 0:
            axes.append(pixel_axis(name))
            continue
        # Stored as float32: 1.5, not 1.5000000357.
        length = float(f"{float(step[0]) * _MICROMETRE_M:.7g}")
        start = float(f"{float(first[0]) * _MICROMETRE_M:.7g}") if first is not None and len(first) else 0.0
        axes.append(Axis(name, length, start, "m"))
    return tuple(axes)


FORMAT = Format(
    name="edax",
    title="EDAX OIM diffraction maps (EBSD, HDF5)",
    suffixes=(".h5", ".oh5"),
    detect=detect,
    read=read,
)
