"""Files packed whole by gzip or bzip2: unpacked once into memory or a temporary file, and read there.

What is unpacked belongs to this process: small files are kept in memory, others in one temporary file for each folder,
which has no name and so goes with the process. Frames keep the path of the packed file, so that they open elsewhere.
"""

from __future__ import annotations

import bz2
import gzip
import io
import mmap
import os
import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final, Protocol
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_at
from tomarium.errors import FormatError, StorageFull
from tomarium.formats.opening.size_limits import LARGE_BLOCK, LARGE_PART, MOST_RATIO
from tomarium.formats.resumable.full_disk import is_full

SUFFIXES: Final = (".gz", ".bz2")
_GZIP: Final = b"\x1f\x8b"
_BZIP2: Final = b"BZh"
_PIECE: Final = 1 << 20
# Unpacked bytes of one file that are kept in memory, and of all of them: little, since no plan counts them.
MOST_IN_MEMORY: Final = 16 << 20
MOST_HELD: Final = 64 << 20
# No packed file of the field holds more.
MOST_UNPACKED: Final = 1 << 40
# Folders whose files stay unpacked; the one asked least lately is let go for a new one.
_FOLDERS: Final = 4


class Stream(Protocol):
    """What is read from: a file, or the unpacked bytes of one."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a byte."""
        ...


@dataclass(frozen=True)
class Packing:
    """How part of a file, from a byte to its end, is packed.

    Attributes
    ----------
    kind : str
        "gzip", "bzip2" or "zlib".
    offset : int
        Byte of the file where the packed bytes begin.
    length : int
        Bytes that they hold, as something else than they tell.
    """

    kind: str
    offset: int
    length: int


class UnpackedStream(io.RawIOBase):
    """Unpacked bytes as a file that can be read from anywhere.

    `name`: path of the packed file, as messages are to call it.
    """

    def __init__(self, path: Path) -> None:
        self.name = os.fspath(path)
        self._content = unpacked(path)
        self._place = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer from where it stands, as far as there are bytes."""
        into = memoryview(buffer).cast("B")
        part = self._content[self._place : self._place + len(into)]
        into[: len(part)] = part
        self._place += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a byte, counted from the beginning (0), from here (1) or from the end (2)."""
        start = (0, self._place, len(self._content))[whence]
        if start + offset < 0:
            raise ValueError(f"{self.name}: there is no byte {start + offset}")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """Return the byte it stands at."""
        return self._place


@dataclass
class _Entry:
    """One packed file: what it was when it was unpacked, and its bytes or why there are none."""

    stamp: tuple[int, ...]
    lock: Lock = field(default_factory=Lock)
    content: memoryview | None = None
    problem: str = ""


@dataclass
class _Folder:
    """The packed files of a folder, and the temporary file of those that memory does not keep."""

    entries: dict[tuple[str, Packing | None], _Entry] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    spool: Any = None
    end: int = 0


_lock = Lock()
_folders: OrderedDict[str, _Folder] = OrderedDict()


def _begin_anew() -> None:
    """Forget what a parent process unpacked: two processes would write into one temporary file."""
    global _lock
    _lock = Lock()
    _folders.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def bare(path: Path) -> Path:
    """Return a path without the ending of gzip or bzip2, which is there or not.

    Result: "scan.tif"; the names of other files are made of it.
    """
    return path.with_suffix("") if path.suffix.lower() in SUFFIXES and path.stem else path


def packing_of(head: bytes) -> str:
    """Tell how a file is packed.

    Result: "gzip", "bzip2", or "" where it is not packed whole.
    """
    return "gzip" if head.startswith(_GZIP) else "bzip2" if head.startswith(_BZIP2) else ""


def is_packed(path: Path) -> bool:
    """Tell whether a file is packed whole, by its name and by its first bytes.

    `path`: the file; one whose name does not end in .gz or .bz2 is not opened.
    """
    if path.suffix.lower() not in SUFFIXES:
        return False
    try:
        with path.open("rb") as stream:
            return packing_of(stream.read(3)) != ""
    except OSError:
        return False


def head_of(path: Path, count: int = 512, *, any_name: bool = False) -> bytes:
    """Read the first bytes of a file, unpacked where it is packed.

    `any_name`: whether to unpack a gzip or bzip2 file whose name does not say so, too. Result: at most so
    many; none where it cannot be read or unpacked.
    """
    try:
        with path.open("rb") as raw:
            is_packed = any_name or path.suffix.lower() in SUFFIXES
            return (_unpacking(raw) if is_packed else raw).read(count)
    except (OSError, EOFError, ValueError, zlib.error):
        return b""


def size_of(path: Path) -> int:
    """Return the length of a file, unpacked where it is packed."""
    return len(unpacked(path)) if is_packed(path) else path.stat().st_size


def opened(path: Path) -> io.RawIOBase:
    """Open a file for reading without a buffer, unpacked where it is packed."""
    return UnpackedStream(path) if is_packed(path) else path.open("rb", buffering=0)


def mapped(
    path: Path, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...], packing: Packing | None = None
) -> NDArray[Any]:
    """Map an array that lies in one piece of a file, or of what it holds where it is packed.

    `offset`: byte of the first element, once the file, or the part of it that is packed, is unpacked.
    """
    if packing is None and not is_packed(path):
        return np.memmap(path, dtype, "r", offset, shape)
    array: NDArray[Any] = np.ndarray(shape, dtype, unpacked(path, packing), offset)
    return array


def unpacked(path: Path, packing: Packing | None = None) -> memoryview:
    """Return what a packed file holds; it is unpacked at the first time, and again where it has changed.

    `packing`: of part of the file; by default all of it is packed as its first bytes say. Result: its bytes unpacked,
    in memory or in a mapped temporary file that goes with this process.
    """
    now = path.stat()
    stamp = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
    with _lock:
        folder = _folder(os.fspath(path.parent))
        entry = folder.entries.get((path.name, packing))
        if entry is None or entry.stamp != stamp:
            entry = folder.entries[path.name, packing] = _Entry(stamp)
    with entry.lock:
        if entry.problem:
            raise FormatError(entry.problem)
        if entry.content is None:
            try:
                entry.content = _unpack(path, folder, packing)
            except FormatError as problem:  # each format asks in turn
                entry.problem = str(problem)
                raise
        return entry.content


def _folder(name: str) -> _Folder:
    folder = _folders.setdefault(name, _Folder())
    _folders.move_to_end(name)
    while len(_folders) > _FOLDERS:
        _folders.popitem(last=False)
    return folder


def _unpacking(raw: BinaryIO, part: Packing | None = None) -> Stream:
    """Return a stream of what a file, or part of it, holds; the file itself where it is not packed."""
    kind = part.kind if part else packing_of(raw.read(3))
    raw.seek(part.offset if part else 0)
    if kind == "gzip":
        return gzip.GzipFile(fileobj=raw)
    if kind == "zlib":
        return _Inflated(raw)
    return bz2.BZ2File(raw) if kind else raw


class _Inflated(io.RawIOBase):
    """What a zlib stream holds, from beginning to end."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._inflate = raw, zlib.decompressobj()

    def read(self, size: int = -1, /) -> bytes:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._raw.read(_PIECE)
            if not packed:
                raise EOFError
            if piece := self._inflate.decompress(packed, max(0, size)):
                return piece
        return b""


def _bytes_in_memory() -> int:
    """Count the unpacked bytes that are in memory."""
    contents = [entry.content for folder in _folders.values() for entry in list(folder.entries.values())]
    return sum(len(content) for content in contents if content is not None and isinstance(content.obj, bytes))


def _unpack(path: Path, folder: _Folder, part: Packing | None) -> memoryview:
    with path.open("rb") as raw:
        try:
            pieces = _pieces(path, raw, part)
            with _lock:
                room = min(MOST_IN_MEMORY, MOST_HELD - _bytes_in_memory())
            unpacked = bytearray()
            for piece in pieces:
                unpacked += piece
                if len(unpacked) > room:
                    return _write_to_temporary(path, folder, unpacked, pieces)
            return memoryview(bytes(unpacked))
        except EOFError as problem:
            raise FormatError(
                f"{path}: is truncated: its packed bytes end before what they hold does; copy it again"
            ) from problem
        except (OSError, ValueError, zlib.error) as problem:
            if is_full(problem):
                raise StorageFull(
                    f"{path}: {tempfile.gettempdir()} is full, where what it holds was to be unpacked; free some "
                    f"space, set TMPDIR to a folder on a larger disk, or unpack it yourself"
                ) from problem
            raise FormatError(
                f"{path}: cannot be unpacked ({problem}); it is damaged, so copy it again"
            ) from problem


def _pieces(path: Path, raw: BinaryIO, part: Packing | None) -> Iterator[bytes]:
    """Unpack a file, or part of it, piece by piece, and stop where it becomes a bomb or holds more than it tells."""
    stream, count = _unpacking(raw, part), 0
    # Labels of a few objects pack far better than grey values do: as many as a header tells are no bomb.
    large = min(part.length, LARGE_PART) if part else LARGE_BLOCK
    while piece := stream.read(_PIECE):
        count += len(piece)
        most = min(MOST_UNPACKED, max(large, MOST_RATIO * raw.tell()))
        if part and count > part.length:
            raise FormatError(
                f"{path}: is packed, and holds more than the {part.length} bytes that its header tells of; copy it "
                f"again"
            )
        if count > most:
            raise FormatError(
                f"{path}: {raw.tell()} of its bytes are more than {most} bytes once they are decompressed: a bomb; "
                f"take it from its origin, or unpack it yourself if you trust it"
            )
        yield piece
    if part and count < part.length:
        raise FormatError(
            f"{path}: is packed, and holds {count} bytes where its header tells of {part.length}; copy it again"
        )


def _write_to_temporary(
    path: Path, folder: _Folder, unpacked: bytearray, pieces: Iterator[bytes]
) -> memoryview:
    """Write what a file holds into the temporary file of its folder, and map it there."""
    with folder.lock:
        if folder.spool is None:
            folder.spool = tempfile.TemporaryFile(prefix="tomarium-unpacked-", buffering=0)  # noqa: SIM115
            finalize(folder, folder.spool.close)
        step = mmap.ALLOCATIONGRANULARITY
        start = -(-folder.end // step) * step
        end, spool = start, folder.spool
        try:
            for piece in chain([bytes(unpacked)], pieces):
                write_at(spool.fileno(), piece, end)
                end += len(piece)
        except BaseException:
            spool.truncate(folder.end)
            raise
        folder.end = end
        return memoryview(mmap.mmap(spool.fileno(), end - start, access=mmap.ACCESS_READ, offset=start))
