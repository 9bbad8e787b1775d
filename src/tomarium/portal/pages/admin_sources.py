"""Other catalogues that are harvested: how much is kept of each, when it was read last, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from tomarium.catalogue.harvest_sources import KINDS, all_sources
from tomarium.portal.administration import SECTIONS, Tab, demand_section, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest

SPANS = {3600.0: "every hour", 86_400.0: "every day", 604_800.0: "every week"}


@dataclass(frozen=True)
class SourceRow:
    """A catalogue that is harvested.

    Attributes
    ----------
    number, count, documents, instruments : int
        Its number, and how many records, documents and instruments are kept of it.
    kept, others : str
        Records in words, and documents and instruments where there are any.
    title, protocol, address, set : str
        What it is called here, by which protocol and where it answers, and what part of it is taken ("" for all).
    every : str
        How often it is harvested of itself; "" where only when somebody asks.
    read, begun : str
        ISO 8601: when it was read to its end last, and when that was begun last; "" where it never was.
    goes_on : bool
        Whether a harvest was interrupted, and the next one goes on with it.
    error : str
        Why the last harvest was not complete; "" where it was.
    records : str
        Address of the search for its records.
    """

    number: int
    count: int
    documents: int
    instruments: int
    kept: str = field(metadata=FOR_PEOPLE)
    others: str = field(metadata=FOR_PEOPLE)
    title: str
    protocol: str
    address: str
    set: str
    every: str
    read: str
    begun: str
    goes_on: bool
    error: str
    records: str


@dataclass(frozen=True)
class SourcesPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    sources : tuple of SourceRow
        By their titles.
    may_change : bool
        Whether who asks may ask for a harvest.
    said : str
        What was just done.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    sources: tuple[SourceRow, ...]
    may_change: bool = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    said: Annotated[str, Query(max_length=1000, include_in_schema=False)] = "",
) -> SourcesPage:
    """List the catalogues that are harvested: how much is kept, when each was read last, and what went wrong."""
    reader = demand_section(request_context, "sources")
    with request_context.catalogue.reading() as connection:
        sources = all_sources(connection)
    return SourcesPage(
        title="Other catalogues",
        sources=tuple(
            SourceRow(
                number=source.number,
                count=source.count,
                documents=source.documents,
                instruments=source.instruments,
                kept=source.kept().partition(", ")[0],
                others=source.kept().partition(", ")[2],
                title=source.title,
                protocol=KINDS.get(source.kind, source.kind),
                address=source.address,
                set=source.selection,
                every=SPANS.get(source.every_s, f"every {source.every_s / 3600:.3g} hours")
                if source.every_s
                else "",
                read=_moment(source.finished_utc),
                begun=_moment(source.started_utc),
                goes_on=bool(source.token),
                error=source.error,
                records=request_context.link("records", query={"catalogue": source.title}),
            )
            for source in sources
        ),
        may_change=reader.role in SECTIONS["sources"].changes,
        said=said[:300],
        tabs=tabs(request_context, reader, "sources"),
    )


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(int(seconds), UTC).isoformat()


SOURCES = Page(
    name="admin.sources",
    path="/admin/sources",
    json_path="/admin/sources.json",
    template="admin_sources.html",
    content=content,
)
