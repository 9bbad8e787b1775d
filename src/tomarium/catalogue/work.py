"""One round of a worker: jobs, then DOIs, then what is to be cleared away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Row

from tomarium.catalogue import entity_records, finish_upload, model_jobs, record_pictures
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.datacite_client import service
from tomarium.catalogue.dois import any_due, tell_due
from tomarium.catalogue.finish_upload import make_records
from tomarium.catalogue.jobs import end_job, holding, take_job
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.upload_room import bring_up_to_date
from tomarium.catalogue.uploads import INCOMING, Uploads
from tomarium.errors import DatabaseUnavailable, InputError, TomariumError

Kind = Callable[[Catalogue, Row[Any]], tuple[str, str, tuple[str, ...]]]
"""What a worker does with a job that it holds: returns "done" or "failed", what became of it, and the records made."""


def work_once(
    catalogue: Catalogue, tell: Callable[[str], object], kinds: Mapping[str, Kind] = MappingProxyType({})
) -> bool:
    """Do all that is due.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    tell : callable
        Told each thing that was done, in one line.
    kinds : Mapping of str to callable
        Kinds of jobs that upper floors do, beside `KINDS`.

    Returns
    -------
    bool
        Whether all of it went well.
    """
    home = catalogue.home
    uploads, well = Uploads(home / "uploads"), True
    while (job := take_job(catalogue)) is not None:
        state, told, made = _do(catalogue, job, {**KINDS, **kinds})
        told = _without_folders(told, job, uploads, home / "records")
        end_job(catalogue, job.number, state, told, made)
        tell(f"job {job.number}, {job.kind}: {state} ({told})")
        well &= state == "done"
    for batch in uploads.clean():
        tell(f"upload {batch}: removed, nobody went on with it")
    bring_up_to_date(catalogue, uploads)
    with catalogue.reading() as connection:
        waiting, place = any_due(connection), all_settings(connection)["datacite"]
    if waiting:
        try:
            datacite = service(place)
        except InputError as problem:
            tell(f"{waiting} DOIs wait: {problem}")
            return False
        for one in tell_due(catalogue, datacite):
            tell(f"{one.doi}: {one.state}{f' ({one.error})' if one.error else ''}")
            well &= one.state == "findable"
    return well


def _without_folders(told: str, job: Row[Any], uploads: Uploads, records: Path) -> str:
    """Leave out where uploads and records lie on this machine: who asked for the job is told of it."""
    batch = str(job.arguments.get("batch", ""))
    for folder in (uploads.root / batch / INCOMING, records / batch, records):
        for place in dict.fromkeys((folder, folder.resolve())):
            told = told.replace(f"{place}/", "").replace(str(place), "the upload")
    return told


def _do(catalogue: Catalogue, job: Row[Any], kinds: Mapping[str, Kind]) -> tuple[str, str, tuple[str, ...]]:
    """Do a job, and say what became of it; whatever a file of strangers does to it, the worker goes on."""
    if job.kind not in kinds:
        return "failed", f"no worker of this version knows the kind {job.kind!r}", ()
    try:
        with holding(catalogue, job.number):
            return kinds[job.kind](catalogue, job)
    except DatabaseUnavailable:
        raise  # the job is not failed: its lease ends, and it is done again
    except TomariumError as problem:
        return "failed", str(problem), ()
    except Exception as problem:
        return "failed", f"an error of tomarium itself: {type(problem).__name__}: {problem}", ()


def _rewrite_records(catalogue: Catalogue, job: Row[Any]) -> tuple[str, str, tuple[str, ...]]:
    reader = Reader(job.asked_by, "member")
    return *entity_records.rewrite(catalogue, reader, job.arguments["entity"]), ()


def _file_upload(catalogue: Catalogue, job: Row[Any]) -> tuple[str, str, tuple[str, ...]]:
    uploads, records = Uploads(catalogue.home / "uploads"), catalogue.home / "records"
    filed = make_records(catalogue, Reader(job.asked_by, "member"), uploads, job.arguments["batch"], records)
    made = tuple(record.id for record in filed.records)
    told = f"filed: {', '.join(made)}"
    if filed.problems:
        return "failed", "; ".join([*([told] if made else []), *filed.problems]), made
    return "done", told, made


KINDS: Final[Mapping[str, Kind]] = {
    entity_records.KIND: _rewrite_records,
    finish_upload.KIND: _file_upload,
    model_jobs.KIND: model_jobs.make_model,
    record_pictures.KIND: record_pictures.make_pictures,
}
"""What the catalogue itself does: kind of a job → how."""
