"""For whom something is shown: pupils, students, scientists; and texts of which parts are for some of them alone.

In a text, a line ":::" with one or more levels begins a part for these alone, and a line ":::" ends it:

    Everybody reads this.
    ::: pupil
    Only pupils read this.
    :::
    ::: student scientist
    Only students and scientists read this.
    :::
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tomarium.errors import ParameterError

LEVELS: Final = {"pupil": "Pupil", "student": "Student", "scientist": "Scientist"}
"""Level → its name for people, the plainest first."""
DEFAULT: Final = "scientist"
_MARK: Final = re.compile(r"\s{0,3}:::(.*)")
_FENCE: Final = re.compile(r"\s{0,3}(`{3,}|~{3,})(.*)")


def read_level(text: str) -> str:
    """Read a level.

    Parameters
    ----------
    text : str
        "pupil", "student" or "scientist", in any case.

    Returns
    -------
    str
        The level.

    Raises
    ------
    ParameterError
        It is another word.
    """
    level = text.strip().lower()
    if level not in LEVELS:
        raise ParameterError(f"level = {text[:40]!r} is none; choose {', '.join(LEVELS)}")
    return level


def shown_at(level: str, plainest: str) -> bool:
    """Tell whether what is plain enough for one level, and all above it, is shown at another."""
    order = list(LEVELS)
    return order.index(level) >= order.index(plainest)


def for_level(text: str, level: str | None) -> str:
    """Take the parts of a text that are for a level.

    Parameters
    ----------
    text : str
        With marks, as the module tells; within a fenced block of code they are text.
    level : str or None
        A key of `LEVELS`; None for all parts, without the marks.

    Returns
    -------
    str
        The text without marks and without the parts that are for others.
    """
    lines = []
    for line, levels, mark in _lines(text):
        if mark is None and (level is None or not levels or level in levels):
            lines.append(line)
        elif mark is not None:
            lines.append("")  # so that a paragraph ends at a mark
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") if "\n" in text or len(lines) > 1 else text


def check_marks(text: str) -> None:
    """Refuse marks that are none, are nested or are not ended.

    Parameters
    ----------
    text : str
        A text with marks.

    Raises
    ------
    ParameterError
        Which line it is, and what was expected.
    """
    first_line = 0
    for number, (line, _, mark) in enumerate(_lines(text), 1):
        if mark is None:
            continue
        words = mark.split()
        if words and first_line:
            raise ParameterError(
                f"line {number}, {line.strip()[:40]!r}, stands in the part that began in line {first_line}; end that "
                f"first with a line :::"
            )
        if not words and not first_line:
            raise ParameterError(f"line {number} ends a part with ::: but none was begun, as by ::: pupil")
        for word in words:
            if word not in LEVELS:
                raise ParameterError(
                    f"line {number}: {word[:40]!r} is no level; write ::: with {', '.join(LEVELS)}"
                )
        first_line = number if words else 0
    if first_line:
        raise ParameterError(
            f"the part that begins in line {first_line} is never ended; end it with a line :::"
        )


def _lines(text: str) -> Iterator[tuple[str, tuple[str, ...], str | None]]:
    """Go through lines: each with the levels it is for (none: all), and what stands behind ":::" where it is a mark."""
    levels: tuple[str, ...] = ()
    fence = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        fenced = _FENCE.fullmatch(line)
        if fence:
            if fenced and fenced[1].startswith(fence) and not fenced[2].strip():
                fence = ""
        elif fenced:
            fence = fenced[1]
        elif match := _MARK.fullmatch(line):
            levels = tuple(match[1].split())
            yield line, levels, match[1]
            continue
        yield line, levels, None
