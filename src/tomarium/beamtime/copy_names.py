"""Names that a disk does not take: found by trying them on it, before anything is copied."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tomarium.beamtime.copy_listing import Listing

PROBE: Final = ".tomarium-names"
"""Folder in which names are tried, and which is removed again."""

_SPECIAL: Final = frozenset('\\:*?"<>|')
_LONG: Final = 140
"""Letters of a name from which on some file systems do not take it."""
_SHOWN: Final = 3


def is_unusual(name: str) -> bool:
    """Tell whether a name is one that some disks do not take.

    Parameters
    ----------
    name : str
        Of a file or a folder, without a path.

    Returns
    -------
    bool
        It holds a sign that FAT, exFAT and NTFS keep for themselves or one that is not ASCII, ends with a dot or a
        space, or is long.
    """
    odd = any(letter in _SPECIAL or letter < " " for letter in name)
    return odd or not name.isascii() or name.endswith((".", " ")) or len(name) > _LONG


def names_refused(listings: Sequence[Listing], target: Path) -> list[str]:
    """Try the unusual names of scans on a disk, and say which it does not take.

    Parameters
    ----------
    listings : sequence of Listing
        The scans.
    target : Path
        A folder on the disk; what is tried in it is removed again.

    Returns
    -------
    list of str
        A sentence for names that are refused or changed, and one for those that differ by upper and lower case alone
        where the disk does not tell these apart.
    """
    names = sorted({part for path in _paths(listings) for part in path.split("/") if is_unusual(part)})
    pairs = list(_same_but_for_case(_paths(listings)))
    if not names and not pairs:
        return []
    probe = target / PROBE
    probe.mkdir(exist_ok=True)
    try:
        refused = [name for name in names if not _is_taken(probe, name)]
        is_one_name = bool(pairs) and _ignores_case(probe)
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    problems = []
    if refused:
        problems.append(
            f"{target}: this disk does not take {_counted(refused, 'name')}: {_names(refused)}; files of these names "
            f"are left out: rename them, copy to a disk of ext4, or put the scan into one file with tar"
        )
    if is_one_name:
        problems.append(
            f"{target}: this disk does not tell upper from lower case, and {_names([' and '.join(p) for p in pairs])} "
            f"differ by nothing else; one of each is left out"
        )
    return problems


def _paths(listings: Sequence[Listing]) -> list[str]:
    return [
        f"{listing.source.name}/{path}".rstrip("/")
        for listing in listings
        for path in (*(file.path for file in listing.files), *(folder for folder, _ in listing.folders))
    ]


def _same_but_for_case(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    path_by_case: dict[str, str] = {}
    for path in paths:
        other = path_by_case.setdefault(path.casefold(), path)
        if other != path:
            yield other, path


def _is_taken(folder: Path, name: str) -> bool:
    """Make a file of a name, and look whether it is there under this name."""
    try:
        (folder / name).touch()
        return name in {path.name for path in folder.iterdir()}
    except OSError:
        return False


def _ignores_case(folder: Path) -> bool:
    (folder / "Case").touch()
    return (folder / "cASE").exists()


def _counted(names: Sequence[str], word: str) -> str:
    return f"{len(names)} {word}{'' if len(names) == 1 else 's'}"


def _names(names: Sequence[str]) -> str:
    first_names = ", ".join(repr(text)[1:-1] for text in names[:_SHOWN])
    return f"{first_names} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else first_names
