"""Pages, JSON and texts of the portal with the addresses of a site of files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from html import escape
from html.parser import HTMLParser
from typing import Any, Final

Link = Callable[[str], str | None]
"""Address on the portal → address from the page; None: the site has no such thing."""

VOID: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
CONTROLS: Final = frozenset(("input", "button", "textarea", "select", "datalist"))
BARE: Final = frozenset(("step", "take", "enlarge", "button", "toggle"))
"""Classes of links that say nothing without their target."""
LISTS: Final = frozenset(("nav", "footer", "header", "menu"))
"""Elements in which a link without a target is left out with its words."""


class _Page(HTMLParser):
    """Writes a page anew, element by element."""

    def __init__(
        self, link: Link, text: Callable[[str], str], without: Collection[str], search: bool
    ) -> None:
        super().__init__(convert_charrefs=False)
        self.link, self.text, self.without, self.search = link, text, without, search
        self.written: list[list[str]] = [[]]
        self.opened: list[tuple[str, str, str]] = []  # name, what becomes of it, name as written
        self.dropped = 0
        self.searching = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        bare = [name for name, value in attrs if value is None]
        if self.dropped:
            if tag not in VOID:
                self.opened.append((tag, "drop", tag))
                self.dropped += 1
            return
        action, name = self._action_for(tag, attributes)
        if tag in VOID:
            if action == "keep":
                self._write(_tag(tag, attributes, bare))
            return
        self.opened.append((tag, action, name))
        if action == "drop":
            self.dropped = 1
        elif action == "keep":
            if tag == "form":
                self.searching += name == "form"
            if tag == "li":
                self.written.append([])
            self._write(_tag(name, attributes, bare))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self.dropped:
            self._write(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in (name for name, _, _ in self.opened):
            return
        while True:
            opened, action, name = self.opened.pop()
            if self.dropped:
                self.dropped -= 1
            elif action == "keep":
                self._write(f"</{name}>")
                if opened == "li":
                    self._end_item()
                if opened == "form" and name == "form":
                    self.searching -= 1
            if opened == tag:
                return

    def _end_item(self) -> None:
        item = "".join(self.written.pop())
        if re.sub(r"<[^>]*>|\s", "", item) or "<img" in item or "<svg" in item:
            self._write(item)

    def handle_data(self, data: str) -> None:
        if not self.dropped:
            self._write(self.text(data))

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._write(f"<!{decl}>")

    def _write(self, text: str) -> None:
        self.written[-1].append(text)

    def _action_for(self, tag: str, attributes: dict[str, str]) -> tuple[str, str]:
        """Tell what becomes of an element ("keep", "drop", "unwrap") and its name; its addresses are changed."""
        if attributes.get("id") in self.without or (tag == "link" and attributes.get("rel") == "preload"):
            return "drop", tag
        if tag == "form":
            return self._form(attributes)
        if not self.searching and (tag in CONTROLS or tag == "label"):
            attributes.pop("for", None)
            return ("keep", "span") if tag == "label" else ("drop", tag)
        if tag == "a":
            return self._anchor(attributes), tag
        for name in [name for name, value in attributes.items() if value.startswith(("/", "http"))]:
            new_address = self.link(attributes[name])
            if new_address is not None:
                attributes[name] = new_address
            elif name in ("src", "href", "poster"):
                return "drop", tag
            else:
                del attributes[name]
        for name in ("content", "alt", "title"):
            if name in attributes:
                attributes[name] = self.text(attributes[name])
        return "keep", tag

    def _form(self, attributes: dict[str, str]) -> tuple[str, str]:
        classes = attributes.get("class", "").split()
        if "slices" in classes:  # holds the slices themselves
            attributes.pop("action", None)
            attributes.pop("method", None)
            return "keep", "div"
        target = self.link(attributes.get("action", "")) if self.search else None
        if target is None or not {"find", "facets"} & set(classes):
            return "drop", "form"
        attributes["action"] = target
        return "keep", "form"

    def _anchor(self, attributes: dict[str, str]) -> str:
        address = attributes.get("href")
        if address is None:
            return "keep"
        if address.startswith("#"):
            return "drop" if address[1:] in self.without else "keep"
        new_address = self.link(address)
        if new_address is not None:
            attributes["href"] = new_address
            return "keep"
        words = set(attributes.get("class", "").split())
        inside = any(name in LISTS for name, _, _ in self.opened)
        return (
            "drop" if words & BARE or inside or "#slices" in address or "#histogram" in address else "unwrap"
        )


def _tag(name: str, attributes: dict[str, str], bare: Collection[str]) -> str:
    written = "".join(
        f" {key}" if key in bare else f' {key}="{escape(text)}"' for key, text in attributes.items()
    )
    return f"<{name}{written}>"


def rewrite_page(
    html: str, link: Link, text: Callable[[str], str], *, without: Collection[str] = (), search: bool = True
) -> str:
    """Write a page of the portal with the addresses of a site.

    Parameters
    ----------
    html : str
        As the portal gives it.
    link : callable
        Address on the portal → address from this page; None where the site has no such thing. Other addresses it
        gives back as they are.
    text : callable
        Running text → the same with its whole addresses replaced.
    without : collection of str
        Identifiers of elements to leave out.
    search : bool
        Whether the site has a search; without one its forms are left out.

    Returns
    -------
    str
        The page without forms that need a portal, and without links that lead nowhere.
    """
    page = _Page(link, text, without, search)
    page.feed(html)
    page.close()
    return "".join(page.written[0])


def rewrite_json(data: Any, link: Link, text: Callable[[str], str]) -> Any:
    """Replace the addresses in JSON.

    Parameters
    ----------
    data : JSON
        As the portal gives it.
    link, text : callable
        As for `rewrite_page`.

    Returns
    -------
    JSON
        An address that the site lacks becomes null.
    """
    if isinstance(data, dict):
        return {key: rewrite_json(value, link, text) for key, value in data.items()}
    if isinstance(data, list):
        return [rewrite_json(value, link, text) for value in data]
    if isinstance(data, str) and data.startswith(("/", "http://", "https://")):
        return link(data)
    return text(data) if isinstance(data, str) else data


def json_text(data: Any) -> bytes:
    """Write JSON.

    Parameters
    ----------
    data : JSON
        Any.

    Returns
    -------
    bytes
        UTF-8.
    """
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode()
