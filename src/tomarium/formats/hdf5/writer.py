"""HDF5 for writing: a file appears whole or not at all, and a full disk is said as such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import h5py
import numpy as np

from tomarium import __version__
from tomarium.errors import InputError
from tomarium.formats.frames.blocks import blocks_of
from tomarium.model import Frames, Value

# Frames are copied in blocks of about this many bytes.
_BLOCK_BYTES: Final = 64 << 20


def blocks(frames: Frames) -> Iterator[tuple[int, int]]:
    """Cut a stack into runs of frames that fit a block of memory."""
    for part in blocks_of(frames.shape, np.dtype(frames.dtype).itemsize, _BLOCK_BYTES):
        yield part.start, part.stop


def put(group: h5py.Group, name: str, value: Any, units: str) -> h5py.Dataset:
    """Write one value with its unit.

    `name`: path of the dataset below `group`.
    """
    dataset = group.create_dataset(name, data=value)
    dataset.attrs["units"] = units
    return dataset


def nexus_group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    """Make a group of a NeXus class."""
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def nexus_entry(file: h5py.File, definition: str = "") -> h5py.Group:
    """Begin a NeXus file with its one entry, whose plot is to be its group `data`."""
    file.attrs.update({"default": "entry", "creator": f"tomarium {__version__}"})
    entry = nexus_group(file, "entry", "NXentry")
    entry.attrs["default"] = "data"
    if definition:
        entry["definition"] = definition
    return entry


def sayable(text: str) -> str:
    """Put a "?" for what is no UTF-8, as in the name of a file from an older system; HDF5 refuses it."""
    return text.encode("utf-8", "replace").decode()


def write_tree(group: h5py.Group, tree: Mapping[str, Any]) -> None:
    """Write nested values below a group.

    `tree`: name → text, number, array, `Value` (its value is written) or another mapping, which becomes a
    group.
    """
    for name, item in tree.items():
        value = item.value if isinstance(item, Value) else item
        if isinstance(value, Mapping):
            write_tree(group.require_group(name), value)
            continue
        try:
            group[name] = value
        except TypeError as problem:
            raise InputError(
                f"{group.name}/{name}: a {type(value).__name__} cannot be written to HDF5; "
                f"give a text, a number, an array or a mapping of these"
            ) from problem
