"""The side-car: what the target of a conversion cannot express, kept in it, and put back on the way home.

A file tomarium converts holds the group `/tomarium`:

- `source`: the tree of the file it was made from, every group, dataset and attribute as it was. Frames lie in
  the target already, so there they are virtual datasets that point to them: nothing is stored twice, and any
  HDF5 program shows the file as it was.
- `layouts`: JSON, how those datasets of frames lay on disk (chunks and filters).
- `rest`: frames of the source that have no place in the target, such as alignment images.
- `meaning`: JSON, what the source's reader understood, for readers of the target.
- attributes `format`, of the source, and `digest`, of all that the target says besides: where somebody has
  changed it since, the way home is not taken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import __version__
from tomarium.formats.hdf5 import Source, is_hdf5, reading
from tomarium.formats.hdf5_draft import Draft, Tell, drafting
from tomarium.formats.hdf5_frames import Hdf5Frames, frames_of, load_plugins
from tomarium.formats.hdf5_tree import copy_tree
from tomarium.formats.json_values import as_json, from_json
from tomarium.model import Frames, Scan, Value

GROUP: Final = "tomarium"
# Bytes summed up at once.
_PIECE: Final = 1 << 24
_TREE: Final = f"{GROUP}/source"
# Mantissa bits of the floats: an integer of at most so many bits is exact in one of them.
_MANTISSA: Final = {2: 11, 4: 24, 8: 53}


@dataclass(frozen=True, eq=False)
class Placed:
    """Frames of the source and where the target holds them.

    Attributes
    ----------
    frames : Frames
        As the source's reader made them.
    dataset : str
        HDF5 path in the target.
    where : array of int, shape (frame,)
        Which frame of that dataset each became.
    """

    frames: Frames
    dataset: str
    where: NDArray[np.intp]


@dataclass
class _Home:
    """Where each frame of one dataset of the source now lies: (dataset of the target, frame), or nowhere yet."""

    order: tuple[int, int, int]
    size: tuple[int, int, int]
    datasets: list[str] = field(default_factory=list)
    which: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    frame: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))


def keep(draft: Draft, scan: Scan, placed: Sequence[Placed]) -> None:
    """Write the side-car of a scan, as the last part of a file's structure.

    Parameters
    ----------
    draft : Draft
        The file, with everything else of its structure.
    scan : Scan
        What is being written.
    placed : sequence of Placed
        Where its frames went.

    Raises
    ------
    FormatError
        The source is damaged.
    """
    digest = fingerprint(draft.file, frozenset(draft.names))
    home = draft.file.create_group(GROUP)
    home.attrs["format"] = scan.format
    home.attrs["program"] = f"tomarium {__version__}"
    home.attrs["digest"] = digest
    home["meaning"] = json.dumps(_meaning(scan.metadata), ensure_ascii=False)
    home["frames"] = json.dumps(draft.names)
    if not is_hdf5(scan.path):
        return
    with reading(scan.path) as source:
        layouts = _keep_tree(draft, source, _homes(placed))
    home["layouts"] = json.dumps(layouts)


def _meaning(metadata: Mapping[str, Value[Any]]) -> dict[str, Any]:
    # Names that begin with "/" are places in the source, which the tree keeps as they were.
    return {
        name: {"value": as_json(one.value), "origin": one.origin, "source": one.source}
        for name, one in metadata.items()
        if not name.startswith("/")
    }


def meaning(source: Source) -> dict[str, Value[Any]]:
    """Read what the reader of the first file understood, for values the file itself cannot say.

    Parameters
    ----------
    source : Source
        An open file.

    Returns
    -------
    dict of str to Value
        Empty where there is no side-car.
    """
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


def _homes(placed: Sequence[Placed]) -> dict[tuple[Path, str], _Home]:
    homes: dict[tuple[Path, str], _Home] = {}
    for one in placed:
        first = 0
        for part in getattr(one.frames, "parts", (one.frames,)):
            count = part.shape[0]
            where = one.where[first : first + count]
            first += count
            if not isinstance(part, Hdf5Frames):
                continue
            key = (part.file.resolve(), part.name)
            home = homes.setdefault(key, _Home(part.order, part.size))
            if not len(home.which):
                home.which, home.frame = (np.full(part.size[0], -1, np.intp) for _ in range(2))
            if one.dataset not in home.datasets:
                home.datasets.append(one.dataset)
            index = np.arange(part.size[0]) if part.index is None else part.index
            home.which[index] = home.datasets.index(one.dataset)
            home.frame[index] = where
    return homes


def _keep_tree(draft: Draft, source: Source, homes: dict[tuple[Path, str], _Home]) -> dict[str, Any]:
    tree = draft.file.create_group(_TREE)
    layouts: dict[str, Any] = {}
    made: dict[tuple[Path, str], str] = {}

    def replace(old: h5py.Group, name: str, new: h5py.Group) -> h5py.Dataset | None:
        node = source.find(name, old)
        if not isinstance(node, h5py.Dataset):
            return None
        key = (Path(node.file.filename).resolve(), str(node.name))
        if key in made:  # a second link to the same frames
            new[name] = draft.file[made[key]]
            return node
        home = homes.get(key)
        if home is None or not _is_virtually_possible(draft, node, home):
            return None
        _complete(draft, source, node, home)
        _point(draft, node, home, new, name)
        made[key] = f"{new.name.rstrip('/')}/{name}"
        layouts[f"{new.name.rstrip('/')}/{name}".removeprefix(f"/{_TREE}")] = _layout(node)
        return node

    copy_tree(source.file, tree, skip=frozenset({GROUP}), replace=replace)
    return layouts


def _is_virtually_possible(draft: Draft, node: h5py.Dataset, home: _Home) -> bool:
    """Tell whether a virtual dataset can show the frames as they were: upright, and in a type that rounds none."""
    turned = home.order[2] < home.order[1]
    return not turned and all(_holds(draft.file[one].dtype, node.dtype) for one in home.datasets)


def _holds(wide: np.dtype[Any], narrow: np.dtype[Any]) -> bool:
    if wide == narrow.newbyteorder("="):
        return True
    if wide.kind == "f" and narrow.kind in "iu":
        return 8 * narrow.itemsize - (narrow.kind == "i") <= _MANTISSA.get(wide.itemsize, 0)
    return bool(np.can_cast(narrow, wide, "safe"))


def _complete(draft: Draft, source: Source, node: h5py.Dataset, home: _Home) -> None:
    """Store the frames that went nowhere."""
    rest = np.flatnonzero(home.which < 0)
    if not len(rest):
        return
    group = draft.file.require_group(f"{GROUP}/rest")
    kept = draft.frames(group, str(len(group)), frames_of(source, node, home.order, rest))
    home.which[rest] = len(home.datasets)
    home.frame[rest] = np.arange(len(rest))
    home.datasets.append(str(kept.name))


def _point(draft: Draft, node: h5py.Dataset, home: _Home, new: h5py.Group, name: str) -> None:
    """Make the virtual dataset: one mapping for each run of neighbouring frames."""
    layout = h5py.VirtualLayout(node.shape, node.dtype)
    axis = home.order[0]
    for first, last in _runs(home, by_one=axis > 0):
        held = draft.file[home.datasets[home.which[first]]]
        source = h5py.VirtualSource(".", held.name, held.shape, held.dtype)
        begin = int(home.frame[first])
        if axis < 0:  # one averaged frame, stored without an axis of its own
            layout[...] = source[begin] if held.ndim == 3 else source
            continue
        there: list[slice | int] = [slice(None)] * node.ndim
        there[axis] = slice(first, last) if axis == 0 else first
        layout[tuple(there)] = source[begin : begin + last - first] if axis == 0 else source[begin]
    new.create_virtual_dataset(name, layout)


def _runs(home: _Home, *, by_one: bool) -> Iterator[tuple[int, int]]:
    together = (np.diff(home.which) == 0) & (np.diff(home.frame) == 1)
    if by_one:
        together[:] = False
    cuts = [0, *(np.flatnonzero(~together) + 1).tolist(), len(home.which)]
    yield from pairwise(cuts)


def _layout(node: h5py.Dataset) -> dict[str, Any]:
    plist = node.id.get_create_plist()
    filters = [plist.get_filter(i) for i in range(plist.get_nfilters())]
    return {
        "chunks": None if node.chunks is None else list(node.chunks),
        "maxshape": list(node.maxshape),
        "filters": [[int(code), int(flags), [int(v) for v in values]] for code, flags, values, _ in filters],
    }


def fingerprint(file: h5py.File, frames: frozenset[str]) -> str:
    """Sum up what a file says, its frames and its side-car left out.

    Parameters
    ----------
    file : h5py.File
        The file.
    frames : frozenset of str
        Paths of the datasets that hold frames; only their attributes, shape and type count.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256()
    # By address, since one dataset may have several names.
    held = {h5py.h5o.get_info(file[name].id).addr for name in frames if name in file}

    def add(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if name == GROUP or name.startswith(f"{GROUP}/"):
            return
        digest.update(f"{node.name}:{type(node).__name__}".encode())
        for key in sorted(node.attrs):
            value = node.attrs[key]
            digest.update(f"@{key}={value!r}".encode())
        if isinstance(node, h5py.Dataset):
            digest.update(f"{node.shape}{node.dtype}".encode())
            if h5py.h5o.get_info(node.id).addr not in held:
                for piece in _pieces(node):
                    digest.update(piece)

    file.visititems(add)
    for key in sorted(file.attrs):
        digest.update(f"@{key}={file.attrs[key]!r}".encode())
    return digest.hexdigest()


def _pieces(node: h5py.Dataset) -> Iterator[bytes]:
    if node.shape is None:
        return
    if not node.shape:
        yield repr(node[()]).encode()
        return
    step = max(1, _PIECE * node.shape[0] // max(1, node.size * node.dtype.itemsize))
    for start in range(0, node.shape[0], step):
        value = node[start : start + step]
        yield repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()


@dataclass(frozen=True)
class Kept:
    """The side-car a file carries.

    Attributes
    ----------
    format : str
        Format of the file it was made from.
    whole : bool
        Whether it holds that file's tree.
    changed : bool
        Whether the file that carries it was changed since.
    """

    format: str
    whole: bool
    changed: bool


def look(path: Path) -> Kept | None:
    """Look for a side-car.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    Kept or None
        None where there is none.

    Raises
    ------
    FormatError
        The file is damaged.
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


def leave_beside(scan: Scan, target: Path) -> None:
    """Write the tree of a scan's file beside a target that cannot hold one; its frames are left empty.

    Parameters
    ----------
    scan : Scan
        A scan that was read from HDF5, or from another format, of which the meaning alone is kept.
    target : Path
        File to write, HDF5.

    Raises
    ------
    FormatError
        The source is damaged.
    StorageFull
        The disk is full.
    """
    stacks = [scan.projections, *(one.frames for one in (scan.flats, scan.darks) if one is not None)]
    homes = _homes([Placed(frames, "", np.arange(frames.shape[0])) for frames in stacks])
    with drafting(target) as draft:
        home = draft.file.create_group(GROUP)
        home.attrs["format"] = scan.format
        home.attrs["program"] = f"tomarium {__version__}"
        home["meaning"] = json.dumps(_meaning(scan.metadata), ensure_ascii=False)
        if not is_hdf5(scan.path):
            return
        with reading(scan.path) as source:

            def replace(old: h5py.Group, name: str, new: h5py.Group) -> h5py.Dataset | None:
                node = source.find(name, old)
                if not isinstance(node, h5py.Dataset):
                    return None
                if (Path(node.file.filename).resolve(), str(node.name)) not in homes:
                    return None
                new.create_dataset(name, data=h5py.Empty(node.dtype))
                return node

            copy_tree(source.file, home.create_group("source"), skip=frozenset({GROUP}), replace=replace)


def restore(path: Path, target: Path, *, resume: bool = False, tell: Tell | None = None) -> None:
    """Write the file that another one was made from: each dataset and attribute as it was.

    Parameters
    ----------
    path : Path
        A file with a side-car that holds a tree.
    target : Path
        File to write; it appears when it is complete.
    resume : bool
        Whether a run that stops can be gone on with, as in `hdf5_draft.drafting`.
    tell : callable or None
        Told of progress.

    Raises
    ------
    FormatError
        The file is damaged.
    StorageFull
        The disk is full.
    """
    with reading(path) as source, drafting(target, resume=resume, tell=tell) as draft:
        layouts = json.loads(source.text(f"/{GROUP}/layouts") or "{}")
        tree = source.file[_TREE]

        def replace(old: h5py.Group, name: str, new: h5py.Group) -> h5py.Dataset | None:
            place = f"{old.name.rstrip('/')}/{name}"
            layout = layouts.get(place.removeprefix(f"/{_TREE}"))
            node = source.find(place) if layout is not None else None
            if layout is None or not isinstance(node, h5py.Dataset):
                return None
            _unfold(draft, source, node, layout, new, name)
            return node

        copy_tree(tree, draft.file, replace=replace)


def _unfold(
    draft: Draft, source: Source, node: h5py.Dataset, layout: dict[str, Any], new: h5py.Group, name: str
) -> None:
    """Make a dataset of frames as it was, and have it filled in the order it is stored in."""
    frames = frames_of(source, node)
    if layout["chunks"] is None:
        draft.fill(draft.reserve(new, name, node.shape, node.dtype), frames)
        return
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(tuple(layout["chunks"]))
    if any(code >= 256 for code, *_ in layout["filters"]):
        load_plugins()
    for code, flags, values in layout["filters"]:
        plist.set_filter(code, flags, tuple(values))
    most = tuple(h5py.h5s.UNLIMITED if length is None else length for length in layout["maxshape"])
    space = h5py.h5s.create_simple(node.shape, most)
    made = h5py.h5d.create(new.id, name.encode(), h5py.h5t.py_create(node.dtype), space, dcpl=plist)
    draft.fill(h5py.Dataset(made), frames)
