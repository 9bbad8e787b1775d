"""Events as iCalendar (RFC 5545): all of them, to subscribe to, and each one."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import Response

from tomarium.catalogue import ANYBODY
from tomarium.model.page_text import moment_of
from tomarium.portal.door import Door
from tomarium.portal.languages import ENGLISH
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route
from tomarium.portal.texts import ShownText, shown_text, shown_texts

# Annotations are evaluated here, not postponed: FastAPI reads them.

FOLD_BYTES = 75
Language = Annotated[Literal["en", "fr", "de"], Query(description="In which language, where it is there")]


class Calendar(Response):
    """A calendar, for the description of the API."""

    media_type = "text/calendar"


def add_routes(app: FastAPI) -> None:
    """Add the routes of the calendars to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/events.ics", all_events, name="events.ics", kind=Calendar)
    add_get_route(app, "/events/{name}.ics", one_event, name="event.ics", kind=Calendar)


def all_events(request_context: CurrentRequest, language: Language = ENGLISH) -> Response:
    """Give all events as iCalendar, to subscribe to; the same for everybody."""
    with request_context.catalogue.reading() as connection:
        events = shown_texts(connection, ANYBODY, "events", language)
    return _answer(request_context, events, "events.ics")


def one_event(request_context: CurrentRequest, name: str, language: Language = ENGLISH) -> Response:
    """Give an event as iCalendar."""
    with request_context.catalogue.reading() as connection:
        event = shown_text(connection, ANYBODY, f"events/{name}", language)
    if event is None:
        raise HTTPException(404, "There is no such event. All events are listed at /events.")
    return _answer(request_context, [event], f"{event.slug}.ics")


def _answer(context: RequestContext, events: Sequence[ShownText], filename: str) -> Response:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//tomarium//portal//EN",
        f"X-WR-CALNAME:{_text(context.settings['name'])}",
        *(line for event in events for line in _event(context, event)),
        "END:VCALENDAR",
    ]
    content = "".join(f"{_folded(line)}\r\n" for line in lines)
    headers = {
        "Content-Disposition": f'inline; filename="{filename}"',
        "Cache-Control": "public, max-age=300",
    }
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)


def _event(context: RequestContext, event: ShownText) -> Iterator[str]:
    """Write an event; moments are told in UTC, which is right in each calendar without a table of time zones."""
    facts = event.text.facts
    starts, ends = moment_of(facts, "starts"), moment_of(facts, "ends")
    address = context.address("events.one", {"name": event.slug})
    changed = event.version.moment_utc if event.version else 0.0
    yield "BEGIN:VEVENT"
    yield f"UID:{event.slug}@{urlsplit(address).netloc}"
    yield f"DTSTAMP:{datetime.fromtimestamp(changed, UTC):%Y%m%dT%H%M%SZ}"
    yield f"SUMMARY:{_text(event.text.title)}"
    if isinstance(starts, datetime):
        yield f"DTSTART:{starts.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        if isinstance(ends, datetime):
            yield f"DTEND:{ends.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    elif starts is not None:
        last = ends if isinstance(ends, date) else starts
        yield f"DTSTART;VALUE=DATE:{starts:%Y%m%d}"
        yield f"DTEND;VALUE=DATE:{last + timedelta(days=1):%Y%m%d}"  # the first day on which it is over
    if place := facts.get("place"):
        yield f"LOCATION:{_text(place)}"
    if event.text.summary:
        yield f"DESCRIPTION:{_text(event.text.summary)}"
    yield f"URL:{address}"
    yield "END:VEVENT"


def _text(words: str) -> str:
    """Escape a text (RFC 5545, 3.3.11)."""
    plain = "".join(sign for sign in words if sign.isprintable() or sign == "\n")
    for sign in ("\\", ";", ","):
        plain = plain.replace(sign, f"\\{sign}")
    return plain.replace("\n", "\\n")


def _folded(line: str) -> str:
    """Cut a line into pieces of at most 75 bytes (RFC 5545, 3.1), between letters."""
    pieces: list[bytes] = []
    piece = b""
    for sign in line:
        encoded = sign.encode()
        if len(piece) + len(encoded) > FOLD_BYTES - (1 if pieces else 0):
            pieces.append(piece)
            piece = b""
        piece += encoded
    return "\r\n ".join(line_part.decode() for line_part in (*pieces, piece))


DOOR = Door("calendars", add_routes, first=True)
