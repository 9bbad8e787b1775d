"""The superblock of HDF5: who has the file open, where it ends, and how to read it all the same.

A writer marks a version 3 superblock as "open for writing", and the library then refuses every reader but a
SWMR one, even of a copy. And a flush writes the superblock last: a writer killed before that leaves an end of
the file behind its newest chunks, which the library then refuses ("addr overflow"), though they are there.
Source: HDF5 File Format Specification 3.0, II.A and appendix "Checksums"; the checksum is Bob Jenkins' lookup3
(hashlittle, public domain, 2006).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.errors import FormatError

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_WORD: Final = 0xFFFFFFFF
_WRITING: Final = 1
_SWMR: Final = 4
# Versions 2 and 3: version, size of offsets and flags; base address, extension, end of file, root; the checksum.
_ADDRESSES: Final = 12
# Versions 0 and 1: versions, sizes, ranks and flags; base address, free space, end of file, driver.
_OLD_ADDRESSES: Final = (24, 28)
_OLD_WIDTH: Final = 13


@dataclass(frozen=True)
class Superblock:
    """What the first bytes of an HDF5 file say."""

    version: int  # 0 to 3
    # Bit 0: open for writing; bit 2: open for writing while others read (SWMR). 0 below version 2.
    flags: int
    content: bytes  # all of it up to the checksum; below version 2, up to the end of the addresses

    @property
    def is_written(self) -> bool:
        """Whether a writer has it open, or ended without closing it."""
        return bool(self.flags & _WRITING)

    @property
    def is_swmr(self) -> bool:
        """Whether its writer lets others read, in the library's own way."""
        return bool(self.flags & _SWMR)

    @property
    def end(self) -> int:
        """Where the file ended when the superblock was written, in bytes."""
        return int.from_bytes(self.content[self._place_of_end()], "little")

    def _place_of_end(self) -> slice:
        old = self.version < 2
        width = self.content[_OLD_WIDTH if old else 9]
        place = (_OLD_ADDRESSES[self.version] if old else _ADDRESSES) + 2 * width
        return slice(place, place + width)

    def is_open_or_short(self, size: int) -> bool:
        """Whether a file of that many bytes was left open, or holds more than the superblock knows of."""
        return self.is_written or self.end < size

    def as_closed(self, size: int) -> bytes:
        """Return the superblock as a closed file of that many bytes would have it, with its checksum."""
        content = bytearray(self.content)
        # A SWMR writer leaves the end of the file as it was when it began, so that it may lie anywhere.
        if self.is_swmr or self.end < size:
            place = self._place_of_end()
            content[place] = size.to_bytes(place.stop - place.start, "little")
        if self.version < 2:
            return bytes(content)
        content[11] = 0
        return bytes(content) + struct.pack("<I", lookup3(bytes(content)))


def read_superblock(path: Path) -> Superblock:
    """Read the superblock of an HDF5 file.

    `path`: file that begins with HDF5's signature; a user block before it is not looked for.
    """
    with path.open("rb") as stream:
        head = stream.read(256)
    if head[:8] != _SIGNATURE or len(head) < 16:
        raise FormatError(f"{path}: does not begin as HDF5; give the file a scan is written to")
    version = head[8]
    if version < 2:
        return Superblock(version, 0, head[: _OLD_ADDRESSES[version] + 4 * head[_OLD_WIDTH]])
    size = _ADDRESSES + 4 * head[9]
    content = head[:size]
    if len(head) < size + 4 or lookup3(content) != struct.unpack_from("<I", head, size)[0]:
        raise FormatError(
            f"{path}: the checksum of its superblock is wrong; it is being written this moment, or damaged"
        )
    return Superblock(version, head[11], content)


def mark_closed(path: Path) -> None:
    """Mark a copy of a file that was open for writing as closed, and as long as it is.

    `path`: the copy, never the file its writer has open.
    """
    block = read_superblock(path)
    size = path.stat().st_size
    if block.is_open_or_short(size):
        with path.open("r+b") as stream:
            stream.write(block.as_closed(size))


class ClosedView(io.RawIOBase):
    """A file as it would read with its superblock repaired; the file itself is not touched.

    `path`: HDF5 file that is marked as open for writing, or whose superblock lags behind.
    """

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb", buffering=0)
        self._size = self._stream.seek(0, io.SEEK_END)
        self._head = read_superblock(path).as_closed(self._size)
        self._place = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it has places: always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place and return it."""
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = begin + offset
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer from the present place; return how many bytes there were."""
        self._stream.seek(self._place)
        count = self._stream.readinto(buffer) or 0
        if self._place < len(self._head):
            part = self._head[self._place : self._place + count]
            memoryview(buffer).cast("B")[: len(part)] = part
        self._place += count
        return count

    def close(self) -> None:
        """Close the file below."""
        self._stream.close()
        super().close()


def lookup3(key: bytes) -> int:
    """Hash bytes as HDF5 does for its checksums.

    Result: 32 bits: Jenkins' hashlittle with the initial value 0.
    """
    a: int
    b: int
    c: int
    a = b = c = (0xDEADBEEF + len(key)) & _WORD
    while len(key) > 12:
        x, y, z = struct.unpack_from("<III", key)
        a, b, c = (a + x) & _WORD, (b + y) & _WORD, (c + z) & _WORD
        a, c = ((a - c) & _WORD) ^ _turn(c, 4), (c + b) & _WORD
        b, a = ((b - a) & _WORD) ^ _turn(a, 6), (a + c) & _WORD
        c, b = ((c - b) & _WORD) ^ _turn(b, 8), (b + a) & _WORD
        a, c = ((a - c) & _WORD) ^ _turn(c, 16), (c + b) & _WORD
        b, a = ((b - a) & _WORD) ^ _turn(a, 19), (a + c) & _WORD
        c, b = ((c - b) & _WORD) ^ _turn(b, 4), (b + a) & _WORD
        key = key[12:]
    x, y, z = struct.unpack("<III", key.ljust(12, b"\0"))
    a, b, c = (a + x) & _WORD, (b + y) & _WORD, (c + z) & _WORD
    c = ((c ^ b) - _turn(b, 14)) & _WORD
    a = ((a ^ c) - _turn(c, 11)) & _WORD
    b = ((b ^ a) - _turn(a, 25)) & _WORD
    c = ((c ^ b) - _turn(b, 16)) & _WORD
    a = ((a ^ c) - _turn(c, 4)) & _WORD
    b = ((b ^ a) - _turn(a, 14)) & _WORD
    c = ((c ^ b) - _turn(b, 24)) & _WORD
    return c


def _turn(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (32 - bits))) & _WORD
