"""Scans as they arrive in a folder: found by looking again and again, which works on every network file system."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, TypeAlias

from tomarium.formats.beamlines.soleil_flyscan import BESIDE

SCAN_FILES: Final = (".h5", ".hdf5", ".hdf", ".nx", ".nxs", ".nexus", ".txrm", ".mrc")
"""Endings of files that hold a whole scan each."""

APART_S: Final = 1e-4
"""What keeps scans in order that are seen to have changed in one look."""

FRAME_FILES: Final = (".edf", ".tif", ".tiff")
"""Endings of files of one frame; a folder that holds some is one scan."""

DRAFTS: Final = (".tmp", ".part", ".partial", ".filepart", ".lock")
"""Endings of files that are renamed once they are whole."""

DEPTH: Final = 4
"""Folders below each other in which scans are looked for."""

_LOOKED_AT: Final = 16

Stamp: TypeAlias = tuple[int, ...]
"""What changes when a scan is written: inode, bytes, times; of a folder its number of files, and these of the last."""


@dataclass(frozen=True)
class Arrival:
    """A scan in the watched folder.

    Attributes
    ----------
    name : str
        Its path below the folder, with "/".
    path : Path
        File or folder.
    stamp : tuple of int
        Changes whenever the scan does.
    identity : tuple of int
        What a scan keeps when it is renamed.
    changed_at : float
        When it was last seen to change, seconds since 1970; for one that was there before, its own time.
    problem : str
        Why it cannot be looked at; "" as a rule.
    """

    name: str
    path: Path
    stamp: Stamp
    identity: Stamp
    changed_at: float
    problem: str = ""

    def at_rest_s(self, now: float) -> float:
        """Return the seconds since it last changed, below 0 never."""
        return max(0.0, now - self.changed_at)


@dataclass
class Spool:
    """A folder that is watched.

    Attributes
    ----------
    path : Path
        The folder.
    match : str
        Pattern that names must have; of a path below the folder the last part, or all of it.
    known : dict of str to Arrival
        What was there at the last look.
    """

    path: Path
    match: str = "*"
    known: dict[str, Arrival] = field(default_factory=dict)
    _looked: bool = False

    def look(self) -> dict[str, Arrival]:
        """Look at the folder again.

        Returns
        -------
        dict of str to Arrival
            Name → scan, of all that are there now.

        Raises
        ------
        OSError
            The folder itself cannot be listed now, as when a network disk is away; what was known stays.
        """
        now = time.time()
        arrivals: dict[str, Arrival] = {}
        changed: list[Arrival] = []
        for arrival in _scans(self.path, self.path, DEPTH):
            if not self._matches(arrival.name):
                continue
            before = self.known.get(arrival.name)
            if before is not None and before.stamp == arrival.stamp:
                arrivals[arrival.name] = before
            elif before is None and not self._looked:  # it was there before: its own time tells its age
                arrivals[arrival.name] = replace(arrival, changed_at=min(arrival.changed_at, now))
            else:
                changed.append(arrival)
        # Of those that changed since the last look the newest is known by the times of the files alone.
        for rank, arrival in enumerate(sorted(changed, key=lambda arrival: arrival.changed_at, reverse=True)):
            arrivals[arrival.name] = replace(arrival, changed_at=now - rank * APART_S)
        self.known, self._looked = arrivals, True
        return arrivals

    def _matches(self, name: str) -> bool:
        last = name.rpartition("/")[2]
        return any(fnmatch(text, self.match) for text in (name, last, last.rpartition(".")[0]) if text)


def _scans(folder: Path, root: Path, depth: int) -> Iterator[Arrival]:
    """Yield the scans in a folder; only that of the root itself may fail."""
    with os.scandir(folder) as listed:
        entries = sorted(
            (entry for entry in listed if not entry.name.startswith(".")), key=lambda entry: entry.name
        )
    for entry in entries:
        path = Path(entry.path)
        ending = path.suffix.lower()
        if ending in DRAFTS:
            continue
        try:
            if entry.is_dir():
                yield from _scans_in_folder(path, root, depth)
            elif ending in SCAN_FILES:
                yield _file_arrival(entry, path, root)
        except FileNotFoundError:  # it vanished between two questions
            continue
        except OSError as problem:
            name = path.relative_to(root).as_posix()
            yield Arrival(name, path, (problem.errno or 0,), (), time.time(), refusal(problem))


def _scans_in_folder(path: Path, root: Path, depth: int) -> Iterator[Arrival]:
    names = sorted(entry.name for entry in path.iterdir())
    if _is_scan(path, names):
        yield _folder_arrival(path, names, root)
    elif depth > 1:
        yield from _scans(path, root, depth - 1)


def _is_scan(folder: Path, names: list[str]) -> bool:
    """Tell whether a folder is one scan: of single frames, or of a Flyscan file with its references beside it."""
    endings = {Path(name).suffix.lower() for name in names}
    if endings & set(FRAME_FILES):
        return True
    nexus = [Path(name).stem for name in names if name.lower().endswith(".nxs")]
    return folder.name in nexus or any(BESIDE.fullmatch(stem) for stem in nexus)


def _file_arrival(entry: os.DirEntry[str], path: Path, root: Path) -> Arrival:
    status = entry.stat()
    identity = (status.st_ino, status.st_size, status.st_mtime_ns)
    stamp = (*identity, status.st_ctime_ns)  # a file that may be read from now on has another time of change
    return Arrival(path.relative_to(root).as_posix(), path, stamp, identity, status.st_mtime_ns / 1e9)


def _folder_arrival(path: Path, names: list[str], root: Path) -> Arrival:
    """Describe a folder of frames by their number and the last of them: thousands of files are not asked each."""
    own = path.stat()
    visible = [name for name in names if not name.startswith(".")]
    last = [(path / name).stat() for name in visible[-_LOOKED_AT:]]
    newest = max([own.st_mtime_ns, *(status.st_mtime_ns for status in last)])
    size = sum(status.st_size for status in last)
    stamp = (own.st_ino, len(visible), size, newest, own.st_ctime_ns)
    return Arrival(
        path.relative_to(root).as_posix(), path, stamp, (own.st_ino, len(visible), size, newest), newest / 1e9
    )


def refusal(problem: OSError) -> str:
    """Say why the system refuses a file.

    Parameters
    ----------
    problem : OSError
        As it was raised.

    Returns
    -------
    str
        A sentence without the file's name.
    """
    message = os.strerror(problem.errno) if problem.errno else str(problem)
    right = isinstance(problem, PermissionError)
    return f"{message}; " + (
        "ask its owner for the right to read it" if right else "look whether the disk is there"
    )
