"""Copy a tree of HDF5 as it is: names, links, types, layouts, attributes and references; some datasets are replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.hdf5.attributes import Node
from tomarium.formats.hdf5.missing_data import gaps_of
from tomarium.formats.hdf5.names import Name, as_bytes, copy_link, link_in, path_of, place_of, shown
from tomarium.formats.hdf5.source import Source
from tomarium.formats.resumable.full_disk import is_full

Replace: TypeAlias = Callable[[h5py.Group, Name, h5py.Group], h5py.Dataset | None]
"""Asked for each dataset and external link: (old parent, name, new parent). Where it made one of its own of that
name, it returns the dataset whose attributes belong to it."""

# Attributes that HDF5 writes itself when a dimension scale is attached (H5DS specification).
_SCALES: Final = frozenset({"DIMENSION_LIST", "REFERENCE_LIST"})
# An attribute in the header of an object is a message, whose length is told in 16 bits (HDF5 File Format
# Specification, IV.A.1.a); some of them go for its name and its type.
_LARGE: Final = 60_000


# What is linked to goes along up to this size, such as the angles that another detector's file holds.
_MOST_LINKED: Final = 64 << 20


def copy_tree(
    source: h5py.Group,
    target: h5py.Group,
    *,
    skip: frozenset[str] = frozenset(),
    replace: Replace | None = None,
) -> None:
    """Copy all that lies below a group, with the group's own attributes.

    `target`: where it goes; another file or another place of the same one. `replace`: makes some datasets in
    its own way; their attributes are copied here all the same. A dataset keeps its
    type, layout and filters, its chunks are not decoded; an object with several names keeps them all;
    references point to the copies.
    """
    work = _Work(source, target, replace)
    work.groups(source, target, skip)
    work.finish()


def is_taken_along(source: Source, old: h5py.Group, node: h5py.Dataset) -> bool:
    """Tell whether what a link leads to is copied in the place of the link.

    Result: true where it lies in another file, is of 64 MiB at most, and all of it is there.
    """
    if node.file.filename == old.file.filename or _refers(_type_of(node.id)):
        return False
    return node.nbytes <= _MOST_LINKED and not any(gaps_of(source, node))


def take_along(
    source: Source, old: h5py.Group, name: Name, new: h5py.Group, links: dict[str, list[str]]
) -> h5py.Dataset | None:
    """Copy what an external link leads to, where it leads anywhere: from another folder it would lead nowhere.

    `links`: gets the path of the copy → file and path the link led to, and whether that was "copied" or
    "left". Result: what was copied, without its attributes; None where nothing is.
    """
    link, node = link_in(old, name), source.find(shown(name), old)
    if not isinstance(link, h5py.ExternalLink) or node is None:
        return None
    place = place_of(new, name)
    if not isinstance(node, h5py.Dataset) or not is_taken_along(source, old, node):
        links[place] = [link.filename, link.path, "left"]
        return None
    if node.is_virtual:
        new.create_dataset(name, data=node[()], dtype=node.dtype)
    else:
        plist = h5py.h5p.create(h5py.h5p.OBJECT_COPY)
        plist.set_copy_object(h5py.h5o.COPY_WITHOUT_ATTR_FLAG)
        h5py.h5o.copy(node.id, b".", new.id, as_bytes(name), copypl=plist)
    links[place] = [link.filename, link.path, "copied"]
    return node


@dataclass
class _Work:
    source: h5py.Group
    target: h5py.Group
    replace: Replace | None
    # path of each group and dataset in the source → its path in the copy
    nodes: dict[str, Name] = field(default_factory=dict)
    seen: dict[Any, Name] = field(default_factory=dict)
    made: set[int] = field(default_factory=set)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)

    def groups(self, old: h5py.Group, new: h5py.Group, skip: frozenset[str] = frozenset()) -> None:
        self.note(old, new)
        for name in old:
            if name in skip:
                continue
            link = link_in(old, name)
            if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
                if isinstance(link, h5py.SoftLink) or not self.replaced(old, name, new):
                    copy_link(old, name, new, self._moved)
            else:
                self.hard(old, new, name)

    def group(self, old: h5py.Group, new: h5py.Group, name: Name) -> h5py.Group:
        """Make an empty group that keeps the order of its members as the old one does."""
        old_plist = old.id.get_create_plist()
        plist = h5py.h5p.create(h5py.h5p.GROUP_CREATE)  # its other properties tell where its names lay
        plist.set_link_creation_order(old_plist.get_link_creation_order())
        plist.set_attr_creation_order(old_plist.get_attr_creation_order())
        if any(_is_large(old, attr) for attr in old.attrs):
            # Only a header of the newer kind, which counts its attributes, holds one above 64 KiB.
            plist.set_attr_creation_order(h5py.h5p.CRT_ORDER_TRACKED)
        return h5py.Group(h5py.h5g.create(new.id, as_bytes(name), gcpl=plist))

    def replaced(self, old: h5py.Group, name: Name, new: h5py.Group) -> bool:
        dataset = None if self.replace is None else self.replace(old, name, new)
        if dataset is None:
            return False
        address = h5py.h5o.get_info(new[name].id).addr
        if address not in self.made:  # else it is one made before under another name
            self.made.add(address)
            self.note(dataset, new[name])
        return True

    def _moved(self, path: bytes) -> bytes:
        """Keep an absolute soft link inside the tree when the tree moves to another root."""
        old, new = (as_bytes(group.name).rstrip(b"/") for group in (self.source, self.target))
        return new + path.removeprefix(old) if path.startswith(old + b"/") else path

    def hard(self, old: h5py.Group, new: h5py.Group, name: Name) -> None:
        info = h5py.h5o.get_info(old.id, as_bytes(name))
        key = (info.fileno, info.addr)
        if key in self.seen:
            new[name] = self.target.file[self.seen[key]]
            return
        node = old[name]
        if isinstance(node, h5py.Group):
            copy = self.group(node, new, name)
            self.seen[key] = copy.name
            self.groups(node, copy)
            return
        if not isinstance(node, h5py.Dataset):
            h5py.h5o.copy(old.id, as_bytes(name), new.id, as_bytes(name))
        elif self.replaced(old, name, new):
            pass
        elif node.is_virtual and (folders := _moved_between(node, new)):
            self.note(node, _virtual_elsewhere(node, new, name, *folders))
        else:
            plist = h5py.h5p.create(h5py.h5p.OBJECT_COPY)
            plist.set_copy_object(h5py.h5o.COPY_WITHOUT_ATTR_FLAG)
            h5py.h5o.copy(old.id, as_bytes(name), new.id, as_bytes(name), copypl=plist)
            self.note(node, new[name])
        self.seen[key] = as_bytes(new.name).rstrip(b"/") + b"/" + as_bytes(name)

    def note(self, old: Node, new: Node) -> None:
        if old.file.filename == self.source.file.filename:  # a path of another file is none of this one
            self.nodes[path_of(old)] = new.name
        self.pairs.append((old, new))

    def finish(self) -> None:
        """Copy attributes once every object is there, since some refer to others."""
        for old, new in self.pairs:
            for name in old.attrs:
                if name not in _SCALES:
                    self.attribute(old, new, name)
            if isinstance(old, h5py.Dataset) and _refers(kind := _type_of(old.id)):
                value = np.asarray(old[()], dtype=kind)
                new.id.write(h5py.h5s.ALL, h5py.h5s.ALL, self.moved(old.file, value, kind))
        for old, new in self.pairs:
            if isinstance(old, h5py.Dataset) and "DIMENSION_LIST" in old.attrs:
                for axis in range(old.ndim):
                    for scale in old.dims[axis].values():
                        copied_scale = self.nodes.get(path_of(scale))
                        if copied_scale is not None:
                            h5py.h5ds.attach_scale(new.id, self.target.file[copied_scale].id, axis)

    def attribute(self, old: Node, new: Node, name: Name) -> None:
        attribute = h5py.h5a.open(old.id, as_bytes(name))
        kind, space = attribute.get_type(), attribute.get_space()
        try:
            copy = h5py.h5a.create(new.id, as_bytes(name), kind, space)
        except (OSError, RuntimeError) as problem:
            if is_full(problem) or not _is_large(old, name):
                raise
            raise FormatError(
                f"{old.file.filename}: the attribute {shown(name)} of {path_of(old)} is of "
                f"{attribute.get_storage_size()} bytes, too many for the header it goes to; keep it as a dataset"
            ) from problem
        if space.get_simple_extent_type() == h5py.h5s.NULL:
            return
        dtype = _type_of(attribute)
        if not dtype.hasobject:  # as bytes, since numpy has no word for some types (bit fields, times)
            raw = np.empty(attribute.shape, f"V{kind.get_size()}")
            attribute.read(raw, mtype=kind)
            copy.write(raw, mtype=kind)
            return
        value = np.empty(attribute.shape, dtype)
        attribute.read(value, mtype=h5py.h5t.py_create(dtype))
        copy.write(self.moved(old.file, value, dtype), mtype=h5py.h5t.py_create(dtype))

    def moved(self, file: h5py.File, value: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
        """Point references to the copies; what lies outside the tree refers to nothing."""
        if not _refers(kind):
            return value
        result = value.copy()
        if kind.names is not None:
            for name in kind.names:
                result[name] = self.moved(file, value[name], kind[name])
            return result
        reference = h5py.check_ref_dtype(kind)
        for place in np.ndindex(value.shape):
            result[place] = self.reference(file, value[place], reference)
        return result

    def reference(self, file: h5py.File, reference: Any, kind: Any) -> Any:
        try:
            is_here = bool(reference) and file.filename == self.source.file.filename
            copied_path = self.nodes.get(path_of(file[reference])) if is_here else None
        except (OSError, RuntimeError, ValueError):  # it points to what is no longer there
            copied_path = None
        if copied_path is None:
            return kind()
        if kind is h5py.Reference:
            return self.target.file[copied_path].ref
        chosen = h5py.h5r.get_region(reference, file.id)
        return h5py.h5r.create(self.target.file.id, as_bytes(copied_path), h5py.h5r.DATASET_REGION, chosen)


def _moved_between(node: h5py.Dataset, new: h5py.Group) -> tuple[Path, Path] | None:
    """Name the folders of a virtual dataset and of its copy, where they are two and it matters."""
    own_folder, target_folder = (Path(dataset.file.filename).resolve().parent for dataset in (node, new))
    relative = any(item.file_name != "." for item in node.virtual_sources())
    return (own_folder, target_folder) if own_folder != target_folder and relative else None


def _virtual_elsewhere(
    node: h5py.Dataset, new: h5py.Group, name: Name, own_folder: Path, target_folder: Path
) -> h5py.Dataset:
    """Make a virtual dataset that finds its files from another folder; HDF5 shows zeros where it does not."""
    old = node.id.get_create_plist()
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if old.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
        fill = np.empty((), node.dtype)
        old.get_fill_value(fill)
        plist.set_fill_value(fill)
    for item in node.virtual_sources():
        file = item.file_name
        if (
            file != "." and (own_folder / file).exists()
        ):  # else it is sought beside the copy, as it was beside this
            file = os.path.relpath(own_folder / file, target_folder)
        plist.set_virtual(item.vspace, file.encode(), item.dset_name.encode(), item.src_space)
    copy = h5py.h5d.create(new.id, as_bytes(name), node.id.get_type(), node.id.get_space(), dcpl=plist)
    return h5py.Dataset(copy)


def _type_of(attribute: h5py.h5a.AttrID | h5py.h5d.DatasetID) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = attribute.dtype
        return dtype
    except TypeError:  # no equivalent
        return np.dtype(f"V{attribute.get_type().get_size()}")


def _refers(kind: np.dtype[Any]) -> bool:
    if kind.names is not None:
        return any(_refers(kind[name]) for name in kind.names)
    return h5py.check_ref_dtype(kind) is not None


def _is_large(node: Node, name: Name) -> bool:
    # Not by its stored size: h5py takes the 0 of an empty one for an error.
    attribute = h5py.h5a.open(node.id, as_bytes(name))
    return bool(attribute.get_space().get_simple_extent_npoints() * attribute.get_type().get_size() >= _LARGE)
