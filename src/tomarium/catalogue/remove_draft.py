"""Removing a draft: its entry, and its files where they lie in the catalogue's own folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, or_, select, update

from tomarium.catalogue import form_words, queries
from tomarium.catalogue.audit import newest_lines, note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.fixity_tables import alarms, fixity_checks
from tomarium.catalogue.index_rows import forget_record
from tomarium.catalogue.link_edit import frames_of
from tomarium.catalogue.log_tables import log_entries
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.reader_tables import record_use, told_records
from tomarium.catalogue.record_folder import ID, read_record
from tomarium.catalogue.store import ObjectPath
from tomarium.catalogue.tables import (
    LIVE,
    comments,
    frame_links,
    imported,
    invitations,
    jobs,
    life,
    record_changes,
    record_entities,
    records,
    saved_views,
    stale_records,
    stores,
    withheld,
)
from tomarium.catalogue.upload_filing import batches_filed_as
from tomarium.catalogue.upload_room import release_rooms
from tomarium.errors import FormatError, InputError
from tomarium.model.sentence import Sentence
from tomarium.standards.ro_crate import FILENAME

ACTION: Final = "remove draft"
ENDING: Final = ".removed"
"""Of the name that a folder has between the end of its entry and that of its files: ".tooth.removed"."""
_TABLES: Final = (
    life, record_changes, withheld, comments, invitations, record_entities, stale_records, saved_views, told_records,
    record_use, fixity_checks, alarms,
)  # fmt: skip


@dataclass(frozen=True)
class Removal:
    """What goes with a draft, and what stays.

    Attributes
    ----------
    id, title, state, owner : str
        Of the record; its title is "" where its folder is not there.
    folder : Path or None
        Where its files lie; None where the index does not tell it.
    deletes : bool
        Whether the files go: they lie in the catalogue's own folder. What was filed where it lay stays there.
    files, bytes : int
        All that lies in the folder now; 0 where it is not there, or in S3.
    jobs : int
        Jobs that wait to work on it, which go.
    remarks, invitations : int
        Remarks on it and links for reviewers, which go.
    links : int
        Links between its images and others, which are withdrawn.
    log_entries : int
        Entries of its log book, which stay for curators.
    """

    id: str
    title: str
    state: str
    owner: str
    folder: Path | None
    deletes: bool
    files: int
    bytes: int
    jobs: int = 0
    remarks: int = 0
    invitations: int = 0
    links: int = 0
    log_entries: int = 0


def may_remove(reader: Reader, owner: str) -> bool:
    """Tell whether a reader may remove the draft of an owner: the owner, curators and administrators may."""
    return reader.sees_all or (bool(reader.name) and reader.name == owner)


def what_goes(catalogue: Catalogue, reader: Reader, id: str) -> Removal:
    """Tell what `remove_draft` would remove; nothing is changed.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Its owner or a curator.
    id : str
        Identifier of the record; any text.

    Returns
    -------
    Removal
        What goes, and what stays.

    Raises
    ------
    InputError
        There is no such record that the reader may see, it was published, a job works on it, or another record lies
        in its folder.
    NotAllowed
        It is not this reader's to remove.
    """
    with catalogue.reading() as connection:
        return _removal(catalogue, connection, reader, id)


def remove_draft(catalogue: Catalogue, reader: Reader, id: str) -> Removal:
    """Remove a draft: its entry and all that the catalogue keeps of it, then its files.

    The folder gets another name and the entry goes in one transaction; its files are deleted after. Where the program
    is stopped in between, the same call goes on, and so does `fsck` with its repairs. Files that lie outside the
    catalogue's own folder are not touched. The log keeps a line of it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Its owner or a curator.
    id : str
        Identifier of the record; any text.

    Returns
    -------
    Removal
        What was removed.

    Raises
    ------
    InputError
        As `what_goes` says, or the files cannot be deleted; then the entry is gone, and the message tells what is left.
    NotAllowed
        It is not this reader's to remove.
    """
    rest = rest_of(catalogue, reader, id)
    if rest is not None and rest.folder is not None:
        _delete_files(rest.folder)
        return rest
    moved: tuple[Path, Path] | None = None
    try:
        with catalogue.writing() as connection:
            removal = _removal(catalogue, connection, reader, id)
            _withdraw_links(connection, id)
            _forget(connection, id)
            told = {"title": removal.title, "state": removal.state, "owner": removal.owner}
            note(
                connection, reader, ACTION, id, **told, folder=str(removal.folder or ""), deleted=removal.deletes,
                files=removal.files, bytes=removal.bytes,
            )  # fmt: skip
            folder = removal.folder
            if removal.deletes and folder is not None and folder.is_dir():
                hidden = folder.parent / f".{id}{ENDING}"
                if hidden.is_dir():  # left of an earlier record of this name
                    _delete_files(hidden)
                os.utime(folder)  # what is young is left alone by fsck
                folder.rename(hidden)
                moved = folder, hidden
    except BaseException:
        if moved is not None and not moved[0].exists():
            moved[1].rename(moved[0])
        raise
    for batch in batches_filed_as(catalogue.home / "uploads", id):
        shutil.rmtree(batch, ignore_errors=True)
        release_rooms(catalogue, batch.name)
    if moved is None and removal.folder is not None and removal.deletes:  # renamed by a call that was stopped
        moved = removal.folder, removal.folder.parent / f".{id}{ENDING}"
    if moved is not None:
        _delete_files(moved[1])
    return removal


def rest_of(catalogue: Catalogue, reader: Reader, id: str) -> Removal | None:
    """Tell of a draft whose entry is gone and whose files are not all, for its removal was stopped.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who removed it, or a curator.
    id : str
        Identifier of the record; any text.

    Returns
    -------
    Removal or None
        What is left; None where nothing is, or somebody else removed it.
    """
    if not ID.fullmatch(id):
        return None
    with catalogue.reading() as connection:
        if queries.life_of(connection, id) is not None or queries.folder_of(connection, id) is not None:
            return None
        line = next(iter(newest_lines(connection, record=id, action=ACTION, limit=1)), None)
    if line is None or not line.told.get("deleted") or not may_remove(reader, line.who):
        return None
    rest = Path(str(line.told["folder"])).parent / f".{id}{ENDING}"
    if not rest.is_dir():
        return None
    title, state, owner = (str(line.told.get(name, "")) for name in ("title", "state", "owner"))
    return Removal(id, title, state, owner, rest, True, *_sizes(rest))


def id_of_rest(folder: Path) -> str:
    """Return of which record a folder is what a removal has left; "" where it is none."""
    id = folder.name.removeprefix(".").removesuffix(ENDING)
    return id if folder.name == f".{id}{ENDING}" and ID.fullmatch(id) else ""


def finish_removal(catalogue: Catalogue, folder: Path) -> str:
    """Bring a removal that was stopped to its end: the folder gets its name back where the entry is still there.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    folder : Path
        As `id_of_rest` knows it.

    Returns
    -------
    str
        What was done.
    """
    id = id_of_rest(folder)
    home = folder.parent / id
    with catalogue.writing() as connection:  # nobody removes it meanwhile
        if queries.folder_of(connection, id) == home and not home.exists() and (folder / FILENAME).is_file():
            folder.rename(home)
            return f"{id}: is as it was; remove it again with: tomarium remove {id}"
    _delete_files(folder)
    return "removed"


def _is_own(catalogue: Catalogue, folder: Path) -> bool:
    """Tell whether a folder lies in the catalogue's own, itself and not as a link to another place."""
    return not folder.is_symlink() and folder.parent.resolve().is_relative_to(
        (catalogue.home / "records").resolve()
    )


def _removal(catalogue: Catalogue, connection: Connection, reader: Reader, id: str) -> Removal:
    lived, folder = _demand_removable(connection, reader, id)
    own = folder is not None and not isinstance(folder, ObjectPath)
    deletes = own and folder is not None and _is_own(catalogue, folder)
    if deletes and folder is not None:
        _demand_alone(connection, folder)
    waiting = _demand_idle(connection, id)
    title, (files, size) = "", _sizes(folder) if own and folder is not None else (0, 0)
    if folder is not None:
        with suppress(FormatError, InputError):
            title = read_record(folder).title

    def count(table: Any, condition: Any) -> int:
        return len(connection.execute(select(table).where(condition)).all())

    return Removal(
        id, title, lived.state, lived.owner, folder, deletes, files, size, len(waiting),
        count(comments.c.number, comments.c.record == id), count(invitations.c.digest, invitations.c.record == id),
        count(frame_links.c.number, _links_of(connection, id)),
        count(log_entries.c.number, log_entries.c.subject == f"records/{id}"),
    )  # fmt: skip


def _sizes(folder: Path) -> tuple[int, int]:
    """Count the files below a folder, and their bytes."""
    files, size = 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += (Path(place) / name).lstat().st_size
                files += 1
    return files, size


def _demand_removable(connection: Connection, reader: Reader, id: str) -> tuple[Row[Any], Path | None]:
    lived, place = queries.life_of(connection, id), queries.place_of(connection, reader, id)
    # What lost its row in the index is still its owner's to remove.
    if lived is None or (place is None and not may_remove(reader, lived.owner)):
        raise InputError(
            f"there is no record {id[:80]!r} in this catalogue; look for it with: tomarium search"
        )
    if not may_remove(reader, lived.owner):
        raise NotAllowed(Sentence(form_words.NOT_YOURS_TO_REMOVE, id=id, name=reader.name or "a visitor"))
    published = lived.state not in ("draft", "review")
    if place is not None and not published:
        with suppress(FormatError, InputError):  # a folder that is gone, or a crate that cannot be read
            published = read_record(place.folder).publication is not None
    if published:
        raise InputError(Sentence(form_words.NEVER_REMOVED, id=id))
    return lived, place.folder if place else None


def _demand_alone(connection: Connection, folder: Path) -> None:
    """Refuse a folder in which other records lie."""
    below = stores.c.address == str(folder)
    below |= stores.c.address.startswith(f"{folder}/", autoescape=True)
    query = select(records.c.id).join(stores, stores.c.number == records.c.store).where(below).limit(1)
    other = connection.execute(query).scalar_one_or_none()
    if other is not None:
        raise InputError(f"{folder}: holds the record {other}, too; move that one elsewhere first")


def _demand_idle(connection: Connection, id: str) -> list[int]:
    """List the jobs that wait to work on a record alone; refuse one that a job works on now."""
    open_jobs = connection.execute(select(jobs).where(jobs.c.state.in_(("waiting", "running")))).all()
    waiting = []
    for job in open_jobs:
        if not _names(job.arguments, id):
            continue
        if job.state == "running" and job.lease_until_utc > time.time():
            raise InputError(Sentence(form_words.JOB_WORKS_ON_IT, id=id, number=job.number))
        several = job.arguments.get("records") if isinstance(job.arguments, Mapping) else None
        if not isinstance(several, list) or several == [id]:
            waiting.append(int(job.number))
    return waiting


def _names(arguments: object, id: str) -> bool:
    """Tell whether the arguments of a job name a record, or an image of it."""
    if isinstance(arguments, Mapping):
        return any(_names(value, id) for value in arguments.values())
    if isinstance(arguments, list):
        return any(_names(value, id) for value in arguments)
    return isinstance(arguments, str) and (
        arguments in (id, f"records/{id}") or arguments.startswith((f"records/{id}/", f"{id}/"))
    )


def _links_of(connection: Connection, id: str) -> Any:
    frames = frames_of(connection, id)
    ends = or_(frame_links.c.from_frame.in_(frames), frame_links.c.to_frame.in_(frames))
    return ends & (frame_links.c.latest == 1) & (frame_links.c.withdrawn == "")


def _withdraw_links(connection: Connection, id: str) -> None:
    """Withdraw the links of a record's images; no other crate tells of them, for a draft is not public."""
    reason = f"the draft {id} was removed from the catalogue"
    connection.execute(update(frame_links).where(_links_of(connection, id)).values(withdrawn=reason))


def _forget(connection: Connection, id: str) -> None:
    """Delete the rows of a record, but for the log, its log book and messages about it."""
    waiting = _demand_idle(connection, id)
    connection.execute(delete(jobs).where(jobs.c.number.in_(waiting)))
    forget_record(connection, id, LIVE)
    for table in _TABLES:
        connection.execute(delete(table).where(table.c.record == id))
    connection.execute(delete(imported).where(imported.c.kind == "record", imported.c.id == id))


def _delete_files(folder: Path) -> None:
    """Delete a folder, its crate first, so that what is left of it is no record."""
    try:
        with suppress(FileNotFoundError):
            (folder / FILENAME).unlink()
        while folder.is_dir():
            with suppress(FileNotFoundError):  # fsck deletes it, too
                shutil.rmtree(folder)
    except OSError as problem:
        raise InputError(
            f"{folder}: cannot be deleted ({problem.strerror}); the record is in the catalogue no more, and these "
            f"files are of no use: see who may write there, then give the same command again, or tomarium fsck --repair"
        ) from problem
