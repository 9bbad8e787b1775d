"""Days and spans as people write them: "3 years", "18 months", "2027-06-01"."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime

from tomarium.errors import ParameterError

_SPAN = re.compile(r"(\d{1,4})\s*(years?|y|months?|weeks?|w|days?|d)", re.IGNORECASE)
_LONGEST_YEARS = 200


def read_span(text: str) -> tuple[int, int]:
    """Read a span of time.

    Parameters
    ----------
    text : str
        "3 years", "18 months", "2 weeks", "10 days", "3y", or "0".

    Returns
    -------
    months, days : int
        Of the calendar.

    Raises
    ------
    ParameterError
        It is none, or longer than two centuries.
    """
    if text.strip() == "0":
        return 0, 0
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise ParameterError(
            f"{text[:40]!r} is no span of time; write 3 years, 18 months, 2 weeks, 10 days or 0"
        )
    count, unit = int(match[1]), match[2][0].lower()
    months, days = {"y": (12, 0), "m": (1, 0), "w": (0, 7), "d": (0, 1)}[unit]
    if count * (months / 12 + days / 365) > _LONGEST_YEARS:
        raise ParameterError(f"{text[:40]!r} is longer than {_LONGEST_YEARS} years; write a shorter one")
    return count * months, count * days


def after(start: datetime, text: str) -> datetime:
    """Return the moment a span or a date means.

    Parameters
    ----------
    start : datetime
        With a time zone.
    text : str
        A span, as `read_span` takes it; a date, "2027-06-01", which begins at midnight UTC; or "now".

    Returns
    -------
    datetime
        With a time zone.

    Raises
    ------
    ParameterError
        The text is none of them, or a date before `start`.
    """
    text = text.strip()
    if text == "now":
        return start
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        try:
            day = date.fromisoformat(text)
        except ValueError as problem:
            raise ParameterError(f"{text} is no day of the calendar; write it as 2027-06-01") from problem
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if moment < start:
            raise ParameterError(f"{text} has passed; give a later day, or 0 to open the files at once")
        return moment
    months, days = read_span(text)
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    day_of_month = min(start.day, calendar.monthrange(year, month)[1])
    moved = start.replace(year=year, month=month, day=day_of_month)
    return datetime.fromtimestamp(moved.timestamp() + days * 86400, start.tzinfo)
