"""How often records are seen and taken: by month, and which most."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from markupsafe import Markup

from tomarium.catalogue.record_use import Use, added, use_by_month, use_by_record
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.use_chart import draw_use

MOST = 50
"""Records that are named."""


@dataclass(frozen=True)
class MonthRow:
    """A month: "2026-11", and what was counted in it."""

    month: str
    use: Use


@dataclass(frozen=True)
class RecordRow:
    """A record: its identifier, its title, the address of its page, and how often it was seen and taken."""

    id: str
    title: str
    page: str
    use: Use


@dataclass(frozen=True)
class StatisticsPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    total, this_year : Use
        Of all months, and of those of this year.
    months : tuple of MonthRow
        The last one first.
    records : tuple of RecordRow
        At most 50; those that were taken most come first.
    chart : Markup
        The months as a picture.
    """

    title: str
    total: Use
    this_year: Use
    months: tuple[MonthRow, ...]
    records: tuple[RecordRow, ...]
    chart: Markup = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> StatisticsPage:
    """Tell how often the records that the reader may see were seen and taken, by month, and which most."""
    reader, year = request_context.reader, str(datetime.now(UTC).year)
    with request_context.catalogue.reading() as connection:
        months = use_by_month(connection, reader)
        records = use_by_record(connection, reader, most=MOST)
    return StatisticsPage(
        title="Views and downloads",
        total=added(months.values()),
        this_year=added(use for month, use in months.items() if month.startswith(year)),
        months=tuple(MonthRow(month, use) for month, use in reversed(months.items())),
        records=tuple(
            RecordRow(id, title, request_context.link("record", {"id": id}), use)
            for id, title, use in records
        ),
        chart=draw_use(months),
    )


STATISTICS = Page(
    name="statistics",
    path="/statistics",
    json_path="/statistics.json",
    template="statistics.html",
    content=content,
)
