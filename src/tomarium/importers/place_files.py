"""Files of a source into the folder of a record: those at hand, under names that are none of the record's own."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tomarium import formats
from tomarium.atomic_files import write_whole
from tomarium.catalogue.checksums import MANIFEST
from tomarium.catalogue.filing import PREVIEWS, ROLES, VOLUME
from tomarium.catalogue.make_from_files import LaidOut, lay_out, link_or_copy
from tomarium.errors import TomariumError
from tomarium.importers.found import DraftFile, DraftRecord
from tomarium.importers.local_files import LocalFile, look_for
from tomarium.importers.original import NAME as ORIGINAL
from tomarium.model import Image, Part, Record, Scan
from tomarium.standards.ro_crate import FILENAME
from tomarium.viewers.original_metadata import IMPORTED

FILES: Final = "files-of-the-source.tsv"
"""Table of the files that a source tells of, and which of them are at hand."""
_OWN: Final = frozenset({FILENAME, MANIFEST, ORIGINAL, FILES, PREVIEWS, VOLUME.rstrip("/"), *ROLES})
"""Names that a record gives its own files."""
_APART: Final = "source-files"


def place_files(
    draft: DraftRecord, folder: Path, files: Path | None, *, copy: bool, before: Record | None
) -> tuple[LaidOut, list[LocalFile]]:
    """Put the files of a record into its folder; the first of them that can be opened is what it shows.

    Parameters
    ----------
    draft : DraftRecord
        As the source tells it.
    folder : Path
        Of the record; made where it is missing. Doing it again changes nothing.
    files : Path or None
        Folder below which the files of the source lie.
    copy : bool
        Whether they are copied; otherwise they get a second name, where the disk is the same.
    before : Record or None
        What the folder holds already.

    Returns
    -------
    laid : LaidOut
        What `file_record` is to be told of the data.
    states : list of LocalFile
        What was found of each file of the source, its checksum compared.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, place in (*draft.beside, *draft.documents):
        _copy_or_link(place, folder / safe_name(name), copy)
    laid = LaidOut((), {}, ())
    if before is not None and before.volume:  # it was converted when it was filed first
        laid = LaidOut((), {}, ("volume",), dict(before.volume))
    elif draft.data is not None and draft.opened is not None:
        laid = lay_out(draft.data, draft.opened, folder, copy=copy)
    states = [look_for(draft_file, files, read=True) for draft_file in distinct(draft.files)]
    for state in states:
        if state.place is None or state.state != "at hand":
            continue
        has_image = laid.parts or laid.volume is not None
        opened = None if has_image or state.place.name != state.file.name else _open(state.place)
        if opened is not None:
            laid = lay_out(state.place, opened, folder, copy=copy)
        else:
            _copy_or_link(state.place, folder / state.file.name, copy)
    if states:
        write_whole(folder / FILES, _table(states))
    return laid, states


def parts_of(draft: DraftRecord, laid: LaidOut) -> tuple[Part, ...]:
    """Tell the parts of a record: its data, then what the source told, its table of files, and documents."""
    documents = [Part("document", ORIGINAL, IMPORTED)]
    documents += [Part("document", FILES, "files of the source")] if draft.files else []
    documents += [Part("document", safe_name(name), "document") for name, _ in draft.documents]
    return (*laid.parts, *documents)


def distinct(files: Sequence[DraftFile]) -> list[DraftFile]:
    """Give files names that are none of the record's own, and none of each other."""
    names_used: set[str] = set()
    renamed = []
    for file in files:
        name, number = safe_name(file.name), 1
        while name in names_used:
            number += 1
            name = f"{_APART}/{number}/{file.name.lstrip('/.')}"
        names_used.add(name)
        renamed.append(replace(file, name=name))
    return renamed


def safe_name(name: str) -> str:
    """Return a path in a record for a name of a source: one that the record needs itself, or hides, lies apart."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    plain = "/".join(parts) or "file"
    hidden = any(part.startswith(".") for part in parts)
    if hidden:
        plain = "/".join(part.lstrip(".") or "file" for part in parts)
    return f"{_APART}/{plain}" if hidden or plain.split("/")[0] in _OWN else plain


def _copy_or_link(place: Path, target: Path, copy: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    link_or_copy(place, target, copy)


def _open(place: Path) -> Scan | Image | None:
    try:
        return formats.open(place) if formats.recognise(place) else None
    except TomariumError:
        return None


def _table(states: Sequence[LocalFile]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, delimiter="\t", lineterminator="\n")
    rows.writerow(["name", "location", "bytes", "checksum", "state"])
    for state in states:
        size = "" if state.file.bytes is None else state.file.bytes
        rows.writerow(
            [state.file.name, next(iter(state.file.locations), ""), size, state.file.checksum, state.state]
        )
    return text.getvalue().encode()
