"""Arrays in MATLAB 5 files: real numbers, read by name.

Source: MathWorks, MAT-File Format (version 5): a header of 128 bytes, then elements of a tag (type, length) and
data, each array an element of parts, often deflated. MATLAB 7.3 files are HDF5 and are not read here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError

SIGNATURE: Final = b"MATLAB 5.0"
_HEADER_BYTES: Final = 128
_MATRIX: Final = 14
_COMPRESSED: Final = 15
# Data types of elements (table 1-1) and classes of arrays (table 1-3) that hold real numbers.
_TYPES: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES: Final = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_COMPLEX: Final = 0x0800
_MOST_DIMENSIONS: Final = 32
_HEAD_BYTES: Final = 4096
_LONGEST: Final = 1 << 30


@dataclass(frozen=True)
class MatlabArray:
    """An array of a file, not yet read."""

    name: str
    shape: tuple[int, ...]  # as MATLAB says it, rows first
    dtype: np.dtype[Any]
    offset: int  # where its element begins in the file


def is_matlab(path: Path) -> bool:
    """Tell whether a file begins as MATLAB 5."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEADER_BYTES)
    except OSError:
        return False
    return len(head) == _HEADER_BYTES and head.startswith(SIGNATURE) and head[126:] in (b"IM", b"MI")


def arrays(path: Path) -> tuple[MatlabArray, ...]:
    """List the arrays of real numbers; of each only the first bytes are decompressed.

    Result: in the order of the file; texts, cells, structures, sparse and complex arrays are left out.
    """
    matlab_arrays = []
    with path.open("rb") as stream:
        order = _order(stream.read(_HEADER_BYTES), path)
        size = stream.seek(0, 2)
        place = _HEADER_BYTES
        while place + 8 <= size:
            stream.seek(place)
            kind, length = struct.unpack(f"{order}2I", stream.read(8))
            if place + 8 + length > size:
                raise FormatError(
                    f"{path}: is truncated: an array at byte {place} claims {length} bytes, the file ends at {size}; "
                    f"copy it again"
                )
            head = stream.read(min(length, _HEAD_BYTES))
            if kind == _COMPRESSED:
                head = _inflated(head, _HEAD_BYTES, path)[8:]
            if kind in (_MATRIX, _COMPRESSED) and (matlab_array := _described(head, order, place, path)):
                matlab_arrays.append(matlab_array)
            place += 8 + length
            place += -length % 8 if kind != _COMPRESSED else 0
    return tuple(matlab_arrays)


def load(path: Path, array: MatlabArray) -> NDArray[Any]:
    """Read an array whole.

    `array`: one of those `arrays` lists.
    """
    # Numbers may be stored in a smaller type than their class, never in a larger one.
    limit = prod(array.shape) * array.dtype.itemsize + _HEAD_BYTES
    if limit > _LONGEST:
        raise FormatError(
            f"{path}: {array.name} of shape {array.shape} is too large to be read; convert it to HDF5"
        )
    try:
        with path.open("rb") as stream:
            order = _order(stream.read(_HEADER_BYTES), path)
            stream.seek(array.offset)
            kind, length = struct.unpack(f"{order}2I", stream.read(8))
            content = stream.read(length)
    except (OSError, struct.error) as problem:
        raise FormatError(f"{path}: cannot be read ({problem}); restore it or open it again") from problem
    if kind == _COMPRESSED:
        content = _inflated(content, limit, path)[8:]
    parts = list(_parts(content, order, path))
    kind, numbers = parts[3] if len(parts) > 3 else (0, b"")
    dtype = np.dtype(_TYPES.get(kind, "V1")).newbyteorder("<" if order == "<" else ">")
    if kind not in _TYPES or len(numbers) != prod(array.shape) * dtype.itemsize:
        raise FormatError(
            f"{path}: {array.name} of shape {array.shape} has {len(numbers)} bytes of type {kind}; copy it again"
        )
    # MATLAB stores columns first.
    return np.frombuffer(numbers, dtype).reshape(array.shape, order="F").astype(array.dtype)


def _order(head: bytes, path: Path) -> str:
    if len(head) < _HEADER_BYTES or head[126:] not in (b"IM", b"MI"):
        raise FormatError(
            f"{path}: its header of a MATLAB 5 file is cut or names no byte order; copy it again"
        )
    return "<" if head[126:] == b"IM" else ">"


def _inflated(content: bytes, most: int, path: Path) -> bytes:
    """Decompress up to `most` bytes: what a file claims of itself sets the limit, not what it unfolds to."""
    try:
        return zlib.decompressobj().decompress(content, most)
    except zlib.error as problem:
        raise FormatError(f"{path}: an array cannot be decompressed ({problem}); copy it again") from problem


def _parts(content: bytes, order: str, path: Path) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 8 <= len(content):
        kind, length = struct.unpack_from(f"{order}2I", content, place)
        start = place + 8
        if kind >> 16:  # the small form: length and type share four bytes, the data the next four
            kind, length, start = kind & 0xFFFF, kind >> 16, place + 4
            if length > 4:
                raise FormatError(f"{path}: an array has a part of {length} bytes where 4 fit; copy it again")
            place += 8
        else:
            place = start + length + -length % 8
        yield kind, content[start : start + length]


def _described(head: bytes, order: str, place: int, path: Path) -> MatlabArray | None:
    parts = _parts(head, order, path)
    contents = [part for part, _ in zip((content for _, content in parts), range(3), strict=False)]
    if len(contents) < 3 or len(contents[0]) < 8:
        return None
    flags = struct.unpack_from(f"{order}I", contents[0])[0]
    class_ = flags & 0xFF
    if class_ not in _CLASSES or flags & _COMPLEX or len(contents[1]) > 4 * _MOST_DIMENSIONS:
        return None
    shape = struct.unpack(f"{order}{len(contents[1]) // 4}i", contents[1][: len(contents[1]) // 4 * 4])
    if min(shape, default=0) < 1:
        return None
    return MatlabArray(contents[2].decode("latin-1"), shape, np.dtype(_CLASSES[class_]), place)
