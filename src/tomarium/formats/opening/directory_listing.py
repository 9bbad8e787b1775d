"""The files of a folder, chosen by name before a path is made of each: a scan's folder may hold 10 000."""

import os
from collections.abc import Callable
from pathlib import Path


def named_in(folder: Path, wanted: Callable[[str], object]) -> list[Path]:
    """List what a folder holds under the names that are wanted.

    `wanted`: takes a name; what it gives is true for those to list.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if wanted(entry.name))
    return [folder / name for name in names]


def ending_in(folder: Path, *suffixes: str) -> list[Path]:
    """List what a folder holds under names that end so, capital letters or not, and are not hidden."""
    return named_in(folder, lambda name: name.lower().endswith(suffixes) and not name.startswith("."))
