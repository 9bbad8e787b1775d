"""A path at which there is nothing to read, in words: a pattern, a path of Windows, a disk that is gone, a pointer."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Final

from tomarium import units

WINDOWS: Final = re.compile(r"(?P<drive>[A-Za-z]):[\\/](?P<rest>.*)|\\\\(?P<share>.*)", re.DOTALL)
MOUNTED_BELOW: Final = frozenset(
    map(Path, ("/", "/mnt", "/media", "/run/media", "/net", "/nfs", "/Volumes", "/data"))
)
"""Folders in which disks and shares are mounted."""

GONE: Final = (
    errno.EIO,
    errno.ENODEV,
    errno.ENXIO,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ETIMEDOUT,
    errno.EREMOTEIO if hasattr(errno, "EREMOTEIO") else errno.EIO,
)
"""What the system says where a disk or share is away."""

POINTER: Final = b"version https://git-lfs.github.com/spec/"
LARGEST_POINTER: Final = 1024
_LOOKED_AT: Final = 3


def absent(path: Path) -> str:
    """Say that there is nothing at a path, and what to look at.

    Result: the whole message.
    """
    text = str(path)
    windows = None if os.name == "nt" else WINDOWS.fullmatch(text)
    if windows is not None:
        rest = (windows["rest"] or "").replace("\\", "/")
        here = (
            f"/mnt/{windows['drive'].lower()}/{rest}"
            if windows["drive"]
            else "the folder at which the share is mounted"
        )
        return f"{text}: is a path of Windows, which is none here; give the path as this system has it, such as {here}"
    nearest = _nearest(path)
    if any(letter in text for letter in "*?"):
        return (
            f"{text}: no file or folder has a name of this pattern; see with ls what lies in {nearest}, the nearest "
            f"folder that exists"
        )
    mounted = (
        f", and whether the disk or share below {nearest} is mounted"
        if nearest.absolute() in MOUNTED_BELOW
        else ""
    )
    return (
        f"{text}: there is no such file or folder; the nearest folder that exists is {nearest}, so check the spelling "
        f"from there{mounted}"
    )


def refused(path: Path, problem: OSError) -> str:
    """Say why the system does not let a path be looked at; the whole message."""
    move = (
        "see whether the disk or share is mounted and its server answers"
        if problem.errno in GONE
        else "check the path and its permissions"
    )
    return f"{path}: cannot be read ({problem.strerror}); {move}"


def pointer(path: Path) -> str | None:
    """Say that a file, or the first files of a folder, are pointers of Git LFS, which stand for files not fetched yet.

    Result: the whole message; None where they are none.
    """
    if path.is_file():
        content = _pointer(path)
        return None if content is None else f"{path}: {_words(content)}"
    files = []
    for item in path.iterdir():
        if item.is_file():
            files.append(item)
        if len(files) == _LOOKED_AT:
            break
    contents = [_pointer(file) for file in files]
    if not contents or contents[0] is None or None in contents:
        return None
    return f"{path}: {files[0].name} in it {_words(contents[0])}"


def _pointer(file: Path) -> bytes | None:
    if file.stat().st_size >= LARGEST_POINTER:
        return None
    content = file.read_bytes()
    return content if content.startswith(POINTER) else None


def _words(content: bytes) -> str:
    size = re.search(rb"^size (\d{1,18})$", content, re.MULTILINE)
    real_bytes = "" if size is None else f" of {units.show(float(size[1]), 'B', 3)}"
    return f"is a pointer of Git LFS to a file{real_bytes} that was not fetched; in its repository give: git lfs pull"


def _nearest(path: Path) -> Path:
    parent = path.parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    return parent
