"""Folders of this machine, which a record that others read does not tell: names and fingerprints are enough."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final

from tomarium.formats import PLACES
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import Protocol

NOWHERE: Final = re.compile(r"(?!)")
"""Matches no folder."""

# /data or /tmp alone may as well begin the path of a dataset; only before the file's own name it is a folder.
_LEAST_PARTS: Final = 3
_WINDOWS: Final = re.compile(r"[A-Za-z]:[\\/]")


def folders_of(paths: Iterable[str]) -> re.Pattern[str]:
    """Describe the folders that paths lie in.

    Parameters
    ----------
    paths : iterable of str
        Files and folders; those that are not absolute tell nothing and are passed over.

    Returns
    -------
    re.Pattern
        Matches the folder of each, and those above it, where a path begins with one.
    """
    patterns: set[str] = set()
    for text in paths:
        path: PurePath = PureWindowsPath(text) if _WINDOWS.match(text) else PurePosixPath(text)
        if not path.is_absolute():
            continue
        separator = "\\" if isinstance(path, PureWindowsPath) else "/"
        patterns |= {
            re.escape(f"{parent}{separator}") for parent in path.parents if len(parent.parts) >= _LEAST_PARTS
        }
        if len(path.parent.parts) == _LEAST_PARTS - 1:
            patterns.add(f"{re.escape(f'{path.parent}{separator}')}(?={re.escape(path.name)})")
    longest_first = sorted(patterns, key=lambda pattern: (-len(pattern), pattern))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(longest_first)})") if patterns else NOWHERE


def folders_of_scan(scan: Scan, further: Iterable[str] = ()) -> re.Pattern[str]:
    """Describe the folders that a scan, and what was opened with it, lies in.

    Parameters
    ----------
    scan : Scan
        The scan.
    further : iterable of str
        Paths of further scans, as they were given.

    Returns
    -------
    re.Pattern
        As `folders_of` gives it; the user's own and the present folder are among them.
    """
    places = (scan.metadata.get(f"opened_{name}") for name in PLACES)
    opened_paths = (str(place.value).partition(":/")[0] for place in places if place is not None)
    own_paths = (scan.path.resolve(), scan.path.absolute(), Path.home() / "file", Path.cwd() / "file")
    return folders_of([*map(str, own_paths), *opened_paths, *further])


def without_folders(data: Any, folders: re.Pattern[str]) -> Any:
    """Take folders away from the paths that data tell.

    Parameters
    ----------
    data : any JSON value
        Texts, and mappings and lists of them.
    folders : re.Pattern
        As `folders_of` gives it.

    Returns
    -------
    any JSON value
        The same, "/data/visitor/ma1/scan.h5:/a" become "scan.h5:/a".
    """
    if folders is NOWHERE:
        return data
    if isinstance(data, str):
        return folders.sub("", data)
    if isinstance(data, Mapping):
        return {without_folders(key, folders): without_folders(part, folders) for key, part in data.items()}
    if isinstance(data, list | tuple):
        return [without_folders(part, folders) for part in data]
    return data


def protocol_without_folders(protocol: Protocol, folders: re.Pattern[str]) -> Protocol:
    """Name further scans in a protocol without the folders that they lie in.

    Parameters
    ----------
    protocol : Protocol
        As it was run.
    folders : re.Pattern
        As `folders_of_scan` gives it.

    Returns
    -------
    Protocol
        The same steps.
    """
    items = tuple(
        replace(item, given={**item.given, "scans": without_folders(item.given["scans"], folders)})
        if "scans" in item.given
        else item
        for item in protocol.items
    )
    return replace(protocol, items=items)
