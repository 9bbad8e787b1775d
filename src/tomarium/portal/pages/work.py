"""The work of reconstructing: raw scans to choose from, and what became of the volumes that were asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Query
from sqlalchemy import Row

from tomarium.beamtime.work_jobs import PREVIEW, RECONSTRUCT
from tomarium.beamtime.work_source import PATH, RECORD, below, listed
from tomarium.catalogue import search
from tomarium.catalogue.find_jobs import own_jobs
from tomarium.portal.identity import may_upload
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.work_requests import (
    OPEN,
    Progress,
    demand_worker_member,
    is_owner,
    progress_of,
    scan_folders,
    worker_words,
)

RAW: Final = '"raw scan"'
"""Keyword of the records of raw scans."""
OFFERED: Final = 24
"""Records that are offered; a word finds others."""
JOBS: Final = 20
"""Volumes that are listed."""


@dataclass(frozen=True)
class Choice:
    """A scan that can be chosen.

    Attributes
    ----------
    title : str
        Title of its record, or name of its file.
    scan : str
        "record:ID" or "path:…".
    picture : str
        Address of a small picture; "" where there is none.
    folder : str
        Address of the list of what is in it, where it is a folder; else "".
    """

    title: str
    scan: str
    picture: str = field(metadata=FOR_PEOPLE)
    folder: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class RequestedVolume:
    """A volume that was asked for.

    Attributes
    ----------
    number : int
        Number of the job.
    title : str
        Title of its record.
    progress : Progress
        How far it is.
    page, record : str
        Addresses of the page that follows it, and of the record; "" before there is one.
    """

    number: int
    title: str
    progress: Progress
    page: str = field(metadata=FOR_PEOPLE)
    record: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class WorkPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    q : str
        Words that the records were searched by.
    records : tuple of Choice
        Records of raw scans, the newest first.
    folders : tuple of Choice
        Folders that are served, for the owner of this machine.
    files : tuple of Choice
        What is in the folder that is open.
    folder : str
        The folder that is open; "" for none.
    owner : bool
        Whether who asks owns this machine.
    asked : tuple of RequestedVolume
        The volumes, the newest first.
    worker, reconstructor : str
        That nobody takes slices, or volumes; "" where all is well.
    waits : bool
        Whether a volume is under way.
    """

    title: str
    q: str
    records: tuple[Choice, ...]
    folders: tuple[Choice, ...]
    files: tuple[Choice, ...]
    folder: str
    owner: bool
    asked: tuple[RequestedVolume, ...]
    worker: str
    reconstructor: str
    waits: bool


def content(
    request_context: CurrentRequest,
    words: Annotated[str, Query(alias="find", max_length=200, description="Words that a record holds")] = "",
    folder: Annotated[str, Query(max_length=1000, description="Folder to look into, of those served")] = "",
) -> WorkPage:
    """Offer raw scans to work on, and tell how far the volumes are that were asked for."""
    demand_worker_member(request_context)
    request = request_context.request
    folders = scan_folders(request)
    inside = below(folders, folder) if folder else None
    hits = search(request_context.catalogue, request_context.reader, f"{RAW} {words}", limit=OFFERED).hits
    with request_context.catalogue.reading() as connection:
        jobs = own_jobs(connection, request_context.reader, RECONSTRUCT, JOBS)
    volumes = tuple(_requested_volume(request_context, job) for job in jobs)
    return WorkPage(
        title="Reconstruct",
        q=words,
        records=tuple(
            Choice(
                hit.title,
                f"{RECORD}{hit.id}",
                request_context.link("file", {"id": hit.id, "path": hit.thumbnail}) if hit.thumbnail else "",
                "",
            )
            for hit in hits
            if hit.open and not hit.shape
        ),
        folders=tuple(_file(request_context, path, str(path)) for path in folders),
        files=()
        if inside is None
        else tuple(_file(request_context, path, path.name) for path in listed(inside)),
        folder="" if inside is None else str(inside),
        owner=is_owner(request),
        asked=volumes,
        worker=worker_words(request_context, PREVIEW),
        reconstructor=worker_words(request_context, RECONSTRUCT),
        waits=any(volume.progress.state in OPEN for volume in volumes),
    )


def _file(request_context: RequestContext, path: Path, name: str) -> Choice:
    inside = request_context.link("work", query={"folder": str(path)}) if path.is_dir() else ""
    return Choice(name, f"{PATH}{path}", "", inside)


def _requested_volume(request_context: RequestContext, job: Row[Any]) -> RequestedVolume:
    record_id = job.made[0] if job.made else ""
    return RequestedVolume(
        job.number,
        job.arguments["title"],
        progress_of(request_context, job),
        request_context.link("work.job", {"number": str(job.number)}),
        request_context.link("record", {"id": record_id}) if record_id else "",
    )


WORK = Page(
    name="work",
    path="/reconstruct",
    json_path="/reconstruct.json",
    template="work.html",
    content=content,
    menu="Reconstruct",
    order=14,
    own=True,
    shown=may_upload,
)
