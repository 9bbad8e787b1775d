"""Markdown that people write, as safe HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSet, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from tomarium.catalogue.words import name_from
from tomarium.standards.glossary import linked

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

PICTURES: Final = Path(__file__).parent / "static" / "pictures"
"""Of the pages that come with tomarium: drawn by `benchmarks/page_pictures.py`, CC0."""
UNUSED = ("heading", "lheading", "image", "html_block", "html_inline", "reference")
"""Headings would break the order of the page's own, pictures would be asked of other hosts; both stay text."""


def marked_down(text: str, term: Callable[[str], str] | None = None) -> Markup:
    """Turn Markdown into HTML.

    Parameters
    ----------
    text : str
        CommonMark with tables, as somebody typed it; a line end in a paragraph is kept.
    term : callable, optional
        Id of a term of the glossary → its address: each term then leads there where it stands first, but not in links
        and code.

    Returns
    -------
    Markup
        Paragraphs, lists, tables, quotations, code, emphasis, and links to http and https addresses alone; all else
        is text, HTML among it.
    """
    parser = _parser()
    tokens = parser.parse(text)
    if term is not None:
        linked_terms: set[str] = set()
        for token in tokens:
            if token.type == "inline" and token.children:
                token.children = list(_with_terms(token.children, linked_terms, term))
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def marked_page(text: str, address: Callable[[str], str], term: Callable[[str], str] | None = None) -> Markup:
    """Turn the Markdown of a page that editors write into HTML.

    Parameters
    ----------
    text : str
        As for `marked_down`; also headings, of which the highest are second to the page's own, pictures of this portal
        (one that is alone in its paragraph has its title as a caption), and links to its pages, "/records?q=tooth", to
        parts of this page and to e-mail addresses.
    address : callable
        Path that begins with "/" → the address of that page here.
    term : callable, optional
        As for `marked_down`.

    Returns
    -------
    Markup
        As of `marked_down`; each heading has an id that is made of its words.
    """
    parser = _page_parser()
    tokens = parser.parse(text)
    linked_terms: set[str] = set()
    ids: set[str] = set()
    for place, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{max(2, int(token.tag[1]))}"
        if token.type == "heading_open":
            token.attrSet("id", _free_id(name_from(tokens[place + 1].content), ids))
        elif token.type == "inline" and token.children and term and tokens[place - 1].type != "heading_open":
            token.children = list(_with_terms(token.children, linked_terms, term))
        if token.type == "inline" and token.children and _is_figure(token.children):
            for paragraph in (tokens[place - 1], tokens[place + 1]):
                paragraph.tag = "figure"
    return Markup(parser.renderer.render(tokens, parser.options, {"address": address}))


def _is_figure(tokens: Sequence[Token]) -> bool:
    """Tell whether a paragraph is one picture of this portal with a title."""
    return len(tokens) == 1 and tokens[0].type == "image" and bool(_caption(tokens[0]))


def _caption(token: Token) -> str:
    return str(token.attrGet("title") or "") if str(token.attrGet("src") or "").startswith("/") else ""


def _free_id(preferred: str, ids: MutableSet[str]) -> str:
    """Choose an id that no heading before has; those of the frame have other names."""
    name = number = preferred or "part"
    count = 1
    while number in ids or number == "main":
        count += 1
        number = f"{name}-{count}"
    ids.add(number)
    return number


def _with_terms(
    tokens: Sequence[Token], linked_terms: MutableSet[str], term: Callable[[str], str]
) -> Iterator[Token]:
    """Replace text that stands in no link by HTML in which terms of the glossary are links; code is no text."""
    from markdown_it.token import Token

    in_links = 0
    for token in tokens:
        in_links += token.nesting * (token.type in ("link_open", "link_close"))
        if token.type == "text" and not in_links:
            yield Token("html_inline", "", 0, content=str(linked(token.content, linked_terms, term)))
        else:
            yield token


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 12})
    parser.enable("table").disable(list(UNUSED))
    parser.validateLink = _may_lead  # type: ignore[method-assign, assignment]
    parser.add_render_rule("link_open", _link)
    parser.add_render_rule("table_open", _table)
    parser.add_render_rule("table_close", lambda *_given: "</table></div>\n")
    return parser


@cache
def _page_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 12})
    parser.enable("table").disable(["html_block", "html_inline", "reference", "lheading"])
    parser.validateLink = _may_lead_within  # type: ignore[method-assign, assignment]
    parser.add_render_rule("link_open", _page_link)
    parser.add_render_rule("image", _page_picture)
    parser.add_render_rule("table_open", _table)
    parser.add_render_rule("table_close", lambda *_given: "</table></div>\n")
    return parser


def _may_lead_within(address: str) -> bool:
    own = address.startswith("/") and not address.startswith(("//", "/\\"))
    return own or address.startswith("#") or address.lower().startswith("mailto:") or _may_lead(address)


def _page_link(
    renderer: Any,
    tokens: Sequence[Token],
    place: int,
    options: Mapping[str, Any],
    env: MutableMapping[str, Any],
) -> str:
    leads = str(tokens[place].attrGet("href") or "")
    if not leads.startswith("/"):
        return (
            _link(renderer, tokens, place, options, env)
            if _may_lead(leads)
            else _plain(renderer, tokens, place, options, env)
        )
    tokens[place].attrSet("href", env["address"](leads))
    return _plain(renderer, tokens, place, options, env)


def _plain(
    renderer: Any,
    tokens: Sequence[Token],
    place: int,
    options: Mapping[str, Any],
    _env: MutableMapping[str, Any],
) -> str:
    return str(renderer.renderToken(tokens, place, options, _env))


def _page_picture(
    renderer: Any,
    tokens: Sequence[Token],
    place: int,
    _options: Mapping[str, Any],
    env: MutableMapping[str, Any],
) -> str:
    """Show a picture of this portal; of a picture elsewhere, which the page may not load, its words."""
    source = str(tokens[place].attrGet("src") or "")
    words = renderer.renderInlineAsText(tokens[place].children or [], {}, {})
    if not source.startswith("/"):
        return str(escape(words))
    wide, high = _size(source)
    size = Markup(' width="{}" height="{}"').format(wide, high) if wide else ""
    shown = Markup('<img src="{}" alt="{}" loading="lazy"{}>').format(env["address"](source), words, size)
    if _is_figure(tokens):
        shown += Markup("<figcaption>{}</figcaption>").format(_caption(tokens[place]))
    return str(shown)


@cache
def _size(source: str) -> tuple[int, int]:
    """Tell the size of a picture that came with tomarium, so that its place is kept; (0, 0) of all else."""
    from PIL import Image

    place = PICTURES / source.removeprefix("/static/pictures/")
    if source != f"/static/pictures/{place.name}" or not place.is_file():
        return 0, 0
    if place.suffix == ".svg":
        box = re.search(r'viewBox="0 0 (\d+) (\d+)"', place.read_text(encoding="utf-8"))
        return (int(box[1]), int(box[2])) if box else (0, 0)
    with Image.open(place) as image:
        return image.size


def _may_lead(address: str) -> bool:
    return address.lower().startswith(("https://", "http://"))


def _link(
    renderer: Any,
    tokens: Sequence[Token],
    place: int,
    options: Mapping[str, Any],
    _env: MutableMapping[str, Any],
) -> str:
    tokens[place].attrSet("rel", "nofollow noopener noreferrer")
    return str(renderer.renderToken(tokens, place, options, _env))


def _table(*_given: object) -> str:
    return '<div class="scroll" role="group" tabindex="0" aria-label="Table"><table>'
