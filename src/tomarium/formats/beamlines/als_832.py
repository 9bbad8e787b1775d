"""Scans of the Advanced Light Source, beamline 8.3.2: one HDF5 dataset a frame, values as texts in attributes.

Below a root group that carries the scan's name lie `<name>_TTTT_AAAA.tif` (tile, angle), flats
`<name>bak_NNNN_AAAA.tif` and darks `<name>drk_NNNN_AAAA.tif` (repetition, angle at which they were taken).
Sources: a file of the beamline; that scans are `nangles` frames over `arange` degrees with both ends, from the
beamline's own reconstruction script (step = arange / (nangles - 1)).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.per_frame import PerFrame, demand_same_size, plain_cost
from tomarium.formats.hdf5.attributes import attribute
from tomarium.formats.hdf5.dialect import detecting, lacking, scan_of
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.frames import frames_of
from tomarium.formats.hdf5.security_check import open_checked
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.opening.angles import assumed_angles
from tomarium.model import FrameKind, Geometry, Scan, Value
from tomarium.model.scan import Reference

# A group of frames holds nothing else.
_MOST_LOOKED_AT: Final = 64
FRAME: Final = re.compile(r"(?P<kind>bak|drk)?_(?P<group>\d+)_(?P<angle>\d+)\.tiff?$")
KINDS: Final = {None: FrameKind.PROJECTION, "bak": FrameKind.FLAT, "drk": FrameKind.DARK}
# Attribute → unit the beamline writes it in, unit here.
PIXEL: Final = ("pxsize", "mm", "m")
ENERGY: Final = ("senergy", "eV", "keV")
TEXTS: Final = {
    "sample_name": "object", "experimenter_name": "experimenter", "start_time": "sdate", "source": "scanner",
    "camera": "camera_used", "lens": "lens_name", "scintillator": "scintillator_name",
}  # fmt: skip


@dataclass(frozen=True)
class _Frame:
    """One dataset: its name, what it shows, its tile or repetition, the angle's number."""

    name: str
    kind: FrameKind
    group: int
    angle: int


@dataclass(frozen=True, eq=False)
class SeparateFrames(PerFrame):
    """Frames that are datasets of their own, in one group of one file."""

    path: Path
    names: tuple[str, ...]  # path of each dataset in the file, in order
    size: tuple[int, int]  # rows and columns of each
    dtype: np.dtype[Any]  # type of a pixel, in this machine's byte order
    compressed: bool = False  # whether a frame must be decoded, and so is always read whole

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (len(self.names), *self.size)

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        with guarded(self.path), open_checked(self.path) as file:
            for out, number in enumerate(wanted):
                dataset = file[self.names[number]]
                result[out] = dataset[rows] if dataset.ndim == 2 else dataset[0, rows]

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return bytes read from disk and decompressed by `read`.

        Result: bytes read, bytes decompressed: a compressed frame is decoded whole.
        """
        read, _ = plain_cost(self, frames, slice(None) if self.compressed else rows)
        return read, read if self.compressed else 0


@detecting
def detect(source: Source) -> Match | None:
    """Look for a root group of datasets that are called like numbered TIFF files."""
    group = _home(source)
    if group is None:
        return None
    frames, home = _frames(group), str(group.name)
    counts = {kind: sum(frame.kind == kind for frame in frames) for kind in KINDS.values()}
    if counts[FrameKind.PROJECTION] < 2:
        return no_match(f"its group {home} holds frames of names like ALS 8.3.2's, but no scan")
    tiles = tuple(f"{n:04d}" for n in sorted({f.group for f in frames if f.kind == FrameKind.PROJECTION}))
    return Match(
        0.9,
        "ALS 8.3.2",
        f"its group {home} holds {counts[FrameKind.PROJECTION]} datasets called …_0000_0000.tif, "
        f"{counts[FrameKind.FLAT]} called …bak_… and {counts[FrameKind.DARK]} called …drk_…",
        entry=tiles[0],
        entries=tiles if len(tiles) > 1 else (),
    )


def _home(source: Source) -> h5py.Group | None:
    for name in source.names(source.file):
        node = source.find(f"/{name}")
        if isinstance(node, h5py.Group) and any(
            map(FRAME.search, islice(source.names(node), _MOST_LOOKED_AT))
        ):
            return node
    return None


def _frames(group: h5py.Group) -> list[_Frame]:
    frames = [
        _Frame(name, KINDS[match["kind"]], int(match["group"]), int(match["angle"]))
        for name in group
        if isinstance(name, str)  # h5py gives bytes for what is no UTF-8
        and (match := FRAME.search(name))
        and isinstance(group.get(name, getlink=True), h5py.HardLink)
    ]
    return sorted(frames, key=lambda frame: (frame.angle, frame.group))


def read(path: Path, match: Match) -> Scan:
    """Read the header of an ALS 8.3.2 scan.

    `match.entry` is the number of the tile. Raises FormatError: the file is damaged, or its frames differ in
    size or type.
    """
    with reading(path) as source:
        group = _home(source)
        if group is None:
            raise FormatError(f"{path}: holds no group of frames any more; open the scan again")
        frames = _frames(group)
        tile = int(match.entry or 0)
        chosen = [frame for frame in frames if frame.kind == FrameKind.PROJECTION and frame.group == tile]
        if len(match.entries) > 1:
            source.warnings.append(
                f"tile {match.entry} was opened; the file holds {', '.join(match.entries)}"
            )
        projections = _stack(source, group, chosen)
        flats, darks = (
            _reference(source, group, [f for f in frames if f.kind == kind], kind, projections)
            for kind in (FrameKind.FLAT, FrameKind.DARK)
        )
        angles = _angles(source, group, chosen)
        geometry = Geometry(
            angles_deg=angles,
            pixel_m=_quantity(source, group, *PIXEL),
            energy_kev=_quantity(source, group, *ENERGY),
        )
        metadata = _metadata(source, group)
        return scan_of(
            source, match, FORMAT.name, projections, geometry, flats=flats, darks=darks, metadata=metadata
        )


def _stack(source: Source, group: h5py.Group, chosen: list[_Frame]) -> SeparateFrames:
    first: SeparateFrames | None = None
    names = []
    for frame in chosen:
        node = source.find(frame.name, group)
        if (
            not isinstance(node, h5py.Dataset)
            or node.ndim not in (2, 3)
            or (node.ndim == 3 and node.shape[0] != 1)
        ):
            raise FormatError(
                f"{source.path}: {group.name}/{frame.name} is no single frame; copy the scan again"
            )
        names.append(str(node.name))
        if first is None:
            frames = frames_of(source, node)
            first = SeparateFrames(source.path, (), frames.size[1:], frames.dtype, frames.layout.compressed)
        if tuple(node.shape[-2:]) != first.size or node.dtype.newbyteorder("=") != first.dtype:
            raise FormatError(
                f"{source.path}: {node.name} has {node.shape[-2:]} pixels of {node.dtype}, {names[0]} "
                f"{first.size} of {first.dtype}; all frames must be alike, so copy the scan again"
            )
    if first is None:
        raise FormatError(
            f"{source.path}: {group.name} holds no projections of this tile; choose another entry"
        )
    return SeparateFrames(first.path, tuple(names), first.size, first.dtype, first.compressed)


def _reference(
    source: Source, group: h5py.Group, chosen: list[_Frame], kind: FrameKind, projections: SeparateFrames
) -> Reference | None:
    if not chosen:
        return lacking(source, kind)
    stack, count = _stack(source, group, chosen), projections.shape[0]
    demand_same_size(f"{source.path}: {stack.names[0]}", stack, projections)
    position = [
        -1.0 if f.angle == 0 else float(count) if f.angle >= count - 1 else f.angle - 0.5 for f in chosen
    ]
    return Reference(stack, np.asarray(position))


def _angles(source: Source, group: h5py.Group, chosen: list[_Frame]) -> Value[NDArray[np.float64]]:
    total, turn = (_number(attribute(group, name)) for name in ("nangles", "arange"))
    place = f"{source.path.name}:{group.name}@arange and @nangles"
    count = len(chosen)
    if total is None or turn is None or total < 2 or not turn:
        return assumed_angles(count, "the file gives no angles (arange, nangles)", source.warnings)
    if round(total) != count:
        source.warnings.append(
            f"nangles says {total:g} projections, {count} are there; each keeps its own angle"
        )
    numbers = np.array([frame.angle for frame in chosen], dtype=np.float64)
    return Value(numbers * (turn / (total - 1)), "derived", f"{place}: equal steps, both ends included")


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _quantity(
    source: Source, group: h5py.Group, name: str, unit: str, unit_wanted: str
) -> Value[float] | None:
    number = _number(attribute(group, name))
    if number is None:
        return None
    place = f"{source.path.name}:{group.name}@{name}, in {unit} as the beamline writes it"
    if number <= 0:
        source.warnings.append(f"{place} was left out: {number:g} cannot be")
        return None
    return Value(float(f"{number * units.factor(unit, unit_wanted):.15g}"), "read", place)


def _metadata(source: Source, group: h5py.Group) -> dict[str, Value[Any]]:
    place = f"{source.path.name}:{group.name}"
    metadata: dict[str, Value[Any]] = {
        name: Value(text, "read", f"{place}@{key}")
        for name, key in TEXTS.items()
        if (text := attribute(group, key))
    }
    for owner in (source.file, group):
        home = str(owner.name).rstrip("/")
        for key in owner.attrs:
            text = attribute(owner, key)
            if text:
                metadata[f"{home}@{key}" if home else f"/@{key}"] = Value(
                    text, "read", f"{source.path.name}:{home}@{key}"
                )
    return metadata


FORMAT = Format(
    name="als",
    title="ALS 8.3.2 (HDF5, one dataset a frame)",
    suffixes=(".h5",),
    detect=detect,
    read=read,
)
