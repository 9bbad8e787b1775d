"""From a whole batch of uploads to records in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row

from tomarium.catalogue import queries
from tomarium.catalogue.appending import UploadProblem
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.child_reader import SETTING, ChildReaders, ReaderDied
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.field_texts import changes_of
from tomarium.catalogue.file_path import Filed, ingest_folders, make_folders
from tomarium.catalogue.filing import MOST_LISTED, refile_below
from tomarium.catalogue.find_jobs import own_jobs
from tomarium.catalogue.ingest import ingest, save
from tomarium.catalogue.jobs import add_job
from tomarium.catalogue.make_from_files import Wish, link_or_copy
from tomarium.catalogue.passed_over import in_one_line
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import ID, read_record
from tomarium.catalogue.record_pictures import ask_for_pictures
from tomarium.catalogue.series_records import is_series
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.store import write_crate
from tomarium.catalogue.upload_filing import begin_filing, filed_as
from tomarium.catalogue.upload_room import release_rooms
from tomarium.catalogue.uploads import INCOMING, Uploads
from tomarium.errors import FormatError, InputError
from tomarium.formats import formats
from tomarium.model import Record
from tomarium.registry import collect
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.viewers.viewer import Viewer

KIND = "file upload"
LONGEST_S: Final = 24 * 3600.0
"""Seconds that reading an upload may take, most of which goes to its checksums."""
OTHERS: Final = "other"
"""Folder of a record for what came with its data and is of no known format."""


@dataclass(frozen=True)
class Finished:
    """What became of a batch.

    Attributes
    ----------
    record : Record or None
        The record that was uploaded.
    job : int or None
        Number of the job that makes a record of what is none yet; a worker does it.
    """

    record: Record | None = None
    job: int | None = None


def finish(
    catalogue: Catalogue,
    reader: Reader,
    uploads: Uploads,
    batch: str,
    records: Path,
    said: Mapping[str, str] | None = None,
) -> Finished:
    """Make a batch of uploads a record.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose it is.
    uploads : Uploads
        Where it lies.
    batch : str
        The batch.
    records : Path
        The folder in which records lie, on the same disk.
    said : Mapping of str to str, optional
        What its sender says of the record, as `changes_of` reads it; empty texts say nothing.

    Returns
    -------
    Finished
        A batch that holds a crate is compared with it and filed at once. Of anything else a job is made: no file of
        strangers is opened here.

    Raises
    ------
    UploadProblem
        It is not whole, or says that it was published, which only this catalogue's curators can.
    FormatError
        It is not what its crate says.
    InputError
        What is said of it cannot be read; its files are left as they are.
    """
    filled_fields = {name: text for name, text in (said or {}).items() if text.strip()}
    changes = changes_of(filled_fields)
    uploads.describe(reader, batch, filled_fields)
    if filed_as(uploads.root / batch, uploads.root / batch / INCOMING):
        return Finished(record=finish_again(catalogue, reader, uploads, batch, records))
    assembled = uploads.assemble(reader, batch)
    inside = list(assembled.iterdir())
    folder = (
        inside[0] if len(inside) == 1 and inside[0].is_dir() else assembled
    )  # a folder may come with its name
    if not (folder / FILENAME).is_file():
        with catalogue.writing() as connection:
            number = add_job(connection, reader, KIND, {"batch": batch})
        return Finished(job=number)
    record = read_record(folder)
    if record.publication is not None and not reader.sees_all:
        raise UploadProblem(
            f"{record.id}: says that it was published; upload the draft, and let a curator publish it"
        )
    target, team = records / record.id, uploads.team(reader, batch)
    if not ID.fullmatch(record.id) or target.exists() or _is_of_another(catalogue, reader, record.id):
        raise UploadProblem(
            f"{record.id}: there is a record of this identifier already; give yours another one"
        )
    records.mkdir(parents=True, exist_ok=True)
    begin_filing(uploads.root / batch, record.id)
    folder.replace(target)
    try:
        if read_record(target) != record:  # another request put a crate there meanwhile
            raise UploadProblem(f"{record.id}: its crate was sent again meanwhile; hand it in again")
        filed = ingest(catalogue, target, reader=reader)
        _give_to_team(catalogue, (filed,), team)
    except (
        Exception
    ):  # whatever it was: what nobody filed may not lie among the records, where a rebuild finds it
        target.replace(folder)
        raise
    return Finished(record=_end(catalogue, reader, uploads, batch, filed, changes))


def finish_again(
    catalogue: Catalogue, reader: Reader, uploads: Uploads, batch: str, records: Path | None = None
) -> Record:
    """Go on with a batch whose folder is a record's already, and whose filing was stopped there.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose it is.
    uploads : Uploads
        Where it lies; `upload_filing.filed_as` tells the record.
    batch : str
        The batch.
    records : Path, optional
        The folder in which records lie; that of the catalogue by default.

    Returns
    -------
    Record
        As it is filed now, with what its sender said of it.

    Raises
    ------
    UploadProblem
        The record is somebody else's by now.
    FormatError
        It is not what its crate says.
    """
    id = filed_as(uploads.root / batch, uploads.root / batch / INCOMING)
    if _is_of_another(catalogue, reader, id):
        raise UploadProblem(f"{id}: there is a record of this identifier already; give yours another one")
    filed = ingest(catalogue, (records or catalogue.home / "records") / id, reader=reader)
    _give_to_team(catalogue, (filed,), uploads.team(reader, batch))
    return _end(catalogue, reader, uploads, batch, filed, changes_of(uploads.said(reader, batch)))


def _end(
    catalogue: Catalogue, reader: Reader, uploads: Uploads, batch: str, filed: Record, changes: Changes
) -> Record:
    """Say of a filed record what its sender said, and forget the batch last, so that all of it can be done again."""
    ask_for_pictures(catalogue, reader, (filed,))
    record = edit(catalogue, reader, filed.id, changes) if changes != Changes() else filed
    uploads.forget(batch)
    release_rooms(catalogue, batch)
    return record


def _is_of_another(catalogue: Catalogue, reader: Reader, id: str) -> bool:
    """Tell whether the catalogue knows a record that the reader may not replace, though its store may be away now."""
    with catalogue.reading() as connection:
        lived = queries.life_of(connection, id)
    return lived is not None and (lived.owner != reader.name or lived.state not in ("draft", "review"))


def drop(catalogue: Catalogue, reader: Reader, uploads: Uploads, batch: str) -> None:
    """Remove a batch of uploads, and all its bytes.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose it is.
    uploads : Uploads
        Where it lies.
    batch : str
        The batch.

    Raises
    ------
    NoUpload
        There is none of this reader.
    UploadProblem
        A worker makes a record of it.
    """
    job = jobs_of_batches(catalogue, reader).get(batch)
    if job is not None and job.state in ("waiting", "running"):
        raise UploadProblem(
            f"job {job.number} makes a record of it; remove the record instead when it is there"
        )
    uploads.drop(reader, batch)
    release_rooms(catalogue, batch)


def jobs_of_batches(catalogue: Catalogue, reader: Reader) -> dict[str, Row[Any]]:
    """Find the jobs that make records of a reader's uploads.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose.

    Returns
    -------
    dict of str to Row
        Batch → its newest job, of the last 200 that the reader asked for.
    """
    with catalogue.reading() as connection:
        own = own_jobs(connection, reader, KIND)
    return {str(job.arguments.get("batch")): job for job in reversed(own)}


def make_records(catalogue: Catalogue, reader: Reader, uploads: Uploads, batch: str, records: Path) -> Filed:
    """Make records of a batch that holds a volume, scans or images; what a worker does.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose it is.
    uploads : Uploads
        Where it lies.
    batch : str
        The batch, whole.
    records : Path
        The folder in which records lie, on the same disk.

    Returns
    -------
    Filed
        What is in the catalogue now, and what could not be filed. Each record says what the batch's sender said; of
        several, each has its title from its own file.

    Raises
    ------
    UploadProblem
        It is not whole, or it is a record with its crate.
    """
    folder = uploads.assemble(reader, batch)
    inside = sorted(folder.iterdir())
    path = inside[0] if len(inside) == 1 else folder
    # Only `finish` files a crate: it asks who may say that something was published, and whose the identifier is.
    if (path / FILENAME).exists():
        raise UploadProblem("a crate came after the batch was handed in; hand it in again")
    if is_series(path):
        raise UploadProblem(f"{path}: holds a series of records; hand in each record on its own")
    # A folder of its own: a record of somebody else may have the same title.
    wish = Wish(records / batch, uploads.title(reader, batch))
    filed = _laid_out(catalogue, reader, folder, path, wish)
    _give_to_team(catalogue, filed.records, uploads.team(reader, batch))
    ask_for_pictures(catalogue, reader, filed.records)
    changes = changes_of(uploads.said(reader, batch))
    if len(filed.records) > 1:  # they have names of their own
        changes = replace(changes, title=None)
    if changes != Changes():
        edited = tuple(edit(catalogue, reader, record.id, changes) for record in filed.records)
        filed = replace(filed, records=edited)
    if not filed.problems:
        uploads.forget(batch)
        release_rooms(catalogue, batch)
    return filed


@cache
def readers() -> ChildReaders:
    """Return the process that reads what was uploaded.

    Returns
    -------
    ChildReaders
        One, which begins when it is first asked.
    """
    return ChildReaders(lay_out_upload, count=1, before=load)


def load() -> None:
    """Import the formats and the viewers once for all uploads: a fork would do it each time."""
    formats()
    collect("viewers", Viewer)


def lay_out_upload(task: tuple[Path, Path, str]) -> dict[str, list[str]]:
    """Make the folders of records of what was uploaded; what a child does, which knows no catalogue.

    Parameters
    ----------
    task : (Path, Path, str)
        What was uploaded, the folder in which records are made, and their title.

    Returns
    -------
    dict
        "folders" of records, and "problems" with what cannot be one.
    """
    path, records, title = task
    left: list[Path] = []
    folders_or_errors = list(make_folders(path, Wish(records, title), left=left))
    folders = [result for result in folders_or_errors if isinstance(result, Path)]
    problems = [str(result) for result in folders_or_errors if not isinstance(result, Path)]
    if left and len(folders) == 1 and len(left) <= MOST_LISTED:
        keep_others(folders[0], {str(file.relative_to(path)): file for file in left})
    elif left and folders:
        problems.append(
            f"{in_one_line(left, path)}: in no record; send them with the one scan or volume that they belong to"
        )
    return {"folders": list(map(str, folders)), "problems": problems}


def keep_others(folder: Path, files: Mapping[str, Path]) -> None:
    """Put files of no known format, such as notes, into a record, below the folder "other".

    Parameters
    ----------
    folder : Path
        Of the record, which was just made.
    files : Mapping of str to Path
        Path below "other" → the file.
    """
    for name, file in files.items():
        (folder / OTHERS / name).parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(file, folder / OTHERS / name, copy=False)
    record = refile_below(folder, read_record(folder), OTHERS)
    write_crate(folder / FILENAME, export(record).encode())


def _laid_out(catalogue: Catalogue, reader: Reader, folder: Path, path: Path, wish: Wish) -> Filed:
    """Make records in a process that may open this upload alone, and put them into the catalogue."""
    with catalogue.reading() as connection:
        unconfined = all_settings(connection)[SETTING] == "yes"
    wish.records.mkdir(parents=True, exist_ok=True)
    task = (path.resolve(), wish.records.resolve(), wish.title)
    writable = [folder.resolve(), wish.records.resolve()]
    try:
        result = readers().ask(
            task, readable=[], writable=writable, longest_s=LONGEST_S, unconfined=unconfined
        )
    except ReaderDied as problem:
        raise FormatError(f"{path}: {problem}; take it from its origin") from problem
    finally:
        with suppress(OSError):
            wish.records.rmdir()  # where nothing was made
    folders = [Path(folder) for folder in result["folders"]]
    # A file that took over that process could have written anything into its folders.
    for record_folder in folders:
        if record_folder.parent != task[1] or read_record(record_folder).publication is not None:
            raise FormatError(
                f"{path}: the process that read it made no draft of it; take it from its origin"
            )
    return ingest_folders(catalogue, [*folders, *map(InputError, result["problems"])], reader)


def _give_to_team(catalogue: Catalogue, records: Sequence[Record], team: str) -> None:
    """Assign records to a team, too."""
    if not team or not records:
        return
    with catalogue.writing() as connection:
        for record in records:
            lived, place = queries.life_of(connection, record.id), queries.folder_of(connection, record.id)
            if lived is not None and place is not None:
                queries.save_life(connection, {**lived._mapping, "team": team})
                save(connection, record, place)
