"""Virtual datasets of a file that is read with its superblock repaired: their sources must be opened another way.

HDF5 opens the sources of a virtual dataset as it opened the file around it. Where that is an object of ours, each
source would be that same object, and its frames those of the wrong file. So the mapping alone is put into a file of
the library's own, and read there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
from h5py import h5d, h5p, h5s

from tomarium.errors import FormatError


@contextmanager
def readable(node: h5py.Dataset) -> Iterator[h5py.Dataset]:
    """Give a dataset whose entries can be read.

    `node`: any dataset, of a file opened in any way. Yields: itself, or its mapping in a file that is gone
    afterwards.
    """
    if not node.is_virtual or node.file.driver != "fileobj":
        yield node
        return
    parent = Path(node.file.filename).resolve().parent
    plist = h5p.create(h5p.DATASET_CREATE)
    for item in node.virtual_sources():
        if item.file_name == ".":
            raise FormatError(
                f"{node.file.filename}: {node.name} is put together of other datasets of the file, which its "
                f"writer left open; read those, or read a mirror of the file (tomarium mirror)"
            )
        place = os.fsencode(parent / item.file_name)
        plist.set_virtual(item.vspace, place, item.dset_name.encode(), _selected(item, node.shape))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mapping.h5")
        with h5py.File(path, "w", libver="latest") as file:
            h5d.create(file.id, b"data", node.id.get_type(), node.id.get_space(), plist)
        with h5py.File(path, "r", locking=False) as file:
            yield file["data"]


def _selected(item: Any, shape: tuple[int, ...]) -> h5s.SpaceID:
    """Return what is taken of a source; where that is all, how much it is must be said anew."""
    if item.src_space.get_select_type() != h5s.SEL_ALL:
        return item.src_space
    if item.vspace.get_select_type() == h5s.SEL_HYPERSLABS and item.vspace.is_regular_hyperslab():
        _, _, counts, blocks = item.vspace.get_regular_hyperslab()
        shape = tuple(count * block for count, block in zip(counts, blocks, strict=True))
    return h5s.create_simple(shape)
