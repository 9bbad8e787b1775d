"""What lies in a folder of a record, a page at a time: from its table of files, or from the folder itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from tomarium.catalogue.file_table import table_of
from tomarium.catalogue.store import ObjectPath
from tomarium.model import Record

AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Item:
    """A file, or a folder.

    Attributes
    ----------
    name : str
        A folder's ends in "/".
    bytes : int or None
        Size; of a folder that of all below it, None where nobody has summed it.
    files : int or None
        How many files are below a folder, where that is known.
    """

    name: str
    bytes: int | None
    files: int | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")


def list_folder(record: Record, folder: Path, path: str, first: int = 0) -> tuple[list[Item], int]:
    """List a folder of a record.

    Parameters
    ----------
    record : Record
        As its crate says.
    folder : Path
        Its folder.
    path : str
        Of a folder in it, which is there, without "/" at its end.
    first : int
        How many are passed over.

    Returns
    -------
    tuple of list of Item, and int
        Folders first, each by name, at most `AT_ONCE`; and how many there are in all. What was published is listed
        as it was published; of a draft what lies there now.
    """
    if (table := table_of(folder, record)) is not None:
        folders, rows = table.children(f"{path}/")
        if folders or len(rows):
            items = [
                Item(name[len(path) + 1 :], size, count) for name, count, size in folders[first:][:AT_ONCE]
            ]
            start = max(0, first - len(folders))
            for row in rows[start : start + AT_ONCE - len(items)].tolist():
                items.append(Item(table.paths[row][len(path) + 1 :], int(table.sizes[row])))
            return items, len(folders) + len(rows)
    place = folder / path
    if isinstance(place, ObjectPath):
        below = sorted((path.is_told is True, path.name, path) for path in place.iterdir())
        shown = below[first : first + AT_ONCE]
        return [
            Item(name, object_path.state().size) if is_file else Item(f"{name}/", None)
            for is_file, name, object_path in shown
        ], len(below)
    names = _names(place, place.stat().st_mtime_ns)
    listed = []
    for is_file, name in names[first : first + AT_ONCE]:
        listed.append(Item(name, (place / name).stat().st_size) if is_file else Item(f"{name}/", None))
    return listed, len(names)


@lru_cache(maxsize=8)
def _names(place: Path, _changed_ns: int) -> tuple[tuple[bool, str], ...]:
    """List names, folders first; a folder's time changes when one is added or taken away. Links are left out."""
    with os.scandir(place) as entries:
        return tuple(sorted((entry.is_file(), entry.name) for entry in entries if not entry.is_symlink()))
