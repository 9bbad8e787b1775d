"""From the folder of a record to its rows; all of them again: `rebuild.py`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.entities import adopt
from tomarium.catalogue.facets import facets_of
from tomarium.catalogue.index_rows import Entry, finite_numbers, forget_folder, save_records
from tomarium.catalogue.known_records import KnownRecords, known_records
from tomarium.catalogue.links import adopt_links
from tomarium.catalogue.naming_lines import write_naming_lines
from tomarium.catalogue.reader import LOCAL_OWNER, Reader
from tomarium.catalogue.record_changes import note_change, note_if_unknown
from tomarium.catalogue.record_folder import Mismatch, read_record, refuse_links, verify
from tomarium.catalogue.store import place_at
from tomarium.catalogue.tables import LIVE, IndexTables
from tomarium.errors import FormatError, InputError
from tomarium.model import Record, parameter
from tomarium.standards.panet import label_of
from tomarium.standards.panosc import share

# Files of a record that are not as they were filed and are named.
_NAMED: Final = 5


def ingest(
    catalogue: Catalogue, folder: Path, *, checksums: bool = True, reader: Reader = LOCAL_OWNER
) -> Record:
    """Put a record into the catalogue, or bring its rows up to date.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    folder : Path
        Folder of a record. Where the record was known at another place that is gone, it has moved here.
    checksums : bool
        Whether to read every file and compare it with its checksum; otherwise only names are compared.
    reader : Reader
        Who files it: a record that is new here belongs to this reader.

    Returns
    -------
    Record
        As its folder says.

    Raises
    ------
    FormatError
        The folder is no record, is unfinished or damaged; there is a link in it, a name that leads out of it, or a
        file that is missing or is not as it was filed.
    InputError
        Another folder, which is still there, holds a record of the same identifier.
    """
    place = place_at(folder).resolve()
    refuse_links(place)
    record = read_record(place)
    mismatches = [
        mismatch for mismatch in verify(place, checksums=checksums) if mismatch.problem != "unlisted"
    ]
    if mismatches:
        raise FormatError(f"{place}: {_not_as_filed(mismatches)}")
    with catalogue.writing() as connection:
        save(connection, record, place, reader)
    return record


def _not_as_filed(mismatches: Sequence[Mismatch]) -> str:
    named = [
        f"{mismatch.path} {'is missing' if mismatch.problem == 'missing' else 'was changed'}"
        for mismatch in mismatches[:_NAMED]
    ]
    more = f" and {len(mismatches) - _NAMED} more" if len(mismatches) > _NAMED else ""
    return (
        f"is not as it was filed: {', '.join(named)}{more}; nothing was put into the catalogue. Copy the record again "
        f"from its origin, or, where the change is meant, file it anew with tomarium run"
    )


def save(connection: Connection, record: Record, place: Path, reader: Reader = LOCAL_OWNER) -> None:
    """Write the rows of a record.

    Parameters
    ----------
    connection : Connection
        That may write.
    record : Record
        As its folder says.
    place : Path
        Its folder, absolute.
    reader : Reader
        Whose it becomes where it is new here.

    Raises
    ------
    InputError
        Another folder, which is still there, holds a record of the same identifier.
    """
    save_records(connection, [entry_of(connection, record, place, reader)])
    note_change(connection, record)


def entry_of(
    connection: Connection,
    record: Record,
    place: Path,
    reader: Reader = LOCAL_OWNER,
    *,
    lost: bool = False,
    into: IndexTables = LIVE,
    known: KnownRecords | None = None,
) -> Entry:
    """Make what the index keeps of a record, and write its life.

    Parameters
    ----------
    connection : Connection
        That may write.
    record : Record
        As its folder says.
    place : Path
        Its folder, absolute.
    reader : Reader
        Whose it becomes where it is new here.
    lost : bool
        Whether the catalogue's entities were lost, so that they are taken from the crates.
    into : IndexTables
        Where it will be written: the tables that are asked, or those that a rebuild fills.
    known : KnownRecords, optional
        What was looked up of many at once, and takes the row of its life; by default this one is looked up alone, and
        its row is written.

    Returns
    -------
    Entry
        For `save_records`.

    Raises
    ------
    InputError
        Another folder, which is still there, holds a record of the same identifier.
    """
    alone = known is None
    known = known or known_records(connection, [(record, place)], into)
    path = known.folders.get(record.id)
    if path is not None and path != place and _still_holds(path, record.id):
        raise InputError(
            f"{place}: {path} already holds a record {record.id}; go on with that one, or give this one another title "
            f"or identifier"
        )
    if known.held.get(place, set()) - {record.id}:
        forget_folder(connection, place, record.id, into)
    lived = known.lives.get(record.id)
    owner, team = (lived.owner, lived.team) if lived else (reader.name, "")
    state = state_of(record, lived.state if lived else "draft")
    if lived is None or lived.state != state:
        known.new_lives[record.id] = {
            "record": record.id, "state": state, "owner": owner, "team": team, "changed_utc": time.time(),
        }  # fmt: skip
    if alone:
        known.save_lives(connection)
    adopt(connection, record, owner, lost=lost)
    adopt_links(connection, record, owner)
    note_if_unknown(connection, record)
    row = row_of(record) | {
        "store": known.store_of(connection, place.parent),
        "path": place.name,
        "state": state,
        "owner": owner,
        "team": team,
    }
    return Entry(row, record.description, _words(record), facets_of(record), _numbers(record), share(record))


def state_of(record: Record, before: str) -> str:
    """Return the state of a record.

    Parameters
    ----------
    record : Record
        Its folder tells that it was published or withdrawn.
    before : str
        What the catalogue knows: "draft" or "review" of what was not published.

    Returns
    -------
    str
        "draft", "review", "published" or "withdrawn".
    """
    if record.publication is None:
        return before if before in ("draft", "review") else "draft"
    return "withdrawn" if record.publication.withdrawn else "published"


def _still_holds(folder: Path, id: str) -> bool:
    try:
        return read_record(folder).id == id
    except FormatError:
        return False


def row_of(record: Record) -> dict[str, Any]:
    """Return what the row of a record takes from its crate.

    Parameters
    ----------
    record : Record
        As its folder says.

    Returns
    -------
    dict
        Columns of `record` but those of its place, its life and its facets.
    """
    publication = record.publication
    return {
        "id": record.id,
        "title": record.title,
        "created": record.created.isoformat(),
        "created_utc": record.created.timestamp(),
        "bytes": sum(entry.bytes for entry in record.files),
        "thumbnail": next((e.path for e in record.files if e.path == "previews/thumbnail.png"), ""),
        "shape": list(record.volume.get("shape") or ()),
        "voxel_m": _voxel_m(record.volume),
        "public_from": publication.published.timestamp() if publication else None,
        "open_from": publication.open_from.timestamp() if publication and not publication.withdrawn else None,
        "doi": publication.doi if publication else "",
        "licence": record.licence,
    }


def _words(record: Record) -> str:
    publication = record.publication
    shown = [
        f"{parameter.label(key)} {parameter.show(key, value.value)}"
        for key, value in record.parameters.items()
    ]
    return "\n".join(
        [
            *write_naming_lines(record.keywords, (person.name for person in record.creators)),
            record.specimen,
            *(entity.searched for entity in record.entities),
            ", ".join(f"{label_of(technique)} {technique}" for technique in record.techniques),
            publication.doi if publication else "",
            record.id,
            record.licence,
            *shown,
            *(" ".join(text.split()) for text in record.card.told.values()),
        ]
    )


def _voxel_m(volume: Mapping[str, Any]) -> float | None:
    voxel = volume.get("voxel_m")
    if isinstance(voxel, (list, tuple)):
        voxel = voxel[-1] if voxel else None  # across the axis, which is what resolves; the height may differ
    return float(voxel) if isinstance(voxel, (int, float)) else None


def _numbers(record: Record) -> dict[str, float]:
    """Take the finite numbers that can be asked for by a range; also the voxel size, wherever it is told."""
    values = {key: value.value for key, value in record.parameters.items()}
    values.setdefault("voxel_m", _voxel_m(record.volume))
    return finite_numbers(values)
