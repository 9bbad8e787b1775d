"""Copy a large HDF5 file while it is written: frames at leisure, and all that ties them together in one rest.

A writer that flushes every 20 ms leaves some milliseconds in between, too few to copy gigabytes. But it writes
a frame once, and HDF5 writes it before the index that names it. So the frames an index names are copied first,
without regard to the writer, all but the newest, and are not read again for this copy or a later one. What
remains is copied while the file rests: metadata, the newest frames, small datasets. Then the copy's own index
must name every frame that was not copied then, where it was: else its place may have got another use, and the
copy is dropped.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import h5py
import numpy as np
from h5py import h5d, h5o

from tomarium.atomic_files import write_at
from tomarium.formats.hdf5.errors import DAMAGE
from tomarium.formats.hdf5.half_written import Stamp, stamp_of
from tomarium.formats.hdf5.superblock import ClosedView, mark_closed
from tomarium.live.hdf5_reader import open_growing
from tomarium.live.retry import wait_for_rest

BLOCK: Final = 8 << 20
# What a disk copies within a few milliseconds.
_LITTLE: Final = 8 << 20
_ROUNDS: Final = 6
# Smaller datasets are copied whole each time: several entries may share a chunk that is written again and again.
_SMALL_DATASET: Final = 1 << 20
_SMALL_PIECE: Final = 4096


class Piece(NamedTuple):
    """A chunk of a dataset, or an entry of one that lies in one piece, and where its bytes are."""

    dataset: bytes
    corner: tuple[int, ...]
    place: int
    size: int


@dataclass
class Copier:
    """What is known of a growing file from the copies made of it."""

    source: Path
    _inode: int = 0
    # What each copy that was made holds; and the one in work, and what that holds.
    _copies: dict[Stamp, set[Piece]] = field(default_factory=dict)
    _work: Stamp | None = None
    _held: set[Piece] = field(default_factory=set)

    def copy(self, target: Path, last: Path | None, end: float) -> Stamp | None:
        """Bring a copy up to date.

        `target`: the copy. One that this copier made and that nobody reads is brought up to date; else it is
        made, from the last one if this copier made that. `end`: time of `time.monotonic` at which no further
        rest is waited for. Result: the source as it was copied; None where it did not rest for long enough,
        or moved a frame: then another try continues with what is copied.
        """
        self._begin(target, last)
        try:
            stamp = self._bring_up_to_date(target, end)
        finally:
            self._work = stamp_of(target)
        if stamp is not None and self._work is not None:
            self._copies[self._work] = self._held
        return stamp

    def _bring_up_to_date(self, target: Path, end: float) -> Stamp | None:
        with self.source.open("rb", buffering=0) as read, target.open("r+b", buffering=0) as write:
            pieces: dict[Piece, bool] = {}
            for _ in range(_ROUNDS):
                pieces = self._listed()
                if sum(piece.size for piece in pieces if piece not in self._held) <= _LITTLE:
                    break
                self._advance(pieces, read.fileno(), write.fileno())
            unchanged = sorted(
                (piece for piece in pieces if piece in self._held), key=lambda piece: piece.place
            )
            stamp = wait_for_rest(self.source, end)
            write.truncate(stamp.size)
            for start, stop in _between(unchanged, stamp.size):
                _copy_range(read.fileno(), write.fileno(), start, stop)
            if Stamp.of(self.source) != stamp:
                return None
        mark_closed(target)
        return stamp if self._is_where_it_was(target, unchanged) else None

    def _begin(self, target: Path, last: Path | None) -> None:
        inode = self.source.stat().st_ino
        if inode != self._inode:
            self._copies.clear()
            self._inode, self._work = inode, None
        stamp = stamp_of(target)
        if stamp is not None and stamp == self._work:
            return
        if stamp in self._copies and _is_read_by_nobody(target):
            self._held = self._copies.pop(stamp)
            target.chmod(0o644)
            return
        target.unlink(missing_ok=True)
        newest = None if last is None else stamp_of(last)
        pieces_of_newest = None if newest is None else self._copies.get(newest)
        if last is not None and pieces_of_newest is not None:
            copy_whole(last, target)
        else:
            target.write_bytes(b"")
        self._held = set(pieces_of_newest or ())

    def _listed(self) -> dict[Piece, bool]:
        """List the pieces of the source; where its index cannot be read this moment, none."""
        try:
            with ExitStack() as stack:
                return pieces_of(stack.enter_context(open_growing(self.source, stack)))
        except DAMAGE:
            return {}

    def _advance(self, pieces: dict[Piece, bool], read: int, write: int) -> None:
        """Copy the pieces that the copy does not hold."""
        for piece, checked in pieces.items():
            if piece in self._held:
                continue
            content = os.pread(read, piece.size, piece.place)
            if len(content) == piece.size and (not checked or _is_filled(content)):
                write_at(write, content, piece.place)
                self._held.add(piece)

    def _is_where_it_was(self, target: Path, unchanged: list[Piece]) -> bool:
        try:
            with h5py.File(target, "r", locking=False) as file:
                pieces_there = pieces_of(file)
        except DAMAGE:
            pieces_there = {}
        moved = [piece for piece in unchanged if piece not in pieces_there]
        self._held.difference_update(moved)
        return not moved


def _is_read_by_nobody(path: Path) -> bool:
    """Ask the system for a lease, which it gives only on a file that no other program has open."""
    try:
        import fcntl
    except ImportError:
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def pieces_of(file: h5py.File) -> dict[Piece, bool]:
    """List the chunks and entries that are not written again where scans are written in order.

    Result: whether it may be half filled: then it counts only once its end is. The last two rows of chunks of
    each dataset are left out, small datasets too.
    """
    pieces: dict[Piece, bool] = {}
    if file.userblock_size:  # the places are then not those in the file
        return pieces

    def visit(name: bytes, info: Any) -> None:
        if info.type == h5o.TYPE_DATASET:
            dataset = h5d.open(file.id, name)
            if dataset.get_storage_size() >= _SMALL_DATASET:
                pieces.update(_pieces(name, dataset))

    h5o.visit(file.id, visit, info=True)
    return pieces


def _pieces(name: bytes, dataset: h5d.DatasetID) -> Iterator[tuple[Piece, bool]]:
    plist = dataset.get_create_plist()
    layout = plist.get_layout()
    if layout == h5d.CHUNKED:
        chunks: list[Any] = []
        dataset.chunk_iter(chunks.append)
        newest = sorted({chunk.chunk_offset[0] for chunk in chunks})[-2:]
        packed = plist.get_nfilters() > 0
        for chunk in chunks:
            if chunk.chunk_offset[0] not in newest and chunk.size >= _SMALL_PIECE:
                piece = Piece(name, chunk.chunk_offset, chunk.byte_offset, chunk.size)
                yield piece, not packed or bool(chunk.filter_mask)
    elif layout == h5d.CONTIGUOUS and dataset.get_offset() is not None and len(dataset.shape) > 1:
        size = dataset.get_storage_size() // dataset.shape[0]
        if size >= _SMALL_PIECE:
            for entry in range(dataset.shape[0]):
                yield Piece(name, (entry,), dataset.get_offset() + entry * size, size), True


def _is_filled(content: bytes) -> bool:
    return bool(np.any(np.frombuffer(content[-_SMALL_PIECE:], np.uint8)))


def _between(unchanged: list[Piece], size: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of a file that lie in no piece."""
    start = 0
    for piece in unchanged:
        if piece.place > start:
            yield start, min(piece.place, size)
        start = max(start, piece.place + piece.size)
    if start < size:
        yield start, size


def _copy_range(read: int, write: int, start: int, stop: int) -> None:
    while start < stop:
        content = os.pread(read, min(BLOCK, stop - start), start)
        if not content:
            return  # the file became shorter; its stamp tells
        write_at(write, content, start)
        start += len(content)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file; file systems that can share its blocks do so (copy_file_range), which takes no time."""
    with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as write:
        size = os.fstat(read.fileno()).st_size
        bytes_copied = 0
        try:
            while bytes_copied < size and hasattr(os, "copy_file_range"):
                count = os.copy_file_range(read.fileno(), write.fileno(), min(size - bytes_copied, 1 << 30))
                if not count:
                    break
                bytes_copied += count
        except OSError as problem:
            if problem.errno not in (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
                raise
        read.seek(bytes_copied)
        write.seek(bytes_copied)
        while block := read.read(BLOCK):
            write.write(block)


def is_same(source: Path, copy: Path) -> bool:
    """Compare a file that rests with a copy of it, byte for byte.

    `source`: the file; where it is marked as open, it is compared as a closed one would read.
    """
    with ClosedView(source) as original, copy.open("rb", buffering=0) as copied:
        while block := original.read(BLOCK):
            if block != copied.read(len(block)):
                return False
        return not copied.read(1)
