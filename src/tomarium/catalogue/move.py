"""Move a published record into another store: copied, read back, its crate last, and then the index."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select

from tomarium.catalogue import queries
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.checksums import MANIFEST, SOURCE, is_manifest, list_files, read_manifest, sum_file
from tomarium.catalogue.index_rows import move_record
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.record_folder import Mismatch, read_record, refuse_links, verify
from tomarium.catalogue.store import ObjectPath, demand_store, place_at
from tomarium.catalogue.tables import audit, records, stores
from tomarium.errors import FormatError, InputError
from tomarium.standards.ro_crate import FILENAME

_AT_ONCE: Final = 4  # files that are copied together
ACTION: Final = "move"

Tell = Callable[[int, int], None]
"""Is told how many bytes are at the new place, and of how many."""


@dataclass(frozen=True)
class StoreRow:
    """A store of a catalogue.

    Attributes
    ----------
    address : str
        A folder, or "s3://bucket/prefix".
    records, bytes : int
        How many records lie in it, and their size.
    """

    address: str
    records: int
    bytes: int


@dataclass(frozen=True)
class Moved:
    """What a move did, or would do.

    Attributes
    ----------
    source, target : Path
        Where the record lay, and where it lies now.
    files, bytes : int
        All its files.
    copied : int
        Files that were copied by this call; the others were there and had the right checksum.
    removed : bool
        Whether the old copy is gone.
    """

    source: Path
    target: Path
    files: int
    bytes: int
    copied: int
    removed: bool


def list_stores(catalogue: Catalogue) -> tuple[StoreRow, ...]:
    """List the stores of a catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        Open.

    Returns
    -------
    tuple of StoreRow
        In the order in which they were entered.
    """
    query = (
        select(stores.c.address, func.count(records.c.number), func.coalesce(func.sum(records.c.bytes), 0))
        .join(records, records.c.store == stores.c.number, isouter=True)
        .group_by(stores.c.number, stores.c.address)
        .order_by(stores.c.number)
    )
    with catalogue.reading() as connection:
        return tuple(
            StoreRow(str(row[0]), int(row[1]), int(row[2])) for row in connection.execute(query).all()
        )


def add_store(catalogue: Catalogue, reader: Reader, address: Path) -> None:
    """Enter a store, after a probe object was put there, read and deleted.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        An administrator; the owner of a catalogue on this machine is one.
    address : Path
        As `store.place_at` gives it.

    Raises
    ------
    StoreUnavailable
        It is absent, does not answer or may not be written.
    """
    demand_role(reader, to="add a store")
    address = address.absolute()
    demand_store(address)
    with catalogue.writing() as connection:
        queries.store_of(connection, address)
        note(connection, reader, "add store", address=str(address))


def check_in_store(catalogue: Catalogue, id: str) -> tuple[Mismatch, ...]:
    """Read all files of a record where it lies, and compare them with their checksums.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    id : str
        Identifier of the record.

    Returns
    -------
    tuple of Mismatch
        As `verify` tells.
    """
    with catalogue.reading() as connection:
        place = _place(connection, id)
    return verify(place)


def move(
    catalogue: Catalogue,
    reader: Reader,
    id: str,
    store: Path,
    *,
    remove: bool = False,
    dry_run: bool = False,
    tell: Tell | None = None,
) -> Moved:
    """Move a record that was published into a store.

    Each file is copied, read back from there and compared with the record's manifest; the crate comes last, and then
    the index is switched in one transaction. Where the program is stopped, readers still find the old copy, and the
    same call goes on.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        An administrator.
    id : str
        Identifier of the record.
    store : Path
        One that was added.
    remove : bool
        Whether the old copy is removed at the end. Given in a later call, it removes what an earlier one left.
    dry_run : bool
        Whether to tell only what would be done.
    tell : callable, optional
        As `Tell` says.

    Returns
    -------
    Moved
        What was done.

    Raises
    ------
    InputError
        There is no such record or store, it was not published, another record lies at the new place, or the old copy
        holds files that are not the record's and is to be removed.
    FormatError
        A file is not as it was filed, here or there.
    StoreUnavailable
        A store does not answer.
    """
    demand_role(reader, to="move a record")
    store = store.absolute()
    with catalogue.reading() as connection:
        source, before = _demand_movable(connection, id, store), _left_behind(connection, id)
    target = store / id
    manifest = _sums_of_record(source)
    files = sorted(manifest)
    total = sum((source / path).stat().st_size for path in files)
    if source == target:
        gone = remove and not dry_run and before is not None and _remove(before, target)
        return Moved(before or source, target, len(files) + 1, total, 0, gone)
    refuse_links(source)
    if remove:
        _demand_only(source, set(manifest))
    if dry_run:
        return Moved(source, target, len(files) + 1, total, 0, False)
    _demand_free(target, id)
    copied = _copy_all(source, target, manifest, files, total, tell)
    with catalogue.writing() as connection:  # nobody can change the crate meanwhile
        if _place(connection, id) != source:
            raise InputError(f"{id}: was moved by somebody else meanwhile; nothing was changed in the index")
        crate = (source / FILENAME).read_bytes()
        _write_file(target / FILENAME, crate)
        if (target / FILENAME).read_bytes() != crate or (mismatches := verify(target, checksums=False)):
            shown = mismatches[0].path if mismatches else FILENAME
            _drop(target / FILENAME)
            raise FormatError(
                f"{target}: {shown} did not arrive as it is in {source}; give the same command again"
            )
        move_record(connection, id, target)
        note(connection, reader, ACTION, id, source=str(source), target=str(target), files=len(files) + 1)
    return Moved(source, target, len(files) + 1, total, copied, remove and _remove(source, target))


def _place(connection: Connection, id: str) -> Path:
    place = queries.folder_of(connection, id)
    if place is None:
        raise InputError(
            f"there is no record {id[:80]!r} in this catalogue; look for it with: tomarium search"
        )
    return place


def _demand_movable(connection: Connection, id: str, store: Path) -> Path:
    place, lived = _place(connection, id), queries.life_of(connection, id)
    if lived is None or lived.state not in ("published", "withdrawn"):
        raise InputError(f"{id}: was not published, and only what was published is moved; publish it first: "
                         f"tomarium publish {id}")  # fmt: skip
    if connection.scalar(select(stores.c.number).where(stores.c.address == str(store))) is None:
        raise InputError(f"{store}: is no store of this catalogue; add it with: tomarium store add {store}")
    return place


def _left_behind(connection: Connection, id: str) -> Path | None:
    """Return where the record lay before it was moved last; None where that is not known."""
    query = (
        select(audit.c.told)
        .where(audit.c.record == id, audit.c.action == ACTION)
        .order_by(audit.c.number.desc())
    )
    details = connection.execute(query.limit(1)).scalar_one_or_none()
    return place_at(details["source"]) if details else None


def _demand_free(target: Path, id: str) -> None:
    """Refuse a place where another record lies; of this one, what an earlier move left there is no record yet."""
    if not (target / FILENAME).is_file():
        return
    held_id = read_record(target).id
    if held_id != id:
        raise InputError(f"{target}: holds the record {held_id}; move that one elsewhere first")
    _drop(target / FILENAME)


def _demand_only(folder: Path, listed: set[str]) -> None:
    """Refuse to remove what is not the record's."""
    unlisted = {path for path in list_files(folder) if not is_manifest(path)} - listed - {FILENAME}
    if unlisted:
        raise InputError(
            f"{folder}: holds {len(unlisted)} files that the record does not list, such as {min(unlisted)}; take them "
            f"away, or move without --remove"
        )


def _sums_of_record(folder: Path) -> dict[str, str]:
    """Return the checksum of every file of a record but its crate; the manifest is one, in both its forms."""
    own = [entry.path for entry in read_record(folder).files if is_manifest(entry.path)]
    sums = {path: sum_file(folder / path).sha256 for path in {MANIFEST, *own}}
    return read_manifest(folder / MANIFEST) | sums


def _copy_all(
    source: Path, target: Path, manifest: dict[str, str], files: list[str], total: int, tell: Tell | None
) -> int:
    """Copy files, some at a time; tell how many had to be."""
    sizes = {path: (target / path).stat().st_size for path in list_files(target)} if target.is_dir() else {}
    copied, done_bytes = 0, 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = {pool.submit(_copy, source / path, target / path, manifest[path], sizes.get(path)): path
                   for path in files}  # fmt: skip
        try:
            for future in as_completed(waiting):
                was_copied, size = future.result()
                copied, done_bytes = copied + was_copied, done_bytes + size
                if tell:
                    tell(done_bytes, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return copied


def _copy(source: Path, target: Path, sha256: str, size_there: int | None) -> tuple[bool, int]:
    """Copy a file and read it back; one that is there and has the checksum stays."""
    size = source.stat().st_size
    if size_there == size and sum_file(target).sha256 == sha256:
        return False, size
    _write_file(target, source)
    if sum_file(target.with_name(target.name)).sha256 != sha256:
        source_sha256 = sum_file(source).sha256
        where = source if source_sha256 != sha256 else target
        raise FormatError(
            f"{where}: is not what the record lists (SHA-256 {sha256[:16]}…); "
            + ("take it from a backup" if source_sha256 != sha256 else "give the same command again")
        )
    return True, size


def _write_file(target: Path, content: bytes | Path) -> None:
    """Write a file whole or not at all, in a folder or in S3."""
    if isinstance(target, ObjectPath):
        through = content.blocks() if isinstance(content, ObjectPath) else content
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        target.store.put(target.key, through, size)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            elif isinstance(content, ObjectPath):
                file.writelines(content.blocks())
            else:
                with content.open("rb") as origin:
                    shutil.copyfileobj(origin, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _drop(path: Path) -> None:
    path.unlink(missing_ok=True)


def _remove(folder: Path, kept: Path) -> bool:
    """Remove a copy of a record whose other copy is whole: its crate first, so that what is left is no record."""
    listed = read_manifest(kept / MANIFEST)
    if not folder.is_dir() or folder == kept:
        return False
    if verify(kept, checksums=False):
        raise FormatError(
            f"{kept}: is not whole, so {folder} was not removed; look at it with: tomarium store check"
        )
    if (folder / FILENAME).is_file() and read_record(folder).id != read_record(kept).id:
        return False
    _demand_only(folder, set(listed))
    _drop(folder / FILENAME)
    if isinstance(folder, ObjectPath):
        folder.store.delete([path.key for path in folder.rglob()])
    else:
        (folder / SOURCE).unlink(missing_ok=True)
        shutil.rmtree(folder)
    return True
