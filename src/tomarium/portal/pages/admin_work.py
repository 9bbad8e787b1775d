"""The work that was asked for, DOIs that DataCite is to be told, and mails: their state, and what went wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from tomarium.beamtime.work_jobs import PREVIEW
from tomarium.catalogue.dois import open_first
from tomarium.catalogue.find_jobs import newest_jobs
from tomarium.catalogue.mail_queue import open_mails
from tomarium.portal.administration import ADMINISTRATORS, Tab, demand_section, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest


@dataclass(frozen=True)
class JobRow:
    """A job.

    Attributes
    ----------
    number, tries : int
        Its number, and how often it was begun.
    kind, arguments, state, told, asked_by : str
        What it is, "waiting", "running", "done" or "failed", what became of it, and who asked.
    """

    number: int
    kind: str
    arguments: str
    state: str
    told: str
    asked_by: str
    tries: int


@dataclass(frozen=True)
class DoiRow:
    """A DOI.

    Attributes
    ----------
    doi, record, page : str
        The DOI, the identifier of its record, and the address of that.
    state, error : str
        "findable", "waiting" or "failed", and why.
    tries : int
        How often DataCite was told.
    next : str
        When it is told next, ISO 8601; "" where nothing is to be told.
    """

    doi: str
    record: str
    page: str
    state: str
    error: str
    tries: int
    next: str


@dataclass(frozen=True)
class MailRow:
    """A mail.

    Attributes
    ----------
    number, tries : int
        Its number, and how often it was tried.
    kind, receiver, state, error : str
        What it is, to whom ("" to who is no administrator), "waiting", "sent", "dropped" or "failed", and why.
    """

    number: int
    kind: str
    receiver: str
    state: str
    error: str
    tries: int


@dataclass(frozen=True)
class WorkPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    jobs : tuple of JobRow
        Those that failed, then the newest; at most 200.
    dois : tuple of DoiRow
        Those that failed, those that wait, the others; at most 200.
    mails : tuple of MailRow
        Likewise; those that were done with a month ago are gone.
    said : str
        What was just done.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    jobs: tuple[JobRow, ...]
    dois: tuple[DoiRow, ...]
    mails: tuple[MailRow, ...]
    said: str = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    said: Annotated[str, Query(max_length=1000, include_in_schema=False)] = "",
) -> WorkPage:
    """List jobs, DOIs and mails: their state, what went wrong, and how often it was tried."""
    reader = demand_section(request_context, "work")
    with request_context.catalogue.reading() as connection:
        jobs, dois = newest_jobs(connection, reader, without=(PREVIEW,)), open_first(connection)
        mails = open_mails(connection)
    all_of_it = reader.role in ADMINISTRATORS
    return WorkPage(
        title="Jobs, DOIs and mails",
        jobs=tuple(
            JobRow(
                *(row.number, row.kind, json.dumps(row.arguments, ensure_ascii=False), row.state),
                *(row.told, row.asked_by, row.tries),
            )
            for row in jobs
        ),
        dois=tuple(
            DoiRow(
                row.doi,
                row.record,
                request_context.page_of(row.record),
                row.state,
                row.error,
                row.tries,
                _moment(row.next_utc) if row.state == "waiting" else "",
            )
            for row in dois
        ),
        mails=tuple(
            MailRow(row.number, row.kind, row.receiver if all_of_it else "", row.state, row.error, row.tries)
            for row in mails
        ),
        said=said[:300],
        tabs=tabs(request_context, reader, "work"),
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


WORK = Page(
    name="admin.work",
    path="/admin/work",
    json_path="/admin/work.json",
    template="admin_work.html",
    content=content,
)
