"""One volume that was asked for: how far it is, what it is made by, and the record that it became."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Path

from tomarium.beamtime.work_jobs import RECONSTRUCT
from tomarium.pipeline.protocol.protocol import from_data, to_yaml
from tomarium.portal.built import built
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.work_requests import OPEN, Progress, demand_worker_member, own_job, progress_of


@dataclass(frozen=True)
class WorkJobPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Title of the record that is made.
    number, tries : int
        Number of the job, and how often a worker has begun it.
    progress : Progress
        How far it is.
    may_cancel : bool
        Whether it can be cancelled.
    protocol : str
        YAML of the protocol.
    rows : str
        Detector rows, "A:B"; "" for all.
    scan : str
        "record:ID" or "path:…".
    slice : str
        Address of the page on which it was asked for.
    made : str
        Identifier of the record; "" before there is one.
    waits : bool
        Whether it is under way.
    script : str
        Address of the script; "" where it is not built.
    """

    title: str
    number: int
    tries: int
    progress: Progress
    may_cancel: bool
    protocol: str
    rows: str
    scan: str
    slice: str = field(metadata=FOR_PEOPLE)
    made: str
    waits: bool
    script: str = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    number: Annotated[int, Path(ge=1, description="Number of a job of who asks")],
) -> WorkJobPage:
    """Tell how far a volume is that was asked for on the page of work, and which record it became."""
    demand_worker_member(request_context)
    job = own_job(request_context, number, RECONSTRUCT)
    arguments, script = job.arguments, built("work")
    query = {"scan": arguments["scan"], "session": arguments["session"], "look": str(arguments["look"])}
    return WorkJobPage(
        title=arguments["title"],
        number=job.number,
        tries=job.tries,
        progress=progress_of(request_context, job),
        may_cancel=job.state in OPEN,
        protocol=to_yaml(from_data(arguments["protocol"], "the protocol")),
        rows=arguments["rows"],
        scan=arguments["scan"],
        slice=request_context.link("work.slice", query=query),
        made=job.made[0] if job.made else "",
        waits=job.state in OPEN,
        script=request_context.link("static", {"path": script}) if script else "",
    )


WORK_JOB = Page(
    name="work.job",
    path="/reconstruct/jobs/{number}",
    json_path="/reconstruct/jobs/{number}.json",
    template="work_job.html",
    content=content,
)
