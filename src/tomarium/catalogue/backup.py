"""Backup and restore: what lives in the database only, and the metadata of every record.

A backup is a zip of JSON lines, the same whatever database it came from, and of the pictures and files of the log book.
The files of records are not in it: they are open folders, which any copy program keeps.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, func, insert, select

from tomarium import __version__
from tomarium.catalogue import queries, tables
from tomarium.catalogue.all_tables import EVERY
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue, open_catalogue
from tomarium.catalogue.checksums import MANIFEST
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.file_table import ROLE
from tomarium.catalogue.harvested import index_again
from tomarium.catalogue.ingest import save
from tomarium.catalogue.log_files import FOLDER, keep_content
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.record_folder import read_record, refuse_links, verify
from tomarium.catalogue.signing import forget_key, make_key
from tomarium.catalogue.store import place_at
from tomarium.errors import FormatError, InputError, StoreUnavailable
from tomarium.standards.ro_crate import FILENAME

FORM: Final = 1
HEAD: Final = "backup.json"
INDEX: Final = frozenset({
    "record", "wording", "retired", "facet_set", "facet", "parameter_key", "parameter", "record_total", "rebuild",
    "rebuild_change", "index_change", "shared", "shared_link", "written_by",
})  # fmt: skip
"""Tables that are made from the records' folders, or tell of this database alone."""
_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Restored:
    """What a restore found.

    Attributes
    ----------
    rows : int
        Rows of the durable tables.
    records : tuple of str
        Identifiers of the records that are in the catalogue again.
    problems : tuple of str
        Records that are not where they were, or not as they were, each with what to do.
    """

    rows: int
    records: tuple[str, ...]
    problems: tuple[str, ...]


def durable_tables() -> list[Table]:
    """List the tables that a backup holds, in the order in which they can be filled.

    Returns
    -------
    list of Table
        All that are not made from the records' folders.
    """
    return [table for table in EVERY.sorted_tables if table.name not in INDEX]


def backup(catalogue: Catalogue, target: Path) -> int:
    """Write a backup; readers and writers go on meanwhile.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    target : Path
        Zip file to write; it appears when it is whole, readable for its owner only, since it holds accounts.

    Returns
    -------
    int
        Rows in it.

    Raises
    ------
    InputError
        The file is there already.
    """
    if target.exists():
        raise InputError(f"{target}: is there already; give another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.partial")
    draft.touch(mode=0o600)
    counts: dict[str, int] = {}
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive, catalogue.reading() as connection:
            for table in durable_tables():
                counts[table.name] = _dump(archive, connection, table)
            for id, folder in sorted(queries.all_folders(connection).items()):
                for name in _metadata(folder):
                    archive.writestr(f"records/{id}/{name}", (folder / name).read_bytes())
            for file in sorted(file for file in (catalogue.home / FOLDER).glob("??/*") if file.is_file()):
                archive.write(file, f"{FOLDER}/{file.name}")
            head = {"form": FORM, "tomarium": __version__, "moment_utc": time.time(), "tables": counts}
            archive.writestr(HEAD, json.dumps(head, indent=1))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return sum(counts.values())


def _metadata(folder: Path) -> list[str]:
    """Name what of a record is in a backup: its crate, and its manifest in the shorter of its two forms."""
    if not (folder / FILENAME).is_file():
        return [MANIFEST] if (folder / MANIFEST).is_file() else []
    try:
        files = read_record(folder).files
    except FormatError:  # a backup takes what there is
        files = ()
    table = next(
        (entry.path for entry in files if entry.role == ROLE and (folder / entry.path).is_file()), MANIFEST
    )
    return [FILENAME, *([table] if (folder / table).is_file() else [])]


def restore(
    catalogue: Catalogue, source: Path, moved: Mapping[str, str] | None = None, *, checksums: bool = False
) -> Restored:
    """Fill an empty catalogue from a backup, and its index from the records' folders.

    Parameters
    ----------
    catalogue : Catalogue
        Open, with nothing in it.
    source : Path
        A backup.
    moved : Mapping of str to str, optional
        Folders in which records lay → where they lie now.
    checksums : bool
        Whether every file is compared with its checksum; otherwise names are.

    Returns
    -------
    Restored
        What is there again. All of the tables are filled, or nothing.

    Raises
    ------
    InputError
        The catalogue is not empty.
    FormatError
        The file is no backup, is damaged, or was written by a newer version.
    """
    moved = {str(place_at(old)): str(place_at(new).absolute()) for old, new in (moved or {}).items()}
    try:
        with zipfile.ZipFile(source) as archive:
            if (bad := archive.testzip()) is not None:
                raise FormatError(f"{source}: {bad} is damaged in it; take another backup")
            head = json.loads(archive.read(HEAD))
            if head["form"] > FORM:
                raise FormatError(
                    f"{source}: was written by tomarium {head['tomarium']}, which this version cannot read; use that"
                )
            with catalogue.writing() as connection:
                forget_key(connection)  # which a migration made: the one in the backup takes its place
                _demand_empty(connection, catalogue.name)
                rows = sum(_load(archive, connection, table, moved) for table in durable_tables())
                dialect_of(connection).go_on_counting(connection)
                index_again(connection)
                make_key(connection)
                note(connection, LOCAL_OWNER, "restore", told={"backup": source.name, "rows": rows})
            for name in archive.namelist():
                if name.startswith(f"{FOLDER}/"):
                    keep_content(catalogue.home, archive.read(name))
            listed = sorted(
                {name.split("/")[1] for name in archive.namelist() if name.startswith("records/")}
            )
    except (zipfile.BadZipFile, KeyError, ValueError) as problem:
        raise FormatError(
            f"{source}: is no backup of a catalogue ({problem}); give a file that `tomarium backup` wrote"
        ) from problem
    return _find_records(catalogue, rows, listed, checksums)


@dataclass(frozen=True)
class Drill:
    """What a restore on an empty machine would give.

    Attributes
    ----------
    restored : Restored
        As `restore` tells it, with every file compared with its checksum.
    files, bytes : int
        Of the records that were found, as their crates list them.
    seconds : float
        How long it took, reading all files included.
    """

    restored: Restored
    files: int
    bytes: int
    seconds: float


def drill(source: Path, moved: Mapping[str, str] | None = None) -> Drill:
    """Practise a restore: fill a catalogue that is thrown away, and compare every file with its checksum.

    Parameters
    ----------
    source : Path
        A backup, from whatever database.
    moved : Mapping of str to str, optional
        As in `restore`.

    Returns
    -------
    Drill
        What would be there again. Nothing is left of it, and no file of a record is changed.

    Raises
    ------
    FormatError
        As `restore`.
    """
    start = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="tomarium-drill-") as home,
        open_catalogue(Path(home) / "catalogue.sqlite") as opened,
    ):
        restored = restore(opened, source, moved, checksums=True)
        files = size = 0
        with opened.reading() as connection:
            for folder in queries.all_folders(connection).values():
                listed = read_record(folder).files
                files, size = files + len(listed), size + sum(content.bytes for content in listed)
    return Drill(restored, files, size, time.monotonic() - start)


def _find_records(catalogue: Catalogue, rows: int, listed: list[str], checksums: bool) -> Restored:
    """File the records that lie in the catalogue's stores."""
    record_ids: list[str] = []
    problems: list[str] = []
    with catalogue.reading() as connection:
        homes = [
            place_at(address) for address in connection.execute(select(tables.stores.c.address)).scalars()
        ]
    for home in homes:
        try:
            _find_in(catalogue, home, listed, checksums, record_ids, problems)
        except StoreUnavailable as problem:
            problems.append(f"{problem}; then make the index anew with: tomarium index rebuild {home}")
    lost = [id for id in listed if id not in record_ids]
    problems += [
        f"{id}: its folder was not found; tell where it lies now with --moved OLD=NEW, its metadata are in the backup"
        for id in lost
    ]
    return Restored(rows, tuple(record_ids), tuple(problems))


def _find_in(
    catalogue: Catalogue,
    home: Path,
    listed: list[str],
    checksums: bool,
    record_ids: list[str],
    problems: list[str],
) -> None:
    for folder in sorted(home.iterdir()) if home.is_dir() else ():
        if not (folder / FILENAME).is_file():
            continue
        try:
            refuse_links(folder)
            record = read_record(folder)
            if record.id not in listed:
                continue
            with catalogue.writing() as connection:
                save(connection, record, folder)
            record_ids.append(record.id)
            wrong = [
                mismatch for mismatch in verify(folder, checksums=checksums) if mismatch.problem != "unlisted"
            ]
            if wrong:
                problems.append(
                    f"{folder}: {wrong[0].path} is {wrong[0].problem}; copy it again from its origin"
                )
        except InputError as problem:
            problems.append(str(problem))


def _dump(archive: zipfile.ZipFile, connection: Connection, table: Table) -> int:
    count = 0
    order = list(table.primary_key.columns)
    with archive.open(f"{table.name}.jsonl", "w") as stream:
        for row in connection.execution_options(yield_per=_AT_ONCE).execute(select(table).order_by(*order)):
            stream.write((json.dumps(dict(row._mapping), ensure_ascii=False) + "\n").encode())
            count += 1
    return count


def _load(archive: zipfile.ZipFile, connection: Connection, table: Table, moved: Mapping[str, str]) -> int:
    if f"{table.name}.jsonl" not in archive.namelist():
        return 0  # the backup is older than this table
    count = 0
    with archive.open(f"{table.name}.jsonl") as stream:
        for rows in _in_parts(io.TextIOWrapper(stream, "utf-8")):
            if table is tables.stores:
                rows = [{**row, "address": moved.get(row["address"], row["address"])} for row in rows]
            connection.execute(
                insert(table), [{c.name: row[c.name] for c in table.columns if c.name in row} for row in rows]
            )
            count += len(rows)
    return count


def _in_parts(lines: Iterator[str]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for line in lines:
        part.append(json.loads(line))
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _demand_empty(connection: Connection, name: str) -> None:
    for table in durable_tables():
        if connection.execute(select(func.count()).select_from(table)).scalar_one():
            raise InputError(
                f"{name}: is not empty (it has rows in {table.name}); restore into a new one, "
                f"such as --catalogue new.sqlite"
            )
