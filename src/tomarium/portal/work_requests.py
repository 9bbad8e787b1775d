"""What the pages of work have in common: who may ask for work, which scan, which job is whose, and who does it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import HTTPException, Request
from sqlalchemy import Row

from tomarium.beamtime.work_jobs import PREVIEW, RECONSTRUCT
from tomarium.beamtime.work_results import read_facts, results_folder
from tomarium.beamtime.work_settings import WorkSettings
from tomarium.beamtime.work_source import PATH, RECORD, below, scan_part
from tomarium.catalogue import form_words
from tomarium.catalogue.find_jobs import job_of, own_jobs
from tomarium.catalogue.job_progress import read_parts
from tomarium.catalogue.jobs import add_job
from tomarium.catalogue.workers import running_workers
from tomarium.errors import InputError
from tomarium.model.sentence import Sentence, joined
from tomarium.portal.identity import identify, may_upload
from tomarium.portal.request_context import RequestContext
from tomarium.portal.work_words import AT_IT, NOBODY, STARTED, WAITS, stage_told

OPEN: Final = ("waiting", "running")
"""States of a job that is not at its end."""
MOST_OPEN: Final = {PREVIEW: 8, RECONSTRUCT: 4}
"""Jobs of one person that may wait or run at once."""
COUNTS_S: Final = 60.0
"""Seconds for which a slice of a file counts that is written to."""


def demand_worker_member(request_context: RequestContext) -> None:
    """Refuse visitors; raises HTTPException 401."""
    if request_context.reader.role == "visitor":
        raise HTTPException(
            401,
            "Reconstructing is for those who have an account here that may bring data. Sign in.",
            {"WWW-Authenticate": "Bearer"},
        )


def is_owner(request: Request) -> bool:
    """Tell whether who asks owns this machine, and so may choose files of the folders that are served."""
    return identify(request).way == "owner"


def scan_folders(request: Request) -> tuple[Path, ...]:
    """Return the folders whose scans the owner of this machine may choose."""
    folders: tuple[Path, ...] = getattr(request.app.state, "scans", ())
    return folders if is_owner(request) else ()


def named_scan(request_context: RequestContext, source: str) -> str:
    """Return the name of a scan that who asks may work on.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    source : str
        "record:ID", or "path:/folder/file" for the owner of this machine; any text.

    Returns
    -------
    str
        Title of the record, or name of the file.

    Raises
    ------
    HTTPException
        404, 403: there is no such record, or its files are not open.
    InputError
        It holds no raw scan, or the path lies in no folder that is served.
    """
    if source.startswith(RECORD):
        record, _ = request_context.record(source.removeprefix(RECORD))
        if scan_part(record) is None:
            raise InputError(f"the record {record.id} holds no raw scan; choose one of a raw scan")
        return record.title
    if source.startswith(PATH):
        return below(scan_folders(request_context.request), source.removeprefix(PATH)).name
    raise InputError(Sentence(form_words.NO_SCAN, text=repr(source[:80])))


def own_job(request_context: RequestContext, number: int, kind: str) -> Row[Any]:
    """Find a job of who asks, nobody else's; raises HTTPException 404 where there is none."""
    reader = request_context.reader
    with request_context.catalogue.reading() as connection:
        job = job_of(connection, reader, number)
    if job is None or job.asked_by != reader.name or job.kind != kind:
        raise HTTPException(404, Sentence(form_words.NO_JOB_OF_YOURS, number=number))
    return job


def folder_of_job(request_context: RequestContext, job: Row[Any]) -> Path:
    """Return where the results of a job lie."""
    return results_folder(request_context.catalogue.home, job.number)


def facts_of_job(request_context: RequestContext, job: Row[Any] | None) -> Mapping[str, Any] | None:
    """Return what a preview found; None where it is not done, or was cleared away."""
    if job is None or job.state != "done":
        return None
    return read_facts(folder_of_job(request_context, job))


def first_slice(
    request_context: RequestContext, scan: str, settings: WorkSettings, session: str
) -> Row[Any] | None:
    """Return the slice that a visit begins with, and ask for it where it was not made yet.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    scan : str
        "record:ID" or "path:…", which who asks may work on.
    settings : WorkSettings
        What is set.
    session : str
        Name of the visit.

    Returns
    -------
    Row or None
        A row of `job`: the newest of who asks with the same settings, else a new one. None for who may not ask, or has
        asked for as much as is allowed.
    """
    request, reader = request_context.request, request_context.reader
    if not may_upload(request):
        return None
    arguments = {"what": "slice", "scan": scan, "session": session, "settings": settings.texts}
    with request_context.catalogue.reading() as connection:
        own = own_jobs(connection, reader, PREVIEW)
    for job in own:
        same_arguments = {**job.arguments, "session": session} == arguments
        if same_arguments and job.state != "cancelled" and not _is_gone(request_context, job, scan):
            if job.state in OPEN:
                ensure_worker(request, PREVIEW)
            return job
    if sum(job.state in OPEN for job in own) >= MOST_OPEN[PREVIEW]:
        return None
    with request_context.catalogue.writing() as connection:
        number = add_job(connection, reader, PREVIEW, arguments)
        added = job_of(connection, reader, number)
    ensure_worker(request, PREVIEW)
    return added


def _is_gone(request_context: RequestContext, job: Row[Any], scan: str) -> bool:
    """Tell whether what a job made was cleared away, or its file was written to since.

    Of a file that grows, a slice counts for a minute, so that a page that waits for it comes to an end.
    """
    if job.state != "done":
        return False
    try:
        written = (folder_of_job(request_context, job) / "facts.json").stat().st_mtime
        if not scan.startswith(PATH) or time.time() - written < COUNTS_S:
            return False
        return Path(scan.removeprefix(PATH)).stat().st_mtime > written
    except OSError:
        return True


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    state : str
        "waiting", "running", "done", "failed" or "cancelled".
    sentence : str
        The same for people.
    done, total : int
        Parts of its present stage; 0 where nothing is known.
    """

    state: str
    sentence: str
    done: int
    total: int


def progress_of(request_context: RequestContext, job: Row[Any]) -> Progress:
    """Tell how far a job is."""
    if job.state == "waiting":
        has_worker = any(worker.takes(job.kind) for worker in running_workers(request_context.catalogue.home))
        words = WAITS if has_worker else STARTED
        words = worker_words(request_context, job.kind) or words
        return Progress("waiting", words, 0, 0)
    if job.state == "running":
        return Progress("running", stage_told(job.told) or AT_IT, *read_parts(job.told))
    return Progress(job.state, joined(job.told.split(": ", 1), ": "), 0, 0)


def worker_words(request_context: RequestContext, kind: str) -> str:
    """Say that nobody takes a kind of job; "" where a worker was heard lately, or one is started when it is needed."""
    if starter(request_context.request) is not None:
        return ""
    if any(worker.takes(kind) for worker in running_workers(request_context.catalogue.home)):
        return ""
    return NOBODY


def starter(request: Request) -> Callable[[str], object] | None:
    """Return what starts a worker for a kind of job; None where workers are started by hand."""
    start: Callable[[str], object] | None = getattr(request.app.state, "start_worker", None)
    return start


def ensure_worker(request: Request, kind: str) -> None:
    """Start a worker where the server does so itself, and the one that it had has ended."""
    start = starter(request)
    if start is not None:
        start(kind)
