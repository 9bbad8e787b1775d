"""What a viewer is: a record turned into a piece of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tomarium.model import Part, Record
from tomarium.model.level import DEFAULT
from tomarium.model.wording import brief

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

ENGLISH: Final = NullTranslations()
"""Each word is its own."""


def no_page(name: str) -> str:
    """Say that there is no page that shows the inside of a file, or tells of a term.

    Parameters
    ----------
    name : str
        Path of the file, or the term; any text.

    Returns
    -------
    str
        Always "".
    """
    return name[:0]


@dataclass(frozen=True)
class View:
    """Where a viewer finds things, and what the reader asked to see.

    Attributes
    ----------
    folder : Path
        The record's folder.
    choices : Mapping of str to str
        What the reader chose, as text from the page's address: {"z": "120"}.
    page : callable
        `page(changes) -> str`: address of this page with some choices changed; None drops one.
    file : callable
        `file(path) -> str`: address of a file of the record.
    picture : callable
        `picture(name, choices) -> str`: address of a picture that this viewer makes.
    origin : str
        Scheme, host and port, for addresses that are copied elsewhere: "http://127.0.0.1:8000".
    inside : callable
        `inside(path) -> str`: address of the page that shows the inside of a file; "" where there is none for it.
    term : callable
        `term(id) -> str`: address of a term of the glossary; "" where there is no page of it.
    model : callable
        `model(path) -> str`: address of the page, of one file, with a model of a mesh; "" where there is none.
    level : str
        For whom the page is shown: a key of `model.level.LEVELS`.
    translations : gettext.NullTranslations
        Of the words of templates into the language of the page.
    """

    folder: Path
    choices: Mapping[str, str]
    page: Callable[[Mapping[str, str | None]], str]
    file: Callable[[str], str]
    picture: Callable[[str, Mapping[str, str]], str]
    origin: str = ""
    inside: Callable[[str], str] = no_page
    term: Callable[[str], str] = no_page
    level: str = DEFAULT
    translations: NullTranslations = ENGLISH
    model: Callable[[str], str] = no_page


@dataclass(frozen=True)
class Piece:
    """A piece of a page.

    Attributes
    ----------
    data : Mapping
        What the piece says, JSON-ready: the machine's side of the page.
    html : Markup
        The same for people: flow content without scripts, styles or event attributes of its own, its headings
        from h3 down.
    """

    data: Mapping[str, Any]
    html: Markup


@dataclass(frozen=True)
class Viewer:
    """One way to show a record; a module of `tomarium.viewers` makes itself known by holding one.

    Attributes
    ----------
    name : str
        Word in addresses: "slices".
    title : str
        Heading on the page.
    order : int
        Small numbers come first on the page.
    suits : callable or None
        `suits(part) -> bool`: asked for each part of a record; it is shown where one of them suits.
    whole : callable or None
        `whole(record) -> bool`, in the place of `suits`, of what is no part: parameters, files, provenance.
    render : callable
        `render(record, view) -> Piece`. Raises ParameterError for a choice it cannot show.
    picture : callable or None
        `picture(record, folder, name, choices) -> bytes`: a PNG by its name. Raises ParameterError for a name
        or a choice that does not exist.
    previews : callable or None
        `previews(record, folder) -> {file name: PNG}`: pictures to keep in the record when it is filed.
    script : Path or None
        A script that enriches the piece; without it the piece must work all the same.
    built : str
        Name of a script that `make web` builds from `web/src/<name>`, which enriches the piece; "" for none.
        It may be absent.
    metadata_only : bool
        Whether it shows nothing of the files, so that it may be shown while they are under embargo.
    plainest : str
        The plainest level at which the page of a record shows it: a key of `model.level.LEVELS`.
    """

    name: str
    title: str
    order: int
    render: Callable[[Record, View], Piece]
    suits: Callable[[Part], bool] | None = None
    whole: Callable[[Record], bool] | None = None
    picture: Callable[[Record, Path, str, Mapping[str, str]], bytes] | None = None
    previews: Callable[[Record, Path], Mapping[str, bytes]] | None = None
    script: Path | None = None
    built: str = ""
    metadata_only: bool = False
    plainest: str = DEFAULT

    def shows(self, record: Record) -> bool:
        """Tell whether it has something to show of a record: one of its parts, or what it is as a whole."""
        if self.whole is not None:
            return self.whole(record)
        return self.suits is not None and any(map(self.suits, record.parts))


def fill(template: str, content: Mapping[str, Any], translations: NullTranslations = ENGLISH) -> Markup:
    """Fill one of the viewers' templates.

    Parameters
    ----------
    template : str
        File in `viewers/templates`.
    content : Mapping of str to any
        Names the template uses; text is escaped.
    translations : gettext.NullTranslations
        As a `View` has them.

    Returns
    -------
    Markup
        The piece of HTML.
    """
    from markupsafe import Markup

    return Markup(_templates(translations).get_template(template).render(dict(content)))


def decimal(number: str, translations: NullTranslations) -> str:
    """Write a number's decimal mark as French and German do, where it is for one of these.

    Parameters
    ----------
    number : str
        As English has it, with a unit or without.
    translations : gettext.NullTranslations
        As a `View` has them.

    Returns
    -------
    str
        "0,65 µm".
    """
    return number.replace(".", ",") if translations.info().get("language") else number


@cache
def _templates(translations: NullTranslations) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tomarium.viewers"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters["brief"] = brief
    environment.filters["decimal"] = lambda number: decimal(number, translations)
    environment.filters["translated"] = lambda words: translations.gettext(words) if words else ""
    return environment
