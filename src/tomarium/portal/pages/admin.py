"""The administration at a glance: what waits, what failed, how full the disk is."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

from tomarium.beamtime.work_jobs import PREVIEW
from tomarium.catalogue.accounts import all_accounts
from tomarium.catalogue.alarms import count_open
from tomarium.catalogue.dois import open_first
from tomarium.catalogue.find_jobs import newest_jobs
from tomarium.catalogue.queries import count_records
from tomarium.portal.administration import Tab, demand_section, is_keeper, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest

COUNTED = 1000


@dataclass(frozen=True)
class AdminPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    records : int
        How many there are.
    accounts : int or None
        How many can sign in; None to who may not see them.
    alarms : int
        Files that are not as they were filed.
    jobs, dois : dict of str to int
        State → how many, of the newest 1000 jobs and of 1000 DOIs.
    free_bytes, disk_bytes : int
        Of the disk on which the catalogue lies.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    records: int
    accounts: int | None
    alarms: int
    jobs: dict[str, int]
    dois: dict[str, int]
    free_bytes: int
    disk_bytes: int
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> AdminPage:
    """Tell what waits for a worker, what failed, and how much room the disk has."""
    reader = demand_section(request_context, "overview")
    with request_context.catalogue.reading() as connection:
        jobs, dois = (
            newest_jobs(connection, reader, COUNTED, without=(PREVIEW,)),
            open_first(connection, COUNTED),
        )
        accounts = [account for account in all_accounts(connection) if not account.closed]
        records, alarms = count_records(connection, reader), count_open(connection)
    disk = shutil.disk_usage(request_context.catalogue.home)
    return AdminPage(
        title="Administration",
        records=records,
        accounts=len(accounts) if reader.role == "administrator" else None,
        alarms=alarms,
        jobs=_counted([row.state for row in jobs]),
        dois=_counted([row.state for row in dois]),
        free_bytes=disk.free,
        disk_bytes=disk.total,
        tabs=tabs(request_context, reader, "overview"),
    )


def _counted(states: list[str]) -> dict[str, int]:
    return {state: states.count(state) for state in dict.fromkeys(states)}


ADMIN = Page(
    name="admin",
    path="/admin",
    json_path="/admin.json",
    template="admin.html",
    content=content,
    menu="Admin",
    order=50,
    own=True,
    shown=is_keeper,
)
