"""Filing: the folder of a finished reconstruction becomes a record."""

from __future__ import annotations

import errno
import json
import mimetypes
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.atomic_files import write_whole
from tomarium.catalogue.checksums import (
    MANIFEST,
    Sum,
    is_manifest,
    list_files,
    read_manifest,
    sum_files,
    sum_folder,
    write_manifest,
)
from tomarium.catalogue.file_table import ROLE as TABLE
from tomarium.catalogue.file_table import freeze, remove_others
from tomarium.catalogue.record_folder import ID, read_record, what_is_unsound
from tomarium.catalogue.stated_facts import KEY as BEAMTIME
from tomarium.catalogue.stated_facts import with_facts
from tomarium.catalogue.store import write_crate
from tomarium.catalogue.volume_summary import summarise
from tomarium.errors import FormatError, InputError, StorageFull
from tomarium.formats.record.reader import PROVENANCE
from tomarium.formats.record.reader import VOLUME as VOLUME_NAME
from tomarium.model import FileEntry, Part, Person, Record, Value
from tomarium.model.person import read_person
from tomarium.model.wording import brief, in_words
from tomarium.pipeline.run.provenance import plain
from tomarium.registry import collect
from tomarium.standards.patch_file import MEDIA_TYPE as PARQUET
from tomarium.standards.patch_file import PATH as PATCHES
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.viewers.viewer import Viewer
from tomarium.viewers.volume import open_volume, volume_window

VOLUME: Final = f"{VOLUME_NAME}/"
PREVIEWS: Final = "previews"
ROLES: Final = {
    "protocol.yaml": "protocol",
    PROVENANCE: "provenance",
    MANIFEST: "manifest",
    PATCHES: "patches",
}
KEPT: Final = (
    "publication", "related", "techniques", "specimen", "funding", "acknowledgement", "entities", "disclosed", "links",
    "card",
)  # fmt: skip
"""Fields of a record that filing it again does not change."""
MOST_LISTED: Final = 1000
"""Files of a folder that a crate lists one by one; a folder of more it lists as one thing, as it does a volume."""
DATA: Final = ("volume", "data")
"""Roles of the files that a version of a record stands for."""
MEDIA_TYPES: Final = {
    ".yaml": "application/yaml",
    ".log": "text/plain",
    ".nxs": "application/x-hdf5",
    ".parquet": PARQUET,
}


def file_record(
    folder: Path,
    *,
    title: str,
    id: str | None = None,
    created: datetime | None = None,
    description: str = "",
    creators: Sequence[str | Person] = (),
    keywords: Sequence[str] = (),
    licence: str = "",
    parameters: Mapping[str, Value[Any]] | None = None,
    volume: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    parts: Sequence[Part] = (),
    techniques: Sequence[str] = (),
    stated: Mapping[str, Any] | None = None,
) -> Record:
    """Make a folder a record: previews, checksums, and the crate last.

    Parameters
    ----------
    folder : Path
        Holds `volume.ome.zarr`, or the parts that are named; whatever else lies in it belongs to the record too.
        Filing it again updates the record and keeps its identifier.
    title : str
        One line for people.
    id : str, optional
        Lower-case letters, digits and hyphens; by default the title's words and the start of the volume's
        checksum.
    created : datetime, optional
        With a time zone; now by default.
    description : str, optional
        A paragraph for people; by default one that tells the size of the volume.
    creators : sequence of str or Person
        Names, or as `read_person` reads them. Where none are given, those that the record had.
    keywords : sequence of str
        Words to be found by.
    licence : str, optional
        SPDX identifier.
    parameters : Mapping of str to Value, optional
        Named values, the unit in the name. NumPy's numbers become Python's; NaN and infinity become None.
    volume : Mapping, optional
        What the run counted on its way: `voxel_m`, `unit`, `minimum`, `maximum`, `mean`, `histogram`; what is
        absent is read from the volume, statistics by reading it twice.
    provenance : Mapping, optional
        What was done; `provenance.json` of the folder by default.
    parts : sequence of Part
        What the folder holds besides a volume; where there is none, at least one.
    techniques : sequence of str
        PaNET identifiers, of a record that is new; filing it again keeps those that it has.
    stated : Mapping, optional
        What a beamtime states of it, as for `with_facts`; of a record that is new.

    Returns
    -------
    Record
        As it was written to `ro-crate-metadata.json`.

    Raises
    ------
    FormatError
        There is neither a finished volume nor a part, or a file that a record cannot hold.
    InputError
        The title is empty, the identifier is malformed, the time has no zone, what is told of the volume
        cannot be, or the record was published and its files are not what they were.
    StorageFull
        The disk is full; what lies in the folder is kept.
    """
    folder = Path(folder)
    has_volume = (folder / VOLUME).is_dir()
    if not has_volume and not parts:
        raise FormatError(f"{folder}: holds no {VOLUME}; give the folder of a finished reconstruction")
    created = created or datetime.now(UTC).replace(microsecond=0)
    if created.tzinfo is None:
        raise InputError(f"the time {created.isoformat()} has no zone; give one: {created.isoformat()}+00:00")
    title = " ".join(title.split())
    if not title:
        raise InputError(f"{folder}: the title is empty; give one line that tells people what it is")
    before = read_record(folder) if (folder / FILENAME).exists() else None
    known_id = id or (before.id if before else None)
    summary = _summary(folder / VOLUME, volume or {}) if has_volume else {}
    if unsound := what_is_unsound(summary):
        values = brief(in_words({key: summary.get(key) for key in unsound.split(", ")}), 120)
        raise InputError(f"{folder}: the volume cannot be so: {values}; file it with what is right")
    people = tuple(read_person(creator) if isinstance(creator, str) else creator for creator in creators)
    if before and not people:
        people = before.creators
    draft = Record(
        id=known_id or "",
        title=title,
        created=created,
        description=description or (_describe(summary) if has_volume else _describe_parts(parts)),
        creators=people,
        keywords=tuple(keywords),
        licence=licence,
        parameters={
            key: replace(value, value=plain(value.value)) for key, value in (parameters or {}).items()
        },
        parts=((_volume_part(summary), *parts) if has_volume else tuple(parts)),
        techniques=tuple(techniques),
        provenance=_provenance(folder) if provenance is None else plain(provenance),
        files=(FileEntry(VOLUME, 0, "0" * 64, role="volume"),) if has_volume else (),
    )
    if before:  # what was told since, by `tomarium edit` and `tomarium publish`
        draft = replace(
            draft, **{name: getattr(before, name) for name in KEPT}, licence=licence or before.licence
        )
        if BEAMTIME in before.provenance:
            draft = replace(draft, provenance={**draft.provenance, BEAMTIME: before.provenance[BEAMTIME]})
    elif stated:
        draft = with_facts(draft, stated)
    if has_volume:
        window = list(volume_window(draft, folder))
        draft = replace(draft, parts=(_volume_part({**summary, "window": window}), *draft.parts[1:]))
    with _room(folder):
        _write_previews(draft, folder)
        listed = (path for path in list_files(folder) if path != FILENAME and not is_manifest(path))
        sums = sum_files(folder, list(listed))
        _demand_same_data(before, sums)
        write_whole(folder / MANIFEST, write_manifest(sums).encode())
        files = _entries(sums | sum_files(folder, [MANIFEST]), draft.parts)
        record = replace(draft, files=files, id=known_id or _new_id(title, files))
        if not ID.fullmatch(record.id):
            raise InputError(f"the identifier {record.id[:80]!r} is malformed; use a-z, 0-9 and hyphens")
        if record.publication is not None:
            record = freeze(folder, record)
        write_whole(folder / FILENAME, export(record).encode())
        remove_others(folder, record)
    return record


def refile_below(folder: Path, record: Record, below: str) -> Record:
    """Tell the files below one folder of a record anew; those of no other folder are read.

    Parameters
    ----------
    folder : Path
        Of the record. Its manifest is written, and of a published record the table of its files.
    record : Record
        As it is to be but for its files; the caller writes its crate, and calls `remove_others` after.
    below : str
        A folder of the record, such as "meshes/print"; it need not be there any more.

    Returns
    -------
    Record
        With its files as they are now.

    Raises
    ------
    FormatError
        There is a link in that folder, a name that cannot stand in a manifest, or no manifest.
    InputError
        The folder lies in one that is told as one thing, or holds too many files to be told one by one.
    """
    start = f"{below}/"
    in_entry = next(
        (file.path for file in record.files if file.path.endswith("/") and start.startswith(file.path)), ""
    )
    inside = [f"{start}{path}" for path in list_files(folder / below)] if (folder / below).is_dir() else []
    if in_entry or len(inside) > MOST_LISTED:
        raise InputError(
            f"{record.id}: {in_entry or start} is told as one thing; file the whole record anew with tomarium ingest"
        )
    fresh = sum_files(folder, inside)
    unchanged = {
        path: sha256
        for path, sha256 in read_manifest(folder / MANIFEST).items()
        if not path.startswith(start)
    }
    sums = {path: Sum(0, sha256) for path, sha256 in unchanged.items()} | fresh  # a manifest has no sizes
    write_crate(folder / MANIFEST, write_manifest(dict(sorted(sums.items()))).encode())
    entries = _entries(fresh | sum_files(folder, [MANIFEST]), record.parts)
    file_entries = [
        file
        for file in record.files
        if file.role != TABLE and file.path != MANIFEST and not file.path.startswith(start)
    ]
    singly = sorted(
        (*(file_entry for file_entry in file_entries if not file_entry.path.endswith("/")), *entries),
        key=lambda entry: entry.path,
    )
    refiled = replace(
        record, files=(*(file_entry for file_entry in file_entries if file_entry.path.endswith("/")), *singly)
    )
    return freeze(folder, refiled) if refiled.publication is not None else refiled


def _summary(path: Path, volume: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the volume in short: what the run told, completed by what the files say."""
    stored = open_volume(path)
    summary: dict[str, Any] = {
        "path": VOLUME.rstrip("/"),
        "shape": list(stored.shape),
        "dtype": str(stored.dtype),
        "voxel_m": list(stored.voxel_m) if stored.voxel_m else None,
        "unit": stored.unit,
    }
    if "histogram" not in volume:
        summary |= summarise(stored.data)
    return summary | {
        key: plain(value) for key, value in volume.items() if key not in ("path", "shape", "dtype")
    }


def own_description(record: Record) -> str:
    """Return what a record says of itself where nobody described it.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        The size of its volume, or of its first part.
    """
    return _describe(record.volume) if record.volume.get("shape") else _describe_parts(record.parts)


def _describe(summary: Mapping[str, Any]) -> str:
    z, y, x = summary["shape"]
    text = f"Reconstructed volume of {x} × {y} × {z} voxels"
    voxel = summary.get("voxel_m")
    if not voxel:
        return f"{text}; the voxel size is not known."
    sizes = [voxel] * 3 if isinstance(voxel, (int, float)) else list(voxel)
    size = (
        units.show(sizes[0], "m")
        if len(set(sizes)) == 1
        else " × ".join(units.show(s, "m") for s in sizes[::-1])
    )
    return f"{text} of {size}."


def _describe_parts(parts: Sequence[Part]) -> str:
    part = parts[0]
    lengths = " × ".join(str(axis["length"]) for axis in part.axes)
    names = ", ".join(str(axis["name"]) for axis in part.axes)
    noun = {"projections": "Scan", "image": "Image"}.get(part.kind, part.kind.capitalize())
    return f"{noun} of {lengths} ({names})." if lengths else f"{noun}, {part.path}."


def _provenance(folder: Path) -> dict[str, Any]:
    path = folder / PROVENANCE
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise FormatError(
            f"{path}: cannot be read ({problem}); resume the run, which writes it again"
        ) from problem
    return dict(plain(content)) if isinstance(content, dict) else {"account": plain(content)}


def _write_previews(record: Record, folder: Path) -> None:
    (folder / PREVIEWS).mkdir(exist_ok=True)
    for viewer in collect("viewers", Viewer).values():
        if viewer.previews and viewer.shows(record):
            for name, content in viewer.previews(record, folder).items():
                write_whole(folder / PREVIEWS / name, content)


def _entries(sums: Mapping[str, Sum], parts: Sequence[Part]) -> tuple[FileEntry, ...]:
    ordered = dict(sorted(sums.items()))
    data = {part.path for part in parts}
    whole_folders = _whole_folders(ordered, data)
    entries = []
    for folder in whole_folders:
        folder_sum = sum_folder(folder, ordered)
        role, kind = "volume", "application/vnd+zarr"
        if folder != VOLUME:
            kinds = {_media_type(path) for path in ordered if path.startswith(folder)}
            kind = kinds.pop() if len(kinds) == 1 else "application/octet-stream"
            role = "data" if _belongs(folder.rstrip("/"), data) else _role(folder)
        entries.append(FileEntry(folder, folder_sum.bytes, folder_sum.sha256, kind, role))
    for path, file_sum in ordered.items():
        if not path.startswith(whole_folders):
            role = "data" if _belongs(path, data) else _role(path)
            entries.append(FileEntry(path, file_sum.bytes, file_sum.sha256, _media_type(path), role))
    return tuple(entries)


def _whole_folders(paths: Iterable[str], data: set[str]) -> tuple[str, ...]:
    """List the folders that are told as one thing: the volume, and parts or outermost folders of very many files."""
    parts = tuple(sorted(f"{part}/" for part in data if part != "."))
    counts: dict[str, int] = {}
    for path in paths:
        if "/" in path:
            part = next((part for part in parts if path.startswith(part)), None)
            folder = VOLUME if path.startswith(VOLUME) else part or f"{path.partition('/')[0]}/"
            counts[folder] = counts.get(folder, 0) + 1
    many = sorted(folder for folder, count in counts.items() if count > MOST_LISTED and folder != VOLUME)
    first = (VOLUME,) if VOLUME in counts else ()
    return (
        *first,
        *(text for text in many if not any(part.startswith(text) for part in parts if part != text)),
    )


def _belongs(path: str, parts: set[str]) -> bool:
    return "." in parts or path in parts or any(path.startswith(f"{part}/") for part in parts)


def _media_type(path: str) -> str:
    media_type = MEDIA_TYPES.get(Path(path).suffix)
    return media_type or mimetypes.guess_type(path, strict=False)[0] or "application/octet-stream"


def _role(path: str) -> str:
    if path in ROLES:
        return ROLES[path]
    if path.startswith(f"{PREVIEWS}/"):
        return "preview"
    return "log" if path.endswith(".log") else "other"


def _volume_part(summary: Mapping[str, Any]) -> Part:
    steps = summary.get("voxel_m")
    sizes = list(steps) if isinstance(steps, (list, tuple)) else [steps] * 3
    axes = tuple(
        {"name": name, "length": length} | ({"step": step, "unit": "m"} if step else {})
        for name, length, step in zip("zyx", summary["shape"], sizes, strict=False)
    )
    return Part("volume", VOLUME.rstrip("/"), role="reconstruction", axes=axes, summary=summary)


def _demand_same_data(before: Record | None, sums: Mapping[str, Sum]) -> None:
    """Refuse other data under the name of a version that was published."""
    if before is None or before.publication is None:
        return
    old = {entry.path: entry.sha256 for entry in before.files if entry.role in DATA}
    new = {entry.path: entry.sha256 for entry in _entries(sums, before.parts) if entry.role in DATA}
    if old != new and old != _in_earlier_form(old, new, sums):
        raise InputError(
            f"{before.id}: version {before.publication.version} was published with other data, which those who "
            f"cite it rely on; make the new one in a folder of its own and publish it with --new-version-of {before.id}"
        )


def _in_earlier_form(
    old: Mapping[str, str], new: Mapping[str, str], sums: Mapping[str, Sum]
) -> dict[str, str]:
    """Tell new data in the way of an earlier version of tomarium, which listed every file of large folders."""
    checksums = {}
    for path, sha256 in new.items():
        if path in old or not path.endswith("/"):
            checksums[path] = sha256
        else:
            checksums |= {name: entry.sha256 for name, entry in sums.items() if name.startswith(path)}
    return checksums


def id_words(title: str) -> str:
    """Return the words of a title as an identifier begins with them."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", letters))[:48].strip("-") or "record"


def _new_id(title: str, files: Sequence[FileEntry]) -> str:
    words = id_words(title)
    checksum = next(entry.sha256 for entry in files if entry.role in DATA)
    return f"{words}-{checksum[:8]}"


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StorageFull(
            f"{folder}: the disk is full; the volume is kept, free some space and file it"
        ) from problem
