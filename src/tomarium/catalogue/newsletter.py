"""The text of a newsletter, made from the records that were published lately."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import escape
from typing import Final

from sqlalchemy import select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.entities import published_collection
from tomarium.catalogue.queries import Place, place_of
from tomarium.catalogue.reader import ANYBODY, may_see
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tables import records
from tomarium.errors import FormatError, InputError, ParameterError, StoreUnavailable
from tomarium.model import Record
from tomarium.model.wording import brief, day
from tomarium.standards.citation import cite, in_line
from tomarium.standards.panet import label_of

FORMS: Final = ("markdown", "html", "text")
MOST: Final = 200
"""Records of one newsletter."""
CHOICE: Final = "Curator’s choice"
OTHERS: Final = "More records"
THUMBNAIL: Final = "previews/thumbnail.png"
_SENTENCE: Final = re.compile(
    r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\bal\.)(?<!\bcf\.)(?<!\bca\.)(?<!\bDr\.)(?<!\bNo\.)(?<!\bFig\.)(?<!\be\.g\.)\s+(?=[^a-z])"
)
"""Where one sentence ends and the next begins; not behind initials and common short forms."""


@dataclass(frozen=True)
class Item:
    """What a newsletter tells of a record.

    Attributes
    ----------
    id, title, text : str
        The record; its title, in plain words where it has one; two sentences of it.
    page, picture : str
        Addresses of its page and of its small picture; "" where there is none that everybody may see.
    citation : str
        How it is cited.
    note : str
        That its files open later; "" where they are open.
    """

    id: str
    title: str
    text: str
    page: str
    picture: str
    citation: str
    note: str = ""


@dataclass(frozen=True)
class Theme:
    """Records that a newsletter tells together: its name, and the last published first."""

    name: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Newsletter:
    """A newsletter.

    Attributes
    ----------
    title : str
        With the days it is of.
    lead : str
        A sentence that says what is in it.
    themes : tuple of Theme
        The curators' choice first, then techniques, those with most records first.
    """

    title: str
    lead: str
    themes: tuple[Theme, ...]

    @property
    def total(self) -> int:
        """How many records it tells of."""
        return sum(len(theme.items) for theme in self.themes)


def make_newsletter(
    catalogue: Catalogue, since: date, until: date | None = None, home: str = ""
) -> Newsletter:
    """Make a newsletter of the records that everybody may see and that were published within some days.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    since, until : date
        The first day and the last one, both included (UTC); until today by default.
    home : str
        Address of the portal; that of the settings by default. Without one nothing is linked.

    Returns
    -------
    Newsletter
        At most 200 records, the last published ones. Of one that is withdrawn, or whose folder cannot be read, nothing
        is told.

    Raises
    ------
    ParameterError
        The last day is before the first one.
    """
    last = until or datetime.now(UTC).date()
    if last < since:
        raise ParameterError(f"until {last} is before since {since}; give a later day")
    start = datetime(since.year, since.month, since.day, tzinfo=UTC).timestamp()
    end = datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp() + 86400
    published = records.c.public_from
    query = (
        select(records.c.id)
        .where(may_see(ANYBODY), published >= start, published < end, records.c.state == "published")
        .order_by(published.desc(), records.c.id)
        .limit(MOST)
    )
    with catalogue.reading() as connection:
        settings = all_settings(connection)
        ids = list(connection.execute(query).scalars())
        places = {id: place for id in ids if (place := place_of(connection, ANYBODY, id)) is not None}
        chosen = {settings["featured"]}
        if settings["curators_choice"]:
            collection_and_members = published_collection(connection, settings["curators_choice"])
            chosen |= set(collection_and_members[1]) if collection_and_members else set()
    home = (home or settings["address"]).rstrip("/")
    themes: dict[str, list[Item]] = {}
    for id, place in places.items():
        if (record := _read(place)) is None:
            continue
        name = CHOICE if id in chosen else _theme(record)
        themes.setdefault(name, []).append(_item(record, place, home))
    order = sorted(themes, key=lambda name: (name != CHOICE, name == OTHERS, -len(themes[name]), name))
    filled_themes = tuple(Theme(name, tuple(themes[name])) for name in order)
    count = sum(len(theme.items) for theme in filled_themes)
    days = f"{_day(since)} to {_day(last)}" if last != since else _day(since)
    lead = f"{count} record{'' if count == 1 else 's'} {'was' if count == 1 else 'were'} published."
    return Newsletter(
        f"{settings['name']}: new records, {days}",
        lead if count else "No record was published.",
        filled_themes,
    )


def read_day(text: str) -> date:
    """Read a day as people type it; raises ParameterError where it is none."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as problem:
        raise ParameterError(f"{text[:40]!r} is no day; write it as 2026-10-01") from problem


def write_newsletter(newsletter: Newsletter, form: str) -> str:
    """Write a newsletter.

    Parameters
    ----------
    newsletter : Newsletter
        What it tells.
    form : str
        One of `FORMS`.

    Returns
    -------
    str
        Its text, ending in a line end.
    """
    if form not in FORMS:
        raise ParameterError(f"{form[:40]!r}: give one of {', '.join(FORMS)}")
    writer = {"markdown": _markdown, "html": _html, "text": _text}[form]
    return "\n".join(writer(newsletter)).rstrip() + "\n"


def first_sentences(text: str, count: int = 2, most: int = 400) -> str:
    """Return the first sentences of a text on one line."""
    plain = in_line(re.sub(r"[*_`#>]+|!?\[([^\]]*)\]\([^)]*\)", r"\1", text))
    return brief(" ".join(_SENTENCE.split(plain)[:count]), most)


def _read(place: Place) -> Record | None:
    try:
        return read_record(place.folder)
    except (FormatError, StoreUnavailable, InputError, OSError):
        return None


def _theme(record: Record) -> str:
    return label_of(record.techniques[0]).capitalize() if record.techniques else OTHERS


def _item(record: Record, place: Place, home: str) -> Item:
    page = f"{home}/records/{record.id}" if home else ""
    has = place.open and any(file.path == THUMBNAIL for file in record.files)
    publication = record.publication
    opens = publication.open_from if publication is not None and not place.open else None
    return Item(
        record.id,
        in_line(record.card.title or record.title),
        first_sentences(record.card.what or record.description),
        page,
        f"{page}/files/{THUMBNAIL}" if page and has else "",
        cite(record, page),
        f"Its files open on {day(opens)}." if opens else "",
    )


def _day(moment: date) -> str:
    return day(datetime(moment.year, moment.month, moment.day, tzinfo=UTC))


def _markdown(newsletter: Newsletter) -> Iterable[str]:
    yield from (f"# {_marked(newsletter.title)}", "", newsletter.lead, "")
    for theme in newsletter.themes:
        yield from (f"## {_marked(theme.name)}", "")
        for item in theme.items:
            title = _marked(item.title)
            yield from (f"### [{title}]({item.page})" if item.page else f"### {title}", "")
            if item.picture:
                yield from (f"![{title}]({item.picture})", "")
            if text := " ".join(filter(None, (item.text, item.note))):
                yield from (_marked(text), "")
            yield from (f"*{_marked(item.citation)}*", "")


def _marked(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", text)


def _text(newsletter: Newsletter) -> Iterable[str]:
    yield from (newsletter.title, "=" * len(newsletter.title), "", newsletter.lead, "")
    for theme in newsletter.themes:
        yield from (theme.name, "-" * len(theme.name), "")
        for item in theme.items:
            yield item.title
            yield from filter(None, (" ".join(filter(None, (item.text, item.note))), item.citation))
            if item.page and item.page not in item.citation:
                yield item.page
            yield ""


def _html(newsletter: Newsletter) -> Iterable[str]:
    title = escape(newsletter.title)
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
    yield f"<h1>{title}</h1><p>{escape(newsletter.lead)}</p>"
    for theme in newsletter.themes:
        yield f"<h2>{escape(theme.name)}</h2>"
        for item in theme.items:
            name = escape(item.title)
            yield f'<h3><a href="{escape(item.page)}">{name}</a></h3>' if item.page else f"<h3>{name}</h3>"
            if item.picture:
                yield f'<p><img src="{escape(item.picture)}" alt="{name}" width="256"></p>'
            if text := " ".join(filter(None, (item.text, item.note))):
                yield f"<p>{escape(text)}</p>"
            yield f"<p><small>{escape(item.citation)}</small></p>"
    yield "</body></html>"
