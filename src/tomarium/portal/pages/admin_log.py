"""The log of who did what, filtered; and whether its chain is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import HTTPException, Query

from tomarium.catalogue.audit import Line, Verdict, actions, newest_lines, verify
from tomarium.portal.administration import Tab, demand_section, tabs
from tomarium.portal.days import read_day
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext

SHOWN: Final = 100
LARGEST: Final = 2**62


@dataclass(frozen=True)
class LogRow:
    """A line of the log.

    Attributes
    ----------
    number : int
        Its place.
    moment : str
        ISO 8601, in UTC.
    who, action, record, told, chain : str
        As in `audit.Line`; `told` is JSON.
    page : str
        Address of the page of `record`, "" where it names none.
    """

    number: int
    moment: str
    who: str
    action: str
    record: str
    told: str
    chain: str
    page: str


@dataclass(frozen=True)
class LogPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    lines : tuple of LogRow
        The newest first, at most 100.
    verdict : Verdict or None
        Whether the chain is whole; None where it was not asked.
    older : str
        Address of the lines before these; "" where there are none.
    asked : dict of str to str
        The filters.
    actions : tuple of str
        To choose from.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    lines: tuple[LogRow, ...]
    verdict: Verdict | None
    older: str
    asked: Mapping[str, str] = field(metadata=FOR_PEOPLE)
    actions: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


Word = Annotated[str, Query(max_length=200)]


def content(
    request_context: CurrentRequest,
    who: Word = "",
    record: Word = "",
    action: Word = "",
    since: Annotated[str, Query(max_length=10, description="First day, 2026-11-20")] = "",
    until: Annotated[str, Query(max_length=10, description="Last day, 2026-11-30")] = "",
    before: Annotated[int, Query(ge=1, le=LARGEST, description="Only lines with smaller numbers")] = LARGEST,
    check: Annotated[Literal["", "chain"], Query(description="chain: tell whether a line was changed")] = "",
    known: Annotated[
        str, Query(max_length=64, description="Checksum of a line that was kept elsewhere")
    ] = "",
) -> LogPage:
    """Read the log: who did what, to which record, when; curators see the lines that concern records."""
    reader = demand_section(request_context, "log")
    filters = {"who": who, "record": record, "action": action, "since": since, "until": until}
    everything = reader.role == "administrator"
    with request_context.catalogue.reading() as connection:
        lines = newest_lines(
            connection,
            who=who.strip(),
            record=record.strip(),
            action=action,
            since_utc=read_day(since),
            until_utc=read_day(until, after=1),
            before=before,
            limit=SHOWN + 1,
            of_records=not everything,
        )
        known_actions = tuple(actions(connection, of_records=not everything))
    if check and not everything:
        raise HTTPException(403, "The whole log is checked by administrators alone. Ask one.")
    rows = tuple(_row(request_context, line) for line in lines[:SHOWN])
    more = {**filters, "before": str(rows[-1].number)} if len(lines) > SHOWN else {}
    return LogPage(
        title="Audit log",
        lines=rows,
        verdict=verify(request_context.catalogue, known.strip()) if check else None,
        older=request_context.link("admin.log", query=more) if more else "",
        asked=filters,
        actions=known_actions,
        tabs=tabs(request_context, reader, "log"),
    )


def _row(request_context: RequestContext, line: Line) -> LogRow:
    moment = datetime.fromtimestamp(line.moment_utc, UTC).isoformat(timespec="seconds")
    details = json.dumps(line.told, ensure_ascii=False) if line.told else ""
    page = request_context.page_of(line.record) if line.record else ""
    return LogRow(line.number, moment, line.who, line.action, line.record, details, line.chain, page)


LOG = Page(
    name="admin.log",
    path="/admin/log",
    json_path="/admin/log.json",
    template="admin_log.html",
    content=content,
)
