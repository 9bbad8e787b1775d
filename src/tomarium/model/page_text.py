"""A text of the portal that people write: a page, a piece of news, an event; spelled as Markdown with a head.

The head stands between two lines of three hyphens, one fact a line:

    ---
    title: Open day
    starts: 2027-06-05 10:00
    zone: Europe/Berlin
    ---
    Everybody is **welcome**.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from tomarium.errors import ParameterError
from tomarium.model.level import LEVELS, check_marks

LONGEST: Final = 40_000
"""Letters of a text at most."""
_LINE: Final = re.compile(r"([a-z_]+):[ \t]*(.*)")
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Fact:
    """A line of the head of a text.

    Attributes
    ----------
    label, help : str
        For people.
    form : str
        "text", "day", "moment" (a day, or a day and a time), "number", "level", "zone" or "address".
    needed : bool
        Whether a text must tell it.
    """

    label: str
    help: str = ""
    form: str = "text"
    needed: bool = False


_TITLE: Final = {"title": Fact("Title", needed=True), "summary": Fact("Summary, one or two sentences")}
FACTS: Final[Mapping[str, Mapping[str, Fact]]] = {
    "pages": {
        **_TITLE,
        "order": Fact("Place in the list of pages", "a number; small ones come first", "number"),
        "level": Fact("For whom it is written", form="level"),
        "list": Fact("What of the catalogue is listed below it"),
    },
    "news": {
        **_TITLE,
        "date": Fact("Date", "before this day nobody but editors sees it", "day", needed=True),
        "record": Fact("Identifier of a record whose picture is shown"),
        "credit": Fact("Credit of the picture, as “Ada Lovelace, CC-BY-4.0”"),
    },
    "events": {
        **_TITLE,
        "starts": Fact("Starts", "2027-06-05 10:00, or only the day", "moment", needed=True),
        "ends": Fact("Ends", "2027-06-05 16:00, or the last day", "moment"),
        "zone": Fact("Time zone", "Europe/Paris; needed where a time is told", "zone"),
        "place": Fact("Place"),
        "address": Fact("Address of a page with more", form="address"),
    },
}
"""Kind of text → key of a fact → what it is, in the order of the head."""


@dataclass(frozen=True)
class PageText:
    """A text.

    Attributes
    ----------
    kind : str
        A key of `FACTS`.
    facts : Mapping of str to str
        Keys of its head that tell something → what they tell.
    body : str
        Markdown, with parts for levels (`model.level`).
    """

    kind: str
    facts: Mapping[str, str]
    body: str = ""
    todo: str = field(default="", compare=False)
    """What an editor has still to write, in a text that was shipped; shown to editors alone."""

    @property
    def title(self) -> str:
        """Its heading."""
        return self.facts["title"]

    @property
    def summary(self) -> str:
        """One or two sentences; "" where there are none."""
        return self.facts.get("summary", "")


def read_page_text(kind: str, source: str) -> PageText:
    """Read a text with its head.

    Parameters
    ----------
    kind : str
        A key of `FACTS`.
    source : str
        As in the module's example.

    Returns
    -------
    PageText
        Checked.

    Raises
    ------
    ParameterError
        The head is none, tells something unknown or lacks something, or a value is none of its form.
    """
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:]):
        raise ParameterError("the text has no head: begin with a line ---, one fact a line, and a line ---")
    end = next(number for number, line in enumerate(lines[1:], 1) if line.strip() == "---")
    facts: dict[str, str] = {}
    for number, line in enumerate(lines[1:end], 2):
        if not line.strip():
            continue
        if not (match := _LINE.fullmatch(line.strip())):
            raise ParameterError(
                f"line {number}, {line.strip()[:40]!r}, is no fact; write it as title: Open day"
            )
        facts[match[1]] = match[2].strip()
    todo = facts.pop("todo", "")
    return checked(PageText(kind, facts, "\n".join(lines[end + 1 :]).strip("\n"), todo))


def write_page_text(text: PageText) -> str:
    """Spell a text with its head.

    Parameters
    ----------
    text : PageText
        Any.

    Returns
    -------
    str
        What `read_page_text` reads.
    """
    head = [f"{key}: {text.facts[key]}" for key in FACTS[text.kind] if text.facts.get(key)]
    return "\n".join(["---", *head, "---", text.body, ""])


def checked(text: PageText) -> PageText:
    """Check a text and leave out what tells nothing.

    Parameters
    ----------
    text : PageText
        As somebody typed it.

    Returns
    -------
    PageText
        With facts of one line each.

    Raises
    ------
    ParameterError
        It tells something unknown, lacks something, or a value is none of its form.
    """
    if text.kind not in FACTS:
        raise ParameterError(f"there are no texts of kind {text.kind[:40]!r}; there are {', '.join(FACTS)}")
    known_facts = FACTS[text.kind]
    facts = {key: " ".join(fact.split()) for key, fact in text.facts.items() if fact.strip()}
    for key in facts:
        if key not in known_facts:
            raise ParameterError(
                f"a text of {text.kind} tells no {key[:40]!r}; it tells {', '.join(known_facts)}"
            )
    for key, fact in known_facts.items():
        if fact.needed and key not in facts:
            raise ParameterError(f"{fact.label} is missing; write it")
        if key in facts:
            _demand(fact, facts[key])
    if facts.get("starts"):
        _demand_order(facts)
    body = text.body.replace("\r\n", "\n").strip("\n")
    if len(body) > LONGEST or any(len(fact) > 500 for fact in facts.values()):
        raise ParameterError(
            f"the text is too long; at most {LONGEST} letters, and 500 in a line of its head"
        )
    check_marks(body)
    return PageText(text.kind, facts, body, text.todo)


def text_name(kind: str, name: str) -> str:
    """Check the name of a text.

    Parameters
    ----------
    kind : str
        A key of `FACTS`.
    name : str
        As in its address.

    Returns
    -------
    str
        "news/open-day".

    Raises
    ------
    ParameterError
        There is no such kind, or the name is none.
    """
    if kind not in FACTS:
        raise ParameterError(f"there are no texts of kind {kind[:40]!r}; there are {', '.join(FACTS)}")
    if not _NAME.fullmatch(name) or len(name) > 80:
        raise ParameterError(
            f"{name[:40]!r} cannot be the name of a text; give lower-case letters and digits with single hyphens "
            f"between, such as open-day"
        )
    return f"{kind}/{name}"


def moment_of(facts: Mapping[str, str], key: str) -> datetime | date | None:
    """Read when an event starts or ends.

    Parameters
    ----------
    facts : Mapping of str to str
        Of an event.
    key : str
        "starts" or "ends".

    Returns
    -------
    datetime or date or None
        A moment with its time zone, a day, or None where it is not told.
    """
    text = facts.get(key, "")
    if not text:
        return None
    if len(text) == 10:
        return date.fromisoformat(text)
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(facts.get("zone", "UTC")))


def last_moment(facts: Mapping[str, str]) -> datetime:
    """Tell when an event is over.

    Parameters
    ----------
    facts : Mapping of str to str
        Of an event.

    Returns
    -------
    datetime
        Its end, or its start where no end is told; of a day its last second, as far west as it can still be that day.
    """
    end = moment_of(facts, "ends") or moment_of(facts, "starts")
    if isinstance(end, datetime):
        return end
    assert end is not None
    return datetime(end.year, end.month, end.day, 23, 59, 59, tzinfo=UTC)


def _demand(fact: Fact, text: str) -> None:
    problem = ""
    try:
        if fact.form == "day":
            date.fromisoformat(text)
        elif fact.form == "moment":
            date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text).replace(tzinfo=None)
            problem = "" if re.fullmatch(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d)?", text) else "2027-06-05 10:00"
        elif fact.form == "number":
            int(text)
        elif fact.form == "zone":
            ZoneInfo(text)
        elif fact.form == "level" and text not in LEVELS:
            problem = f"one of {', '.join(LEVELS)}"
        elif fact.form == "address" and not re.fullmatch(r"https?://\S+", text):
            problem = "the whole address, such as https://example.org/day"
    except (ValueError, OSError, KeyError):
        problem = {"day": "2027-06-05", "moment": "2027-06-05 10:00", "zone": "Europe/Paris"}.get(
            fact.form, "7"
        )
    if problem:
        raise ParameterError(f"{fact.label}: {text[:60]!r} cannot be read; write it as {problem}")


def _demand_order(facts: Mapping[str, str]) -> None:
    start, end = facts["starts"], facts.get("ends", "")
    if end and (len(end) == 10) is not (len(start) == 10):
        raise ParameterError("an event starts and ends by days, or both by times; write both alike")
    if len(start) > 10 and not facts.get("zone"):
        raise ParameterError("a time needs its time zone; write one, such as Europe/Paris")
    if end and end.replace("T", " ") < start.replace("T", " "):
        raise ParameterError(f"the event ends ({end}) before it starts ({start}); change one of them")
