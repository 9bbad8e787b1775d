"""What is to be copied: the files of a scan, how they are linked, and what cannot be copied."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.beamtime.copy_file import DRAFT, sum_of
from tomarium.beamtime.mounted_volumes import MARKER
from tomarium.errors import InputError

_SYSTEM: Final = {"System Volume Information", "$RECYCLE.BIN", "lost+found", ".Trashes", MARKER}


@dataclass(frozen=True)
class Listed:
    """A file of a scan.

    Attributes
    ----------
    path : str
        In the scan; "" where the scan is this file.
    bytes, mtime_ns : int
        Size and time of change.
    same_as : str or None
        Path of an earlier one of which it is another name (a hard link).
    """

    path: str
    bytes: int
    mtime_ns: int
    same_as: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a scan is made of.

    Attributes
    ----------
    source : Path
        The scan, a file or a folder.
    files : tuple of Listed
        Regular files, sorted by path.
    folders : tuple of (str, int)
        Folders within it and their times of change, each after the one that holds it.
    links : tuple of (str, str)
        Symbolic links and what they name.
    remarks : tuple of str
        What is left out, or names something outside.
    """

    source: Path
    files: tuple[Listed, ...]
    folders: tuple[tuple[str, int], ...]
    links: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Bytes of its content; another name of a file is counted once."""
        return sum(file.bytes for file in self.files if file.same_as is None)

    @property
    def signature(self) -> tuple[tuple[str, int, int], ...]:
        """Names, sizes and times, which stand still when the scan is finished."""
        return tuple((file.path, file.bytes, file.mtime_ns) for file in self.files)


def list_scan(source: Path) -> Listing:
    """List what a scan is made of; symbolic links are told and not followed.

    Parameters
    ----------
    source : Path
        A file or a folder.

    Returns
    -------
    Listing
        Its files, folders and links.

    Raises
    ------
    InputError
        It is neither a file nor a folder.
    OSError
        A folder cannot be read.
    """
    status = source.stat()
    if stat.S_ISREG(status.st_mode):
        return Listing(source, (Listed("", status.st_size, status.st_mtime_ns),), (), (), ())
    if not stat.S_ISDIR(status.st_mode):
        raise InputError(f"{source}: is neither a file nor a folder; a scan was expected")
    files: list[Listed] = []
    folders, links, remarks = [("", status.st_mtime_ns)], [], []
    path_of_inode: dict[tuple[int, int], str] = {}
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(source / inside) as entries:
            dir_entries = sorted(entries, key=lambda entry: entry.name)
        for entry in dir_entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            kind = entry.stat(follow_symlinks=False)
            if entry.name in _SYSTEM or entry.name.endswith(DRAFT):
                remarks.append(f"{path}: left out, it belongs to a disk")
            elif stat.S_ISDIR(kind.st_mode):
                folders.append((path, kind.st_mtime_ns))
                waiting.append(path)
            elif stat.S_ISLNK(kind.st_mode):
                links.append((path, str(Path(entry.path).readlink())))
                if not _stays_inside(source, source / path):
                    remarks.append(
                        f"{path}: a symbolic link to {links[-1][1]}, outside of the scan, which is not copied"
                    )
            elif stat.S_ISREG(kind.st_mode):
                other = (
                    path_of_inode.setdefault((kind.st_dev, kind.st_ino), path) if kind.st_nlink > 1 else path
                )
                files.append(Listed(path, kind.st_size, kind.st_mtime_ns, None if other == path else other))
            else:
                remarks.append(f"{path}: left out, it is neither a file nor a folder")
    files.sort(key=lambda file: (file.same_as is not None, file.path))
    return Listing(source, tuple(files), tuple(folders), tuple(links), tuple(remarks))


def sums_of(listing: Listing, tell: Callable[[int, int], None] = lambda done, total: None) -> dict[str, str]:
    """Read all files of a scan, for their checksums.

    Parameters
    ----------
    listing : Listing
        The scan.
    tell : callable
        Told of bytes read and of all.

    Returns
    -------
    dict of str to str
        Path in the scan → SHA-256.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    total, done = sum(file.bytes for file in listing.files), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        tell(min(done, total), total)

    return {
        file.path: sum_of(listing.source / file.path if file.path else listing.source, advance)
        for file in listing.files
    }


def _stays_inside(source: Path, link: Path) -> bool:
    return Path(os.path.realpath(link)).is_relative_to(os.path.realpath(source))
