"""The files of a folder, chosen by name before a path is made of each: a scan's folder may hold 10 000."""

import os
from collections.abc import Callable
from pathlib import Path


def named_in(folder: Path, wanted: Callable[[str], object]) -> list[Path]:
    """List what a folder holds under the names that are wanted.

    Parameters
    ----------
    folder : Path
        A folder.
    wanted : callable
        Takes a name; what it gives is true for those to list.

    Returns
    -------
    list of Path
        Sorted by name; files and folders.

    Raises
    ------
    OSError
        The folder cannot be listed.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if wanted(entry.name))
    return [folder / name for name in names]


def ending_in(folder: Path, *suffixes: str) -> list[Path]:
    """List what a folder holds under names that end so, capital letters or not, and are not hidden.

    Parameters
    ----------
    folder : Path
        A folder.
    *suffixes : str
        In lower case: ".par".

    Returns
    -------
    list of Path
        Sorted by name.

    Raises
    ------
    OSError
        The folder cannot be listed.
    """
    return named_in(folder, lambda name: name.lower().endswith(suffixes) and not name.startswith("."))
