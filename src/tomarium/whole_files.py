"""Small files that are there whole or not at all."""

from __future__ import annotations

import json
import os
from glob import escape
from pathlib import Path
from typing import Any


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
