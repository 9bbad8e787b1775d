"""News: all of them, the newest first, and the page of each."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import HTTPException
from sqlalchemy import Connection

from tomarium.catalogue.page_texts import may_edit
from tomarium.catalogue.search import named
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.texts import TextPage, find_text, page_of
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.result_card import found_records
from tomarium.portal.texts import ShownText, is_to_come, shown_texts


@dataclass(frozen=True)
class NewsLine:
    """A piece of news in a list.

    Attributes
    ----------
    title, summary, date, address : str
        Its heading, what it says in short, its day (ISO 8601), and where it is.
    language : str
        In which it is written.
    to_come : bool
        Whether its day has not come, so that only editors see it.
    """

    title: str
    summary: str
    date: str
    address: str
    language: str
    to_come: bool = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class NewsPage:
    """Content of the list.

    Attributes
    ----------
    title : str
        Of the page.
    text : TextPage
        What stands above the list.
    news : tuple of NewsLine
        The newest first.
    feed : str
        Address of the Atom feed.
    new : str
        Where an editor writes another; "" for others.
    """

    title: str
    text: TextPage
    news: tuple[NewsLine, ...]
    feed: str
    new: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Picture:
    """The picture of a piece of news: that of a record.

    Attributes
    ----------
    title, page, thumbnail : str
        Title and page of the record, and its small picture; "" where its files are not open to the reader.
    """

    title: str
    page: str
    thumbnail: str


@dataclass(frozen=True)
class OneNewsPage:
    """Content of the page of a piece of news.

    Attributes
    ----------
    title, date : str
        Its heading and its day.
    text : TextPage
        What it says.
    picture : Picture or None
        The record whose picture is shown, where the reader may have that.
    credit : str
        Who made the picture.
    to_come : bool
        Whether only editors see it.
    """

    title: str
    date: str
    text: TextPage
    picture: Picture | None
    credit: str
    to_come: bool = field(metadata=FOR_PEOPLE)


def newest_news(context: RequestContext, connection: Connection) -> tuple[NewsLine, ...]:
    """List the news that a reader may see, the newest first."""
    texts = shown_texts(connection, context.reader, "news", context.language)
    ordered = sorted(
        texts, key=lambda shown_text: (shown_text.text.facts["date"], shown_text.name), reverse=True
    )
    return tuple(_line(context, shown_text) for shown_text in ordered)


def _line(context: RequestContext, shown_text: ShownText) -> NewsLine:
    return NewsLine(
        title=shown_text.text.title,
        summary=shown_text.text.summary,
        date=shown_text.text.facts["date"],
        address=context.link("news.one", {"name": shown_text.slug}),
        language=shown_text.language,
        to_come=is_to_come(shown_text.text),
    )


def list_content(request_context: CurrentRequest) -> NewsPage:
    """List the news, the newest first."""
    text = page_of(request_context, find_text(request_context, "pages/news"))
    with request_context.catalogue.reading() as connection:
        news = newest_news(request_context, connection)
    edit = request_context.link("texts.edit", {"kind": "news"})
    return NewsPage(
        title=text.title,
        text=text,
        news=news,
        feed=request_context.link("news.feed", query={"language": request_context.language}),
        new=edit if may_edit(request_context.reader) else "",
    )


def content(request_context: CurrentRequest, name: str) -> OneNewsPage:
    """Show a piece of news."""
    shown = find_text(request_context, f"news/{name}")
    if is_to_come(shown.text) and not may_edit(request_context.reader):
        raise HTTPException(404, "There is no such news.")
    facts, credit = shown.text.facts, ""
    picture: Picture | None = None
    if record := facts.get("record"):
        with request_context.catalogue.reading() as connection:
            hits = named(connection, request_context.reader, [record])
        shown_records = found_records(request_context, hits)
        picture = next(
            (
                Picture(shown_record.title, shown_record.page, shown_record.thumbnail)
                for shown_record in shown_records
            ),
            None,
        )
        credit = facts.get("credit", "") if picture and picture.thumbnail else ""
    text = page_of(request_context, shown)
    return OneNewsPage(text.title, facts["date"], text, picture, credit, is_to_come(shown.text))


ALL_NEWS = Page(
    name="news",
    path="/news",
    json_path="/news.json",
    template="news.html",
    content=list_content,
    menu="News",
    order=12,
    levels=True,
)
NEWS = Page(
    name="news.one",
    path="/news/{name}",
    json_path="/news/{name}.json",
    template="news_one.html",
    content=content,
    levels=True,
)
