"""One file copied so that it is either not there or whole: checksummed as it is read, then read back."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Final

from tomarium.errors import FormatError, InputError

PIECE: Final = 4 * 2**20
"""Bytes read at a time."""

DRAFT: Final = ".part-of-copy"
"""How the name of a file ends that is not whole yet."""

_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EINVAL)


@dataclass(frozen=True)
class Copied:
    """What came of a file.

    Attributes
    ----------
    state : str
        "copied", or "there" where the same content was there already.
    sha256 : str
        Of what was read from the source, and, read back, of the destination.
    bytes : int
        Size.
    written : int
        Bytes that were written now.
    write_s, read_back_s : float
        Seconds that writing (with flushing to the disk) and reading back took.
    """

    state: str
    sha256: str
    bytes: int
    written: int
    write_s: float
    read_back_s: float


def draft_of(target: Path) -> Path:
    """Name the file that a copy is until it is whole.

    Parameters
    ----------
    target : Path
        The file that is to be.

    Returns
    -------
    Path
        Beside it, hidden. A name that would be too long is cut, and told apart by its checksum.
    """
    name = f".{target.name}{DRAFT}"
    if len(os.fsencode(name)) > 255:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()}{DRAFT}"
    return target.with_name(name)


def copy_file(source: Path, target: Path, on_bytes: Callable[[int], None] = lambda count: None) -> Copied:
    """Copy a file; go on with what an earlier try has left of it; read it back from the destination.

    The copy has another name until what was read back has the checksum of what was read from the source. Before it is
    read back it is flushed, and the system is asked to forget what it holds of it in memory (`posix_fadvise`). Whether
    the memory of the disk itself, or of a server, answers instead of the medium, no program can tell.

    Parameters
    ----------
    source : Path
        A regular file, which is only read.
    target : Path
        The file that is to be; its folder is there. A different file of that name is never touched.
    on_bytes : callable
        Told of each number of bytes that was written.

    Returns
    -------
    Copied
        The checksum, and how long it took.

    Raises
    ------
    FileExistsError
        Another file, of other content, has the name.
    InputError
        The source changed while it was read.
    FormatError
        What was read back is not what was written, twice.
    OSError
        A disk does not answer, is full, or was unplugged.
    """
    draft = draft_of(target)
    if os.path.lexists(target):
        return _compare(source, target, draft, on_bytes)
    size_kept = draft.stat().st_size if draft.is_file() and not draft.is_symlink() else 0
    copied = _copy_once(source, target, draft, on_bytes)
    if (
        copied is None and size_kept
    ):  # what the earlier try left was not what it had written, as after a cut of the power
        on_bytes(-source.stat().st_size)
        draft.unlink(missing_ok=True)
        copied = _copy_once(source, target, draft, on_bytes)
    if copied is None:
        draft.unlink(missing_ok=True)
        raise FormatError(
            f"{target}: what was read back is not what was written; the disk, its cable or the memory "
            f"fails: use another"
        )
    return copied


def sum_of(path: Path, on_bytes: Callable[[int], None] = lambda count: None) -> str:
    """Read a file from its disk, and tell its SHA-256.

    Parameters
    ----------
    path : Path
        The file.
    on_bytes : callable
        Told of each number of bytes that was read.

    Returns
    -------
    str
        Lower-case hexadecimal.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        _drop_from_cache(file.fileno())
        digest = hashlib.sha256()
        while piece := file.read(PIECE):
            digest.update(piece)
            on_bytes(len(piece))
        _drop_from_cache(file.fileno())
    return digest.hexdigest()


def _copy_once(source: Path, target: Path, draft: Path, on_bytes: Callable[[int], None]) -> Copied | None:
    """Copy; None where what was read back differs."""
    before, start = source.stat(), time.monotonic()
    digest, bytes_written = hashlib.sha256(), 0
    with source.open("rb", buffering=0) as reading, draft.open("ab", buffering=0) as writing:
        bytes_there = writing.tell()
        if bytes_there > before.st_size:
            writing.truncate(0)
            bytes_there = 0
        place = 0
        while piece := _read(reading, source, before.st_size - place):  # one that grows is not followed
            digest.update(piece)
            new = memoryview(piece)[max(0, bytes_there - place) :]
            place += len(piece)
            while new:
                count = writing.write(new)
                bytes_written, new = bytes_written + count, new[count:]
            on_bytes(len(piece))
        os.fsync(writing.fileno())
    write_s = time.monotonic() - start
    after = source.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or place != before.st_size:
        draft.unlink(missing_ok=True)
        raise InputError(f"{source}: changed while it was copied; copy it again when it is finished")
    start = time.monotonic()
    if sum_of(draft) != digest.hexdigest():
        return None
    read_back_s = time.monotonic() - start
    os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))
    _rename_draft(draft, target)
    return Copied("copied", digest.hexdigest(), place, bytes_written, write_s, read_back_s)


def _read(reading: RawIOBase, source: Path, remaining: int) -> bytes:
    """Read a piece of the source; where it fails, say that it is the source."""
    try:
        return reading.read(min(PIECE, remaining)) or b""
    except OSError as problem:
        raise InputError(
            f"{source}: cannot be read ({problem.strerror}); look at the disk that it is on"
        ) from problem


def _compare(source: Path, target: Path, draft: Path, on_bytes: Callable[[int], None]) -> Copied:
    """Accept a file that is there and the same; refuse any other."""
    if target.is_symlink() or not target.is_file():
        raise FileExistsError(errno.EEXIST, "another thing has this name", str(target))
    size = source.stat().st_size
    if target.stat().st_size != size:
        raise FileExistsError(
            errno.EEXIST, f"a file of {target.stat().st_size} bytes has this name, not of {size}", str(target)
        )
    start = time.monotonic()
    sha256 = sum_of(target)
    read_back_s = time.monotonic() - start
    if sum_of(source, on_bytes) != sha256:
        raise FileExistsError(errno.EEXIST, "a file of other content has this name", str(target))
    draft.unlink(missing_ok=True)  # of a copy that was stopped after it had its name by a hard link
    return Copied("there", sha256, size, 0, 0.0, read_back_s)


def _rename_draft(draft: Path, target: Path) -> None:
    """Give a whole copy its name, which must be free."""
    try:
        os.link(draft, target)  # unlike a rename it never takes the place of another
    except FileExistsError:
        raise
    except OSError as problem:
        if problem.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "another thing has this name", str(target)) from problem
        draft.rename(target)
    else:
        draft.unlink()
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Bring the names of a folder to the disk, where the system can.

    Parameters
    ----------
    folder : Path
        The folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    finally:
        os.close(handle)


def _drop_from_cache(descriptor: int) -> None:
    """Ask the system to forget what it holds of a file in memory."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
