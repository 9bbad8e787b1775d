"""Images of NeXus files: fluorescence and diffraction maps, XANES, STXM, neutron histograms; several in one file.

The rules are those of the NeXus manual, chapter "Associating plottable data": `@default` leads from the root to an
NXdata group, `@signal` names its array, `@axes` an axis for each dimension and `@<axis>_indices` the dimensions an
axis of more than one belongs to; before 2014 the signal had `@signal=1` and `@axes="a:b"`, axes `@axis=1`. Diamond's
raster scans that lost their attributes are read by their shape: positions lie beside the detector's array and have
the shape of its first two axes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.hdf5.array import array_of
from tomarium.formats.hdf5.attributes import raw_attribute
from tomarium.formats.hdf5.axes import axis_of, pixel_axis
from tomarium.formats.hdf5.dialect import detecting
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.nexus.maps_writer import write
from tomarium.model import Axis, Image, Volume

# Tomographies and their results have readers of their own.
NOT_MAPS: Final = "NXtomo"
TEXTS: Final = ("title", "definition", "start_time", "end_time", "run_cycle", "experiment_identifier")
_DEEPEST: Final = 4
_HOLDING: Final = (None, "", "NXroot", "NXentry", "NXsubentry", "NXcollection", "NXprocess")
_MOST_POSITIONS: Final = 1 << 20
_MOST_GROUPS: Final = 1024
# Positions of a raster are the same along the other axis where they differ by less than this part of a step.
_STRAIGHT: Final = 1e-2


@dataclass(frozen=True)
class _Map:
    """One image: the group it stands in, its array, the name of each axis ("" for none), the entry around it."""

    group: str
    signal: h5py.Dataset
    axes: tuple[str, ...]
    entry: str
    dialect: str


@detecting
def detect(source: Source) -> Match | None:
    """Look for NXdata groups with a signal and axes, else for a detector beside the positions of a raster."""
    maps, lacking = _maps(source)
    if not maps:
        return no_match("; ".join(lacking[:4])) if lacking else None
    descriptions = [f"{map_.group} ({_shape(map_.signal)} over {', '.join(map_.axes)})" for map_ in maps]
    is_nexus = maps[0].dialect == "NXdata"
    content = "NXdata groups with a signal and axes" if is_nexus else "a detector beside positions"
    return Match(
        0.5 if is_nexus else 0.3,
        maps[0].dialect,
        f"it holds {content}: {'; '.join(descriptions[:8])}",
        entry=maps[0].group,
        entries=tuple(map_.group for map_ in maps),
    )


def _shape(node: h5py.Dataset) -> str:
    return " × ".join(map(str, node.shape))


def _groups(source: Source) -> Iterator[tuple[str, h5py.Group, str, str]]:
    """Yield (path, group, path of the entry around it, its definition), as deep as entries, subentries and data."""
    seen = 0
    waiting: list[tuple[str, h5py.Group, str, str]] = [("", source.file, "", "")]
    while waiting and seen < _MOST_GROUPS:
        path, group, entry, definition = waiting.pop(0)
        for name, node in source.groups(group):
            seen += 1
            kind = source.attribute(node, "NX_class")
            below, is_entry = f"{path}/{name}", kind in ("NXentry", "NXsubentry") or not path
            definition_of_group = (
                source.text("definition", node) or source.attribute(node, "definition") or definition
            )
            item = (below, node, below if is_entry else entry, definition_of_group)
            yield item
            # Plots lie in entries, or in groups that have no class or collect others.
            if below.count("/") < _DEEPEST and kind in _HOLDING:
                waiting.append(item)


def _maps(source: Source) -> tuple[list[_Map], list[str]]:
    """Collect the images, the default one first, and why other groups are none."""
    maps, lacking = [], []
    groups = list(_groups(source))
    for path, group, entry, definition in groups:
        if source.attribute(group, "NX_class") != "NXdata":
            continue
        if definition.startswith(NOT_MAPS):
            lacking.append(f"{path} belongs to a tomography ({definition}), which another reader opens")
            continue
        signal = _signal(source, path, group)
        if signal is None:
            lacking.append(f"{path} is NXdata without a signal that is there")
            continue
        axes = _axis_names(source, group, signal)
        if not any(axes):
            lacking.append(
                f"{path} is NXdata of {_shape(signal)} without axes: a stack of frames, part of a scan"
            )
            continue
        maps.append(_Map(path, signal, axes, entry, "NXdata"))
    # What carries no class at all has lost them, or never was NeXus: such a raster lies below its entry.
    if not maps and not any(source.attribute(group, "NX_class") for _, group, _, _ in groups):
        maps = [
            raster
            for path, group, _, _ in groups
            if path.count("/") == 2
            for raster in _rasters(source, path, group)
        ]
        maps.sort(key=lambda map_: -map_.signal.ndim)
    default = _default(source)
    maps.sort(key=lambda map_: not (default and f"{map_.group}/".startswith(f"{default}/")))
    return maps, lacking


def _default(source: Source) -> str:
    """Follow `@default` from the root as far as it goes."""
    path, node = "", source.find("/")
    for _ in range(_DEEPEST):
        name = source.attribute(node, "default") if isinstance(node, h5py.Group) else None
        if not name or source.find(f"{path}/{name}") is None:
            return path
        path = f"{path}/{name}"
        node = source.find(path)
    return path


def _signal(source: Source, path: str, group: h5py.Group) -> h5py.Dataset | None:
    name = source.attribute(group, "signal")
    if name is None:
        marked = [
            name
            for name in source.names(group)
            if isinstance(n := source.find(f"{path}/{name}"), h5py.Dataset)
            and source.attribute(n, "signal") == "1"
        ]
        name = next(iter(marked), "data")
    node = source.find(f"{path}/{name}")
    numbers = isinstance(node, h5py.Dataset) and node.dtype.kind in "iuf" and node.ndim >= 1
    return node if numbers and node is not None and node.size and node.size > 1 else None


def _axis_names(source: Source, group: h5py.Group, signal: h5py.Dataset) -> tuple[str, ...]:
    """Name the axis of each dimension; "" where the file names none."""
    axes_text = raw_attribute(group, "axes")
    if axes_text is None:
        axes_text = raw_attribute(signal, "axes")
    names: list[str] = (
        [as_text(element) or "" for element in np.ravel(axes_text)] if axes_text is not None else []
    )
    if len(names) == 1:
        names = re.split(r"[:,\s]+", names[0].strip("[]"))
    if not names:
        numbered = {
            source.attribute(node, "axis"): name
            for name in source.names(group)
            if isinstance(node := source.find(name, group), h5py.Dataset)
        }
        names = [numbered.get(str(axis + 1), "") for axis in range(signal.ndim)]
    names = [name.strip() if name.strip() != "." else "" for name in names]
    rank: int = signal.ndim
    return (*names[:rank], *[""] * (rank - len(names)))


def _rasters(source: Source, path: str, group: h5py.Group) -> Iterator[_Map]:
    """Yield a group's arrays whose first two axes are those of positions beside them, which vary along one each."""
    nodes = {name: source.find(f"{path}/{name}") for name in source.names(group)}
    numbers = {
        n: d for n, d in nodes.items() if isinstance(d, h5py.Dataset) and d.dtype.kind == "f" and d.ndim >= 2
    }
    moving: dict[int, str] = {}
    shape: tuple[int, ...] = ()
    for name, node in numbers.items():
        values = source.array(f"{path}/{name}") if node.ndim == 2 and node.size <= _MOST_POSITIONS else None
        along = None if values is None else _along(values.reshape(node.shape))
        if along is not None and along not in moving and shape in ((), node.shape):
            moving[along], shape = name, node.shape
    if len(moving) < 2:
        return
    for name, node in numbers.items():
        if node.shape[:2] == shape and name not in moving.values():
            axes = (moving[0], moving[1], *[""] * (node.ndim - 2))
            yield _Map(f"{path}/{name}", node, axes, path, "raster without NeXus classes")


def _along(values: NDArray[np.float64]) -> int | None:
    """Say along which of two axes positions vary; None where along both or none."""
    if min(values.shape) < 2 or not np.all(np.isfinite(values)):
        return None
    spread = [float(np.ptp(values, axis=axis).max()) for axis in (0, 1)]
    big = int(np.argmax(spread))
    step = spread[big] / (values.shape[big] - 1)
    return big if spread[1 - big] < _STRAIGHT * step else None


def read(path: Path, match: Match) -> Image:
    """Read the header of one image of a NeXus file.

    `match.entry` is the path of the NXdata group, or of the array. Result: axes as the file names them,
    lengths in m, energies in keV, angles in deg, times in s; a `Volume` where they are z, y, x. What the
    group's entry holds besides is in `metadata`; "uncalibrated" is true where an axis has no unit.
    """
    with reading(path) as source:
        maps, _ = _maps(source)
        map_ = next((map_ for map_ in maps if map_.group == match.entry), None)
        if map_ is None:
            names_text = ", ".join(map_.group for map_ in maps) or "none"
            raise FormatError(f"{path}: holds no image {match.entry!r}; choose one of {names_text}")
        if len(maps) > 1:
            source.warnings.append(
                f"{map_.group} was opened; the file holds {len(maps)} images: {', '.join(m.group for m in maps)}"
            )
        data = array_of(source, map_.signal)
        axes = tuple(_axis(source, map_, dimension) for dimension in range(map_.signal.ndim))
        metadata = _metadata(source, map_)
        if any(axis.unit in ("px", "") for axis in axes):
            metadata["uncalibrated"] = True
        metadata |= {"warnings": list(source.warnings), "missing": list(source.missing)}
        kind = Volume if [axis.name for axis in axes] == ["z", "y", "x"] else Image
        return kind(
            data=data,
            axes=axes,
            unit=source.attribute(map_.signal, "units") or "",
            name=f"{path.stem} {map_.group}",
            path=path,
            metadata=metadata,
        )


def _axis(source: Source, map_: _Map, dimension: int) -> Axis:
    """Make the axis of one dimension; where its positions do not fit the array, they are left out aloud."""
    name, length = map_.axes[dimension], map_.signal.shape[dimension]
    if not name:
        return pixel_axis(f"axis_{dimension}")
    home = map_.group if map_.dialect == "NXdata" else map_.entry
    path = f"{home}/{name}"
    node = source.find(path)
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "iuf":
        source.warnings.append(
            f"{path}, an axis of {map_.group}, is not there; its elements are counted instead"
        )
        return pixel_axis(name)
    unit = "deg" if source.attribute(node, "transformation_type") == "rotation" else None
    values = source.array(path)
    if values is not None and node.ndim == 1 and len(values) == length:
        return axis_of(source, path, name, values, unit)
    if values is not None and node.ndim == 1 and len(values) == length + 1:
        source.warnings.append(
            f"{path} has {length + 1} positions for {length} elements of {map_.group}; these were read as edges of bins"
        )
        return axis_of(source, path, name, (values[1:] + values[:-1]) / 2, unit)
    mesh = None if values is None else values.reshape(node.shape)
    along = None if mesh is None else _mesh(map_, home, source, node, name, mesh, dimension)
    if along is not None:
        return axis_of(source, path, name, along, unit)
    source.warnings.append(
        f"{path} has {_shape(node)} positions for {length} elements of {map_.group}, which has {_shape(map_.signal)}; "
        f"they do not fit and were left out"
    )
    return pixel_axis(name)


def _mesh(
    map_: _Map,
    home: str,
    source: Source,
    node: h5py.Dataset,
    name: str,
    mesh: NDArray[np.float64],
    dimension: int,
) -> NDArray[np.float64] | None:
    """Take one axis out of positions that are written for a raster's every point; None where it is no raster."""
    if mesh.ndim < 2:
        return None
    group = source.find(home)
    indices = raw_attribute(group, f"{name}_indices") if isinstance(group, h5py.Group) else None
    try:
        dimensions = (
            [int(as_text(index) or index) for index in np.ravel(indices)] if indices is not None else []
        )
    except ValueError:
        dimensions = []
    if len(dimensions) != mesh.ndim:
        dimensions = list(range(dimension - mesh.ndim + 1, dimension + 1))
        fits = [
            start
            for start in range(map_.signal.ndim - mesh.ndim + 1)
            if map_.signal.shape[start : start + mesh.ndim] == mesh.shape
        ]
        dimensions = list(range(fits[0], fits[0] + mesh.ndim)) if fits else dimensions
    shape = tuple(map_.signal.shape[d] for d in dimensions if 0 <= d < map_.signal.ndim)
    if dimension not in dimensions or shape != mesh.shape:
        return None
    along = dimensions.index(dimension)
    other_axes = tuple(axis for axis in range(mesh.ndim) if axis != along)
    line = mesh.mean(axis=other_axes)
    step = float(np.ptp(line)) / max(1, len(line) - 1)
    deviation = np.abs(mesh - np.expand_dims(line, other_axes)).max()
    return np.asarray(line) if deviation <= _STRAIGHT * step else None


def _metadata(source: Source, map_: _Map) -> dict[str, Any]:
    entry = source.find(map_.entry) if map_.entry else source.file
    metadata: dict[str, Any] = {}
    for name in TEXTS:
        text = source.text(f"{map_.entry}/{name}")
        if text is not None:
            metadata[name] = text
    sample = source.text(f"{map_.entry}/sample/name")
    if sample is not None:
        metadata["sample_name"] = sample
    return metadata | (
        {n: v.value for n, v in source.walk(entry).items()} if isinstance(entry, h5py.Group) else {}
    )


FORMAT = Format(
    name="nexus-maps",
    title="NeXus images (NXdata, HDF5)",
    suffixes=(".nxs", ".nx", ".h5"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"image"}),
)
