"""The files a scan was before, handed on through every format, so that any of them can be put back.

Each earlier file is one group, `/tomarium` for the last one and `/tomarium/lineage/0`, `1` … for those before:

- `source`: its tree. Datasets of frames are there with shape, type and attributes; they hold no pixels.
- `layouts`: JSON, how those lay on disk, and as `runs` [[first, last, stack, start]] which frames of the scan's
  projections, flats or darks, or of `rest/0` …, are its frames. A stack is the one thing every format of a scan
  keeps, in its order. Without `runs`, the tree holds the pixels.
- `links`: JSON, what lay in other files: place in the tree → [file, path, "copied" or "left"].
- `rest`: frames that are in no stack, such as alignment images.
- attributes `format`, and `stale` where it must not be put back by itself, with the reason.

Beside a target that is not HDF5 they lie in `OUT.side-car.h5`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.content_hash import fingerprint
from tomarium.formats.hdf5.copy_tree import copy_tree, take_along
from tomarium.formats.hdf5.frames import frames_of
from tomarium.formats.hdf5.missing_data import is_sparse
from tomarium.formats.hdf5.names import Name, key_in, member, place_of, shown
from tomarium.formats.hdf5.source import SIDE_CAR, Source, reading
from tomarium.formats.hdf5.two_phase_writer import TwoPhaseFile, two_phase_file
from tomarium.formats.provenance.frame_mapping import (
    holds,
    key_of,
    layout_of,
    unfold,
)
from tomarium.formats.provenance.json_values import as_json
from tomarium.formats.provenance.stacks import Woven, runs_by_stack, runs_told, stacks_of
from tomarium.formats.resumable.hidden_file import Tell
from tomarium.model import Frames, Scan
from tomarium.model.geometry import FIELDS


@dataclass(frozen=True)
class Ancestor:
    """A file that a scan was before."""

    format: str
    file: Path  # file that holds what is left of it
    group: str  # where in that file
    stale: str  # why it is not put back by itself, in words; "" where it may be


def beside(path: Path) -> Path:
    """Name the side-car of a file or folder that is not HDF5."""
    return path.with_name(f"{path.name}.side-car.h5")


def own(file: h5py.File) -> frozenset[str]:
    """Name the group of a file that is its side-car, and no part of what it says.

    Result: empty where there is none; a group of that name may be another's.
    """
    home = file.get(SIDE_CAR)
    is_ours = isinstance(home, h5py.Group) and {"format", "digest"} <= set(home.attrs)
    return frozenset({SIDE_CAR} if is_ours else ())


def ancestors_of(scan: Scan, changed: bool) -> tuple[Ancestor, ...]:
    """List the files a scan was before, the last one first.

    `scan`: as it was opened, with what its user gave. `changed`: whether its file says something else than
    when it was written.
    """
    file = scan.path if is_hdf5(scan.path) else beside(scan.path)
    if not is_hdf5(file):
        return ()
    why = _given(scan) or ("it was changed since" if changed else "")
    with reading(file) as source:
        groups = [f"/{SIDE_CAR}", *(f"/{SIDE_CAR}/lineage/{number}" for number in range(_count(source)))]
        found = [(group, source.find(group)) for group in groups if source.find(f"{group}/source")]
        return tuple(
            Ancestor(str(node.attrs["format"]), file, group, str(node.attrs.get("stale", "")) or why)
            for group, node in found
            if node is not None and "format" in node.attrs
        )


def _count(source: Source) -> int:
    home = source.find(f"/{SIDE_CAR}/lineage")
    return len(home) if isinstance(home, h5py.Group) else 0


def _given(scan: Scan) -> str:
    """Tell what the user gave that the file itself does not say."""
    given = [*scan.geometry.given(), *(["domain"] if "opened_domain" in scan.metadata else [])]
    home = scan.path if scan.path.is_dir() or is_hdf5(scan.path) else scan.path.parent
    for word, reference in (("flats", scan.flats), ("darks", scan.darks)):
        for part in getattr(reference and reference.frames, "parts", (reference and reference.frames,)):
            file = getattr(part, "file", None) or getattr(part, "path", None)
            if file is not None and not Path(file).resolve().is_relative_to(home.resolve()):
                given.append(word)
    return f"{', '.join(dict.fromkeys(given))} were given" if given else ""


def digest_of(scan: Scan) -> str:
    """Sum up what a scan says that is not HDF5, its pixels left out."""
    told = [
        scan.shape,
        *(
            (as_json(value.value) if field.expected else [field.name, as_json(value.value)])
            if value
            else None
            for field in FIELDS
            if (value := getattr(scan.geometry, field.name)) or field.expected
        ),
        *(one.position.tolist() if one else None for one in (scan.flats, scan.darks)),
        {name: as_json(one.value) for name, one in sorted(scan.metadata.items())},
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def leave(output: TwoPhaseFile, source: Source, scan: Scan, held: Mapping[str, np.dtype[Any]]) -> None:
    """Write what is left of a scan's own file, whose frames lie in a target beside."""
    group = output.file[SIDE_CAR]
    maps, layouts, links = runs_by_stack(scan), dict[str, Any](), dict[str, list[str]]()

    def replace(old: h5py.Group, name: Name, new: h5py.Group) -> h5py.Dataset | None:
        node = source.find(shown(name), old)
        if not isinstance(node, h5py.Dataset):
            return take_along(source, old, name, new, links)
        frame_map = maps.get(key_of(node, maps))
        if frame_map is None:
            return take_along(source, old, name, new, links)
        if is_sparse(node):
            return None
        layout = layout_of(node)
        upright = frame_map.order in ((0, 1, 2), (-1, 0, 1))
        if upright and all(stack in held and holds(held[stack], node.dtype) for stack in frame_map.datasets):
            left = np.flatnonzero(frame_map.which < 0)
            kept = group.require_group("rest") if len(left) else group
            rest = f"rest/{len(kept)}"
            if len(left):
                output.frames(
                    kept, rest.removeprefix("rest/"), frames_of(source, node, frame_map.order, left)
                )
            layout["runs"] = runs_told(frame_map, rest)
            _hollow(new, name, node)
        else:
            output.fill(output.reserve(new, name, node.shape, node.dtype), frames_of(source, node))
        layouts[place_of(new, name).removeprefix(f"/{SIDE_CAR}/source")] = layout
        return node

    copy_tree(source.file, group.create_group("source"), skip=own(source.file), replace=replace)
    group["layouts"] = json.dumps(layouts)
    prefix = f"/{SIDE_CAR}/source"
    group["links"] = json.dumps({place.removeprefix(prefix): link for place, link in links.items()})


def _hollow(new: h5py.Group, name: Name, node: h5py.Dataset) -> None:
    """Make a dataset that tells shape and type, and whose frames lie elsewhere.

    A virtual one of no sources says so itself; a plain one would claim bytes the file does not hold, and whoever
    looks a file over before it is read refuses that.
    """
    new.create_virtual_dataset(name, h5py.VirtualLayout(node.shape, node.dtype))


def hand_on(
    output: TwoPhaseFile, scan: Scan, ancestors: Sequence[Ancestor], held: Mapping[str, np.dtype[Any]]
) -> None:
    """Write what is left of the files a scan was before into a side-car.

    `held`: stacks the target gives back, and the types it stores them in; pixels of others are written here.
    """
    for number, ancestor in enumerate(ancestors):
        home = output.file.require_group(f"{SIDE_CAR}/lineage/{number}")
        home.attrs["format"] = ancestor.format
        if ancestor.stale:
            home.attrs["stale"] = ancestor.stale
        with reading(ancestor.file) as source:
            if source.find(f"{ancestor.group}/rest") is not None:
                source.file.copy(f"{ancestor.group}/rest", home, "rest")
            home["layouts"] = json.dumps(_hand_on_tree(output, source, ancestor, home, scan, held))
            home["links"] = source.text(f"{ancestor.group}/links") or "{}"


def _hand_on_tree(
    output: TwoPhaseFile,
    source: Source,
    ancestor: Ancestor,
    home: h5py.Group,
    scan: Scan,
    held: Mapping[str, np.dtype[Any]],
) -> dict[str, Any]:
    layouts = _layouts(source, ancestor)

    def replace(old: h5py.Group, name: Name, new: h5py.Group) -> h5py.Dataset | None:
        layout, node = _framed(source, ancestor, layouts, old, name)
        if node is None:
            return None
        stacks = {stack for *_, stack, _ in layout.get("runs", []) if not stack.startswith("rest/")}
        if "runs" in layout and all(stack in held and holds(held[stack], node.dtype) for stack in stacks):
            _hollow(new, name, node)
            return node
        frames = _frames(source, ancestor, layout, node, scan)
        output.fill(output.reserve(new, name, node.shape, node.dtype), frames)
        layout.pop("runs", None)
        return node

    copy_tree(source.file[f"{ancestor.group}/source"], home.create_group("source"), replace=replace)
    return layouts


def restore(
    scan: Scan,
    ancestors: Sequence[Ancestor],
    target: Path,
    *,
    resume: bool = False,
    tell: Tell | None = None,
) -> None:
    """Write the file a scan once was: each dataset and attribute as it was.

    `ancestors`: the file to put back, and those it was before, which go along. `target`: file to write; it
    appears when it is complete. `resume`: whether a run that stops can be gone on with.
    """
    last, *older = ancestors
    with reading(last.file) as source, two_phase_file(target, resume=resume, tell=tell) as output:
        layouts = _layouts(source, last)

        def replace(old: h5py.Group, name: Name, new: h5py.Group) -> h5py.Dataset | None:
            layout, node = _framed(source, last, layouts, old, name)
            if node is not None:
                unfold(output, _frames(source, last, layout, node, scan), node, layout, new, name)
            return node

        copy_tree(source.file[f"{last.group}/source"], output.file, replace=replace)
        _link_again(output.file, _links(source, last), target)
        if older:
            digest = fingerprint(output.file, frozenset(output.names))
            home = output.file.require_group(SIDE_CAR)
            home.attrs.update({"format": older[0].format, "digest": digest})
            home["frames"] = json.dumps(output.names)
            types = {name: np.dtype(frames.dtype) for name, frames in stacks_of(scan).items()}
            hand_on(output, scan, older, types)


def _link_again(file: h5py.File, links: Mapping[str, Sequence[str]], target: Path) -> None:
    """Put links in the place of copies where what they lead to lies beside the target, as it did beside the source."""
    for place, (name, path, what) in links.items():
        neighbour = target.parent / name
        group, here = _held(file, place)
        if what == "left" or here is None or not is_hdf5(neighbour):
            continue
        with reading(neighbour) as source:
            there = source.find(path)
            is_same = (
                isinstance(there, h5py.Dataset)
                and isinstance(here, h5py.Dataset)
                and (there.shape, there.dtype) == (here.shape, here.dtype)
            )
        if is_same:
            key = key_in(group, place.rpartition("/")[2])
            del group[key]
            group[key] = h5py.ExternalLink(name, path)


def _held(file: h5py.File, place: str) -> tuple[h5py.Group, h5py.Dataset | None]:
    """Find a dataset and its group."""
    try:
        return member(file, place.rpartition("/")[0] or "/"), member(file, place)
    except KeyError:
        return file["/"], None


def left_links(ancestor: Ancestor) -> frozenset[str]:
    """Name the links of an earlier file whose other ends were left where they were.

    Result: places in that file; of links that led nowhere then, none.
    """
    with reading(ancestor.file) as source:
        return frozenset(place for place, (*_, what) in _links(source, ancestor).items() if what == "left")


def _links(source: Source, ancestor: Ancestor) -> dict[str, list[str]]:
    told: dict[str, list[str]] = json.loads(source.text(f"{ancestor.group}/links") or "{}")
    return told


def _layouts(source: Source, ancestor: Ancestor) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(source.text(f"{ancestor.group}/layouts") or "{}")
    return told


def _framed(
    source: Source, ancestor: Ancestor, layouts: dict[str, Any], old: h5py.Group, name: Name
) -> tuple[dict[str, Any], h5py.Dataset | None]:
    """Find a dataset of frames, and how it lay on disk."""
    place = place_of(old, name)
    layout = layouts.get(place.removeprefix(f"{ancestor.group}/source"))
    if layout is None:
        return {}, None
    node = member(old, shown(name))
    return layout, node if isinstance(node, h5py.Dataset) else None


def _frames(
    source: Source, ancestor: Ancestor, layout: dict[str, Any], node: h5py.Dataset, scan: Scan
) -> Frames:
    if "runs" not in layout:
        return frames_of(source, node)
    stacks: dict[str, Frames] = stacks_of(scan)
    for *_, stack, _ in layout["runs"]:
        if stack.startswith("rest/"):
            stacks[stack] = frames_of(source, source.file[f"{ancestor.group}/{stack}"])
    return Woven(stacks, [tuple(run) for run in layout["runs"]], node.dtype)
