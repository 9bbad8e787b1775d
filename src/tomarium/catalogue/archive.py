"""A zip or tar archive of files whose size and every place in it are known before a file is read.

Files are stored, not compressed, so any range of the archive can be made from the files alone: nothing is kept on disk,
and a download that was cut off goes on where it stopped. The CRC-32 that zip demands stands in a data descriptor behind
each file, whose place is known, and in the list at the end; so the first byte comes before any file was read.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 to 4.5; POSIX.1-2001 pax as Python's tarfile writes it.
"""

from __future__ import annotations

import hashlib
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Protocol

import numpy as np

from tomarium.catalogue.byte_table import ByteTable, table_of

_DWORD: Final = 0xFFFFFFFF
_WORD: Final = 0xFFFF
_FLAGS: Final = 0x0808  # sizes and CRC-32 behind the content; names are UTF-8
_BLOCK: Final = 512
_OCTAL_LIMIT: Final = 1 << 33  # of a size in eleven octal digits

Buffer = bytes  # a field of `Held` has the type's own name
Kind = Literal["zip", "tar"]


class Member(Protocol):
    """One file of an archive."""

    @property
    def bytes(self) -> int:
        """Size."""

    @property
    def sha256(self) -> str:
        """Its checksum, or any other text that names its content."""

    @property
    def changed_ns(self) -> int:
        """Time of its last change, ns; 0 where that has no meaning."""


@dataclass(frozen=True)
class Archive:
    """An archive that is made when it is read.

    Attributes
    ----------
    table : ByteTable
        Its bytes.
    tag : str
        Names them: archives with the same tag are the same to the last bit.
    """

    table: ByteTable
    tag: str


def make_archive(
    kind: Kind,
    names: Sequence[str],
    members: Sequence[Member],
    created: datetime,
    read: Callable[[int, int, int], Iterator[bytes]],
    crc: Callable[[int], int],
) -> Archive:
    """Lay out an archive.

    Parameters
    ----------
    kind : "zip" or "tar"
        Which.
    names : sequence of str
        Names in the archive, with "/" as separator.
    members : sequence of Member
        One for each name.
    created : datetime
        Time that all of them get; two copies of a record thus give the same archive.
    read : callable
        `read(number, first, stop)` yields bytes of a member.
    crc : callable
        `crc(number)` gives its CRC-32; only asked for by zip, and after the member was read if all of it is.

    Returns
    -------
    Archive
        Nothing was read yet.
    """
    named = [name.encode() for name in names]
    moment = created.astimezone(UTC)
    layout = _zip if kind == "zip" else _tar
    digest = hashlib.sha256(f"{kind} 1 {moment.isoformat()}".encode())
    for name, member in zip(named, members, strict=True):
        digest.update(b"%d\0%s\0%d\0%d\n" % (len(name), name, member.bytes, member.changed_ns))
        digest.update(member.sha256.encode())
    return Archive(layout(named, members, moment, read, crc), digest.hexdigest())


def _zip(
    names: Sequence[bytes],
    members: Sequence[Member],
    created: datetime,
    read: Callable[[int, int, int], Iterator[bytes]],
    crc: Callable[[int], int],
) -> ByteTable:
    count = len(names)
    clock = _dos_time(created)
    sizes = np.array([member.bytes for member in members], np.int64)
    lengths = np.array([len(name) for name in names], np.int64)
    large = sizes >= _DWORD
    parts = np.zeros((count, 3), np.int64)
    parts[:, 0] = 30 + lengths + 20 * large
    parts[:, 1] = sizes
    parts[:, 2] = np.where(large, 24, 16)
    offsets = np.concatenate([[0], np.cumsum(parts.sum(axis=1))])
    far = offsets[:count] >= _DWORD
    entries = 46 + lengths + np.where(large | far, 4, 0) + 16 * large + 8 * far
    start, listed = int(offsets[-1]), int(entries.sum())
    end = _zip_end(count, listed, start)

    def make(piece: int, first: int, stop: int) -> Iterator[bytes]:
        number, part = divmod(piece, 3)
        if piece >= 3 * count:
            number = piece - 3 * count
            content = end if number == count else _zip_entry(
                names[number], int(sizes[number]), crc(number), int(offsets[number]), clock
            )  # fmt: skip
            yield content[first:stop]
        elif part == 0:
            yield _zip_header(names[number], bool(large[number]), clock)[first:stop]
        elif part == 1:
            yield from read(number, first, stop)
        else:
            form = "<4sIQQ" if large[number] else "<4sIII"
            size = int(sizes[number])
            yield struct.pack(form, b"PK\7\10", crc(number), size, size)[first:stop]

    return table_of(np.concatenate([parts.ravel(), entries, [len(end)]]), make)


def _zip_header(name: bytes, large: bool, clock: tuple[int, int]) -> bytes:
    size = _DWORD if large else 0
    extra = struct.pack("<HHQQ", 1, 16, 0, 0) if large else b""
    fixed = (b"PK\3\4", 45 if large else 20, _FLAGS, 0, *clock, 0, size, size, len(name), len(extra))
    return struct.pack("<4s5H3I2H", *fixed) + name + extra


def _zip_entry(name: bytes, size: int, crc: int, offset: int, clock: tuple[int, int]) -> bytes:
    content = struct.pack("<QQ", size, size) if size >= _DWORD else b""
    content += struct.pack("<Q", offset) if offset >= _DWORD else b""
    extra = struct.pack("<HH", 1, len(content)) + content if content else b""
    version = 45 if content else 20
    short = min(size, _DWORD)
    fixed = (
        b"PK\1\2",
        3 << 8 | version,
        version,
        _FLAGS,
        0,
        *clock,
        crc,
        short,
        short,
        len(name),
        len(extra),
    )
    # no comment, first disk, no internal attributes; a regular file that its owner may write and all may read
    return (
        struct.pack("<4s6H3I2H", *fixed)
        + struct.pack("<3H2I", 0, 0, 0, 0o100644 << 16, min(offset, _DWORD))
        + name
        + extra
    )


def _zip_end(count: int, listed: int, start: int) -> bytes:
    end = b""
    if count >= _WORD or listed >= _DWORD or start >= _DWORD:
        end = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, count, count, listed, start)
        end += struct.pack("<4sIQI", b"PK\6\7", 0, start + listed, 1)
    shown = min(count, _WORD)
    return end + struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, shown, shown, min(listed, _DWORD), min(start, _DWORD), 0
    )


def _dos_time(moment: datetime) -> tuple[int, int]:
    """Return time and date as zip has them, which knows the years 1980 to 2107 and every other second."""
    year = min(max(moment.year, 1980), 2107)
    clock = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return clock, (year - 1980) << 9 | moment.month << 5 | moment.day


def _tar(
    names: Sequence[bytes],
    members: Sequence[Member],
    created: datetime,
    read: Callable[[int, int, int], Iterator[bytes]],
    _crc: Callable[[int], int],
) -> ByteTable:
    count, seconds = len(names), int(created.timestamp())
    parts = np.zeros((count, 3), np.int64)
    for number, (name, member) in enumerate(zip(names, members, strict=True)):
        plain = len(name) <= 100 and name.isascii() and member.bytes < _OCTAL_LIMIT
        head = _BLOCK if plain else len(_tar_header(name, member.bytes, seconds))
        parts[number] = head, member.bytes, -member.bytes % _BLOCK

    def make(piece: int, first: int, stop: int) -> Iterator[bytes]:
        number, part = divmod(piece, 3)
        if piece == 3 * count or part == 2:
            yield bytes(stop - first)
        elif part == 0:
            yield _tar_header(names[number], members[number].bytes, seconds)[first:stop]
        else:
            yield from read(number, first, stop)

    return table_of(np.concatenate([parts.ravel(), [2 * _BLOCK]]), make)


def _tar_header(name: bytes, size: int, seconds: int) -> bytes:
    info = tarfile.TarInfo(name.decode())
    info.size, info.mtime = size, seconds
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


@dataclass(frozen=True)
class Held:
    """A member whose content is made by a function.

    Attributes
    ----------
    name : str
        In the archive.
    bytes : int
        Size.
    sha256 : str
        A text that names the content.
    content : callable
        Gives it.
    changed_ns : int
        Of no meaning.
    """

    name: str
    bytes: int
    sha256: str
    content: Callable[[], Buffer]
    changed_ns: int = 0


def held(name: str, content: bytes) -> Held:
    """Make a member of bytes.

    Parameters
    ----------
    name : str
        In the archive.
    content : bytes
        All of it.

    Returns
    -------
    Held
        With its SHA-256.
    """
    return Held(name, len(content), hashlib.sha256(content).hexdigest(), lambda: content)


def archive_held(members: Sequence[Held], created: datetime, kind: Kind = "zip") -> Archive:
    """Lay out an archive of members that are made by functions.

    Parameters
    ----------
    members : sequence of Held
        In this order.
    created : datetime
        Time that all of them get.
    kind : "zip" or "tar"
        Which.

    Returns
    -------
    Archive
        Each member is made once where the archive is read from its beginning, and once more where it is not.
    """
    sums: dict[int, int] = {}

    def read(number: int, first: int, stop: int) -> Iterator[bytes]:
        content = members[number].content()
        sums[number] = zlib.crc32(content)
        yield content[first:stop]

    def crc(number: int) -> int:
        if number not in sums:
            sums[number] = zlib.crc32(members[number].content())
        return sums[number]

    return make_archive(kind, [member.name for member in members], members, created, read, crc)
