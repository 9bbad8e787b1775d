"""Files that are there whole or not at all, and that one process writes at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from tomarium.errors import InputError


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
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
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


@contextmanager
def alone(path: Path, progress_log: Path) -> Iterator[None]:
    """Keep other processes off a file while it is written.

    Parameters
    ----------
    path : Path
        The file, for messages.
    progress_log : Path
        What holds the lock; made where it is absent, and to be removed within the block when all is done.

    Yields
    ------
    None
        The lock is held.

    Raises
    ------
    InputError
        Another process holds it.
    """
    with progress_log.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that ended between the two has taken the progress log away, and the lock on it holds nobody off.
            first = progress_log.exists() and progress_log.stat().st_ino == os.fstat(held.fileno()).st_ino
        except BlockingIOError:
            first = False
        if not first:
            raise InputError(
                f"{path}: another process is writing this file; wait for it, or give another name"
            )
        yield


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
    left = memoryview(content)
    while left:
        written = os.pwrite(descriptor, left, place)
        place, left = place + written, left[written:]


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
