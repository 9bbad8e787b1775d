"""Where tomarium keeps records and their index when nobody says otherwise."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def home() -> Path:
    r"""Return tomarium's folder.

    Returns
    -------
    Path
        `$TOMARIUM_HOME` where it is set, else the place for a user's data on this system:
        `$XDG_DATA_HOME/tomarium` or `~/.local/share/tomarium`, `~/Library/Application Support/tomarium`,
        `%LOCALAPPDATA%\tomarium`. It need not exist yet.
    """
    if folder := os.environ.get("TOMARIUM_HOME"):
        return Path(folder).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "tomarium"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tomarium"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tomarium"


def records_folder() -> Path:
    """Return the folder that holds the records, one folder each.

    Returns
    -------
    Path
        `records` in `home()`.
    """
    return home() / "records"


def catalogue_file() -> Path:
    """Return the file of the index.

    Returns
    -------
    Path
        `catalogue.sqlite` in `home()`.
    """
    return home() / "catalogue.sqlite"
