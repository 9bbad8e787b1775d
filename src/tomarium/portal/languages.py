"""In which language a page is shown: its address says so, "/fr/records"; English has no word in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import Request
from starlette._utils import get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send

from tomarium.model.page_text import moment_of
from tomarium.model.sentence import Day, Sentence, translated
from tomarium.model.wording import day

if TYPE_CHECKING:
    from babel.support import Translations

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "fr": "Français", "de": "Deutsch"}
"""Language, as ISO 639 has it → its own name; the first is the one that all others fall back to."""
ENGLISH: Final = "en"
FOLDER: Final = Path(__file__).parent / "translations"
_PREFIX: Final = re.compile(
    rf"/({'|'.join(language for language in LANGUAGES if language != ENGLISH)})(/.*)?", re.DOTALL
)
_A_NUMBER: Final = re.compile(r"[-−]?\d+\.\d+(e[-+]?\d+)?( [^\s\d]+)?")
_STATE: Final = "tomarium.language"


@dataclass(frozen=True)
class LanguageLink:
    """The same page in a language.

    Attributes
    ----------
    language, name, address : str
        "fr", "Français", and where it is.
    whole : str
        The address with scheme and host.
    here : bool
        Whether it is the one that is shown.
    """

    language: str
    name: str
    address: str
    whole: str
    here: bool


def with_languages(app: ASGIApp) -> ASGIApp:
    """Take the language from the beginning of an address, so that an application has each page once.

    The language becomes part of `root_path`, as of an application that is mounted there: addresses that are built by
    the name of a route begin with it again.

    Parameters
    ----------
    app : ASGI application
        What answers.

    Returns
    -------
    ASGI application
        The same, which also answers below "/fr" and "/de".
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (match := _PREFIX.fullmatch(get_route_path(scope))):
            root = f"{scope.get('root_path', '')}/{match[1]}"
            scope = {**scope, "root_path": root, "path": root + (match[2] or "/"), _STATE: match[1]}
        await app(scope, receive, send)

    return answer


def language_of(request: Request) -> str:
    """Tell in which language a page is asked for.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    str
        A key of `LANGUAGES`; "en" where the address names none.
    """
    return str(request.scope.get(_STATE, ENGLISH))


def root_of(request: Request, language: str = ENGLISH) -> str:
    """Return what addresses of an application begin with, in a language.

    Parameters
    ----------
    request : Request
        As it came.
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    str
        "" or "/portal", and "/fr" behind it.
    """
    root, language_asked = str(request.scope.get("root_path", "")), language_of(request)
    if language_asked != ENGLISH:
        root = root.removesuffix(f"/{language_asked}")
    return root if language == ENGLISH else f"{root}/{language}"


def language_links(request: Request, base: str) -> tuple[LanguageLink, ...]:
    """Make the switch of a page: where it is in each language.

    Parameters
    ----------
    request : Request
        As it came; what was sent by a form leads to the first page.
    base : str
        What whole addresses begin with, in English.

    Returns
    -------
    tuple of LanguageLink
        In the order of `LANGUAGES`.
    """
    current, path, query = language_of(request), "/", ""
    if request.method in ("GET", "HEAD"):
        path, query = request.url.path, request.url.query
        path = path.removeprefix(root_of(request, current)) or "/"
        path = "/" + path.lstrip("/")
    path_and_query = path + (f"?{query}" if query else "")
    return tuple(
        LanguageLink(
            language=text,
            name=name,
            address=root_of(request, text) + path_and_query,
            whole=base + ("" if text == ENGLISH else f"/{text}") + path_and_query,
            here=text == current,
        )
        for text, name in LANGUAGES.items()
    )


def without_language(path: str) -> tuple[str, str]:
    """Split a path of the portal into its language and the rest.

    Parameters
    ----------
    path : str
        "/fr/records".

    Returns
    -------
    tuple of str
        "fr" and "/records"; "en" and the path where it names no language.
    """
    match = _PREFIX.fullmatch(path)
    return (match[1], match[2] or "/") if match else (ENGLISH, path)


@cache
def translations(language: str) -> Translations:
    """Read the translations of the pages' own words.

    Parameters
    ----------
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    Translations
        Of `translations/fr.po`; for English each text is its own.
    """
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations

    place = FOLDER / f"{language}.po"
    if language == ENGLISH:
        return Translations(None)
    bytes_io = BytesIO()
    with place.open("rb") as file:
        write_mo(bytes_io, read_po(file, locale=language))
    bytes_io.seek(0)
    return Translations(bytes_io)


def translate(words: str, language: str) -> str:
    """Translate words that are not in a template, such as a heading that a viewer gives.

    Parameters
    ----------
    words : str
        In English; of a `Sentence` its words are translated, and then its values put in.
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    str
        The same where there is no translation.
    """
    if isinstance(words, Sentence):
        return translated(words, lambda one: translate(one, language), lambda one: _number(one, language))
    return str(translations(language).ugettext(words)) if words else ""


def _number(value: str, language: str) -> str:
    """Write a value of a sentence: a number, with its unit or without, and a day; any other text as it is."""
    if isinstance(value, Day):
        return show_day(value.when.isoformat(), language)
    return show_decimal(value, language) if _A_NUMBER.fullmatch(value) else value


def show_day(moment: str, language: str) -> str:
    """Write a moment as a day.

    Parameters
    ----------
    moment : str
        ISO 8601; a year or a month alone, which other catalogues tell, stays as it is.
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    str
        "1 June 2027", "1 juin 2027", "1. Juni 2027".
    """
    if len(moment) < len("2027-06-01"):
        return moment
    when = datetime.fromisoformat(moment)
    if language == ENGLISH:
        return day(when)
    from babel.dates import format_date

    return str(format_date(when, "long", locale=language))


def show_decimal(text: str, language: str) -> str:
    """Write the decimal mark of a number as a language has it.

    Parameters
    ----------
    text : str
        A number with its unit, "0.65 µm".
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    str
        With a comma in French and German.
    """
    return text if language == ENGLISH else re.sub(r"(?<=\d)\.(?=\d)", ",", text)


def show_when(facts: Mapping[str, str], language: str) -> str:
    """Write when an event is.

    Parameters
    ----------
    facts : Mapping of str to str
        Of an event.
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    str
        "5 June 2027, 10:00 to 16:00 (Europe/Berlin)", "5 June 2027 to 7 June 2027".
    """
    starts, ends = moment_of(facts, "starts"), moment_of(facts, "ends")
    first = show_day(starts.isoformat(), language) if starts else ""
    to = {"fr": "à" if isinstance(starts, datetime) else "au", "de": "bis"}.get(language, "to")
    last = show_day(ends.isoformat(), language) if ends else ""
    if not isinstance(starts, datetime):
        return f"{first} {to} {last}" if last and last != first else first
    text = f"{first}, {starts:%H:%M}"
    if isinstance(ends, datetime):
        text += f" {to} {ends:%H:%M}" if last == first else f" {to} {last}, {ends:%H:%M}"
    return f"{text} ({facts.get('zone', 'UTC')})"
