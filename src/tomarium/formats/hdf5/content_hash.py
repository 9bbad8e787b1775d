"""Sum up what an HDF5 file says, to see whether somebody changed it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import h5py
import numpy as np

from tomarium.formats.hdf5.names import Name, as_bytes, member, shown
from tomarium.formats.hdf5.source import SIDE_CAR as GROUP

# Bytes summed up at once.
_PIECE: Final = 1 << 24


def fingerprint(file: h5py.File, frames: frozenset[str]) -> str:
    """Sum up what a file says, its frames and its side-car left out.

    `frames`: paths of the datasets that hold frames; only their attributes, shape and type count.
    """
    digest = hashlib.sha256()
    # By address, since one dataset may have several names.
    addresses = set()
    for name in frames:
        try:
            addresses.add(h5py.h5o.get_info(member(file, name).id).addr)
        except KeyError:
            continue

    def add(place: Name, node: h5py.Group | h5py.Dataset) -> None:
        name = shown(place)
        if name == GROUP or name.startswith(f"{GROUP}/"):
            return
        digest.update(f"{shown(node.name)}:{type(node).__name__}".encode())
        for key in sorted(node.attrs, key=as_bytes):
            digest.update(f"@{shown(key)}={_value_text(node.attrs[key])}".encode())
        if isinstance(node, h5py.Dataset):
            digest.update(f"{node.shape}{node.dtype}".encode())
            if h5py.h5o.get_info(node.id).addr not in addresses:
                for piece in _pieces(node):
                    digest.update(piece)

    file.visititems(add)
    for key in sorted(file.attrs, key=as_bytes):
        digest.update(f"@{shown(key)}={_value_text(file.attrs[key])}".encode())
    return digest.hexdigest()


def _value_text(value: object) -> str:
    """Spell a value out; numpy's own word for a long array leaves its middle out."""
    return repr(value.tolist()) if isinstance(value, np.ndarray) else repr(value)


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
