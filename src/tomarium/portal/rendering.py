"""How content becomes an answer: HTML through a template, or JSON, as the reader asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from tomarium import __version__, units
from tomarium.catalogue.words import mark, read_terms
from tomarium.model.wording import brief
from tomarium.portal.built import built
from tomarium.portal.languages import (
    ENGLISH,
    language_links,
    root_of,
    show_day,
    show_decimal,
    translate,
    translations,
)
from tomarium.portal.markdown import marked_down
from tomarium.portal.page import Page, machine, names
from tomarium.portal.request_context import RequestContext
from tomarium.portal.script_words import script_words
from tomarium.registry import collect


def wants_json(request: Request) -> bool:
    """Tell whether a reader prefers JSON to HTML.

    Parameters
    ----------
    request : Request
        Its Accept header decides; browsers name text/html, and whoever names neither gets HTML.

    Returns
    -------
    bool
        JSON is named with a higher quality than HTML.
    """
    qualities = {"application/json": 0.0, "text/html": 0.0}
    for part in request.headers.get("accept", "").lower().split(","):
        kind, *settings = (piece.strip() for piece in part.split(";"))
        if kind in qualities:
            quality = next((setting[2:] for setting in settings if setting.startswith("q=")), "1")
            qualities[kind] = float(quality) if quality.replace(".", "", 1).isdecimal() else 0.0
    return qualities["application/json"] > qualities["text/html"]


def answer_html(request_context: RequestContext, page: Page, content: Any, json_path: str) -> Response:
    """Show a page to people.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    page : Page
        The page.
    content : dataclass
        What it shows.
    json_path : str
        Address of the same content as JSON.

    Returns
    -------
    Response
        HTML.
    """
    html = fill(request_context, page.template, {"here": page.name, "json_path": json_path, **names(content)})
    links = f'<{json_path}>; rel="alternate"; type="application/json"'
    policy = {"Content-Security-Policy": page.policy} if page.policy else {}
    return HTMLResponse(html, headers={"Link": links, "Vary": "Accept", **policy})


def answer_json(content: Any, status: int = 200) -> Response:
    """Show a page to machines.

    Parameters
    ----------
    content : any
        What it shows.
    status : int
        HTTP status.

    Returns
    -------
    Response
        JSON.
    """
    return JSONResponse(machine(content), status, headers={"Vary": "Accept"})


def fill(request_context: RequestContext, template: str, content: Mapping[str, Any]) -> str:
    """Fill one of the portal's templates.

    Parameters
    ----------
    request_context : RequestContext
        For the addresses.
    template : str
        File in `portal/templates`, or "package:file.html" in the folder `templates` of another package.
    content : Mapping of str to any
        Names the template uses; text is escaped.

    Returns
    -------
    str
        The whole page.
    """
    every = collect("portal.pages", Page).values()
    pages = [page for page in every if page.menu and page.shown(request_context.request)]
    pages.sort(key=lambda page: page.order)
    settings, language = request_context.settings, request_context.language
    base = settings["address"] or request_context.origin + root_of(request_context.request)
    house = {
        "link": request_context.link,
        "built": built,
        "menu": [(page.name, page.menu) for page in pages if not page.own],
        "own_menu": [(page.name, page.menu) for page in pages if page.own],
        "version": __version__,
        "house_name": settings["name"],
        "house": settings,
        "language": language,
        "languages": language_links(request_context.request, base),
        "hreflang": _is_indexed(request_context.request, template),
        "script_words": script_words(template, language),
    }
    return _templates(language).get_template(template).render({**house, **content})


def _is_indexed(request: Request, template: str) -> bool:
    """Tell whether search engines are told where a page is in the other languages."""
    return request.method in ("GET", "HEAD") and not request.url.query and template != "problem.html"


def fill_alone(request: Request, content: Mapping[str, Any]) -> str:
    """Fill the live page of a watch that is served without a catalogue.

    Parameters
    ----------
    request : Request
        For the addresses.
    content : Mapping of str to any
        Names the template uses.

    Returns
    -------
    str
        The whole page.
    """

    def link(
        name: str, parts: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> str:
        path = request.scope.get("root_path", "") + request.app.url_path_for(name, **(parts or {}))
        return f"{path}?{urlencode(query)}" if query else str(path)

    house = {"link": link, "built": built, "version": __version__}
    return _templates(ENGLISH).get_template("live_alone.html").render({**house, **content})


class _Templates(BaseLoader):
    """Templates of the portal, and, as "package:file.html", of packages that bring pages."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Any]:
        package, _, name = template.rpartition(":")
        return _of_package(package or "tomarium.portal").get_source(environment, name)


@cache
def _of_package(package: str) -> PackageLoader:
    return PackageLoader(package)


@cache
def _templates(language: str) -> Environment:
    """Make the environment of a language: each has its own, for macros and filters know no request."""
    environment = Environment(
        loader=_Templates(),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]

    def quantity(number: float, unit: str) -> str:
        return show_decimal(units.show(number, unit), language)

    def size(number: int) -> str:
        return show_decimal(units.show(number, "B", digits=3), language)

    environment.filters |= {
        "brief": brief,
        "coded": _coded,
        "decimal": lambda text: show_decimal(text, language),
        "date": lambda moment: show_day(moment, language),
        "grouped": lambda number: f"{number:,}".replace(",", "\u202f"),
        "markdown": marked_down,
        "marked": _marked,
        "quantity": quantity,
        "size": size,
        "translated": lambda words: translate(words, language),
    }
    return environment


def _coded(text: str) -> Markup:
    """Show what stands between backticks, or doubled ones, as code; the text itself is escaped."""
    pieces = re.split(r"(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)", text)
    shown = [escape(pieces[0])]
    for code, after in zip(pieces[2::3], pieces[3::3], strict=True):
        shown += [Markup("<code>{}</code>").format(code), escape(after)]
    return Markup("").join(shown)


def _marked(text: str, question: str) -> Markup:
    """Mark the words that were asked for; the text itself is escaped."""
    pieces, last = [], 0
    for start, end in mark(text, read_terms(question)):
        pieces += [escape(text[last:start]), Markup("<mark>{}</mark>").format(text[start:end])]
        last = end
    return Markup("").join([*pieces, escape(text[last:])])
