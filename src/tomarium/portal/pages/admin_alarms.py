"""Alarms: files that are not as they were filed, how far the rolling audit is, and a form that clears one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from tomarium.catalogue.alarms import Alarm, all_alarms
from tomarium.catalogue.fixity import audit_state
from tomarium.portal.administration import SECTIONS, Tab, demand_section, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext


@dataclass(frozen=True)
class AlarmRow:
    """An alarm.

    Attributes
    ----------
    number : int
        Of the alarm.
    record, page : str
        Identifier of the record, and the address of its page.
    path, problem : str
        The file, "" for all of the record; "missing", "changed" or "unreadable".
    raised, seen : str
        When it was found first and last, ISO 8601.
    cleared, cleared_by, reason : str
        When, by whom and why it was cleared; "" where it is open.
    """

    number: int
    record: str
    page: str
    path: str
    problem: str
    raised: str
    seen: str
    cleared: str
    cleared_by: str
    reason: str


@dataclass(frozen=True)
class AlarmsPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    open, closed : tuple of AlarmRow
        Alarms that are open, and the last that were cleared; at most 200 in all.
    records, never, last_day, days : int
        Records of the catalogue, those that were not read yet, those that were read in the last 24 hours, and in how
        many days all are read; 0: never.
    oldest : str
        When that was read whose turn is longest ago, ISO 8601; "" where none was.
    feed : str
        Address of the feed.
    may_change : bool
        Whether who asks may clear an alarm.
    said : str
        What was just done.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    open: tuple[AlarmRow, ...]
    closed: tuple[AlarmRow, ...]
    records: int
    never: int
    last_day: int
    days: int
    oldest: str
    feed: str
    may_change: bool = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    said: Annotated[str, Query(max_length=1000, include_in_schema=False)] = "",
) -> AlarmsPage:
    """List files that are not as they were filed, and tell how far the rolling audit of all files is."""
    reader = demand_section(request_context, "alarms")
    with request_context.catalogue.reading() as connection:
        alarms, state = all_alarms(connection), audit_state(connection)
    rows = [_row(request_context, alarm) for alarm in alarms]
    return AlarmsPage(
        title="Alarms",
        open=tuple(row for row in rows if not row.cleared),
        closed=tuple(row for row in rows if row.cleared),
        records=state.records,
        never=state.never,
        last_day=state.last_day,
        days=state.days,
        oldest=_moment(state.oldest_utc),
        feed=request_context.link("admin.alarms.atom"),
        may_change=reader.role in SECTIONS["alarms"].changes,
        said=said[:300],
        tabs=tabs(request_context, reader, "alarms"),
    )


def _row(context: RequestContext, alarm: Alarm) -> AlarmRow:
    return AlarmRow(
        alarm.number,
        alarm.record,
        context.link("record", {"id": alarm.record}),
        alarm.path,
        alarm.problem,
        _moment(alarm.raised_utc),
        _moment(alarm.seen_utc),
        _moment(alarm.cleared_utc),
        alarm.cleared_by,
        alarm.reason,
    )


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(int(seconds), UTC).isoformat()


ALARMS = Page(
    name="admin.alarms",
    path="/admin/alarms",
    json_path="/admin/alarms.json",
    template="admin_alarms.html",
    content=content,
)
