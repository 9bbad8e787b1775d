"""Writing the texts of the portal: which there are, the form of one, and what it said before."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import HTTPException, Query
from markupsafe import Markup

from tomarium.catalogue.page_texts import Version, newest, versions_of
from tomarium.catalogue.reader import Reader
from tomarium.errors import ParameterError
from tomarium.model.level import LEVELS, for_level
from tomarium.model.page_text import FACTS, PageText, text_name, write_page_text
from tomarium.model.sentence import Sentence
from tomarium.portal.administration import Tab, demand_section, is_editor, tabs
from tomarium.portal.languages import ENGLISH, LANGUAGES
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.texts import html_of, text_address
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.text_lists import LISTS
from tomarium.portal.texts import shipped, shown_texts

KINDS: Final = {"pages": "Page", "news": "News", "events": "Event"}
"""Kind → what one is called."""
OF: Final = "%(kind)s: %(name)s"
Name = Annotated[str, Query(max_length=80, description="Name of the text, as in its address")]
Language = Annotated[str, Query(max_length=2, description="en, fr or de")]


@dataclass(frozen=True)
class Box:
    """A field of the form.

    Attributes
    ----------
    key, label, help, value : str
        Key of a fact, its label, what to write, and what is written now.
    needed : bool
        Whether it must be filled in.
    choices : tuple of str
        To choose from; empty where anything may be written.
    """

    key: str
    label: str
    help: str
    value: str
    needed: bool
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Translation:
    """A text in a language.

    Attributes
    ----------
    language, name, edit : str
        "fr", "Français", and where it is changed.
    state : str
        "written here", "came with tomarium", "not translated", "older than the English text", "draft".
    """

    language: str
    name: str
    edit: str
    state: str


@dataclass(frozen=True)
class DiffLine:
    """A line of a comparison.

    Attributes
    ----------
    sign, text : str
        "+", "-", " " or "…" (lines that are the same are left out), and the line.
    """

    sign: str
    text: str


@dataclass(frozen=True)
class EditPage:
    """Content of the form.

    Attributes
    ----------
    title, kind, name, language_of_text : str
        Of the page; "pages", "faq", "fr".
    boxes : tuple of Box
        Facts of its head.
    body, remark : str
        Markdown, and what was changed.
    seen : int
        Number of the version that the form began with; 0 where there was none.
    translations : tuple of Translation
        The text in each language.
    english : str
        The English text, to translate from; "" where that is edited.
    preview : Markup
        How it would look; empty before that was asked.
    summary : str
        Of the preview.
    problem : str
        Why it was not saved.
    theirs : tuple of DiffLine
        What somebody else changed meanwhile.
    todo : str
        What has still to be written.
    draft : bool
        Whether the newest version is a draft.
    new : bool
        Whether the name is still to be chosen.
    address, history : str
        Where the text is shown, and its history.
    tabs : tuple of Tab
        Sections of the administration.
    """

    title: str
    kind: str
    name: str
    language_of_text: str
    boxes: tuple[Box, ...] = field(metadata=FOR_PEOPLE)
    body: str
    remark: str
    seen: int
    translations: tuple[Translation, ...]
    english: str = field(metadata=FOR_PEOPLE)
    preview: Markup = field(metadata=FOR_PEOPLE)
    summary: str = field(metadata=FOR_PEOPLE)
    problem: str = field(metadata=FOR_PEOPLE)
    theirs: tuple[DiffLine, ...] = field(metadata=FOR_PEOPLE)
    todo: str
    draft: bool
    new: bool
    address: str
    history: str
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class HistoryLine:
    """A version.

    Attributes
    ----------
    number : int
        Its number.
    language, who, moment, remark, state, compare : str
        In which language, by whom, when (ISO 8601), what was said of it, "draft" or "taken away" or "", and where it
        is compared with the one before.
    newest : bool
        Whether it is the newest in its language.
    """

    number: int
    language: str
    who: str
    moment: str
    remark: str
    state: str
    compare: str
    newest: bool


@dataclass(frozen=True)
class HistoryPage:
    """Content of the history.

    Attributes
    ----------
    title, kind, name : str
        Of the page; "pages", "faq".
    versions : tuple of HistoryLine
        The newest first.
    shown : int
        Number of the version that is compared; 0 where none is.
    changes : tuple of DiffLine
        What it changed.
    edit : str
        Where the text is changed.
    seen : int
        Number of the newest version in the language of the one that is compared.
    tabs : tuple of Tab
        Sections of the administration.
    """

    title: str
    kind: str
    name: str
    versions: tuple[HistoryLine, ...]
    shown: int
    changes: tuple[DiffLine, ...]
    edit: str = field(metadata=FOR_PEOPLE)
    seen: int
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class OverviewLine:
    """A text in the overview.

    Attributes
    ----------
    title, slug, kind, address, history, todo : str
        Its heading, its name in its address, kind, where it is, its history, and what has still to be written.
    translations : tuple of Translation
        In each language.
    """

    title: str
    slug: str
    kind: str
    address: str
    history: str
    todo: str
    translations: tuple[Translation, ...]


@dataclass(frozen=True)
class OverviewPage:
    """Content of the overview.

    Attributes
    ----------
    title : str
        Of the page.
    texts : tuple of OverviewLine
        By kind and name.
    new : tuple of (str, str)
        What another is called, and where it is written.
    tabs : tuple of Tab
        Sections of the administration.
    """

    title: str
    texts: tuple[OverviewLine, ...]
    new: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def known_language(language: str) -> str:
    """Return a language; raises HTTPException 404 where the portal has it not."""
    if language not in LANGUAGES:
        raise HTTPException(404, f"There is no language {language[:5]!r}; there are {', '.join(LANGUAGES)}.")
    return language


def known_name(kind: str, name: str) -> str:
    """Return "pages/faq"; raises HTTPException 404 where that can be no name."""
    try:
        return text_name(kind, name)
    except ParameterError as problem:
        raise HTTPException(404, f"{problem}."[0].upper() + f"{problem}."[1:]) from problem


def current(written: Mapping[str, Version], name: str, language: str) -> PageText | None:
    """Return what an editor begins with: the newest version, else what was shipped, drafts among them."""
    if language in written:
        return written[language].text
    return shipped().get(name, {}).get(language) if ENGLISH not in written else None


def edit_page(
    context: RequestContext, reader: Reader, kind: str, name: str, language: str, text: PageText | None = None
) -> EditPage:
    """Make the form of a text.

    Parameters
    ----------
    context : RequestContext
        Of the request.
    reader : Reader
        An editor.
    kind, name, language : str
        "pages", "faq", "fr"; the name is "" of a new text.
    text : PageText, optional
        What was typed; what it says now by default.

    Returns
    -------
    EditPage
        Without a preview and a problem.
    """
    full_name = known_name(kind, name) if name else ""
    with context.catalogue.reading() as connection:
        written = newest(connection, full_name, drafts=True) if full_name else {}
    english = current(written, full_name, ENGLISH)
    now = current(written, full_name, language)
    begin = text or now or english or PageText(kind, {})
    facts = dict(begin.facts)
    if text is None and now is None and english is None and kind == "news":
        facts["date"] = datetime.now(UTC).date().isoformat()
    new_title = Sentence(f"New: {KINDS[kind].lower()}")
    title = Sentence(OF, kind=Sentence(KINDS[kind]), name=name) if name else new_title
    return EditPage(
        title=title,
        kind=kind,
        name=name,
        language_of_text=language,
        boxes=_boxes(kind, facts),
        body=begin.body,
        remark="",
        seen=written[language].number if language in written else 0,
        translations=translations(context, full_name, written) if full_name else (),
        english=write_page_text(english) if english and language != ENGLISH else "",
        preview=Markup(""),
        summary="",
        problem="",
        theirs=(),
        todo=begin.todo,
        draft=language in written and written[language].draft,
        new=not name,
        address=text_address(context, full_name) if full_name and (now or english) else "",
        history=context.link("texts.history", {"kind": kind}, {"name": name}) if written else "",
        tabs=tabs(context, reader, "texts"),
    )


def with_preview(context: RequestContext, page: EditPage, text: PageText) -> EditPage:
    """Add how a text would look."""
    shown = html_of(context, for_level(text.body, None), page.language_of_text)
    return replace(page, preview=shown or Markup("<p></p>"), summary=text.summary)


def translations(
    context: RequestContext, name: str, written: Mapping[str, Version]
) -> tuple[Translation, ...]:
    """Tell in which languages a text is there."""
    kind, _, slug = name.partition("/")
    rows = []
    for language, words in LANGUAGES.items():
        own, english = written.get(language), written.get(ENGLISH)
        state = "not translated" if language != ENGLISH else "not written"
        if own is not None:
            state = "draft" if own.draft else "written here" if own.source else "taken away"
            if own.source and english and language != ENGLISH and english.moment_utc > own.moment_utc:
                state = "older than the English text"
        elif english is None and language in shipped().get(name, {}):
            state = "came with tomarium"
        edit = context.link("texts.edit", {"kind": kind}, {"name": slug, "language": language})
        rows.append(Translation(language, words, edit, state))
    return tuple(rows)


def compared(before: str, after: str) -> tuple[DiffLine, ...]:
    """Compare two texts line by line, with two lines around each change."""
    lines: list[DiffLine] = []
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm=""):
        if line.startswith(("---", "+++")) and not lines:
            continue
        if line.startswith("@@"):
            lines.append(DiffLine("…", ""))
        else:
            lines.append(DiffLine(line[:1], line[1:]))
    return tuple(lines[1:] if lines and lines[0].sign == "…" else lines)


def edit_content(
    request_context: CurrentRequest, kind: str, name: Name = "", language: Language = ENGLISH
) -> EditPage:
    """Show the form of a text of the portal, for editors, curators and administrators."""
    reader = demand_section(request_context, "texts", change=True)
    if kind not in FACTS:
        known_name(kind, "x")
    return edit_page(request_context, reader, kind, name, known_language(language))


def history_content(
    request_context: CurrentRequest,
    kind: str,
    name: Name,
    version: Annotated[
        int, Query(ge=0, lt=2**62, description="Version to be compared with the one before")
    ] = 0,
) -> HistoryPage:
    """Tell who changed a text of the portal when, and what; for editors, curators and administrators."""
    reader = demand_section(request_context, "texts")
    full_name = known_name(kind, name)
    with request_context.catalogue.reading() as connection:
        versions = versions_of(connection, full_name)
    latest: dict[str, int] = {}
    for stored in versions:
        latest.setdefault(stored.language, stored.number)
    shown = next((stored for stored in versions if stored.number == version), None)
    if version and shown is None:
        raise HTTPException(404, f"This text has no version {version}.")
    changes: tuple[DiffLine, ...] = ()
    if shown is not None:
        changes = compared(_source_before(versions, shown, full_name), shown.source)
    return HistoryPage(
        title=Sentence("History of %(name)s", name=name),
        kind=kind,
        name=name,
        versions=tuple(_history_line(request_context, stored, latest) for stored in versions),
        shown=version,
        changes=changes,
        edit=request_context.link("texts.edit", {"kind": kind}, {"name": name}),
        seen=latest[shown.language] if shown else 0,
        tabs=tabs(request_context, reader, "texts"),
    )


def overview_content(request_context: CurrentRequest) -> OverviewPage:
    """List the texts of the portal and in which languages they are there; for editors, curators and administrators."""
    reader = demand_section(request_context, "texts")
    lines = []
    with request_context.catalogue.reading() as connection:
        for kind in FACTS:
            for shown_text in shown_texts(connection, reader, kind, ENGLISH):
                written = newest(connection, shown_text.name, drafts=True)
                history = request_context.link("texts.history", {"kind": kind}, {"name": shown_text.slug})
                lines.append(
                    OverviewLine(
                        title=shown_text.text.title,
                        slug=shown_text.slug,
                        kind=kind,
                        address=text_address(request_context, shown_text.name),
                        history=history if written else "",
                        todo=shown_text.text.todo,
                        translations=translations(request_context, shown_text.name, written),
                    )
                )
    new = tuple(
        (f"New: {words.lower()}", request_context.link("texts.edit", {"kind": kind}))
        for kind, words in KINDS.items()
    )
    return OverviewPage("Pages, news and events", tuple(lines), new, tabs(request_context, reader, "texts"))


def _boxes(kind: str, facts: Mapping[str, str]) -> tuple[Box, ...]:
    choices = {"level": tuple(LEVELS), "list": tuple(LISTS)}
    return tuple(
        Box(key, fact.label, fact.help, facts.get(key, ""), fact.needed, choices.get(key, ()))
        for key, fact in FACTS[kind].items()
    )


def _history_line(context: RequestContext, version: Version, latest: Mapping[str, int]) -> HistoryLine:
    kind, _, slug = version.name.partition("/")
    return HistoryLine(
        number=version.number,
        language=version.language,
        who=version.who,
        moment=datetime.fromtimestamp(version.moment_utc, UTC).isoformat(timespec="seconds"),
        remark=version.remark,
        state="taken away" if not version.source else "draft" if version.draft else "",
        compare=context.link("texts.history", {"kind": kind}, {"name": slug, "version": str(version.number)}),
        newest=latest[version.language] == version.number,
    )


def _source_before(versions: list[Version], shown: Version, name: str) -> str:
    """Return what a text said before a version: the version before, else what was shipped."""
    earlier = (past for past in versions if past.language == shown.language and past.number < shown.number)
    if (before := next(earlier, None)) is not None:
        return before.source
    came = shipped().get(name, {}).get(shown.language)
    return write_page_text(came) if came else ""


EDIT = Page(
    name="texts.edit",
    path="/texts/{kind}/edit",
    json_path="/texts/{kind}/edit.json",
    template="text_edit.html",
    content=edit_content,
)
HISTORY = Page(
    name="texts.history",
    path="/texts/{kind}/history",
    json_path="/texts/{kind}/history.json",
    template="text_history.html",
    content=history_content,
)
OVERVIEW = Page(
    name="texts",
    path="/texts",
    json_path="/texts.json",
    template="texts_overview.html",
    content=overview_content,
    menu="Pages",
    order=50,
    own=True,
    shown=is_editor,
)
