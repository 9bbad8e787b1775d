"""Addresses that programs read often: an Atom feed of what was published, a sitemap for search engines, robots.txt."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from xml.etree import ElementTree as Xml

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import PlainTextResponse, Response

from tomarium.catalogue.alarms import all_alarms
from tomarium.catalogue.asked import question_of, read_asked
from tomarium.catalogue.entities import open_entities
from tomarium.catalogue.publications import Published, newest_published, published_count
from tomarium.catalogue.settings import publisher
from tomarium.model.entity import KINDS
from tomarium.model.page_text import FACTS
from tomarium.model.wording import day
from tomarium.portal.administration import demand_section
from tomarium.portal.door import Door
from tomarium.portal.languages import ENGLISH, LANGUAGES, translate
from tomarium.portal.pages.texts import ELSEWHERE
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route
from tomarium.portal.texts import shown_texts

# Annotations are evaluated here, not postponed: FastAPI reads them.

ATOM: Final = "http://www.w3.org/2005/Atom"
SITEMAP: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
ENTRIES: Final = 50
ADDRESSES: Final = 50_000
"""Most addresses of a sitemap, by the protocol."""


def add_routes(app: FastAPI) -> None:
    """Add the routes of the feeds to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/feed.atom", feed, name="feed", kind=Response)
    add_get_route(app, "/news.atom", news_feed, name="news.feed", kind=Response)
    add_get_route(app, "/records.atom", feed_of_search, name="records.atom", kind=Response)
    add_get_route(
        app, "/admin/alarms.atom", feed_of_alarms, name="admin.alarms.atom", kind=Response, in_schema=False
    )
    add_get_route(app, "/sitemap.xml", sitemap, name="sitemap", kind=Response)
    add_get_route(app, "/robots.txt", robots, name="robots", kind=PlainTextResponse, in_schema=False)


def feed(request_context: CurrentRequest) -> Response:
    """Tell the newest published records as an Atom feed (RFC 4287)."""
    with request_context.catalogue.reading() as connection:
        published = newest_published(connection, ENTRIES, reader=request_context.anybody)
    home, title = request_context.address("home"), f"{request_context.settings['name']}: newest records"
    return _feed(request_context, title, published, request_context.address("feed"), home)


def feed_of_search(request_context: CurrentRequest) -> Response:
    """Tell what a search finds as an Atom feed, the last published first; it asks as the list of records does.

    The same for everybody: of published records alone. Such as `/records.atom?q=tooth&technique=PaNET01207&pixel=<1um`.
    """
    reader = request_context.anybody
    query_asked = read_asked(request_context.request.query_params.multi_items())
    with request_context.catalogue.reading() as connection:
        question = question_of(connection, reader, query_asked) if query_asked.spelled else None
        nothing = bool(query_asked.spelled) and question is None  # only signs were asked for
        published = [] if nothing else newest_published(connection, ENTRIES, reader=reader, asked=question)
    query = f"?{query_asked.spelled}" if query_asked.spelled else ""
    title = f"{request_context.settings['name']}: {query_asked.title}"
    address, page = request_context.address("records.atom"), request_context.address("records")
    return _feed(request_context, title, published, f"{address}{query}", f"{page}{query}")


def feed_of_alarms(request_context: CurrentRequest) -> Response:
    """Tell the alarms as an Atom feed: files that are not as they were filed, those that are open first.

    For who sees the administration: signed in, or with a token of the scope `admin`.
    """
    demand_section(request_context, "alarms")
    with request_context.catalogue.reading() as connection:
        alarms = all_alarms(connection, limit=ENTRIES)
    page, settings = request_context.address("admin.alarms"), request_context.settings
    root = Xml.Element(f"{{{ATOM}}}feed")
    newest = max((max(alarm.seen_utc, alarm.cleared_utc or 0.0) for alarm in alarms), default=0.0)
    _head(root, page, f"{settings['name']}: alarms", newest, request_context.address("admin.alarms.atom"))
    _add(_add(root, "author"), "name", settings["name"])
    for alarm in alarms:
        entry = _add(root, "entry")
        _add(entry, "id", f"{page}#alarm-{alarm.number}")
        _add(entry, "title", f"{alarm.record}: {alarm.path or 'the record'} is {alarm.problem}")
        _add(entry, "published", _moment(alarm.raised_utc))
        _add(entry, "updated", _moment(alarm.cleared_utc or alarm.seen_utc))
        record = request_context.address("record", {"id": alarm.record})
        _add(entry, "link", rel="alternate", type="text/html", href=record)
        _add(
            entry,
            "summary",
            f"Cleared by {alarm.cleared_by}: {alarm.reason}" if alarm.cleared_utc else "Open.",
        )
    Xml.register_namespace("", ATOM)
    response = _xml(root, "application/atom+xml")
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _head(root: Xml.Element, page: str, title: str, updated: float, address: str) -> None:
    _add(root, "id", page)
    _add(root, "title", title)
    _add(root, "updated", _moment(updated))
    _add(root, "link", rel="self", type="application/atom+xml", href=address)
    _add(root, "link", rel="alternate", type="text/html", href=page)


def _feed(
    request_context: RequestContext, title: str, published: Sequence[Published], address: str, page: str
) -> Response:
    """Write a feed; its identifier is the address of what it tells the news of, which stays."""
    settings = request_context.settings
    root = Xml.Element(f"{{{ATOM}}}feed")
    _head(root, page, title, max((record.changed for record in published), default=0.0), address)
    author = _add(root, "author")
    _add(author, "name", publisher(settings) or settings["name"])
    for record in published:
        _entry(root, request_context, record)
    Xml.register_namespace("", ATOM)
    return _xml(root, "application/atom+xml")


def news_feed(
    request_context: CurrentRequest,
    language: Annotated[
        Literal["en", "fr", "de"], Query(description="In which language, where it is there")
    ] = "en",
) -> Response:
    """Tell the newest news as an Atom feed (RFC 4287); the same for everybody."""
    with request_context.catalogue.reading() as connection:
        texts = shown_texts(connection, request_context.anybody, "news", language)
    newest = sorted(
        texts, key=lambda shown_text: (shown_text.text.facts["date"], shown_text.name), reverse=True
    )[:ENTRIES]
    settings = request_context.settings
    own = request_context.address("news.feed") + ("" if language == "en" else f"?language={language}")
    root = Xml.Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": language})
    _add(root, "id", own)
    _add(root, "title", f"{settings['name']}: {translate('News', language)}")
    _add(
        root,
        "updated",
        _moment(
            max((shown_text.version.moment_utc for shown_text in newest if shown_text.version), default=0.0)
        ),
    )
    _add(root, "link", rel="self", type="application/atom+xml", href=own)
    _add(root, "link", rel="alternate", type="text/html", href=request_context.address("news"))
    _add(_add(root, "author"), "name", publisher(settings) or settings["name"])
    for shown_text in newest:
        address = request_context.address("news.one", {"name": shown_text.slug})
        moment = shown_text.text.facts["date"]
        entry = _add(root, "entry")
        _add(entry, "id", address)
        _add(entry, "title", shown_text.text.title)
        _add(entry, "published", f"{moment}T00:00:00Z")
        _add(
            entry,
            "updated",
            _moment(shown_text.version.moment_utc) if shown_text.version else f"{moment}T00:00:00Z",
        )
        _add(entry, "link", rel="alternate", type="text/html", hreflang=shown_text.language, href=address)
        _add(entry, "summary", shown_text.text.summary or shown_text.text.title)
    Xml.register_namespace("", ATOM)
    return _xml(root, "application/atom+xml")


def sitemap(
    request_context: CurrentRequest,
    page: Annotated[
        int, Query(ge=0, lt=2**20, description="Which 50 000 addresses; none: all, or their index")
    ] = 0,
) -> Response:
    """List the pages that anybody may see for search engines (sitemaps.org); beyond 50,000 an index of lists.

    Published records come first, then specimens, proposals, instruments and the like.
    """
    with request_context.catalogue.reading() as connection:
        reader = request_context.anybody
        total, entities = published_count(connection, reader), open_entities(connection, reader)
        pages = -(-(total + len(entities)) // ADDRESSES)
        if page > max(pages, 1):
            raise HTTPException(404, f"There are {pages} lists of addresses.")
        first = (page - 1) * ADDRESSES if page else 0
        published = newest_published(connection, ADDRESSES, after=first, reader=reader)
    Xml.register_namespace("", SITEMAP)
    if pages > 1 and not page:
        root = Xml.Element(f"{{{SITEMAP}}}sitemapindex")
        for number in range(1, pages + 1):
            inner = Xml.SubElement(root, f"{{{SITEMAP}}}sitemap")
            Xml.SubElement(
                inner, f"{{{SITEMAP}}}loc"
            ).text = f"{request_context.address('sitemap')}?page={number}"
        return _xml(root, "application/xml")
    root = Xml.Element(f"{{{SITEMAP}}}urlset")
    for address in _pages(request_context) if page < 2 else ():
        inner = Xml.SubElement(root, f"{{{SITEMAP}}}url")
        Xml.SubElement(inner, f"{{{SITEMAP}}}loc").text = address
    shown = [("record", record.id, record.changed) for record in published]
    shown += entities[max(0, first - total) : max(0, first + ADDRESSES - total)]
    starts = {kind: request_context.address(kind, {"id": "x"})[:-1] for kind in ("record", *KINDS)}
    for kind, id, changed in shown:
        inner = Xml.SubElement(root, f"{{{SITEMAP}}}url")
        Xml.SubElement(inner, f"{{{SITEMAP}}}loc").text = starts[kind] + id
        Xml.SubElement(inner, f"{{{SITEMAP}}}lastmod").text = _moment(changed)
    return _xml(root, "application/xml")


def robots(request_context: CurrentRequest) -> Response:
    """Tell robots where the sitemap is, and what only costs them and us time."""
    lines = [
        "User-agent: *",
        "Disallow: /records/*/pictures/",
        "Disallow: /records/*/files/",
        "Disallow: /uploads",
    ]
    return PlainTextResponse("\n".join([*lines, f"Sitemap: {request_context.address('sitemap')}", ""]))


def _pages(request_context: RequestContext) -> Iterator[str]:
    """List the pages of text, news and events in each language in which they are there, and what else has no record."""
    names = ("home", "records", "about", "pages", "publications", "news", "events", "glossary")
    yield from map(request_context.address, names)
    base = request_context.address("home").removesuffix("/")
    with request_context.catalogue.reading() as connection:
        for kind in FACTS:
            for language in LANGUAGES:
                for shown_text in shown_texts(connection, request_context.anybody, kind, language):
                    if shown_text.language == language and not (
                        kind == "pages" and shown_text.slug in ELSEWHERE
                    ):
                        path = f"/{kind}/{shown_text.slug}"
                        yield base + ("" if language == ENGLISH else f"/{language}") + path


def _entry(root: Xml.Element, request_context: RequestContext, record: Published) -> None:
    address = request_context.address("record", {"id": record.id})
    entry = _add(root, "entry")
    _add(entry, "id", f"https://doi.org/{record.doi}" if record.doi else address)
    _add(entry, "title", record.title)
    _add(entry, "published", _moment(record.published))
    _add(entry, "updated", _moment(record.changed))
    _add(entry, "link", rel="alternate", type="text/html", href=address)
    _add(entry, "summary", " ".join([*_state(record), record.description]))


def _state(record: Published) -> Iterator[str]:
    if record.withdrawn:
        yield "Its files were withdrawn."
    elif record.opens is not None:
        yield f"Its files open on {day(datetime.fromtimestamp(record.opens, UTC))}."


def _add(parent: Xml.Element, name: str, text: str = "", **attributes: str) -> Xml.Element:
    element = Xml.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    if text:
        element.text = "".join(sign for sign in text if sign.isprintable() or sign == "\n")
    return element


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _xml(root: Xml.Element, media_type: str) -> Response:
    return Response(
        Xml.tostring(root, encoding="utf-8", xml_declaration=True),
        media_type=media_type,
        headers={"Cache-Control": "public, max-age=300"},
    )


DOOR = Door("feeds", add_routes)
