"""The side-car: what the target of a conversion cannot express, kept in it, and put back on the way home.

A file tomarium converts holds the group `/tomarium`:

- `source`: the tree of the file it was made from, every group, dataset and attribute as it was. Frames lie in
  the target already, so there they are virtual datasets that point to them: nothing is stored twice, and any
  HDF5 program shows the file as it was.
- `layouts`: JSON, how those datasets of frames lay on disk (chunks and filters), and which frames of the scan they are.
- `links`: JSON, what the source links to in other files, with file and path, and whether the tree holds a copy.
- `rest`: frames of the source that have no place in the target, such as alignment images.
- `meaning`: JSON, what the source's reader understood, for readers of the target.
- `geometry`: JSON, the roll and tilt of the axis, the shifts of the sample and the domain, where known: no format of
  a scan has a place for them.
- `lineage`: what is left of the files the source itself was made from, as
  `tomarium.formats.provenance.ancestors` tells.
- attributes `format`, of the source, and `digest`, of all that the target says besides: where somebody has
  changed it since, the way home is not taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from tomarium import __version__
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.content_hash import fingerprint
from tomarium.formats.hdf5.copy_tree import copy_tree, take_along
from tomarium.formats.hdf5.frames import frames_of
from tomarium.formats.hdf5.missing_data import is_sparse
from tomarium.formats.hdf5.names import Name, member, place_of, shown
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.hdf5.two_phase_writer import TwoPhaseFile, two_phase_file
from tomarium.formats.provenance import ancestors as lineage
from tomarium.formats.provenance.frame_mapping import (
    FrameMap,
    Placed,
    frame_maps,
    holds,
    key_of,
    layout_of,
    runs_of,
)
from tomarium.formats.provenance.json_values import as_json, from_json
from tomarium.formats.provenance.stacks import runs_by_stack, runs_told, stacks_of, types_held
from tomarium.model import Scan, Value
from tomarium.model.geometry import FIELDS
from tomarium.model.slab import RAW_DOMAINS

GROUP: Final = "tomarium"
_TREE: Final = f"{GROUP}/source"


def keep(output: TwoPhaseFile, scan: Scan, placed: Sequence[Placed]) -> None:
    """Write the side-car of a scan, as the last part of a file's structure."""
    digest = fingerprint(output.file, frozenset(output.names))
    home = output.file.create_group(GROUP)
    home.attrs["format"] = scan.format
    home.attrs["program"] = f"tomarium {__version__}"
    home.attrs["digest"] = digest
    home["meaning"] = _meaning(scan.metadata)
    _keep_geometry(home, scan)
    home["frames"] = json.dumps(output.names)
    names = {id(frames): name for name, frames in stacks_of(scan).items()}
    types = {
        names[id(one.frames)]: output.file[one.dataset].dtype for one in placed if id(one.frames) in names
    }
    lineage.hand_on(output, scan, ancestors(scan), types)
    if not is_hdf5(scan.path):
        return
    with reading(scan.path) as source:
        layouts, links = _keep_tree(output, source, frame_maps(placed), runs_by_stack(scan))
    home["layouts"] = json.dumps(layouts)
    home["links"] = json.dumps(links)


def ancestors(scan: Scan) -> tuple[lineage.Ancestor, ...]:
    """List the files a scan was before, the last one first.

    `scan`: as it was opened, with what its user gave. Result: those not to be put back by themselves say why.
    """
    if is_hdf5(scan.path):
        kept = look(scan.path)
        return () if kept is None else lineage.ancestors_of(scan, kept.changed)
    file = lineage.beside(scan.path)
    if not is_hdf5(file):
        return ()
    with reading(file) as source:
        home = source.find(f"/{GROUP}")
        told = home.attrs.get("digest", "") if home is not None else ""
    return lineage.ancestors_of(scan, told != lineage.digest_of(scan))


def _meaning(metadata: Mapping[str, Value[Any]]) -> str:
    # Names that begin with "/" are places in the source, which the tree keeps as they were; what a user named of the
    # source to open it names nothing in the target.
    told = {
        name: {"value": as_json(one.value), "origin": one.origin, "source": one.source}
        for name, one in metadata.items()
        if not name.startswith(("/", "opened_"))
    }
    # What is no UTF-8, as in names of files, becomes the escape JSON has for it.
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def meaning(source: Source) -> dict[str, Value[Any]]:
    """Read what the reader of the first file understood, for values the file itself cannot say."""
    text = source.text(f"/{GROUP}/meaning")
    try:
        found = json.loads(text) if text else {}
        return {
            str(name): Value(from_json(one["value"]), one["origin"], str(one["source"]))
            for name, one in found.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        source.warnings.append(f"/{GROUP}/meaning is damaged and was left out ({problem})")
        return {}


def _keep_geometry(home: h5py.Group, scan: Scan) -> None:
    told = _geometry(scan)
    if told:
        home["geometry"] = json.dumps(told)


def _geometry(scan: Scan) -> dict[str, Any]:
    """Tell what formats have no place for; what most of them have is not told twice."""
    told: dict[str, Any] = {
        field.name: {"value": as_json(value.value), "source": value.source}
        for field, value in scan.geometry.items()
        if not field.expected
    }
    return told if scan.domain == "counts" else {**told, "domain": scan.domain}


def with_geometry(scan: Scan, source: Source) -> Scan:
    """Add what the side-car says of a scan's geometry and the reader of the file did not find there.

    `source`: the open file that holds the side-car, or may hold one. Result: with the roll and tilt of the
    axis, the shifts and the domain that were known before; with a warning where the side-car is damaged.
    """
    text = source.text(f"/{GROUP}/geometry")
    try:
        return _filled(scan, json.loads(text)) if text else scan
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        said = f"/{GROUP}/geometry is damaged and was left out ({problem})"
        return replace(scan, warnings=(*scan.warnings, said))


def with_geometry_beside(scan: Scan) -> Scan:
    """Add what the side-car beside a file that is no HDF5 says of its scan's geometry.

    Result: as `with_geometry`; the same scan where there is no side-car.
    """
    file = lineage.beside(scan.path)
    if not file.is_file() or is_hdf5(scan.path) or not is_hdf5(file):
        return scan
    with reading(file) as source:
        return with_geometry(scan, source)


def _filled(scan: Scan, told: Mapping[str, Any]) -> Scan:
    found: dict[str, Value[Any]] = {}
    for field in FIELDS:
        if field.name not in told or getattr(scan.geometry, field.name) is not None:
            continue
        value = from_json(told[field.name]["value"])
        number = np.asarray(value, np.float64) if field.per_view else float(value)
        # A list of another length says nothing of these frames: the file was cut since.
        if not field.per_view or np.shape(number) == scan.shape[:1]:
            found[field.name] = Value(number, "read", str(told[field.name]["source"]))
    said = next((one for one in RAW_DOMAINS if one == told.get("domain")), scan.domain)
    domain = said if scan.domain == "counts" else scan.domain
    return replace(scan, domain=domain).with_geometry(**found)


def _keep_tree(
    output: TwoPhaseFile,
    source: Source,
    maps: dict[tuple[Path, str], FrameMap],
    stacks: dict[tuple[Path, str], FrameMap],
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    tree = output.file.create_group(_TREE)
    layouts: dict[str, Any] = {}
    links: dict[str, list[str]] = {}
    made: dict[tuple[Path, str], str] = {}

    def replace(old: h5py.Group, name: Name, new: h5py.Group) -> h5py.Dataset | None:
        node = source.find(shown(name), old)
        if not isinstance(node, h5py.Dataset):
            return take_along(source, old, name, new, links)
        key = key_of(node, maps)
        if key in made:  # a second link to the same frames
            new[name] = member(output.file, made[key])
            return node
        frame_map = maps.get(key)
        if frame_map is None:
            return take_along(source, old, name, new, links)
        if not _is_virtually_possible(output, node, frame_map) or is_sparse(node):
            return None
        left = frame_map.which < 0
        _complete(output, source, node, frame_map)
        _point(output, node, frame_map, new, name)
        made[key] = place_of(new, name)
        layout = layout_of(node)
        if key in stacks and frame_map.order[0] < 1 and np.array_equal(stacks[key].which < 0, left):
            rest = frame_map.datasets[-1].removeprefix(f"/{GROUP}/")
            layout["runs"] = runs_told(stacks[key], rest)
        layouts[place_of(new, name).removeprefix(f"/{_TREE}")] = layout
        return node

    copy_tree(source.file, tree, skip=lineage.own(source.file), replace=replace)
    return layouts, {place.removeprefix(f"/{_TREE}"): link for place, link in links.items()}


def _is_virtually_possible(output: TwoPhaseFile, node: h5py.Dataset, frame_map: FrameMap) -> bool:
    """Tell whether a virtual dataset can show the frames as they were: upright, and in a type that rounds none."""
    turned = frame_map.order[2] < frame_map.order[1]
    return not turned and all(holds(output.file[one].dtype, node.dtype) for one in frame_map.datasets)


def _complete(output: TwoPhaseFile, source: Source, node: h5py.Dataset, frame_map: FrameMap) -> None:
    """Store the frames that went nowhere."""
    rest = np.flatnonzero(frame_map.which < 0)
    if not len(rest):
        return
    group = output.file.require_group(f"{GROUP}/rest")
    kept = output.frames(group, str(len(group)), frames_of(source, node, frame_map.order, rest))
    frame_map.which[rest] = len(frame_map.datasets)
    frame_map.frame[rest] = np.arange(len(rest))
    frame_map.datasets.append(str(kept.name))


def _point(
    output: TwoPhaseFile, node: h5py.Dataset, frame_map: FrameMap, new: h5py.Group, name: Name
) -> None:
    """Make the virtual dataset: one mapping for each run of neighbouring frames."""
    layout = h5py.VirtualLayout(node.shape, node.dtype)
    axis = frame_map.order[0]
    for first, last in runs_of(frame_map, by_one=axis > 0):
        held = output.file[frame_map.datasets[frame_map.which[first]]]
        source = h5py.VirtualSource(".", held.name, held.shape, held.dtype)
        begin = int(frame_map.frame[first])
        if axis < 0:  # one averaged frame, stored without an axis of its own
            layout[...] = source[begin] if held.ndim == 3 else source
            continue
        there: list[slice | int] = [slice(None)] * node.ndim
        there[axis] = slice(first, last) if axis == 0 else first
        layout[tuple(there)] = source[begin : begin + last - first] if axis == 0 else source[begin]
    new.create_virtual_dataset(name, layout)


@dataclass(frozen=True)
class Kept:
    """The side-car a file carries."""

    format: str  # format of the file it was made from
    whole: bool  # whether it holds that file's tree
    changed: bool  # whether the file that carries it was changed since


def look(path: Path) -> Kept | None:
    """Look for a side-car.

    Result: None where there is none.
    """
    if not is_hdf5(path):
        return None
    with reading(path) as source:
        home = source.find(f"/{GROUP}")
        if not isinstance(home, h5py.Group) or not {"format", "digest"} <= set(home.attrs):
            return None
        names = frozenset(json.loads(source.text(f"/{GROUP}/frames") or "[]"))
        changed = fingerprint(source.file, names) != home.attrs["digest"]
        return Kept(str(home.attrs["format"]), "source" in home, changed)


def leave_beside(scan: Scan, again: Scan, target: Path) -> None:
    """Write the tree of a scan's file, and what it was before, beside a target that cannot hold them.

    `scan`: what was converted. Of a scan that was not read from HDF5 the meaning alone is kept. `again`: what
    the target reads as. Frames it gives back are left empty.
    """
    types = types_held(scan, again)
    # As one to go on with, for what a killed run leaves of it is found again under that name alone.
    with two_phase_file(target, resume=True) as output:
        home = output.file.create_group(GROUP)
        home.attrs["format"] = scan.format
        home.attrs["program"] = f"tomarium {__version__}"
        home.attrs["digest"] = lineage.digest_of(_filled(again, _geometry(scan)))
        home["meaning"] = _meaning(scan.metadata)
        _keep_geometry(home, scan)
        lineage.hand_on(output, scan, ancestors(scan), types)
        if is_hdf5(scan.path):
            with reading(scan.path) as source:
                lineage.leave(output, source, scan, types)
