"""How much of the disk the records of each owner and team take, and how much they may."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Query

from tomarium.catalogue.disk_use import Use, disk_use
from tomarium.portal.administration import Tab, demand_section, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest


@dataclass(frozen=True)
class DiskPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    uses : tuple of Use
        Owners, then teams, each from the largest to the smallest.
    free_bytes, disk_bytes : int
        Of the disk on which the catalogue lies.
    may_change : bool
        Whether who asks may change quotas.
    said : str
        What was just done.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    uses: tuple[Use, ...]
    free_bytes: int
    disk_bytes: int
    may_change: bool = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    said: Annotated[str, Query(max_length=1000, include_in_schema=False)] = "",
) -> DiskPage:
    """Tell what the records of each owner and team take of the disk, and their quotas."""
    reader = demand_section(request_context, "disk")
    with request_context.catalogue.reading() as connection:
        uses = tuple(disk_use(connection))
    disk = shutil.disk_usage(request_context.catalogue.home)
    return DiskPage(
        title="Disk",
        uses=uses,
        free_bytes=disk.free,
        disk_bytes=disk.total,
        may_change=reader.role == "administrator",
        said=said[:300],
        tabs=tabs(request_context, reader, "disk"),
    )


DISK = Page(
    name="admin.disk",
    path="/admin/disk",
    json_path="/admin/disk.json",
    template="admin_disk.html",
    content=content,
)
