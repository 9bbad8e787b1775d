"""What the Linux control groups around this process allow it: containers, batch jobs, services.

Facts: the kernel's documentation of control groups, version 1 (cgroup-v1/memory.rst, scheduler/sched-bwc.rst)
and version 2 (cgroup-v2.rst, "Memory Interface Files" and "CPU Interface Files"). A process belongs to one
group of each hierarchy, and every group above it limits it as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, TypeVar

_Number = TypeVar("_Number", int, float)

SELF: Final = Path("/proc/self")
UNLIMITED_BYTES = 1 << 60
"""Version 1 writes its largest whole pages for "no limit"."""


@dataclass(frozen=True)
class Hierarchy:
    """Where one hierarchy of control groups is mounted, and the group of this process in it.

    Attributes
    ----------
    version : int
        1 or 2.
    controllers : frozenset of str
        What it controls; empty for version 2, whose groups tell by their files.
    top : Path
        Mount point.
    group : Path
        Folder of the process's own group, at or below `top`.
    """

    version: int
    controllers: frozenset[str]
    top: Path
    group: Path

    def upwards(self) -> Iterator[Path]:
        """List the folders of the group and of all above it.

        Yields
        ------
        Path
            From the process's own group to the top.
        """
        folder = self.group
        while True:
            yield folder
            if folder == self.top or folder == folder.parent:
                return
            folder = folder.parent


def available_memory(process: Path = SELF) -> int | None:
    """Return how much memory the control groups still let this process take.

    Parameters
    ----------
    process : Path
        Its folder in /proc.

    Returns
    -------
    int or None
        Bytes: the least over all groups of the limit less what is used, where pages of files that the kernel
        would drop first (`inactive_file`) do not count as used. None where nothing limits it.
    """
    return _least_limit(process, "memory", {1: _memory_left_1, 2: _memory_left_2})


def processors(process: Path = SELF) -> float | None:
    """Return how many processors' time the control groups give this process.

    Parameters
    ----------
    process : Path
        Its folder in /proc.

    Returns
    -------
    float or None
        Quota over period, the least over all groups; None where nothing limits it. What is told of this process is
        kept for a second: a plan asks thousands of times, and each time reads several files.
    """
    return _own_quota(int(time.monotonic())) if process == SELF else _quota(process)


@lru_cache(maxsize=1)
def _own_quota(_second: int) -> float | None:
    return _quota(SELF)


def _quota(process: Path) -> float | None:
    return _least_limit(process, "cpu", {1: _quota_1, 2: _quota_2})


@cache
def hierarchies(process: Path) -> list[Hierarchy]:
    """Find the hierarchies that are mounted, and the group of a process in each.

    Parameters
    ----------
    process : Path
        Its folder in /proc.

    Returns
    -------
    list of Hierarchy
        Empty on systems without control groups. Inside a container only its own part of a hierarchy may be
        mounted: a group that is not below the mounted root counts as that root. Found once for each process:
        a plan asks a hundred times.
    """
    try:
        mounts = (process / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        groups = (process / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    own: dict[frozenset[str], str] = {}
    for line in groups:
        _, controllers, path = line.split(":", 2)
        own[frozenset(controllers.split(",")) - {""}] = path
    return [hierarchy for line in mounts if (hierarchy := _mounted(line, own)) is not None]


def _mounted(line: str, own: dict[frozenset[str], str]) -> Hierarchy | None:
    """Read a line of mountinfo (proc(5)): root and mount point stand 4th and 5th, the type after a dash."""
    before, _, after = line.partition(" - ")
    kind, *_, flags = after.split(" ")
    if kind not in ("cgroup", "cgroup2"):
        return None
    root, top = (word.replace("\\040", " ") for word in before.split(" ")[3:5])
    for controllers, path in own.items():
        if controllers <= set(flags.split(",")) and bool(controllers) == (kind == "cgroup"):
            inside = Path(path).is_relative_to(root)
            group = Path(top) / (Path(path).relative_to(root) if inside else "")
            return Hierarchy(
                1 if controllers else 2, controllers, Path(top), group if group.is_dir() else Path(top)
            )
    return None


def _least_limit(
    process: Path, controller: str, readers: dict[int, Callable[[Path], _Number | None]]
) -> _Number | None:
    values = [
        readers[hierarchy.version](folder)
        for hierarchy in hierarchies(process)
        if hierarchy.version == 2 or controller in hierarchy.controllers
        for folder in hierarchy.upwards()
    ]
    return min([value for value in values if value is not None], default=None)


def _memory_left_2(folder: Path) -> int | None:
    limit, used = _word(folder / "memory.max"), _word(folder / "memory.current")
    if limit is None or used is None or limit == "max":
        return None
    return max(int(limit) - int(used) + _field(folder / "memory.stat", "inactive_file"), 0)


def _memory_left_1(folder: Path) -> int | None:
    limit, used = _word(folder / "memory.limit_in_bytes"), _word(folder / "memory.usage_in_bytes")
    if limit is None or used is None or int(limit) >= UNLIMITED_BYTES:
        return None
    return max(int(limit) - int(used) + _field(folder / "memory.stat", "total_inactive_file"), 0)


def _quota_2(folder: Path) -> float | None:
    quota, period = _word(folder / "cpu.max"), _word(folder / "cpu.max", 1)
    return None if quota is None or period is None or quota == "max" else int(quota) / int(period)


def _quota_1(folder: Path) -> float | None:
    quota, period = _word(folder / "cpu.cfs_quota_us"), _word(folder / "cpu.cfs_period_us")
    return None if quota is None or period is None or int(quota) <= 0 else int(quota) / int(period)


def _word(file: Path, place: int = 0) -> str | None:
    try:
        words = file.read_text(encoding="ascii").split()
    except OSError:
        return None
    return words[place] if place < len(words) else None


def _field(file: Path, name: str) -> int:
    """Read one line of memory.stat; 0 where it is not told."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)
