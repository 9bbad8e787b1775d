"""Every file of a record as it lies on the disk now: its size, checksum and state; and its bytes, checked."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.catalogue.byte_table import BLOCK
from tomarium.catalogue.checksums import SOURCE
from tomarium.catalogue.crc_store import CrcStore
from tomarium.catalogue.file_table import ROLE, sums_of, table_of
from tomarium.catalogue.store import ObjectPath
from tomarium.errors import FormatError
from tomarium.model import Record
from tomarium.standards.ro_crate import FILENAME
from tomarium.viewers.place import place_of

MOST_PATHS: Final = 100

Buffer = bytes  # a field of `Content` has the type's own name
Clear = Callable[[Path, int], bytes | None]
"""Gives the content that others are told in place of a file's own, from its path and size; None where it is its own."""


@dataclass(frozen=True, slots=True)
class Content:
    """One file of a record.

    Attributes
    ----------
    path : str
        Path below the record's folder, with "/" as separator.
    bytes : int
        Size.
    sha256 : str
        Checksum that the record lists, or that of `held`.
    changed_ns, inode : int
        Time of the last change in ns and number of the file, by which another one in its place is told.
    held : bytes or None
        The content itself where it is not that of the file.
    """

    path: str
    bytes: int
    sha256: str
    changed_ns: int = 0
    inode: int = 0
    held: Buffer | None = None


class ChangedFile(FormatError):
    """A file is not what the record lists, or changed while it was read."""


def list_contents(record: Record, folder: Path, clear: Clear | None = None) -> tuple[Content, ...]:
    """List every file of a record that may be taken.

    Parameters
    ----------
    record : Record
        Only what it lists is given: its files, what lies in its folders, and its crate.
    folder : Path
        Its folder.
    clear : callable, optional
        As `Clear` says.

    Returns
    -------
    tuple of Content
        Sorted by path.

    Raises
    ------
    FormatError
        The manifest cannot be read, or a file that it lists is not there or is a link; its path is told.
    """
    folders = tuple(entry.path for entry in record.files if entry.path.endswith("/"))
    sums = {entry.path: entry.sha256 for entry in record.files if not entry.path.endswith("/")}
    listed = sums_of(folder, record)
    sums |= {path: sha256 for path, sha256 in listed.items() if path.startswith(folders) or path in sums}
    sums |= {FILENAME: ""}
    sums.pop(SOURCE, None)
    states = _states(folder, sums)
    contents = []
    for path in sorted(sums):
        state = states.get(path)
        if state is None:
            raise FormatError(f"{path}: is listed by the record and is not there as a file; copy it again")
        content = clear(folder / path, state.st_size) if clear else None
        if content is None and path == FILENAME:  # it has no checksum, so it is read at once
            content = (folder / path).read_bytes()
        if content is not None:
            contents.append(Content(path, len(content), hashlib.sha256(content).hexdigest(), held=content))
        else:
            contents.append(Content(path, state.st_size, sums[path], state.st_mtime_ns, state.st_ino))
    return tuple(contents)


def published_contents(record: Record, folder: Path) -> tuple[Content, ...] | None:
    """List every file of a published record from its table alone, without a look at each, for lists that name them.

    Parameters
    ----------
    record : Record
        As its crate says.
    folder : Path
        Its folder.

    Returns
    -------
    tuple of Content
        As `list_contents`, but without times and numbers of files; None where there is no table.
    """
    table = table_of(folder, record)
    if table is None:
        return None
    own = [entry for entry in record.files if entry.role == ROLE]
    contents = [Content(path, row.bytes, row.sha256) for path, row in table.items() if path != SOURCE]
    contents += [Content(entry.path, entry.bytes, entry.sha256) for entry in own]
    crate = (folder / FILENAME).read_bytes()
    contents.append(Content(FILENAME, len(crate), hashlib.sha256(crate).hexdigest(), held=crate))
    return tuple(sorted(contents, key=lambda content: content.path))


def _states(folder: Path, paths: Sequence[str] | dict[str, str]) -> dict[str, os.stat_result]:
    """Look at files, one folder at a time; what is no regular file, or is reached through a link, is left out."""
    if isinstance(folder, ObjectPath):
        objects = ((path.key.removeprefix(f"{folder.key}/"), path) for path in folder.rglob())
        return {path: object_path.stat() for path, object_path in objects if path in paths}
    names_by_folder: dict[str, set[str]] = {}
    for path in paths:
        above, _, name = path.rpartition("/")
        names_by_folder.setdefault(above, set()).add(name)
    states = {}
    for above, names in names_by_folder.items():
        place = place_of(folder, above) if above else folder
        if place is None or not place.is_dir():
            continue
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name in names and entry.is_file(follow_symlinks=False):
                    path = f"{above}/{entry.name}" if above else entry.name
                    states[path] = entry.stat(follow_symlinks=False)
    return states


def choose(contents: Sequence[Content], paths: Sequence[str]) -> tuple[Content, ...]:
    """Choose files and folders.

    Parameters
    ----------
    contents : sequence of Content
        Of a record.
    paths : sequence of str
        Files, or folders with or without "/" at their end; none for all.

    Returns
    -------
    tuple of Content
        In the order given, each once.

    Raises
    ------
    KeyError
        A path is none of them; it is the argument.
    ValueError
        There are more than 100 paths.
    """
    if not paths:
        return tuple(contents)
    if len(paths) > MOST_PATHS:
        raise ValueError(len(paths))
    files = {path for path in paths if not path.endswith("/")}
    folders = tuple({f"{path.rstrip('/')}/" for path in paths if path.strip("/")})
    chosen = tuple(
        content
        for content in contents
        if content.path in files or (folders and content.path.startswith(folders))
    )
    for path in paths:
        inside = f"{path.rstrip('/')}/"
        if not any(content.path == path or content.path.startswith(inside) for content in chosen):
            raise KeyError(path)
    return chosen


def read_content(folder: Path, content: Content, first: int, stop: int, crcs: CrcStore) -> Iterator[bytes]:
    """Read a range of a file; its end is given only when the file is what the record lists.

    Parameters
    ----------
    folder : Path
        Of the record.
    content : Content
        The file.
    first, stop : int
        Its first byte, and the first that is not wanted.
    crcs : CrcStore
        Tells of which contents the checksum was compared. Those are not computed again: that the file is the same one
        and did not change is told by its size, time and number, and a reader of the zip by its CRC-32.

    Yields
    ------
    bytes
        Blocks of at most 1 MiB.

    Raises
    ------
    ChangedFile
        Another file lies there, it changed, or its bytes have another checksum.
    """
    if content.held is not None:
        yield content.held[first:stop]
        return
    unchecked = stop == content.bytes and crcs.find(content.sha256) is None
    if unchecked and first:
        crc_of(folder, content, crcs)
        unchecked = False
    crc, digest, place = 0, hashlib.sha256(), first
    for block in _blocks(folder, content, first, stop):
        place += len(block)
        if unchecked:
            crc = zlib.crc32(block, crc)
            digest.update(block)
            if place == stop and digest.hexdigest() != content.sha256:
                raise _changed(content)
        yield block
    if unchecked:
        crcs.keep(content.sha256, crc)


def crc_of(folder: Path, content: Content, crcs: CrcStore) -> int:
    """Return the CRC-32 of a file, which is read and compared with its SHA-256 where it is not known.

    Parameters
    ----------
    folder, content, known
        As in `read_content`.

    Returns
    -------
    int
        CRC-32 as of zip.

    Raises
    ------
    ChangedFile
        As `read_content`.
    """
    if content.held is not None:
        return zlib.crc32(content.held)
    crc_known = crcs.find(content.sha256)
    if crc_known is not None:
        return crc_known
    crc, digest = 0, hashlib.sha256()
    for block in _blocks(folder, content, 0, content.bytes):
        crc = zlib.crc32(block, crc)
        digest.update(block)
    if digest.hexdigest() != content.sha256:
        raise _changed(content)
    crcs.keep(content.sha256, crc)
    return crc


def _blocks(folder: Path, content: Content, first: int, stop: int) -> Iterator[bytes]:
    """Read a range of a file that is the one that was listed, before and after."""
    if isinstance(folder, ObjectPath):
        yield from _object_blocks(folder / content.path, content, first, stop)
        return
    place = first
    with open(_opened(folder, content), "rb", buffering=0) as file:
        file.seek(first)
        while place < stop:
            block = file.read(min(BLOCK, stop - place))
            if not block:
                raise _changed(content)
            place += len(block)
            if place == stop:
                _compare(content, os.fstat(file.fileno()))
            yield block


def _object_blocks(place: ObjectPath, content: Content, first: int, stop: int) -> Iterator[bytes]:
    """Read a range of an object; that it is the same to the end is told by the tag that comes with each piece."""
    try:
        object_state = (
            place.state()
        )  # its time is not compared: a list and a question may round it to other seconds
        if (object_state.size, object_state.number) != (content.bytes, content.inode):
            raise _changed(content)
        yield from place.blocks(first, stop)
    except OSError as problem:
        raise _changed(content) from problem


def _opened(folder: Path, content: Content) -> int:
    try:
        descriptor = os.open(f"{folder}/{content.path}", os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as problem:
        raise ChangedFile(f"{content.path}: cannot be read any more ({problem.strerror})") from problem
    try:
        _compare(content, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _compare(content: Content, state: os.stat_result) -> None:
    expected = (content.bytes, content.changed_ns, content.inode)
    if not stat.S_ISREG(state.st_mode) or (state.st_size, state.st_mtime_ns, state.st_ino) != expected:
        raise _changed(content)


def _changed(content: Content) -> ChangedFile:
    return ChangedFile(
        f"{content.path}: is not what the record lists (SHA-256 {content.sha256[:16]}…, {content.bytes} bytes); take "
        f"it from a backup, or file the record again"
    )
