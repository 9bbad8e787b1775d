"""From a whole batch of uploads to records in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.file_path import Filed, file_path
from tomarium.catalogue.ingest import ingest
from tomarium.catalogue.jobs import add_job
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import ID, read_record
from tomarium.catalogue.uploads import UploadProblem, Uploads
from tomarium.errors import DatabaseUnavailable, FormatError
from tomarium.model import Record
from tomarium.standards.ro_crate import FILENAME

KIND = "file upload"


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


def finish(catalogue: Catalogue, reader: Reader, uploads: Uploads, batch: str, records: Path) -> Finished:
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
    """
    folder = uploads.assemble(reader, batch)
    if not (folder / FILENAME).is_file():
        with catalogue.writing() as connection:
            number = add_job(connection, reader, KIND, {"batch": batch})
        return Finished(job=number)
    record = read_record(folder)
    if record.publication is not None and not reader.sees_all:
        raise UploadProblem(
            f"{record.id}: says that it was published; upload the draft, and let a curator publish it"
        )
    target = records / record.id
    if not ID.fullmatch(record.id) or target.exists():
        raise UploadProblem(
            f"{record.id}: there is a record of this identifier already; give yours another one"
        )
    records.mkdir(parents=True, exist_ok=True)
    folder.replace(target)
    try:
        filed = ingest(catalogue, target, reader=reader)
    except (FormatError, UploadProblem, DatabaseUnavailable):
        target.replace(folder)
        raise
    uploads.forget(batch)
    return Finished(record=filed)


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
        What is in the catalogue now, and what could not be filed.
    """
    folder = uploads.assemble(reader, batch)
    inside = sorted(folder.iterdir())
    path = inside[0] if len(inside) == 1 else folder
    filed = file_path(catalogue, path, Wish(records, uploads.title(reader, batch)), reader=reader)
    if not filed.problems:
        uploads.forget(batch)
    return filed
