"""The number of bytes of a batch of uploads, kept beside it, so that no quota is counted anew for every file."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.errors import StorageFull
from tomarium.units import show_bytes

TOTAL: Final = "total.txt"
LOCK: Final = "lock"
_SPARE_BYTES: Final = 1 << 28
"""Stays free for the catalogue itself."""


@dataclass
class Total:
    """Bytes of a batch.

    Attributes
    ----------
    bytes : int
        Bytes that its files have when they are whole.
    """

    bytes: int


def total_of(home: Path, count: Callable[[Path], int]) -> int:
    """Return the bytes of a batch.

    Parameters
    ----------
    home : Path
        Its folder.
    count : callable
        Counts them from the files; it is asked only where no total is kept.

    Returns
    -------
    int
        0 where the batch is gone.
    """
    kept_total = _read_total(home)
    if kept_total is not None:
        return kept_total
    try:
        with changing(home, count) as total:
            return total.bytes
    except FileNotFoundError:  # it was removed meanwhile
        return 0


@contextmanager
def changing(home: Path, count: Callable[[Path], int]) -> Iterator[Total]:
    """Change the files of a batch, alone among those who do, and its total with them.

    Parameters
    ----------
    home : Path
        Folder of the batch.
    count : callable
        Counts the bytes from the files, where no total is kept.

    Yields
    ------
    Total
        To be changed together with the files. While they are changed no total is kept: where the program is stopped
        then, or something is raised, it is counted anew.
    """
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        kept_total = _read_total(home)
        total = Total(count(home) if kept_total is None else kept_total)
        drop_total(home)
        yield total
        draft = home / f".{TOTAL}"
        draft.write_text(str(total.bytes), encoding="ascii")
        draft.replace(home / TOTAL)
    finally:
        os.close(descriptor)


def drop_total(home: Path) -> None:
    """Forget the total of a batch; it is counted anew when it is asked for."""
    (home / TOTAL).unlink(missing_ok=True)


def _read_total(home: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int((home / TOTAL).read_text(encoding="ascii"))
    return None


def demand_free_bytes(root: Path, path: str, length: int) -> None:
    """Refuse a file that the disk of the uploads has no room for.

    Parameters
    ----------
    root : Path
        Where the uploads lie.
    path : str
        Where the file will lie in its record.
    length : int
        Its bytes.

    Raises
    ------
    StorageFull
        It does not fit beside what the portal keeps for itself.
    """
    free = shutil.disk_usage(root).free
    if length + _SPARE_BYTES > free:
        raise StorageFull(
            f"{path}: has {show_bytes(length)}, and {show_bytes(max(0, free - _SPARE_BYTES))} are free on the portal's "
            "disk beside what it keeps for itself; tell whoever runs this portal"
        )
