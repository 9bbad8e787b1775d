"""Files that are there whole or not at all, and that one process writes at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO, Final

from tomarium.errors import InputError, TomariumWarning

_BUSY: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under a hidden name in the block; it has its own when the block ends, and replaces an older one.

    Parameters
    ----------
    path : Path
        File to write or to replace; its folder is there.

    Yields
    ------
    Path
        The hidden name. It is removed where the block raises.

    Raises
    ------
    OSError
        It cannot be written; the old file is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, finds the old or the new one and never a part.

    Parameters
    ----------
    path : Path
        File to write or to replace.
    content : bytes
        All of it.

    Raises
    ------
    OSError
        It cannot be written; the old file is untouched.
    """
    with replacing(path) as draft, draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if os.name == "posix":  # the new name is on disk only when its folder is; Windows cannot flush a folder
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that the file is either the old one or the whole new one.

    Parameters
    ----------
    path : Path
        File to write or to replace.
    data : object
        JSON-ready.

    Raises
    ------
    OSError
        It cannot be written; the old file is untouched.
    """
    write_whole(path, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def take_lock(path: Path, busy: str) -> int | None:
    """Lock a file or a folder, without waiting; the system lets go of it when this process ends, however it ends.

    Parameters
    ----------
    path : Path
        A folder, or a file, which is made where it is absent.
    busy : str
        What to say where another holds it.

    Returns
    -------
    int or None
        A descriptor that holds the lock until it is closed; None where the path was removed by whoever held it
        before, so that one has to look anew.

    Raises
    ------
    InputError
        Another process, or another call of this one, holds it.

    Warns
    -----
    TomariumWarning
        The file system knows no locks.
    """
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _claim(descriptor)
    except OSError as problem:
        if problem.errno in _BUSY:
            os.close(descriptor)
            raise InputError(busy) from problem
        if problem.errno not in _NO_LOCKS:
            os.close(descriptor)
            raise
        warnings.warn(
            TomariumWarning(f"{path}: this file system knows no locks; write only once at a time here"),
            stacklevel=2,
        )
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    os.close(descriptor)
    return None


def _claim(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def alone(path: Path, busy: str) -> Iterator[None]:
    """Keep other processes off what is written in the block.

    Parameters
    ----------
    path : Path
        The file or folder to lock, as `take_lock` does; it may be removed within the block when all is done.
    busy : str
        What to say where another holds it.

    Yields
    ------
    None
        The lock is held.

    Raises
    ------
    InputError
        Another process holds it.
    """
    descriptor = take_lock(path, busy)
    if descriptor is None:  # whoever had it came to its end just now
        raise InputError(busy)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def adding_to(path: Path) -> Iterator[BinaryIO]:
    """Open a file to which several processes add lines; each waits until the one before is done.

    Parameters
    ----------
    path : Path
        The file; made where it is absent.

    Yields
    ------
    BinaryIO
        Open for reading, and for writing at its end only.

    Raises
    ------
    OSError
        It cannot be opened. Where the file system knows no locks, nothing keeps others off.
    """
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as problem:
            if problem.errno not in _NO_LOCKS:
                raise
        yield file


def clear_drafts(path: Path) -> None:
    """Remove what writers that were killed have left of a file, and of those whose names begin with its name.

    Parameters
    ----------
    path : Path
        The file or folder. Drafts of a process of this machine that still runs are left.
    """
    for draft in path.parent.glob(f".{escape(path.name)}*.part"):
        number = draft.name.split(".")[-2]
        if number.isdigit() and not _runs(int(number)):
            draft.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another's
        return True
    return True


def write_at(descriptor: int, content: bytes | memoryview, place: int) -> None:
    """Write all of some bytes at a place of an open file; the system may take less than it is given.

    Parameters
    ----------
    descriptor : int
        The file, open for writing.
    content : bytes or memoryview
        What; a memoryview is of single bytes.
    place : int
        Byte of the file at which it begins.

    Raises
    ------
    OSError
        It cannot be written.
    """
    remaining = memoryview(content)
    while remaining:
        count = os.pwrite(descriptor, remaining, place)
        place, remaining = place + count, remaining[count:]


def drafts_of(path: Path) -> list[Path]:
    """List what writers that were killed have left of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of Path
        Beside it; empty as a rule.
    """
    return sorted(path.parent.glob(f".{path.name}.*.part"))
