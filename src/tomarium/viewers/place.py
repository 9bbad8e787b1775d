"""Where a file of a record lies: below its folder and reached through no link, or nowhere."""

from __future__ import annotations

from pathlib import Path


def is_inside(path: str) -> bool:
    """Tell whether a path can only mean something below the folder it starts from.

    Parameters
    ----------
    path : str
        With "/" as separator; any text.

    Returns
    -------
    bool
        It is relative, and has no "..", no empty part, no backslash and no control character. One "/" at the
        end, for a folder, is allowed.
    """
    parts = path.removesuffix("/").split("/")
    return path.isprintable() and "\\" not in path and not {"", ".", ".."}.intersection(parts)


def place_of(folder: Path, path: str) -> Path | None:
    """Find a file or a folder of a record.

    Parameters
    ----------
    folder : Path
        The record's folder.
    path : str
        Path below it, with "/" as separator; any text.

    Returns
    -------
    Path or None
        A regular file or a folder; None where there is none, or where a link is on the way to it, which could
        lead out of the record.
    """
    if not is_inside(path):
        return None
    place = folder
    try:
        for part in path.removesuffix("/").split("/"):
            place = place / part
            if place.is_symlink():
                return None
        return place if place.is_file() or place.is_dir() else None
    except OSError:  # a name that is too long for the file system
        return None
