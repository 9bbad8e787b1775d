"""The whole index again, from the folders: in new tables beside those that are asked, swapped at the end.

Records are written some hundred at a time, so that others write between, and readers ask the old tables. Which records
were changed meanwhile is noted (`index_rows`), and they are read once more before the tables are swapped, all in one
transaction. A rebuild that is killed leaves tables that nobody asks; the next one takes them away.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.entities import known_any
from tomarium.catalogue.harvested import entries_after, others_after
from tomarium.catalogue.index_changes import note_changed
from tomarium.catalogue.index_rows import (
    Entry,
    folder_in,
    forget_record,
    forget_shared,
    save_records,
    save_shared,
)
from tomarium.catalogue.ingest import entry_of
from tomarium.catalogue.known_records import known_records
from tomarium.catalogue.record_folder import read_record, refuse_links
from tomarium.catalogue.remove_draft import id_of_rest
from tomarium.catalogue.store import ObjectPath, place_at
from tomarium.catalogue.tables import LIVE, SHADOW, rebuild_changes, rebuilds
from tomarium.errors import DatabaseUnavailable, FormatError, InputError, TomariumError
from tomarium.model import Record
from tomarium.standards.ro_crate import FILENAME

AT_ONCE: Final = 200  # records that are written together; others write before the next ones
SILENT_S: Final = 300.0  # after which a rebuild that was not heard of is taken for one that was killed
_FEW_CHANGES: Final = 50  # that are read again while nobody else may write
_TRIES: Final = 400  # to take the tables from their readers, of 0.3 s each


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild found.

    Attributes
    ----------
    ids : tuple of str
        Records that are in the catalogue now, in the order they were found.
    problems : tuple of str
        Folders that could not be taken, each with the reason.
    """

    ids: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass
class _Found:
    """What was found so far."""

    ids: dict[str, None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def rebuild(catalogue: Catalogue, roots: Sequence[Path]) -> Rebuilt:
    """Make every row of the index again from the folders, while others read and write.

    Parameters
    ----------
    catalogue : Catalogue
        Open. Readers see the old rows until the last new one is written, and what is filed or changed meanwhile is in
        the old index at once and in the new one too. Records of one moment keep their order.
    roots : sequence of Path
        Folders below which records lie, at any depth; a record does not lie in another one.

    Returns
    -------
    Rebuilt
        What was taken, and what could not be taken and why.

    Raises
    ------
    InputError
        A root is no folder, or another rebuild is under way; nothing is changed then.
    DatabaseUnavailable
        Some reader held the old tables for minutes; they are asked on as they were.
    """
    demand_folders(roots)
    rebuilt = _Found()
    token = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(8)}"
    with catalogue.writing() as connection:
        entities_lost = _begin(connection, token)
    try:
        for batch in _batches(roots, rebuilt):
            with catalogue.writing() as connection:
                _beat(connection, token)
                _write(connection, batch, rebuilt, entities_lost=entities_lost)
        _write_harvested(catalogue, token)
        _make_indexes(catalogue, token)
        _settle(catalogue, token)
        _swap(catalogue, token, rebuilt)
    except BaseException:
        with suppress(TomariumError), catalogue.writing() as connection:
            _end(connection, token)
        raise
    return Rebuilt(tuple(rebuilt.ids), tuple(rebuilt.problems))


def _begin(connection: Connection, token: str) -> bool:
    """Make the new tables; tell whether the catalogue's entities were lost."""
    other_rebuild = connection.execute(select(rebuilds)).first()
    if other_rebuild is not None and _lives(other_rebuild.token, other_rebuild.beat_utc):
        host, process = other_rebuild.token.split()[:2]
        raise InputError(
            f"the index is being rebuilt already, by process {process} on {host}; wait for its end, nothing was changed"
        )
    connection.execute(delete(rebuilds))
    connection.execute(delete(rebuild_changes))
    dialect_of(connection).drop_shadow(connection, SHADOW)
    dialect_of(connection).make_shadow(connection, SHADOW)
    connection.execute(insert(rebuilds).values(token=token, beat_utc=time.time()))
    return not known_any(connection)


def _lives(token: str, beat_utc: float) -> bool:
    host, process = token.split()[:2]
    if host == socket.gethostname():
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is somebody else's
            pass
    return time.time() - beat_utc < SILENT_S


def left_by_the_dead(catalogue: Catalogue) -> bool:
    """Tell whether a rebuild was killed, so that its tables are still there."""
    with catalogue.reading() as connection:
        row = connection.execute(select(rebuilds)).first()
    return row is not None and not _lives(row.token, row.beat_utc)


def take_away(catalogue: Catalogue) -> None:
    """Take away what a rebuild that was killed has left; one that lives keeps its tables."""
    with catalogue.writing() as connection:
        row = connection.execute(select(rebuilds)).first()
        if row is not None and not _lives(row.token, row.beat_utc):
            _end(connection, row.token)


def _beat(connection: Connection, token: str) -> None:
    """Say that this rebuild goes on, and find out whether another one has taken its place."""
    statement = update(rebuilds).where(rebuilds.c.token == token).values(beat_utc=time.time())
    if not connection.execute(statement).rowcount:
        raise InputError(
            "another rebuild of this index has begun meanwhile; this one was given up, wait for that one"
        )


def _end(connection: Connection, token: str) -> None:
    """Take away what is left of this rebuild, unless another one has begun."""
    if connection.execute(delete(rebuilds).where(rebuilds.c.token == token)).rowcount:
        dialect_of(connection).drop_shadow(connection, SHADOW)
        connection.execute(delete(rebuild_changes))


def _batches(roots: Sequence[Path], rebuilt: _Found) -> Iterator[list[tuple[Record, Path]]]:
    """Read the records below the folders, some at a time."""
    batch: list[tuple[Record, Path]] = []
    for root in roots:
        for place in _find(place_at(root).resolve(), rebuilt.problems):
            try:
                refuse_links(place)
                batch.append((read_record(place), place))
            except (FormatError, InputError) as problem:
                rebuilt.problems.append(str(problem))
            if len(batch) == AT_ONCE:
                yield batch
                batch = []
    yield batch


def _write(
    connection: Connection, batch: Sequence[tuple[Record, Path]], rebuilt: _Found, *, entities_lost: bool
) -> None:
    if not batch:
        return
    known = known_records(connection, batch, SHADOW)
    waiting: dict[str, Entry] = {}
    for record, place in batch:
        try:
            if record.id in waiting:  # what is written of the first one is forgotten with it
                save_records(connection, tuple(waiting.values()), SHADOW)
                waiting.clear()
            entry = entry_of(connection, record, place, lost=entities_lost, into=SHADOW, known=known)
            waiting[record.id] = entry
            known.folders[record.id] = place
            known.held.setdefault(place, set()).add(record.id)
            rebuilt.ids[record.id] = None
        except (FormatError, InputError) as problem:
            rebuilt.problems.append(str(problem))
    save_records(connection, tuple(waiting.values()), SHADOW)
    known.save_lives(connection)


def _write_harvested(catalogue: Catalogue, token: str) -> None:
    """Write what was harvested from other catalogues, which has no folders."""
    last, ready = "", False
    while not ready:
        with catalogue.writing() as connection:
            _beat(connection, token)
            entries = entries_after(connection, last)
            save_records(connection, entries, SHADOW)
        ready = not entries
        last = "" if ready else entries[-1].row["id"]
    last, ready = "", False
    while not ready:
        with catalogue.writing() as connection:
            _beat(connection, token)
            shared_entries = others_after(connection, last)
            save_shared(connection, shared_entries, SHADOW)
        ready = not shared_entries
        last = "" if ready else shared_entries[-1][0]


def _make_indexes(catalogue: Catalogue, token: str) -> None:
    """Make the indexes that the new tables were filled without; others write meanwhile."""
    with catalogue.reading() as connection:
        statements = dialect_of(connection).shadow_indexes(SHADOW)
    for statement in statements:
        with catalogue.writing() as connection:
            _beat(connection, token)
        with catalogue.changing_own_tables() as connection:
            connection.exec_driver_sql(statement)


def _settle(catalogue: Catalogue, token: str) -> None:
    """Put the new tables in order, and read again what was changed while they were filled, as long as that is much."""
    ready = False
    while not ready:
        with catalogue.writing() as connection:
            _beat(connection, token)
            ready = dialect_of(connection).settle_shadow(connection, SHADOW)
    while True:
        with catalogue.writing() as connection:
            _beat(connection, token)
            statement = select(rebuild_changes.c.record).limit(AT_ONCE)
            ids = list(connection.execute(statement).scalars())
            if len(ids) <= _FEW_CHANGES:
                return
            _read_again(connection, ids, _Found())


def _swap(catalogue: Catalogue, token: str, rebuilt: _Found) -> None:
    for tried in range(1, _TRIES + 1):
        reread = _Found()
        try:
            with catalogue.writing() as connection:
                _beat(connection, token)
                _read_again(
                    connection, list(connection.execute(select(rebuild_changes.c.record)).scalars()), reread
                )
                connection.execute(delete(rebuilds))
                dialect_of(connection).swap(connection, LIVE, SHADOW)
                note_changed(connection, None)
        except DatabaseUnavailable:  # readers hold the old tables
            if tried == _TRIES:
                raise
            time.sleep(0.05)
            continue
        rebuilt.problems += reread.problems
        return


def _read_again(connection: Connection, ids: Sequence[str], rebuilt: _Found) -> None:
    """Bring the new tables up to date with records that were changed in the old ones."""
    for id in ids:
        place = folder_in(connection, id, LIVE)
        forget = place is None
        if place is not None:
            try:
                save_records(
                    connection, [entry_of(connection, read_record(place), place, into=SHADOW)], SHADOW
                )
            except (FormatError, InputError) as problem:
                rebuilt.problems.append(str(problem))
                forget = True
        if forget:
            forget_record(connection, id, SHADOW)
            save_records(connection, entries_after(connection, "", [id]), SHADOW)
            forget_shared(connection, [id], SHADOW)
            save_shared(connection, others_after(connection, "", [id]), SHADOW)
    for start in range(0, len(ids), AT_ONCE):
        condition = rebuild_changes.c.record.in_(ids[start : start + AT_ONCE])
        connection.execute(delete(rebuild_changes).where(condition))


def demand_folders(roots: Sequence[Path]) -> None:
    """Refuse what is no folder before anything is changed.

    Parameters
    ----------
    roots : sequence of Path
        Folders below which records are looked for.

    Raises
    ------
    InputError
        One of them is no folder.
    """
    for root in roots:
        if not place_at(root).is_dir():
            raise InputError(f"{root}: is no folder; nothing was changed, give the folders that hold records")


def _find(root: Path, problems: list[str]) -> Iterator[Path]:
    """Find the folders that hold a crate, by name; what cannot be looked into is noted."""
    if isinstance(root, ObjectPath):
        yield from _find_objects(root)
        return
    for folder, inner, files in os.walk(root, onerror=lambda problem: problems.append(str(problem))):
        if FILENAME in files:
            inner.clear()
            if not id_of_rest(Path(folder)):  # a draft whose removal was stopped is no record
                yield Path(folder)
        inner[:] = sorted(name for name in inner if not name.endswith(".zarr"))


def _find_objects(root: ObjectPath) -> Iterator[Path]:
    inside = sorted(root.iterdir())
    if any(object_path.name == FILENAME for object_path in inside):
        yield root
        return
    for object_path in inside:
        if not object_path.name.endswith(".zarr") and not object_path.is_told:
            yield from _find_objects(object_path)
