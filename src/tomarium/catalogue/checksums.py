"""Checksums of a record's files, in the manifest that `sha256sum -c` and BagIt readers understand.

A manifest has one line for each file, "<SHA-256>  <path>", sorted by path (RFC 8493, section 2.1.3).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.catalogue.store import ObjectPath
from tomarium.errors import FormatError
from tomarium.pipeline.run.journal import FOLDER as JOURNAL
from tomarium.viewers.place import is_inside

MANIFEST: Final = "manifest-sha256.txt"

FILE_TABLE: Final = re.compile(r"manifest-[0-9a-f]{16}\.parquet")
"""Name of the table that holds the same of a published record (`file_table.py`)."""

SOURCE: Final = ".source.json"
"""Where the scan of a record lies on this machine. It is no file of the record: not listed, and served to nobody."""


def is_manifest(path: str) -> bool:
    """Tell whether a path of a record is its manifest, in either form; no manifest lists itself."""
    return path == MANIFEST or FILE_TABLE.fullmatch(path) is not None


@dataclass(frozen=True)
class Sum:
    """Size and checksum of a file.

    Attributes
    ----------
    bytes : int
        Size.
    sha256 : str
        Lower-case hexadecimal.
    """

    bytes: int
    sha256: str


def list_files(folder: Path) -> Iterator[str]:
    """List all files below a folder.

    Parameters
    ----------
    folder : Path
        Any folder.

    Yields
    ------
    str
        Path below the folder, with "/" as separator; in no particular order. Left out are the journal of a run that
        is being filed, which goes when the record is there, and `SOURCE`, which is for this machine alone.

    Raises
    ------
    FormatError
        There is a link or another thing that is no file, or a name that a manifest cannot hold: a record must
        be whole wherever it is copied to.
    """
    if isinstance(folder, ObjectPath):
        yield from _list_objects(folder)
        return
    left = [(os.fspath(folder), "")]
    while left:
        place, before = left.pop()
        try:
            with os.scandir(place) as entries:
                held = list(entries)
        except OSError:  # it cannot be read, or is gone
            continue
        for entry in held:
            is_folder = entry.is_dir()
            if not before and entry.name == (JOURNAL if is_folder else SOURCE):
                continue
            if entry.is_symlink() or not (is_folder or entry.is_file()):
                raise FormatError(link_words(folder, Path(entry.path)))
            path = before + entry.name
            _demand_name(folder, path)
            if is_folder:
                left.append((entry.path, f"{path}/"))
            else:
                yield path


def _list_objects(folder: ObjectPath) -> Iterator[str]:
    for object_path in folder.rglob():
        path = object_path.key.removeprefix(f"{folder.key}/")
        _demand_name(folder, path)
        if path != SOURCE and not path.startswith(f"{JOURNAL}/"):
            yield path


def _demand_name(folder: Path, path: str) -> None:
    if not path.isprintable() or "\\" in path:
        raise FormatError(f"{folder.name}: the name {path!r} cannot stand in a manifest; rename it")


def link_words(folder: Path, path: Path) -> str:
    """Say that something in a record is a link, or is no file.

    Parameters
    ----------
    folder : Path
        The record's folder.
    path : Path
        What was found in it.

    Returns
    -------
    str
        The whole message; where a link leads is told.
    """
    shown = f"{folder.name}: {path.relative_to(folder).as_posix()!r}"
    if not path.is_symlink():
        return f"{shown} is no regular file, which a record cannot hold; take it away"
    inside = path.resolve().is_relative_to(folder.resolve())
    where = "elsewhere in the record" if inside else "out of the record"
    return (
        f"{shown} is a link that leads {where}, to {str(path.readlink())[:200]!r}, which a record cannot hold; put the "
        f"file itself there, or take it away"
    )


def sum_files(folder: Path, paths: Sequence[str]) -> dict[str, Sum]:
    """Compute the checksums of files, several at a time.

    Parameters
    ----------
    folder : Path
        Where the files are.
    paths : sequence of str
        Paths below the folder.

    Returns
    -------
    dict of str to Sum
        Sorted by path.
    """
    ordered = sorted(paths)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return dict(zip(ordered, pool.map(lambda path: sum_file(folder / path), ordered), strict=True))


def sum_file(path: Path) -> Sum:
    """Compute the checksum of one file without holding it in memory.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    Sum
        Its size and checksum.
    """
    if isinstance(path, ObjectPath):
        digest_so_far, size = hashlib.sha256(), 0
        for block in path.blocks():
            digest_so_far.update(block)
            size += len(block)
        return Sum(size, digest_so_far.hexdigest())
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Sum(file.tell(), digest)


def sum_folder(path: str, sums: Mapping[str, Sum]) -> Sum:
    """Compute the one checksum of a folder that is one thing.

    Parameters
    ----------
    path : str
        The folder's path, with "/" at its end.
    sums : Mapping of str to Sum
        The files of the record, sorted by path.

    Returns
    -------
    Sum
        The sum of the sizes, and the SHA-256 of the folder's lines in the manifest.
    """
    inside = {name: entry for name, entry in sums.items() if name.startswith(path)}
    lines = write_manifest(inside).encode()
    return Sum(sum(entry.bytes for entry in inside.values()), hashlib.sha256(lines).hexdigest())


def write_manifest(sums: Mapping[str, Sum]) -> str:
    """Write the text of a manifest.

    Parameters
    ----------
    sums : Mapping of str to Sum
        Path → size and checksum.

    Returns
    -------
    str
        One line for each file, in the order given.
    """
    return "".join(f"{entry.sha256}  {path}\n" for path, entry in sums.items())


def read_manifest(path: Path) -> dict[str, str]:
    """Read a manifest.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to str
        Path below the folder → checksum.

    Raises
    ------
    FormatError
        It cannot be read, or a line is not "<checksum>  <path>".
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise FormatError(f"{path.name}: cannot be read ({problem}); file the record again") from problem
    checksums = {}
    for number, line in enumerate(lines, 1):
        checksum, separator, name = line.partition("  ")
        if len(checksum) != 64 or not separator or not name:
            raise FormatError(f"{path.name}, line {number}: {line[:80]!r} is no '<SHA-256>  <path>'")
        if not is_inside(name):
            raise FormatError(
                f"{path.name}, line {number}: {name[:80]!r} is no name of a file of this folder; take the record from "
                f"its origin"
            )
        checksums[name] = checksum
    return checksums
