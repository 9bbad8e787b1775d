"""Numbers as people write them in tables: decimal commas, thousands apart, a unit behind."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 200
"""Characters beyond which a cell is no number; a match of blanks within blanks takes the square of their number."""

_APART: Final = re.compile("[\u00a0\u2007\u2009\u202f]")
_SIGN: Final = "[-+]?"
_TAIL: Final = r"(?:[eE][-+]?\d+)?)(?![\d.,'’])\s*(.*?)\s*$"
# Each way to write a number, what to take away, and what is its decimal sign.
_WAYS: Final = (
    (re.compile(rf"^\s*({_SIGN}(?:\d+\.?\d*|\.\d+){_TAIL}"), "", "."),
    (re.compile(rf"^\s*({_SIGN}\d{{1,3}}(?:[ '’]\d{{3}})+(?:[.,]\d+)?{_TAIL}"), " '’", ",."),
    (re.compile(rf"^\s*({_SIGN}\d{{1,3}}(?:,\d{{3}}){{2,}}(?:\.\d+)?{_TAIL}"), ",", "."),
    (re.compile(rf"^\s*({_SIGN}[1-9]\d{{0,2}},\d{{3}}\.\d+{_TAIL}"), ",", "."),
    (re.compile(rf"^\s*({_SIGN}[1-9]\d{{0,2}}(?:\.\d{{3}})+,\d+{_TAIL}"), ".", ","),
    (re.compile(rf"^\s*({_SIGN}\d+,\d+{_TAIL}"), "", ","),
)
_TWO_SENSES: Final = re.compile(r"^\s*[-+]?[1-9]\d{0,2},\d{3}(?![\d.,])")


@dataclass(frozen=True)
class Written:
    """A number and what stands behind it.

    Attributes
    ----------
    number : float
        Finite.
    unit : str
        What follows it, "" for nothing.
    """

    number: float
    unit: str


def is_ambiguous_number(text: str) -> bool:
    """Tell whether a comma may be a decimal sign or part the thousands: "1,500".

    Parameters
    ----------
    text : str
        A cell.

    Returns
    -------
    bool
        Whether only its writer knows.
    """
    return len(text) <= LONGEST and bool(_TWO_SENSES.match(text))


def read_number(text: str, *, whole: bool = False) -> Written | None:
    """Read a number as it was written: "0.65 um", "25,08", "2 048", "9'990", "1.234,5".

    Parameters
    ----------
    text : str
        A cell.
    whole : bool
        It counts something, so that "9,990" can only be 9990.

    Returns
    -------
    Written or None
        The number and what follows; None where it is none, not finite, or may be two.
    """
    if len(text) > LONGEST:
        return None
    text = _APART.sub(" ", text).replace("\u2212", "-")
    if is_ambiguous_number(text):
        if not whole:
            return None
        text = text.replace(",", "", 1)
    # Thousands apart come before plain numbers, or "2 048" would be 2 with a strange unit.
    for pattern, away, decimal in (_WAYS[1], _WAYS[0], *_WAYS[2:]):
        match = pattern.match(text)
        if match is None:
            continue
        digits = "".join(sign for sign in match[1] if sign not in away)
        for sign in decimal:
            digits = digits.replace(sign, ".")
        number = float(digits)
        return Written(number, match[2]) if math.isfinite(number) else None
    return None
