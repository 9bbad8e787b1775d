"""A record on disk: a folder of open files and one `ro-crate-metadata.json`, which is written last."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from tomarium import units
from tomarium.catalogue.checksums import (
    MANIFEST,
    SOURCE,
    Sum,
    is_manifest,
    link_words,
    list_files,
    read_manifest,
    sum_files,
    sum_folder,
)
from tomarium.catalogue.store import place_at
from tomarium.errors import FormatError
from tomarium.model import Record, Value
from tomarium.pipeline.run.folders import NOWHERE, folders_of, without_folders
from tomarium.pipeline.run.journal import FOLDER as JOURNAL
from tomarium.standards.ro_crate import FILENAME, read
from tomarium.viewers.place import is_inside

ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,126}[a-z0-9])?")
LONGEST_CRATE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Mismatch:
    """Something that is not as the record says.

    Attributes
    ----------
    path : str
        Path below the record's folder.
    problem : str
        "missing", "changed" or "unlisted".
    """

    path: str
    problem: Literal["missing", "changed", "unlisted"]


def read_record(folder: Path) -> Record:
    """Read the record of a folder.

    Parameters
    ----------
    folder : Path
        Folder with `ro-crate-metadata.json`.

    Returns
    -------
    Record
        As its crate says, without the folders of the machine it was made on; the files themselves are not looked
        at (`verify` does that).

    Raises
    ------
    FormatError
        The folder is no record, is unfinished or its crate is damaged.
    """
    record = _read_crate(folder)
    folders = _folders(record)
    if folders is NOWHERE:
        return record
    return replace(
        record,
        description=without_folders(record.description, folders),
        parameters={
            key: Value(
                without_folders(parameter.value, folders),
                parameter.origin,
                without_folders(parameter.source, folders),
            )
            for key, parameter in record.parameters.items()
        },
        provenance=without_folders(record.provenance, folders),
    )


def folders_told(folder: Path) -> re.Pattern[str]:
    """Describe the folders that the files of a record tell and should not.

    Parameters
    ----------
    folder : Path
        Folder of a record.

    Returns
    -------
    re.Pattern
        For `without_folders`; `NOWHERE` for what was made since records tell none.

    Raises
    ------
    FormatError
        The folder is no record.
    """
    return _folders(_read_crate(folder))


def _folders(record: Record) -> re.Pattern[str]:
    source = record.provenance.get("source")
    path = source.get("path") if isinstance(source, Mapping) else None
    return folders_of([path] if isinstance(path, str) else [])


def _read_crate(folder: Path) -> Record:
    crate = place_at(folder) / FILENAME
    try:
        if crate.stat().st_size > LONGEST_CRATE_BYTES:
            raise FormatError(f"{crate}: is larger than {units.show(LONGEST_CRATE_BYTES, 'B')}; no crate is")
        text = crate.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise FormatError(f"{folder}: {_why_no_record(place_at(folder))}") from problem
    except (OSError, UnicodeDecodeError) as problem:
        raise FormatError(
            f"{crate}: cannot be read ({problem}); check the disk and the permissions"
        ) from problem
    try:
        record = read(text)
    except FormatError as problem:
        raise FormatError(f"{folder}: {problem}") from problem
    if not ID.fullmatch(record.id):
        raise FormatError(f"{crate}: the identifier {record.id[:80]!r} is not made of a-z, 0-9 and hyphens")
    for entry in record.files:
        if not is_inside(entry.path) or entry.bytes < 0:
            raise FormatError(f"{crate}: lists {entry.path[:80]!r}, which cannot be a file of this folder")
    if unsound := what_is_unsound(record.volume):
        raise FormatError(f"{crate}: the volume's {unsound} cannot be so; file the run again")
    return record


def refuse_links(folder: Path) -> None:
    """Refuse a folder in which something leads elsewhere.

    Parameters
    ----------
    folder : Path
        Folder of a record; it may be reached through a link itself.

    Raises
    ------
    FormatError
        There is a link or a thing that is no file anywhere in it, its name and where it leads told, or a name that no
        manifest can hold.
    """
    for hidden in (JOURNAL, SOURCE):
        if (folder / hidden).is_symlink():
            raise FormatError(link_words(folder, folder / hidden))
    for _ in list_files(folder):
        pass


def verify(folder: Path, *, checksums: bool = True) -> tuple[Mismatch, ...]:
    """Compare all files of a record with their checksums.

    Parameters
    ----------
    folder : Path
        Folder of a record.
    checksums : bool
        Whether to read the files; otherwise only their names are compared, and the manifest's checksum.

    Returns
    -------
    tuple of Mismatch
        Empty where every byte is as it was filed; sorted by path.

    Raises
    ------
    FormatError
        The folder is no record, its manifest cannot be read, or there is a link in it.
    """
    folder = place_at(folder)
    record = read_record(folder)
    paths = set(list_files(folder)) - {FILENAME}
    present = {path for path in paths if not is_manifest(path)}
    manifest = read_manifest(folder / MANIFEST)
    sums = sum_files(folder, sorted(present & manifest.keys())) if checksums else {}
    problems = {path: Mismatch(path, "missing") for path in manifest.keys() - present}
    problems |= {path: Mismatch(path, "unlisted") for path in present - manifest.keys()}
    problems |= {path: Mismatch(path, "changed") for path in sums if sums[path].sha256 != manifest[path]}
    # A file and its line in the manifest may have been changed together; the crate's own checksums tell.
    listed = {path: Sum(0, checksum) for path, checksum in sorted(manifest.items())}
    listed |= sum_files(folder, sorted(paths - present))
    for entry in record.files:
        entry_sum = sum_folder(entry.path, listed) if entry.path.endswith("/") else listed.get(entry.path)
        if entry_sum is None:
            problems.setdefault(entry.path, Mismatch(entry.path, "missing"))
        elif entry_sum.sha256 != entry.sha256:
            problems.setdefault(entry.path, Mismatch(entry.path, "changed"))
    return tuple(problems[path] for path in sorted(problems))


def what_is_unsound(volume: Mapping[str, Any]) -> str:
    """Name what pages and index could not rely on in a volume's summary.

    Parameters
    ----------
    volume : Mapping
        As in `Record`.

    Returns
    -------
    str
        "voxel_m", "histogram" …; "" where all is sound.
    """
    shape, voxel, unit = volume.get("shape") or [], volume.get("voxel_m"), volume.get("unit") or ""
    histogram = volume.get("histogram") or {"edges": [], "counts": []}
    numbers = [volume.get(key) for key in ("minimum", "mean", "maximum")]
    window = volume.get("window") or []
    sizes = voxel if isinstance(voxel, list) else [voxel, voxel, voxel] if voxel is not None else []
    sound = {
        "shape": isinstance(shape, list)
        and len(shape) in (0, 3)
        and all(_is(n, int) and n > 0 for n in shape),
        "voxel_m": len(sizes) in (0, 3)
        and all(_is(size, int, float) and is_voxel_size(size) for size in sizes),
        "unit": isinstance(unit, str),
        "minimum, mean, maximum": all(number is None or _is(number, int, float) for number in numbers),
        "window": isinstance(window, list)
        and len(window) in (0, 2)
        and all(_is(value, int, float) for value in window)
        and window == sorted(set(window)),
        "histogram": isinstance(histogram, dict)
        and all(isinstance(histogram.get(key), list) for key in ("edges", "counts"))
        and all(_is(value, int, float) for key in ("edges", "counts") for value in histogram[key]),
    }
    return next((key for key, is_sound in sound.items() if not is_sound), "")


def is_voxel_size(size_m: float) -> bool:
    """Tell whether a voxel of a tomogram can have a size.

    Parameters
    ----------
    size_m : float
        Edge, m.

    Returns
    -------
    bool
        It is more than 1 pm and less than 10 m.
    """
    return 1e-12 < size_m < 10


def _is(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _why_no_record(folder: Path) -> str:
    if not folder.exists():
        return "does not exist; give a record, a volume, a scan, or a folder of them"
    if not folder.is_dir():
        return "is a file; give the folder of a record"
    if (folder / JOURNAL).is_dir():
        return (
            f"holds no {FILENAME}: the run that makes it did not finish; tomarium doctor {shlex.quote(str(folder))} "
            "tells the command that goes on; then file it"
        )
    if any(folder.glob("*.zarr")):
        return f"holds a volume but no {FILENAME}: its run did not finish; resume the run, then file it"
    return f"holds no {FILENAME}, so it is no record; give the folder of a finished reconstruction"
