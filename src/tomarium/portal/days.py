"""Days in addresses: where one begins and ends, in seconds since 1970."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from fastapi import HTTPException


def read_day(text: str, after: int = 0) -> float | None:
    """Read a day from an address.

    Parameters
    ----------
    text : str
        "2026-11-20"; any text.
    after : int
        Days later.

    Returns
    -------
    float or None
        When it begins in UTC, seconds since 1970; None where the text is empty.

    Raises
    ------
    HTTPException
        400: it is none.
    """
    if not text.strip():
        return None
    try:
        begin = datetime.combine(date.fromisoformat(text.strip()), datetime.min.time(), UTC)
        return (begin + timedelta(days=after)).timestamp()
    except (ValueError, OverflowError) as problem:
        raise HTTPException(400, f"“{text[:20]}” is no day; write it as 2026-11-20.") from problem
