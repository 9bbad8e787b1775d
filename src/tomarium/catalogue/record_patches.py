"""Patches of a published volume, written into its record by a worker, so that programs for learning read their values.

A publication asks for them and does not wait: without them a record's Croissant tells addresses of patches alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from tomarium import __version__
from tomarium.catalogue import queries
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.child_reader import SETTING, ChildReaders
from tomarium.catalogue.dois import ask_for_update
from tomarium.catalogue.edit import write_record
from tomarium.catalogue.file_table import remove_others
from tomarium.catalogue.filing import refile_below
from tomarium.catalogue.jobs import Ended, add_job, without_folders
from tomarium.catalogue.patch_table import LARGEST, SMALLEST, write_patch_table
from tomarium.catalogue.reader import LOCAL_OWNER, Reader, demand_role
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.record_pictures import data_key
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.store import ObjectPath, write_crate
from tomarium.catalogue.tables import records
from tomarium.errors import DatabaseUnavailable, InputError, TomariumError
from tomarium.kernels.patch_places import largest_that_fits
from tomarium.model import Record
from tomarium.standards.patch_file import FOLDER, PATH, told_of
from tomarium.viewers.volume import open_volume, volume_path

KIND: Final = "write patches"
LONGEST_S: Final = 600.0
"""Seconds that reading the patches of a volume may take; its process is ended then."""


def is_due(record: Record) -> bool:
    """Tell whether patches of a record are to be written.

    Parameters
    ----------
    record : Record
        As its folder says.

    Returns
    -------
    bool
        It is published, not withdrawn, has a volume that is large enough for patches in three splits, and tells nothing
        of patches of the data that it holds now.
    """
    publication, shape = record.publication, record.volume.get("shape") or ()
    if publication is None or publication.withdrawn or volume_path(record) is None:
        return False
    if not largest_that_fits(shape, LARGEST, SMALLEST)[1]:
        return False
    return told_of(record).get("of") != data_key(record)


def ask_for_patches(connection: Connection, reader: Reader, record: Record) -> int | None:
    """Queue the writing of patches of a record that is being published.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Who publishes it.
    record : Record
        As it is now.

    Returns
    -------
    int or None
        Number of the job; None where there is nothing to be written.
    """
    return add_job(connection, reader, KIND, {"record": record.id}) if is_due(record) else None


def patches_job(catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Write the patches that a publication asked for; what a worker does.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        Of `job`, held by this worker.

    Returns
    -------
    str, str, tuple of str
        "done"; what was written, or why there is nothing; no records.

    Raises
    ------
    TomariumError
        As `write_record_patches`.
    """
    id = str(job.arguments["record"])
    why = write_record_patches(catalogue, LOCAL_OWNER, id)
    return "done", f"{id}: {PATH}" if why == "" else f"{id}: no patches; {why or 'none are due'}", ()


def write_patches(
    catalogue: Catalogue, reader: Reader, tell: Callable[[str, int, int], object] | None = None
) -> tuple[int, tuple[str, ...]]:
    """Write the patches of every published record that has none.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        An administrator; the owner of a catalogue on this machine is one.
    tell : callable, optional
        Told of progress: a word, how much is done, how much there is.

    Returns
    -------
    int, tuple of str
        How many records got theirs; and what could not be, each with the reason. Doing it again does what is left.
    """
    demand_role(reader, to="write patches of published records")
    with catalogue.reading() as connection:
        published = select(records.c.id).where(records.c.state == "published").order_by(records.c.number)
        ids = list(connection.execute(published).scalars())
    written, problems = 0, []
    for number, id in enumerate(ids):
        if tell is not None:
            tell("records", number, len(ids))
        try:
            why = write_record_patches(catalogue, reader, id)
        except DatabaseUnavailable:
            raise
        except (TomariumError, OSError) as problem:
            why = str(problem).removeprefix(f"{id}: ")
        written += why == ""
        problems += [f"{id}: {why}"] if why else []
    return written, tuple(problems)


def write_record_patches(catalogue: Catalogue, reader: Reader, id: str) -> str | None:
    """Write the patches of a published record into it, where they are due.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who does it, for the log.
    id : str
        Identifier of the record.

    Returns
    -------
    str or None
        "" where they were written; why its volume has none, which the record keeps; None where nothing is due. Its
        data, its version and its DOI stay as they are.

    Raises
    ------
    InputError
        The record is gone, or was changed meanwhile.
    ReaderDied, CannotConfine, StoreUnavailable
        Its volume could not be read.
    """
    with catalogue.reading() as connection:
        folder = queries.folder_of(connection, id)
        unconfined = all_settings(connection)[SETTING] == "yes"
    if folder is None:
        raise InputError(f"{id}: is no record of this catalogue any more")
    record = read_record(folder)
    if not is_due(record):
        return None
    content, account = _read_apart(folder, record, unconfined)
    account = {"of": data_key(record), **account, "by": f"tomarium {__version__}", "when": _now()}
    with catalogue.writing() as connection:
        now = read_record(folder)
        if not is_due(now) or data_key(now) != account["of"]:
            raise InputError(f"{id}: was changed while its patches were read; do tomarium index patches")
        if content:
            if not isinstance(folder, ObjectPath):
                (folder / FOLDER).mkdir(exist_ok=True)
            write_crate(folder / PATH, content)
        changed = refile_below(folder, _with(now, account), FOLDER)
        write_record(connection, reader, changed, folder)
        if changed.publication is not None and changed.publication.doi:
            ask_for_update(connection, changed)
        note(connection, reader, "write patches", id, told=account.get("none", ""))
    remove_others(folder, changed)
    return str(account.get("none", ""))


@cache
def readers() -> ChildReaders:
    """Return the process that reads patches of volumes.

    Returns
    -------
    ChildReaders
        One, which begins when it is first asked.
    """
    return ChildReaders(read_patches, count=1)


def read_patches(question: tuple[Path, str]) -> Sequence[Any]:
    """Read the patches of a volume, in a process of its own.

    Parameters
    ----------
    question : tuple of Path and str
        Folder of the record, and path of its volume.

    Returns
    -------
    sequence
        What `write_patch_table` gives.

    Raises
    ------
    InputError, FormatError
        The volume has no patches, or is damaged.
    """
    folder, path = question
    try:
        return write_patch_table(open_volume(folder / path))
    except MemoryError as problem:
        raise InputError("its patches take more memory than a worker gives to it") from problem


def _read_apart(folder: Path, record: Record, unconfined: bool) -> tuple[bytes, dict[str, Any]]:
    """Read the patches in a process of its own; of a record in S3 here, as pages do."""
    question = (folder, volume_path(record) or "")
    try:
        if isinstance(folder, ObjectPath):  # a confined process has no network
            content, account = read_patches(question)
        else:
            content, account = readers().ask(
                question, readable=[folder], longest_s=LONGEST_S, unconfined=unconfined
            )
    except InputError as problem:
        return b"", {"none": without_folders(str(problem), {folder: folder.name})}
    return content, account


def _with(record: Record, account: dict[str, Any]) -> Record:
    """Tell of the patches in the first part that is a volume."""
    parts = list(record.parts)
    number = next(number for number, part in enumerate(parts) if part.kind == "volume")
    parts[number] = replace(parts[number], summary={**parts[number].summary, "patches": account})
    return replace(record, parts=tuple(parts))


def _now() -> str:
    return datetime.now(UTC).replace(microsecond=0).isoformat()
