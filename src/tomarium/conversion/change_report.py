"""What became of every part of a scan that was converted: kept, renamed, in another unit, put into the side-car."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import h5py
import numpy as np

from tomarium import units
from tomarium.errors import FormatError, UnitError
from tomarium.formats.frames.mirrored import flips_of, stored
from tomarium.formats.hdf5.attributes import attribute, is_hdf5
from tomarium.formats.hdf5.copy_tree import is_taken_along
from tomarium.formats.hdf5.frames import Hdf5Frames
from tomarium.formats.hdf5.names import member, visit_links
from tomarium.formats.hdf5.source import SIDE_CAR, Source, reading
from tomarium.formats.provenance.frame_mapping import holds
from tomarium.formats.provenance.json_values import as_json
from tomarium.formats.provenance.original import Original, left_links, own
from tomarium.model import Frames, Scan, Value
from tomarium.model.wording import brief, in_words

Fate: TypeAlias = Literal[
    "kept", "renamed", "unit-converted", "derived", "defaulted", "given", "restored", "side-car", "left out"
]
"""What became of a part: under its own name, under another, in another unit, computed, assumed, told by the user;
put back as it was before an earlier conversion; kept beside what the target expresses; not kept at all."""


@dataclass(frozen=True)
class Change:
    """What became of one part of the source."""

    fate: Fate  # in a word
    # what it means, "angles_deg" or "projections", or its place in the source where nothing is known of it
    what: str
    # where it lay, where it lies; "" where it does not
    source: str
    target: str
    detail: str = ""  # more, in words


def restored(target: Path, original: Original) -> Iterator[Change]:
    """Name what was put back as it was before an earlier conversion.

    Yields: one for each group, dataset and link; a link that led somewhere and now leads nowhere is left out.
    """
    links_left = left_links(original)
    with reading(target) as source:
        links: list[tuple[str, Any]] = []
        visit_links(source.file, lambda name, link: links.append((name, link)))
        for name, link in links:
            if name.split("/")[0] == SIDE_CAR or isinstance(link, h5py.SoftLink):
                continue
            place, lacking = f"/{SIDE_CAR}/source/{name}", _lacking(source, name, link)
            if lacking and (f"/{name}" in links_left or not isinstance(link, h5py.ExternalLink)):
                yield Change("left out", f"/{name}", place, "", lacking)
            else:
                yield Change("restored", f"/{name}", place, f"/{name}")


def _lacking(source: Source, name: str, link: Any) -> str:
    """Say what of a dataset or a link lies in files that are not beside the one that was written."""
    if isinstance(link, h5py.ExternalLink):
        try:
            return (
                ""
                if source.find(name) is not None
                else f"a link to {link.path} in {link.filename}, which is not there"
            )
        except FormatError as problem:
            return f"a link to {link.filename}, which is refused ({problem})"
    node = member(source.file, name)
    if not isinstance(node, h5py.Dataset) or not node.is_virtual:
        return ""
    files = {virtual_source.file_name for virtual_source in node.virtual_sources()}
    absent = sorted(file for file in files if file != "." and not (source.path.parent / file).exists())
    return f"it lies in {', '.join(absent[:3])}, absent beside it" if absent else ""


def scan_changes(scan: Scan, read_back: Scan, beside: str) -> Iterator[Change]:
    """Follow every value by its meaning, then name all that has none.

    Yields: frames first, then values, then what is not understood.
    """
    places_used: set[str] = set()
    for stack_name, frames, frames_again in stacks(scan, read_back):
        place, place_again = place_of(frames), place_of(frames_again)
        places_used.add(place)
        a, b = np.dtype(frames.dtype), np.dtype(frames_again.dtype)
        detail = (
            ""
            if a == b
            else f"{a.name} stored as {b.name}, {'every number exact' if holds(b, a) else 'rounded'}"
        )
        if flips_of(frames) != flips_of(frames_again):
            detail = f"{detail}; mirrored, as the scan shows them".lstrip("; ")
        yield Change("kept" if place == place_again else "renamed", stack_name, place, place_again, detail)
    values, known_again = dict(_values(scan)), dict(_values(read_back))
    with ExitStack() as stack:
        units_written = _Units(stack, scan.path, read_back.path)
        for name, value in values.items():
            yield _value_change(name, value, known_again.get(name), units_written, places_used, beside)
        for name, value in known_again.items():
            if name not in values:
                yield Change(
                    "defaulted",
                    name,
                    "",
                    units_written.of(value)[0],
                    brief(in_words(as_json(value.value)), 80),
                )
    yield from _remaining_changes(scan, places_used, beside)


def stacks(scan: Scan, read_back: Scan) -> Iterator[tuple[str, Frames, Frames]]:
    """Pair the stacks of two scans."""
    yield "projections", scan.projections, read_back.projections
    for stack, reference, reference_again in (
        ("flats", scan.flats, read_back.flats),
        ("darks", scan.darks, read_back.darks),
    ):
        if reference is not None and reference_again is not None:
            yield stack, reference.frames, reference_again.frames


def place_of(frames: Frames) -> str:
    """Name where a stack lies.

    Result: path of its dataset in HDF5, else its file; "" for one in memory.
    """
    part = stored(getattr(frames, "parts", (frames,))[0])
    return part.name if isinstance(part, Hdf5Frames) else str(getattr(part, "path", ""))


def _values(scan: Scan) -> Iterator[tuple[str, Value[Any]]]:
    for field, value in scan.geometry.items():
        yield field.name, value
    for name, motor in scan.geometry.motors.items():
        yield f"motor {name}", Value(motor.value, motor.origin, motor.source)
    for name, value in scan.metadata.items():
        if not name.startswith("/"):
            yield name, value


class _Units:
    """The units two files write beside their values; both stay open until the stack is closed."""

    def __init__(self, stack: ExitStack, *paths: Path) -> None:
        self._stack = stack
        self._paths = {path.name: path for path in paths if is_hdf5(path)}
        self._sources: dict[str, Source] = {}

    def of(self, value: Value[Any]) -> tuple[str, str | None]:
        """Return (place in the file, unit written there or None)."""
        name, _, place = value.source.partition(":")
        if name not in self._paths or not place.startswith("/"):
            return value.source, None
        if name not in self._sources:
            self._sources[name] = self._stack.enter_context(reading(self._paths[name]))
        source = self._sources[name]
        node = source.find(place)
        return place, None if node is None else attribute(node, "units")


def _value_change(
    name: str,
    value: Value[Any],
    value_again: Value[Any] | None,
    units_written: _Units,
    places_used: set[str],
    beside: str,
) -> Change:
    place, unit = units_written.of(value)
    places_used.update(part for part in place.replace(",", " ").split() if part.startswith("/"))
    if value_again is None or value_again.source == value.source:
        # The reader of the target knows it only because the side-car says it.
        return Change("side-car", name, place, beside, brief(in_words(as_json(value.value)), 80))
    place_again, new_unit = units_written.of(value_again)
    if value.origin in ("user", "profile"):
        return Change("given", name, "", place_again, value.source)
    if value.origin == "default":
        return Change("defaulted", name, "", place_again, value.source)
    if value.origin == "derived":
        return Change("derived", name, place, place_again, value.source)
    if unit and new_unit and not _are_alike(unit, new_unit):
        return Change("unit-converted", name, place, place_again, f"{unit} → {new_unit}")
    return Change("kept" if place == place_again else "renamed", name, place, place_again)


def _are_alike(unit: str, other: str) -> bool:
    try:
        return math.isclose(units.factor(unit, other), 1.0, rel_tol=1e-15)
    except UnitError:
        return unit == other


def _remaining_changes(scan: Scan, places_used: set[str], beside: str) -> Iterator[Change]:
    if not is_hdf5(scan.path):
        return
    with reading(scan.path) as source:
        parts: list[tuple[str, str]] = []
        own_names = own(source.file)

        def visit(name: str, link: Any) -> None:
            if name.split("/")[0] in own_names or f"/{name}" in places_used:
                return
            if isinstance(link, h5py.ExternalLink):
                parts.append((f"/{name}", _linked(source, name, link)))
            elif isinstance(link, h5py.HardLink) and isinstance(
                node := member(source.file, name), h5py.Dataset
            ):
                parts.append((f"/{name}", f"{node.shape} {node.dtype}"))

        visit_links(source.file, visit)
    for place, detail in parts:
        yield Change("side-car", place, place, beside, detail)


def _linked(source: Source, name: str, link: h5py.ExternalLink) -> str:
    try:
        node = source.find(name)
    except FormatError:
        node = None
    if isinstance(node, h5py.Dataset) and is_taken_along(source, source.file, node):
        return f"a copy of what lies in {link.filename}"
    return f"a link to {link.filename}{'' if node is None else '; what it leads to stays there'}"
