"""Events: those to come and those that were, and the page of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from tomarium.catalogue.page_texts import may_edit
from tomarium.model.page_text import PageText, last_moment, moment_of
from tomarium.portal.languages import show_when
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.texts import TextPage, find_text, page_of
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.texts import ShownText, shown_texts


@dataclass(frozen=True)
class EventLine:
    """An event in a list.

    Attributes
    ----------
    title, summary, place, address : str
        Its heading, what it is, where it happens, and where its page is.
    starts, ends : str
        ISO 8601, a day or a moment with its offset; "" where no end is told.
    when : str
        The same in words, in the language of the page.
    language : str
        In which it is written.
    """

    title: str
    summary: str
    place: str
    address: str
    starts: str
    ends: str
    when: str
    language: str


@dataclass(frozen=True)
class EventsPage:
    """Content of the list.

    Attributes
    ----------
    title : str
        Of the page.
    text : TextPage
        What stands above the list.
    coming, past : tuple of EventLine
        The next first; the latest first.
    calendar : str
        Address of all of them as iCalendar.
    new : str
        Where an editor writes another; "" for others.
    """

    title: str
    text: TextPage
    coming: tuple[EventLine, ...]
    past: tuple[EventLine, ...]
    calendar: str
    new: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class EventPage:
    """Content of the page of an event.

    Attributes
    ----------
    title : str
        Its heading.
    event : EventLine
        When and where.
    more : str
        Address of a page elsewhere; "" where none is told.
    text : TextPage
        What is said of it.
    calendar : str
        Address of it as iCalendar.
    over : bool
        Whether it is over.
    """

    title: str
    event: EventLine
    more: str
    text: TextPage
    calendar: str
    over: bool


def event_line(context: RequestContext, shown_text: ShownText) -> EventLine:
    """Tell when and where an event is."""
    facts = shown_text.text.facts
    starts, ends = moment_of(facts, "starts"), moment_of(facts, "ends")
    return EventLine(
        title=shown_text.text.title,
        summary=shown_text.text.summary,
        place=facts.get("place", ""),
        address=context.link("events.one", {"name": shown_text.slug}),
        starts=_iso(starts),
        ends=_iso(ends),
        when=show_when(facts, context.language),
        language=shown_text.language,
    )


def events_of(context: RequestContext) -> tuple[ShownText, ...]:
    """List all events that a reader may see, by their end."""
    with context.catalogue.reading() as connection:
        shown = shown_texts(connection, context.reader, "events", context.language)
    return tuple(sorted(shown, key=lambda shown_text: (last_moment(shown_text.text.facts), shown_text.name)))


def is_over(text: PageText) -> bool:
    """Tell whether an event is over."""
    return last_moment(text.facts) < datetime.now(UTC)


def list_content(request_context: CurrentRequest) -> EventsPage:
    """List events: those to come, the next first, and those that were."""
    text = page_of(request_context, find_text(request_context, "pages/events"))
    events = events_of(request_context)
    edit = request_context.link("texts.edit", {"kind": "events"})
    return EventsPage(
        title=text.title,
        text=text,
        coming=tuple(
            event_line(request_context, shown_text) for shown_text in events if not is_over(shown_text.text)
        ),
        past=tuple(
            event_line(request_context, shown_text)
            for shown_text in reversed(events)
            if is_over(shown_text.text)
        ),
        calendar=request_context.link("events.ics", query={"language": request_context.language}),
        new=edit if may_edit(request_context.reader) else "",
    )


def content(request_context: CurrentRequest, name: str) -> EventPage:
    """Show an event."""
    shown = find_text(request_context, f"events/{name}")
    text = page_of(request_context, shown)
    return EventPage(
        title=text.title,
        event=event_line(request_context, shown),
        more=shown.text.facts.get("address", ""),
        text=text,
        calendar=request_context.link("event.ics", {"name": name}),
        over=is_over(shown.text),
    )


def _iso(moment: datetime | date | None) -> str:
    return moment.isoformat() if moment else ""


EVENTS = Page(
    name="events",
    path="/events",
    json_path="/events.json",
    template="events.html",
    content=list_content,
    levels=True,
)
EVENT = Page(
    name="events.one",
    path="/events/{name}",
    json_path="/events/{name}.json",
    template="event.html",
    content=content,
    levels=True,
)
