"""One round of a worker: jobs, then DOIs, then what is to be cleared away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.datacite_client import service
from tomarium.catalogue.dois import any_due, tell_due
from tomarium.catalogue.finish_upload import KIND, make_records
from tomarium.catalogue.jobs import end_job, holding, take_job
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.uploads import Uploads
from tomarium.errors import DatabaseUnavailable, InputError, TomariumError


def work_once(catalogue: Catalogue, tell: Callable[[str], object]) -> bool:
    """Do all that is due.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    tell : callable
        Told each thing that was done, in one line.

    Returns
    -------
    bool
        Whether all of it went well.
    """
    home = catalogue.home
    uploads, well = Uploads(home / "uploads"), True
    while (job := take_job(catalogue)) is not None:
        state, told = _do(catalogue, job, uploads, home / "records")
        end_job(catalogue, job.number, state, told)
        tell(f"job {job.number}, {job.kind}: {state} ({told})")
        well &= state == "done"
    for batch in uploads.clean():
        tell(f"upload {batch}: removed, nobody went on with it")
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


def _do(catalogue: Catalogue, job: Row[Any], uploads: Uploads, records: Path) -> tuple[str, str]:
    """Do a job, and say what became of it; whatever a file of strangers does to it, the worker goes on."""
    if job.kind != KIND:
        return "failed", f"no worker of this version knows the kind {job.kind!r}"
    try:
        with holding(catalogue, job.number):
            filed = make_records(
                catalogue, Reader(job.asked_by, "member"), uploads, job.arguments["batch"], records
            )
    except DatabaseUnavailable:
        raise  # the job is not failed: its lease ends, and it is done again
    except TomariumError as problem:
        return "failed", str(problem)
    except Exception as problem:
        return "failed", f"an error of tomarium itself: {type(problem).__name__}: {problem}"
    made = ", ".join(record.id for record in filed.records)
    if filed.problems:
        return "failed", "; ".join([*([f"filed: {made}"] if made else []), *filed.problems])
    return "done", f"filed: {made}"
