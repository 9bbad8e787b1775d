"""Numbers of records, which follow the moments when they were made."""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterator
from itertools import count
from typing import Final

EPOCH_UTC: Final = (
    946_684_800  # the year 2000: numbers of six bytes reach from 1932 to 2068, larger ones beyond
)
SLOTS: Final = 65_536  # numbers in a second


def number_at(created_utc: float) -> int:
    """Return the first number of a moment.

    Parameters
    ----------
    created_utc : float
        Seconds since 1970.

    Returns
    -------
    int
        The later the moment, the larger; it may be negative.
    """
    return round((created_utc - EPOCH_UTC) * SLOTS)


def free_number(id: str, created_utc: float, taken: Container[int]) -> int:
    """Return a number for a record.

    Parameters
    ----------
    id : str
        Its identifier.
    created_utc : float
        When it was made, seconds since 1970.
    taken : container of int
        Numbers that cannot be had.

    Returns
    -------
    int
        The number of its moment; where many records say the same moment, one a little later: of 100 000 within
        16 s.
    """
    return next(number for number in numbers_of(id, created_utc) if number not in taken)


def numbers_of(id: str, created_utc: float) -> Iterator[int]:
    """Yield the numbers that a record can have, without end, the best first; as `free_number`."""
    first = number_at(created_utc)
    yield first
    for tries in count():
        window = 16 ** min(tries // 4 + 1, 10)
        yield first + zlib.crc32(f"{tries} {id}".encode()) % window
