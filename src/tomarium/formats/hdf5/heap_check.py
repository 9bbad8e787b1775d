"""Global heaps of HDF5, checked before the library meets them: a damaged one makes it loop for ever.

HDF5 2.0.0 walks the objects of a heap by their sizes and does not notice a step of zero bytes, so that
reading one text of a damaged file never returns. This walks the same way and refuses such a file.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Final

import h5py
from h5py import h5f

from tomarium.errors import FormatError

# HDF5 File Format Specification 3.0, III.E: signature, version 1, three zero bytes, size of the collection.
_SIGNATURE: Final = b"GCOL\x01\0\0\0"
_HEAP: Final = re.compile(_SIGNATURE)  # quicker than bytes.find
_HEADER: Final = 16
# Index, references, reserved, size; then the object, padded to 8 bytes. Index 0 is free space.
_OBJECT: Final = struct.Struct("<HHIQ")
# Texts are written with the header or at the end; the pixels between are not searched in a large file.
_SEARCHED: Final = 8 << 20
_PIECE: Final = 1 << 20  # memory that is used again: new memory for all takes longer than to read it


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
    with path.open("rb", buffering=0) as stream:
        for start in sorted({0, max(_SEARCHED, size - _SEARCHED)}):
            for place in _heaps(stream, start):
                _walk(path, _collection(stream, place, start + _SEARCHED), place)


def _heaps(stream: FileIO, start: int) -> Iterator[int]:
    """Yield where heaps begin among the bytes that are searched from `start` on."""
    piece = bytearray(_PIECE)
    overlap = len(_SIGNATURE) - 1
    for place in range(start, start + _SEARCHED, _PIECE - overlap):
        stream.seek(place)
        count = stream.readinto(memoryview(piece)[: start + _SEARCHED - place])
        for match in _HEAP.finditer(piece, 0, count):
            yield place + match.start()
        if count < _PIECE:
            return


def _collection(stream: FileIO, place: int, end: int) -> bytes:
    """Read a heap, as long as it says it is, up to `end`."""
    stream.seek(place)
    header = stream.read(_HEADER)
    length = min(end - place, int.from_bytes(header[8:], "little"))
    return header + stream.read(max(0, length - _HEADER))


def _walk(path: Path, content: bytes, heap: int) -> None:
    place = _HEADER
    while place + _OBJECT.size <= len(content):
        index, _, _, length = _OBJECT.unpack_from(content, place)
        # The library reckons modulo 2^64, so that a length close to it also makes a step of zero.
        step = (length if index == 0 else _OBJECT.size + ((length + 7) & ~7)) % 2**64
        if step == 0:
            raise FormatError(
                f"{path}: the heap of texts at byte {heap} is damaged (its object at byte {heap + place} has no size); "
                f"copy the file again from its origin"
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
