"""How a value of any kind is worded for people: nested ones without brackets and quotes, long ones in short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

MOST_ITEMS: Final = 12
"""Items of a list that are all named; of a longer one the first three, the last and the number are."""

_DEEPEST: Final = 8


def in_words(value: Any) -> str:
    """Word a value for people.

    Parameters
    ----------
    value : object
        What JSON holds, NumPy's arrays and numbers, or anything with a text of its own.

    Returns
    -------
    str
        One line: "a: 1; b: 2" for a mapping, "1, 2, 3 … 180 (181 values)" for a list, "(a: 1), (a: 2)" for one of
        mappings, "yes" and "no", six digits of a real number, a dash for nothing. What moves a cursor is a space.
    """
    return _in_words(value, 0)


def brief(text: str, most: int) -> str:
    """Cut a text that is too long.

    Parameters
    ----------
    text : str
        Any text.
    most : int
        Characters at most.

    Returns
    -------
    str
        The text, or its beginning and "…".
    """
    return text if len(text) <= most else f"{text[: max(0, most - 1)].rstrip()}…"


def _in_words(value: Any, depth: int) -> str:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth > _DEEPEST:
            return "…"
        parts = _pairs(value, depth) if isinstance(value, Mapping) else _items(value, depth)
        return parts or "–"
    return "".join(text if text.isprintable() else " " for text in str(value)).strip()


def _pairs(value: Mapping[Any, Any], depth: int) -> str:
    return "; ".join(f"{_in_words(key, depth)}: {_part(part, depth)}" for key, part in value.items())


def _items(value: Iterable[Any], depth: int) -> str:
    parts = list(value)
    if len(parts) <= MOST_ITEMS:
        return ", ".join(_part(part, depth) for part in parts)
    ends = [_part(part, depth) for part in (*parts[:3], parts[-1])]
    return f"{', '.join(ends[:3])} … {ends[3]} ({len(parts)} values)"


def _part(value: Any, depth: int) -> str:
    """Word what lies within another value; what has parts itself stands in brackets."""
    text = _in_words(value, depth + 1)
    nested = isinstance(value, Mapping | list | tuple | set | frozenset) or bool(
        getattr(value, "ndim", False)
    )
    return f"({text})" if nested else text


def day(moment: datetime) -> str:
    """Write the day of a moment.

    Parameters
    ----------
    moment : datetime
        Any.

    Returns
    -------
    str
        "1 June 2027".
    """
    return f"{moment.day} {moment:%B} {moment.year}"
