"""Pages of text: what tomography is, how the catalogue is used, lessons, partners …; and the list of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import HTTPException
from markupsafe import Markup

from tomarium.catalogue.page_texts import may_edit
from tomarium.model.level import for_level
from tomarium.portal.languages import ENGLISH
from tomarium.portal.levels import LevelLink, level_links, level_of
from tomarium.portal.markdown import marked_page
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.result_card import FoundRecord
from tomarium.portal.text_lists import Listed, list_of
from tomarium.portal.texts import ShownText, shown_text, shown_texts

ELSEWHERE = {"home": "home", "news": "news", "events": "events", "publications": "publications"}
"""Pages of text that stand at the head of a page with an address of its own: name → name of that page."""


@dataclass(frozen=True)
class Editing:
    """What an editor finds on a page.

    Attributes
    ----------
    edit, history : str
        Addresses of the form and of the history.
    todo : str
        What has still to be written.
    draft : bool
        Whether there is a draft that is newer than what everybody sees.
    """

    edit: str
    history: str
    todo: str
    draft: bool


@dataclass(frozen=True)
class TextPage:
    """Content of a page of text.

    Attributes
    ----------
    title, summary : str
        Its heading, and what it says in short.
    slug, kind : str
        Its name in its address, "faq", and "pages".
    text_language : str
        In which language its text is.
    translated : bool
        Whether that is the one that was asked for.
    markdown : str
        Its text, as far as it is for the level.
    body : Markup
        The same as HTML.
    level, levels : str, tuple of LevelLink
        For whom it is shown, and the switch; empty where it is the same for all.
    listed, cards : tuple of Listed, tuple of FoundRecord
        What of the catalogue is listed below it.
    lists : bool
        Whether something is to be listed, be there any or none.
    editing : Editing or None
        For editors.
    """

    title: str
    summary: str
    slug: str
    kind: str
    text_language: str
    translated: bool
    markdown: str
    body: Markup = field(metadata=FOR_PEOPLE)
    level: str
    levels: tuple[LevelLink, ...] = field(metadata=FOR_PEOPLE)
    listed: tuple[Listed, ...]
    cards: tuple[FoundRecord, ...]
    lists: bool = field(metadata=FOR_PEOPLE)
    editing: Editing | None = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class TextLine:
    """A page in the list.

    Attributes
    ----------
    title, summary, level, address : str
        Its heading, what it says, for whom it is written ("" for all), and where it is.
    """

    title: str
    summary: str
    level: str
    address: str


@dataclass(frozen=True)
class TextsPage:
    """Content of the list of pages.

    Attributes
    ----------
    title : str
        Of the page.
    texts : tuple of TextLine
        In their order.
    new : str
        Where an editor writes another; "" for others.
    """

    title: str
    texts: tuple[TextLine, ...]
    new: str = field(metadata=FOR_PEOPLE)


def text_address(context: RequestContext, name: str) -> str:
    """Tell where a text is shown: "pages/faq" at /pages/faq, "pages/news" at /news."""
    kind, _, slug = name.partition("/")
    if kind != "pages":
        return context.link(f"{kind}.one", {"name": slug})
    elsewhere = ELSEWHERE.get(slug)
    return context.link(elsewhere) if elsewhere else context.link("pages.text", {"name": slug})


def editing_of(context: RequestContext, shown: ShownText) -> Editing | None:
    """Tell an editor where a text is changed; None for others."""
    if not may_edit(context.reader):
        return None
    arguments = {"name": shown.slug, "language": context.language}
    kind = shown.name.partition("/")[0]
    return Editing(
        edit=context.link("texts.edit", {"kind": kind}, arguments),
        history=context.link("texts.history", {"kind": kind}, {"name": shown.slug}),
        todo=shown.text.todo,
        draft=shown.draft,
    )


def html_of(context: RequestContext, markdown: str, language: str) -> Markup:
    """Turn the Markdown of a text into HTML; words of the glossary, which is English, are linked in English texts."""

    def address(path: str) -> str:
        return context.inner(path)

    def term(id: str) -> str:
        return f"{context.link('glossary')}#{id}"

    return marked_page(markdown, address, term if language == ENGLISH else None)


def page_of(context: RequestContext, shown: ShownText) -> TextPage:
    """Make the content of a page of text.

    Parameters
    ----------
    context : RequestContext
        Of the request.
    shown : ShownText
        What it says.

    Returns
    -------
    TextPage
        With what is listed below it.
    """
    level = level_of(context.request)
    markdown = for_level(shown.text.body, level)
    with context.catalogue.reading() as connection:
        lists = list_of(context, connection, shown.text.facts.get("list", ""), level)
    leveled = markdown != for_level(shown.text.body, None)
    return TextPage(
        title=shown.text.title,
        summary=shown.text.summary,
        slug=shown.slug,
        kind=shown.name.partition("/")[0],
        text_language=shown.language,
        translated=shown.language == context.language,
        markdown=markdown,
        body=html_of(context, markdown, shown.language),
        level=level,
        levels=level_links(context) if leveled else (),
        listed=lists.listed,
        cards=lists.cards,
        lists=bool(shown.text.facts.get("list")),
        editing=editing_of(context, shown),
    )


def find_text(context: RequestContext, name: str) -> ShownText:
    """Find a text that the reader may see; raises HTTPException 404 where there is none."""
    with context.catalogue.reading() as connection:
        shown = shown_text(connection, context.reader, name, context.language)
    if shown is None:
        raise HTTPException(404, "There is no such page. All pages are listed at /pages.")
    return shown


def content(request_context: CurrentRequest, name: str) -> TextPage:
    """Show a page of text: `level=pupil` and `student` show what is written for them."""
    if name in ELSEWHERE:
        address = request_context.link(ELSEWHERE[name])
        raise HTTPException(308, f"This page is at {address}.", {"Location": address})
    return page_of(request_context, find_text(request_context, f"pages/{name}"))


def list_content(request_context: CurrentRequest) -> TextsPage:
    """List the pages of text."""
    with request_context.catalogue.reading() as connection:
        texts = shown_texts(connection, request_context.reader, "pages", request_context.language)
    ordered = sorted(
        texts, key=lambda shown_text: (int(shown_text.text.facts.get("order", "999")), shown_text.text.title)
    )
    edit = request_context.link("texts.edit", {"kind": "pages"})
    return TextsPage(
        title="Learn",
        texts=tuple(
            TextLine(
                shown_text.text.title,
                shown_text.text.summary,
                shown_text.text.facts.get("level", ""),
                text_address(request_context, shown_text.name),
            )
            for shown_text in ordered
            if shown_text.slug != "home"
        ),
        new=edit if may_edit(request_context.reader) else "",
    )


TEXTS = Page(
    name="pages",
    path="/pages",
    json_path="/pages.json",
    template="texts.html",
    content=list_content,
    menu="Learn",
    order=11,
)
TEXT = Page(
    name="pages.text",
    path="/pages/{name}",
    json_path="/pages/{name}.json",
    template="text.html",
    content=content,
    levels=True,
)
