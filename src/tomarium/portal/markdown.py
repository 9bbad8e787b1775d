"""Text that people write with Markdown: the part of it that can do no harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSet, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tomarium.standards.glossary import linked

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

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
        seen: set[str] = set()
        for token in tokens:
            if token.type == "inline" and token.children:
                token.children = list(_with_terms(token.children, seen, term))
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def _with_terms(
    tokens: Sequence[Token], seen: MutableSet[str], term: Callable[[str], str]
) -> Iterator[Token]:
    """Replace text that stands in no link by HTML in which terms of the glossary are links; code is no text."""
    from markdown_it.token import Token

    in_links = 0
    for token in tokens:
        in_links += token.nesting * (token.type in ("link_open", "link_close"))
        if token.type == "text" and not in_links:
            yield Token("html_inline", "", 0, content=str(linked(token.content, seen, term)))
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
    return '<div class="scroll" role="region" tabindex="0" aria-label="Table"><table>'
