"""The file a scan was first made from: its tree goes along through every format, so that it can be put back.

It lies in `/tomarium` of an HDF5 target, or of `OUT.side-car.h5` beside any other:

- `source`: its tree. Datasets of frames are there with shape, type and attributes, and hold no pixels: in an HDF5
  target they are virtual ones on the target's own frames, beside another they show nothing.
- `layouts`: JSON, how those lay on disk, and as `runs` [[first, last, stack, start]] which frames of the scan's
  projections, flats or darks, or of `rest/0` …, are its frames. A stack is the one thing every format of a scan
  keeps, in its order. Without `runs`, the tree shows the pixels itself.
- `links`: JSON, what lay in other files: place in the tree → [file, path, "copied" or "left"].
- `rest`: frames that are in no stack, such as alignment images.
- attributes `format`, and `stale` where it must not be put back by itself, with the reason.

It is handed on as it is. A file of HDF5 that somebody changed since it was made is kept whole in its place, with the
tree it carries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
    FrameMap,
    Placed,
    frame_maps,
    holds,
    key_of,
    layout_of,
    show_frames,
    unfold,
)
from tomarium.formats.provenance.json_values import as_json
from tomarium.formats.provenance.stacks import (
    Run,
    Stored,
    Woven,
    map_of_runs,
    runs_by_stack,
    runs_of_stacks,
    stacks_of,
)
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Frames, Scan
from tomarium.model.geometry import FIELDS

_TREE: Final = f"/{SIDE_CAR}/source"


@dataclass(frozen=True)
class Original:
    """The file a scan was first made from."""

    format: str
    file: Path  # file that holds its tree
    changed: bool  # whether the scan's own file says something else than when it was made
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


def is_side_car(file: Path) -> bool:
    """Tell whether a file is, or carries, a side-car."""
    if not is_hdf5(file):
        return False
    with reading(file) as source:
        return bool(own(source.file))


def original_of(scan: Scan) -> Original | None:
    """Find the file a scan was first made from.

    `scan`: as it was opened, with what its user gave.
    """
    file = scan.path if is_hdf5(scan.path) else beside(scan.path)
    if not is_hdf5(file):
        return None
    with reading(file) as source:
        if not own(source.file) or source.find(_TREE) is None:
            return None
        attributes = source.file[SIDE_CAR].attrs
        names = frozenset(json.loads(source.text(f"/{SIDE_CAR}/frames") or "[]"))
        digest = fingerprint(source.file, names) if file == scan.path else digest_of(scan)
        changed = digest != attributes["digest"]
        values_given = f"{', '.join(_user_given(scan))} were given" if _user_given(scan) else ""
        why = str(attributes.get("stale", "")) or values_given or ("it was changed since" if changed else "")
        return Original(str(attributes["format"]), file, changed, why)


def _user_given(scan: Scan) -> list[str]:
    """Name what the user gave that the file itself does not say."""
    words = [*scan.geometry.given(), *(["domain"] if "opened_domain" in scan.metadata else [])]
    home = scan.path if scan.path.is_dir() or is_hdf5(scan.path) else scan.path.parent
    for word, reference in (("flats", scan.flats), ("darks", scan.darks)):
        for part in getattr(reference and reference.frames, "parts", (reference and reference.frames,)):
            file = getattr(part, "file", None) or getattr(part, "path", None)
            if file is not None and not Path(file).resolve().is_relative_to(home.resolve()):
                words.append(word)
    return list(dict.fromkeys(words))


def digest_of(scan: Scan) -> str:
    """Sum up what a scan says that is not HDF5, its pixels left out."""
    contents = [
        scan.shape,
        *(
            (as_json(value.value) if field.expected else [field.name, as_json(value.value)])
            if value
            else None
            for field in FIELDS
            if (value := getattr(scan.geometry, field.name)) or field.expected
        ),
        *(reference.position.tolist() if reference else None for reference in (scan.flats, scan.darks)),
        {name: as_json(value.value) for name, value in sorted(scan.metadata.items())},
    ]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def keep_original(
    output: TwoPhaseFile, scan: Scan, stored: Mapping[str, Stored], placed: Sequence[Placed] = ()
) -> None:
    """Write the tree of the file a scan was first made from into the side-car that was begun.

    `stored`: the stacks that the target gives back. `placed`: frames that lie in the file itself; none where the
    target lies beside it.
    """
    home, original = output.file[SIDE_CAR], original_of(scan)
    if original is not None and not (original.changed and is_hdf5(scan.path)):
        home.attrs.update({"format": original.format} | ({"stale": original.stale} if original.stale else {}))
        with reading(original.file) as source:
            if source.find(f"/{SIDE_CAR}/rest") is not None:
                source.file.copy(f"/{SIDE_CAR}/rest", home, "rest")
            same = {name: part for name, part in stored.items() if name not in _user_given(scan)}
            layouts, links = _hand_on(output, source, scan, same, bool(placed)), _links(source)
    elif is_hdf5(scan.path):
        with reading(scan.path) as source:
            layouts, links = _own_tree(output, source, scan, stored, placed)
    else:
        return
    home["layouts"], home["links"] = json.dumps(layouts), json.dumps(links)


def _own_tree(
    output: TwoPhaseFile, source: Source, scan: Scan, stored: Mapping[str, Stored], placed: Sequence[Placed]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Keep the tree of a scan's own file, and what it carries where it was made from another and changed since."""
    stacks = runs_by_stack(scan)
    maps = frame_maps(placed) if placed else stacks
    types = {part.dataset: output.file[part.dataset].dtype for part in placed}
    types |= {name: part.dtype for name, part in stored.items()}
    layouts, links, copies = dict[str, Any](), dict[str, list[str]](), dict[tuple[Path, str], str]()

    def replace(old: h5py.Group, name: Name, new: h5py.Group) -> h5py.Dataset | None:
        node = source.find(shown(name), old)
        key = key_of(node, maps) if isinstance(node, h5py.Dataset) else None
        frame_map = None if key is None else maps.get(key)
        if node is None or key is None or frame_map is None:
            return take_along(source, old, name, new, links)
        if key in copies:  # a second link to the same frames
            new[name] = member(output.file, copies[key])
            return node
        if is_sparse(node):
            return None
        layout = layout_of(node)
        upright = frame_map.order[1] < frame_map.order[2] and (bool(placed) or frame_map.order[0] < 1)
        if upright and all(
            dataset in types and holds(types[dataset], node.dtype) for dataset in frame_map.datasets
        ):
            rest_name = _keep_rest(output, source, node, frame_map)
            runs = runs_of_stacks(stacks.get(key), frame_map, rest_name)
            layout |= {"runs": runs} if runs else {}
            _make_virtual(
                output, node, frame_map.completed(f"/{SIDE_CAR}/{rest_name}") if placed else None, new, name
            )
        else:
            output.fill(output.reserve(new, name, node.shape, node.dtype), frames_of(source, node))
        copies[key] = place_of(new, name)
        layouts[copies[key].removeprefix(_TREE)] = layout
        return node

    tree = output.file.create_group(_TREE)
    skip = own(source.file) if source.find(_TREE) is None else frozenset[str]()
    copy_tree(source.file, tree, skip=skip, replace=replace)
    return layouts, {place.removeprefix(_TREE): link for place, link in links.items()}


def _keep_rest(output: TwoPhaseFile, source: Source, node: h5py.Dataset, frame_map: FrameMap) -> str:
    """Store the frames that went nowhere; return where, below the side-car."""
    unplaced = np.flatnonzero(frame_map.which < 0)
    group = output.file.require_group(f"{SIDE_CAR}/rest") if len(unplaced) else None
    if group is None:
        return ""
    dataset = output.frames(group, str(len(group)), frames_of(source, node, frame_map.order, unplaced))
    return str(dataset.name).removeprefix(f"/{SIDE_CAR}/")


def _make_virtual(
    output: TwoPhaseFile, node: h5py.Dataset, frame_map: FrameMap | None, new: h5py.Group, name: Name
) -> None:
    """Make a dataset of frames without pixels: a virtual one, of no sources where the frames lie in no HDF5.

    That says so itself; a plain one would claim bytes the file does not hold, and whoever looks a file over before it
    is read refuses that.
    """
    layout = h5py.VirtualLayout(node.shape, node.dtype)
    if frame_map is not None:
        show_frames(layout, output.file, node.ndim, frame_map)
    new.create_virtual_dataset(name, layout)


def _hand_on(
    output: TwoPhaseFile, source: Source, scan: Scan, stored: Mapping[str, Stored], within: bool
) -> dict[str, Any]:
    """Copy the tree that a scan's file carries; pixels the target does not give back are written here."""
    layouts = _layouts(source)

    def replace(old: h5py.Group, name: Name, new: h5py.Group) -> h5py.Dataset | None:
        layout, node = _framed(layouts, old, name)
        if node is None:
            return None
        runs: list[Run] = layout.get("runs", [])
        stacks = {stack for _, _, stack, _ in runs if not stack.startswith("rest/")}
        if runs and all(stack in stored and holds(stored[stack].dtype, node.dtype) for stack in stacks):
            frame_map_of_runs = map_of_runs(runs, stored, node, f"/{SIDE_CAR}/") if within else None
            _make_virtual(output, node, frame_map_of_runs, new, name)
            return node
        layout.pop("runs", None)
        if stacks & set(_user_given(scan)) and not _shows_frames(node):
            _make_virtual(
                output, node, None, new, name
            )  # the frames of before lie in a file beside the scan's alone
            return node
        frames = _frames(source, {**layout, "runs": runs} if runs else layout, node, scan)
        output.fill(output.reserve(new, name, node.shape, node.dtype), frames)
        return node

    copy_tree(source.file[_TREE], output.file.create_group(_TREE), replace=replace)
    return layouts


def restore(
    scan: Scan,
    original: Original,
    target: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write the file a scan was first made from: each dataset and attribute as it was.

    `target`: file to write; it appears when it is complete. `resume`: whether a run that stops can be gone on with.
    """
    with (
        reading(original.file) as source,
        two_phase_file(target, resume=resume, on_progress=on_progress) as output,
    ):
        layouts = _layouts(source)

        def replace(old: h5py.Group, name: Name, new: h5py.Group) -> h5py.Dataset | None:
            layout, node = _framed(layouts, old, name)
            if node is not None:
                unfold(output, _frames(source, layout, node, scan), node, layout, new, name)
            return node

        copy_tree(source.file[_TREE], output.file, replace=replace)
        _link_again(output.file, _links(source), target)


def _link_again(file: h5py.File, links: Mapping[str, Sequence[str]], target: Path) -> None:
    """Put links in the place of copies where what they lead to lies beside the target, as it did beside the source."""
    for place, (name, path, state) in links.items():
        neighbour = target.parent / name
        group, copied = _dataset_at(file, place)
        if state == "left" or copied is None or not is_hdf5(neighbour):
            continue
        with reading(neighbour) as source:
            original = source.find(path)
            is_same = (
                isinstance(original, h5py.Dataset)
                and isinstance(copied, h5py.Dataset)
                and (original.shape, original.dtype) == (copied.shape, copied.dtype)
            )
        if is_same:
            key = key_in(group, place.rpartition("/")[2])
            del group[key]
            group[key] = h5py.ExternalLink(name, path)


def _dataset_at(file: h5py.File, place: str) -> tuple[h5py.Group, h5py.Dataset | None]:
    """Find a dataset and its group."""
    try:
        return member(file, place.rpartition("/")[0] or "/"), member(file, place)
    except KeyError:
        return file["/"], None


def left_links(original: Original) -> frozenset[str]:
    """Name the links of the first file whose other ends were left where they were.

    Result: places in that file; of links that led nowhere then, none.
    """
    with reading(original.file) as source:
        return frozenset(place for place, (*_, state) in _links(source).items() if state == "left")


def _links(source: Source) -> dict[str, list[str]]:
    links: dict[str, list[str]] = json.loads(source.text(f"/{SIDE_CAR}/links") or "{}")
    return links


def _layouts(source: Source) -> dict[str, Any]:
    layouts: dict[str, Any] = json.loads(source.text(f"/{SIDE_CAR}/layouts") or "{}")
    return layouts


def _framed(
    layouts: dict[str, Any], old: h5py.Group, name: Name
) -> tuple[dict[str, Any], h5py.Dataset | None]:
    """Find a dataset of frames, and how it lay on disk."""
    layout = layouts.get(place_of(old, name).removeprefix(_TREE))
    node = None if layout is None else member(old, shown(name))
    return layout or {}, node if isinstance(node, h5py.Dataset) else None


def _frames(source: Source, layout: dict[str, Any], node: h5py.Dataset, scan: Scan) -> Frames:
    if "runs" not in layout or _shows_frames(node):
        return frames_of(source, node)
    stacks: dict[str, Frames] = stacks_of(scan)
    for *_, stack, _ in layout["runs"]:
        if stack.startswith("rest/"):
            stacks[stack] = frames_of(source, source.file[f"{SIDE_CAR}/{stack}"])
    return Woven(stacks, [tuple(run) for run in layout["runs"]], node.dtype)


def _shows_frames(node: h5py.Dataset) -> bool:
    """Tell whether a dataset of the tree is a virtual one on frames of its own file."""
    return bool(node.is_virtual and node.virtual_sources())
