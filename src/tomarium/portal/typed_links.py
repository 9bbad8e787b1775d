"""Typed links that a page gives to programs, read from wherever they stand: headers, linksets, the head of HTML.

Sources: RFC 8288 (the header Link), RFC 9264 (linksets), https://signposting.org/FAIR/ (which relations).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urldefrag, urljoin

LINKSET: Final = "application/linkset"
RELATIONS: Final = (
    "cite-as", "type", "author", "license", "describedby", "item", "collection", "describes", "linkset",
)  # fmt: skip
"""Relations of Signposting, in the order in which they are told."""
MOST: Final = 20_000
"""Links that are read of one page; what is beyond is left out."""
_LINK: Final = re.compile(
    r'<([^<>"\s]*)>((?:\s*;\s*[\w!#$%&*+.^`|~-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)'
)
_PARAMETER: Final = re.compile(r'([\w!#$%&*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')


@dataclass(frozen=True)
class TypedLink:
    """A link of a page.

    Attributes
    ----------
    relation : str
        One of `RELATIONS`.
    address : str
        Where it leads, whole.
    type, profile : str
        Media type of what is there, and the convention it follows; "" where they are not told.
    """

    relation: str
    address: str
    type: str = ""
    profile: str = ""


def links_in_header(lines: Iterable[str], page: str) -> list[TypedLink]:
    """Read the links of a page from its headers `Link`.

    Parameters
    ----------
    lines : iterable of str
        The headers.
    page : str
        Address of the page, to which relative ones are joined.

    Returns
    -------
    list of TypedLink
        Those of the page itself, of the relations that are known; what cannot be read is left out.
    """
    return [link for line in lines for link in _parse(line, page, {_plain(page)})][:MOST]


def links_in_linkset(content: bytes, media_type: str, place: str, pages: Iterable[str]) -> list[TypedLink]:
    """Read the links of a page from a linkset.

    Parameters
    ----------
    content : bytes
        The linkset.
    media_type : str
        "application/linkset+json", or "application/linkset", whose form is that of the header.
    place : str
        Its address.
    pages : iterable of str
        Addresses that the page has: links of others are left out.

    Returns
    -------
    list of TypedLink
        In their order.

    Raises
    ------
    ValueError
        It is no linkset.
    """
    anchors = {_plain(page) for page in pages}
    text = content.decode("utf-8")
    if not media_type.endswith("json"):
        return list(_parse(text, place, anchors))[:MOST]
    linkset = json.loads(text)
    if not isinstance(linkset, dict) or not isinstance(linkset.get("linkset"), list):
        raise ValueError("has no list “linkset”")
    contexts = (context for context in linkset["linkset"] if isinstance(context, dict))
    return [
        link
        for context in contexts
        if _plain(urljoin(place, str(context.get("anchor", "")))) in anchors
        for link in _of_context(context, place)
    ][:MOST]


def links_in_html(content: bytes, page: str) -> list[TypedLink]:
    """Read the links of a page from elements `link` in its HTML; parameters as of `links_in_header`."""
    reader = _Head(page)
    reader.feed(content.decode("utf-8", "replace"))
    return reader.found[:MOST]


class _Head(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.found = page, list[TypedLink]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a link."""
        attributes = {name: value or "" for name, value in attrs}
        if tag == "link" and attributes.get("href"):
            self.found += _links(
                attributes.get("rel", ""), urljoin(self.page, attributes["href"]), attributes
            )


def _parse(text: str, base: str, anchors: set[str]) -> Iterator[TypedLink]:
    for match in _LINK.finditer(text):
        parameters: dict[str, str] = {}
        for name, quoted, plain in _PARAMETER.findall(match[2]):
            parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
        if _plain(urljoin(base, parameters["anchor"])) in anchors if "anchor" in parameters else True:
            yield from _links(parameters.get("rel", ""), urljoin(base, match[1]), parameters)


def _of_context(context: Mapping[str, Any], place: str) -> Iterator[TypedLink]:
    for relation in RELATIONS:
        targets = context.get(relation)
        for target in targets if isinstance(targets, list) else ():
            if isinstance(target, dict) and isinstance(target.get("href"), str):
                yield from _links(relation, urljoin(place, target["href"]), target)


def _links(relations: str, address: str, attributes: Mapping[str, Any]) -> Iterator[TypedLink]:
    for relation in relations.lower().split():
        if relation in RELATIONS and address.startswith(("https://", "http://")):
            yield TypedLink(
                relation, address, str(attributes.get("type", "")), str(attributes.get("profile", ""))
            )


def _plain(address: str) -> str:
    return urldefrag(address).url
