"""Text that people write with Markdown: the part of it that can do no harm."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

UNUSED = ("heading", "lheading", "image", "html_block", "html_inline", "reference")
"""Headings would break the order of the page's own, pictures would be asked of other hosts; both stay text."""


def marked_down(text: str) -> Markup:
    """Turn Markdown into HTML.

    Parameters
    ----------
    text : str
        CommonMark with tables, as somebody typed it; a line end in a paragraph is kept.

    Returns
    -------
    Markup
        Paragraphs, lists, tables, quotations, code, emphasis, and links to http and https addresses alone; all else
        is text, HTML among it.
    """
    return Markup(_parser().render(text))


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
