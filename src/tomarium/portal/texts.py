"""The texts that a portal shows: those that come with tomarium, and those that were written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from tomarium.catalogue.page_texts import Version, may_edit, newest, newest_of
from tomarium.catalogue.reader import Reader
from tomarium.model.page_text import PageText, read_page_text
from tomarium.portal.languages import ENGLISH, LANGUAGES

FOLDER: Final = Path(__file__).parent / "content"


@dataclass(frozen=True)
class ShownText:
    """A text as it is shown to a reader.

    Attributes
    ----------
    name : str
        "pages/faq".
    text : PageText
        What it says.
    language : str
        In which it is: another one than was asked for where nobody translated it.
    version : Version or None
        Who wrote it when; None of a text that came with tomarium.
    draft : bool
        Whether there is a newer version that only editors see.
    """

    name: str
    text: PageText
    language: str
    version: Version | None = None
    draft: bool = False

    @property
    def slug(self) -> str:
        """Its name without its kind, as in its address."""
        return self.name.partition("/")[2]


@cache
def shipped() -> Mapping[str, Mapping[str, PageText]]:
    """Read the texts that come with tomarium.

    Returns
    -------
    Mapping of str to Mapping of str to PageText
        Name, "pages/faq" → language → text.
    """
    texts: dict[str, dict[str, PageText]] = {}
    for language in LANGUAGES:
        for path in sorted((FOLDER / language).glob("*.md")):
            text = read_page_text("pages", path.read_text(encoding="utf-8"))
            texts.setdefault(f"pages/{path.stem}", {})[language] = text
    return texts


def shown_text(connection: Connection, reader: Reader, name: str, language: str) -> ShownText | None:
    """Find a text in a language.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks; editors also see a text of which there are only drafts.
    name : str
        "pages/faq".
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    ShownText or None
        What was written here in the language; else what was shipped in it, as long as nobody wrote the English text
        anew, which the shipped translation would not say; else the English text, or what there is. None where there
        is none, or it was taken away.
    """
    drafts = newest(connection, name, drafts=True) if may_edit(reader) else {}
    return _choose(name, newest(connection, name), drafts, language)


def shown_texts(connection: Connection, reader: Reader, kind: str, language: str) -> tuple[ShownText, ...]:
    """Find all texts of a kind in a language.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    kind : str
        "pages", "news" or "events".
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    tuple of ShownText
        By name. News whose day has not come is there for editors alone.
    """
    editor = may_edit(reader)
    written = newest_of(connection, f"{kind}/")
    drafts = newest_of(connection, f"{kind}/", drafts=True) if editor else {}
    names = sorted({*written, *drafts, *(text for text in shipped() if text.startswith(f"{kind}/"))})
    choices = (_choose(name, written.get(name, {}), drafts.get(name, {}), language) for name in names)
    return tuple(shown for shown in choices if shown is not None and (editor or not is_to_come(shown.text)))


def is_to_come(text: PageText) -> bool:
    """Tell whether news is dated later than today (UTC)."""
    return text.facts.get("date", "") > datetime.now(UTC).date().isoformat()


def _choose(
    name: str, written: Mapping[str, Version], drafts: Mapping[str, Version], language: str
) -> ShownText | None:
    has_draft = any(draft.draft for draft in drafts.values())
    existing = {text: version for text, version in written.items() if version.text is not None}
    came = shipped().get(name, {})
    order = dict.fromkeys((language, ENGLISH, *LANGUAGES))
    for candidate in order:
        if candidate in existing and (text := existing[candidate].text) is not None:
            return ShownText(name, text, candidate, existing[candidate], has_draft)
        if candidate in came and ENGLISH not in written:
            return ShownText(name, came[candidate], candidate, None, has_draft)
    for candidate in order:  # editors see that it is there
        if candidate in drafts and (text := drafts[candidate].text) is not None:
            return ShownText(name, text, candidate, drafts[candidate], True)
    return None
