"""How often records were seen and taken, for programs: as CSV, and as a Dataset Report of COUNTER."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection, select

from tomarium import __version__
from tomarium.catalogue.record_use import Counted, counts_of
from tomarium.catalogue.tables import records
from tomarium.portal.door import Door
from tomarium.portal.rendering import answer_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route

# Annotations are evaluated here, not postponed: FastAPI reads them.

Month = Annotated[
    str,
    Query(
        pattern=r"^(\d{4}-\d{2}(-\d{2})?)?$", description="A month, 2026-11, or a day in it; none: no limit"
    ),
]
METRICS: Final = {
    "investigations": ("view", "download"),
    "requests": ("download",),
}
"""COUNTER's word → what it counts: to take a dataset is to investigate it, too."""


def add_routes(app: FastAPI) -> None:
    """Add the routes of the reports to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/statistics.csv", as_csv, name="statistics.csv", kind=Response)
    add_get_route(app, "/reports/dsr", dataset_report, name="reports.dsr", kind=JSONResponse)


def as_csv(request_context: CurrentRequest, begin_date: Month = "", end_date: Month = "") -> Response:
    """Tell how often records were seen and taken as CSV: a row for each record, month, kind and method."""
    with request_context.catalogue.reading() as connection:
        counts = counts_of(connection, request_context.reader, *_months(begin_date, end_date))
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("record", "month", "kind", "method", "total", "unique_a_day"))
    rows.writerows(
        (counted.record, counted.month, counted.kind, counted.method, total, unique)
        for counted, total, unique in counts
    )
    headers = {"Content-Disposition": 'attachment; filename="views-and-downloads.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def dataset_report(request_context: CurrentRequest, begin_date: Month = "", end_date: Month = "") -> Response:
    """Tell how often records were seen and taken as a Dataset Report (DSR) of COUNTER's Code for Research Data."""
    first, last = _months(begin_date, end_date)
    with request_context.catalogue.reading() as connection:
        counts = counts_of(connection, request_context.reader, first, last)
        titles_and_dois = _titles_and_dois(connection, {counted.record for counted, _, _ in counts})
    months = sorted({counted.month for counted, _, _ in counts})
    settings, today = request_context.settings, datetime.now(UTC).date()
    begin, end = first or (months or [f"{today:%Y-%m}"])[0], last or f"{today:%Y-%m}"
    header = {
        "report_name": "dataset report",
        "report_id": "dsr",
        "release": "rd1",
        "created": today.isoformat(),
        "created_by": f"{settings['name']} (tomarium {__version__})",
        "reporting_period": {"begin_date": f"{begin}-01", "end_date": _end(end).isoformat()},
        "report_filters": [],
        "report_attributes": [],
        "exceptions": [],
    }
    by_record: dict[str, list[tuple[Counted, int, int]]] = {}
    for row in counts:
        by_record.setdefault(row[0].record, []).append(row)
    datasets = [_dataset(request_context, id, *titles_and_dois[id], rows) for id, rows in by_record.items()]
    return answer_json({"report_header": header, "report_datasets": datasets})


def _dataset(
    context: RequestContext, id: str, title: str, doi: str, rows: Iterable[tuple[Counted, int, int]]
) -> dict[str, Any]:
    address = context.address("record", {"id": id})
    months: dict[str, list[tuple[Counted, int, int]]] = {}
    for row in rows:
        months.setdefault(row[0].month, []).append(row)
    return {
        "dataset_title": title,
        "dataset_id": [{"type": "doi", "value": doi} if doi else {"type": "url", "value": address}],
        "data_type": "dataset",
        "platform": context.settings["name"],
        "uri": address,
        "performance": [
            {
                "period": {"begin_date": f"{month}-01", "end_date": _end(month).isoformat()},
                "instance": list(_instances(counts)),
            }
            for month, counts in months.items()
        ],
    }


def _instances(counts: list[tuple[Counted, int, int]]) -> Iterable[dict[str, Any]]:
    for method in dict.fromkeys(counted.method for counted, _, _ in counts):
        for metric, kinds in METRICS.items():
            totals_and_uniques = [
                (t, u) for counted, t, u in counts if counted.method == method and counted.kind in kinds
            ]
            # Who sees and takes a record on one day is counted among both, so that the larger number is the right one.
            unique = max((u for _, u in totals_and_uniques), default=0)
            for name, number in (("total", sum(t for t, _ in totals_and_uniques)), ("unique", unique)):
                if number:
                    yield {
                        "metric_type": f"{name}-dataset-{metric}",
                        "access_method": method,
                        "count": number,
                    }


def _titles_and_dois(connection: Connection, ids: set[str]) -> dict[str, tuple[str, str]]:
    query = select(records.c.id, records.c.title, records.c.doi).where(records.c.id.in_(ids))
    return {row.id: (row.title, row.doi) for row in connection.execute(query)}


def _months(first: str, last: str) -> tuple[str, str]:
    for text in filter(None, (first, last)):
        try:
            date.fromisoformat(text if len(text) == 10 else f"{text}-01")
        except ValueError as problem:
            raise HTTPException(400, f"{text} is no month; write it as 2026-11.") from problem
    return first[:7], last[:7]


def _end(month: str) -> date:
    """Return the last day of a month."""
    year, number = int(month[:4]), int(month[5:7])
    following = date(year + number // 12, number % 12 + 1, 1) if year < 9999 else date.max
    return date.fromordinal(following.toordinal() - 1)


DOOR = Door("use reports", add_routes)
