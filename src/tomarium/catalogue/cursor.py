"""Cursors: where a page of an answer ends, so that the next begins there whatever was added meanwhile."""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from tomarium.errors import ParameterError

_FORM = re.compile(r"([nr])([<>])(-?[0-9a-f]{1,16}) (\S{1,40}) (\d{1,12})", re.ASCII)


@dataclass(frozen=True)
class Cursor:
    """A place in an answer.

    Attributes
    ----------
    number : int
        Of the record beside it.
    score : float or None
        Its relevance where the most relevant come first; None where the newest do.
    back : bool
        Whether the page before it is meant, not the one after it.
    position : int
        How many records lay before the wanted page when the cursor was made; for display only.
    """

    number: int
    score: float | None = None
    back: bool = False
    position: int = 0

    def __str__(self) -> str:
        """Return it as it stands in an address."""
        kind, direction = "n" if self.score is None else "r", "<" if self.back else ">"
        score = (self.score or 0.0).hex()
        text = f"{kind}{direction}{self.number:x} {score} {max(0, self.position)}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """Read a cursor from an address.

    Parameters
    ----------
    text : str
        As `str(cursor)` wrote it.

    Returns
    -------
    Cursor
        The same.

    Raises
    ------
    ParameterError
        It is none.
    """
    try:
        match = _FORM.fullmatch(urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii"))
        if match is None or not math.isfinite(float.fromhex(match[4])):
            raise ValueError("another form")
        number, score = int(match[3], 16), float.fromhex(match[4])
        if abs(number) >= 2**63:
            raise ValueError("no number of a record")
    except (ValueError, OverflowError):
        raise ParameterError(
            f"after {text[:80]!r} is no place in an answer; take it from the address of the next page, or leave "
            f"it out for the first page"
        ) from None
    return Cursor(number, score if match[1] == "r" else None, match[2] == "<", int(match[5]))
