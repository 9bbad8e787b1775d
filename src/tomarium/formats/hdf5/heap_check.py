"""Global heaps of HDF5, checked before the library meets them: a damaged one makes it loop for ever.

HDF5 2.0.0 walks the objects of a heap by their sizes and does not notice a step of zero bytes, so that
reading one text of a damaged file never returns. This walks the same way and refuses such a file.
"""

from __future__ import annotations

import os
import struct
from functools import lru_cache
from pathlib import Path
from typing import Final

import h5py
from h5py import h5f

from tomarium.errors import FormatError

# HDF5 File Format Specification 3.0, III.E: signature, version 1, three zero bytes, size of the collection.
_HEAP: Final = b"GCOL\x01\0\0\0"
_HEADER: Final = 16
# Index, references, reserved, size; then the object, padded to 8 bytes. Index 0 is free space.
_OBJECT: Final = struct.Struct("<HHIQ")
# Texts are written with the header or at the end; the pixels between are not searched in a large file.
_SEARCHED: Final = 8 << 20


def check_heaps(path: Path) -> None:
    """Refuse a file with a global heap that has no end.

    `path`: HDF5 file. The first and the last 8 MiB are searched.
    """
    now = path.stat()
    _check(path, now.st_size, now.st_mtime_ns)


# Each format asks about the same file in turn; the answer changes only with the file.
@lru_cache(maxsize=64)
def _check(path: Path, size: int, changed_ns: int) -> None:
    # Read, not mapped: a mapped file that its writer shortens would kill the program.
    with path.open("rb") as stream:
        for start in sorted({0, max(_SEARCHED, size - _SEARCHED)}):
            stream.seek(start)
            content = stream.read(_SEARCHED)
            place = content.find(_HEAP)
            while place >= 0:
                _walk(path, content, place, start)
                place = content.find(_HEAP, place + 8)


def _walk(path: Path, content: bytes, heap: int, start: int) -> None:
    end = min(len(content), heap + int.from_bytes(content[heap + 8 : heap + _HEADER], "little"))
    place = heap + _HEADER
    while place + _OBJECT.size <= end:
        index, _, _, length = _OBJECT.unpack_from(content, place)
        # The library reckons modulo 2^64, so that a length close to it also makes a step of zero.
        step = (length if index == 0 else _OBJECT.size + ((length + 7) & ~7)) % 2**64
        if step == 0:
            raise FormatError(
                f"{path}: the heap of texts at byte {start + heap} is damaged (its object at byte "
                f"{start + place} has no size); copy the file again from its origin"
            )
        place += step


def claims_too_much(dataset: h5py.Dataset) -> bool:
    """Tell whether a text of variable length says that it is longer than its file.

    HDF5 asks for as much memory as the text claims before it looks for the text itself.

    `dataset`: texts of variable length. Result: False too where its pointers lie in no one piece, so that they are
    not looked at.
    """
    offset, width = dataset.id.get_offset(), dataset.id.get_type().get_size()
    if offset is None:
        return False
    # Without a stream, whose buffer takes longer to make than the bytes to read.
    descriptor = os.open(h5f.get_name(dataset.id), os.O_RDONLY)
    try:
        pointers = os.pread(descriptor, width * int(dataset.size or 0), offset)
        file_bytes = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    # III.E, variable-length: the number of elements, four bytes little-endian, then where they lie.
    lengths = (int.from_bytes(pointers[at : at + 4], "little") for at in range(0, len(pointers), width))
    return max(lengths, default=0) > file_bytes
