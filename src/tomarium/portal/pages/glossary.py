"""The glossary: what the words of tomography mean, for pupils, students and scientists."""

from __future__ import annotations

from dataclasses import dataclass, field

from tomarium.portal.levels import LevelLink, level_links, level_of
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.standards.glossary import words


@dataclass(frozen=True)
class Entry:
    """A word.

    Attributes
    ----------
    id, term : str
        Its anchor, and the word.
    plain, student, source : str
        What it is, plainly and for students, and where more is found; "" where the level leaves it out.
    related : tuple of (str, str)
        Anchors and words.
    """

    id: str
    term: str
    plain: str
    student: str
    source: str
    related: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GlossaryPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    level, levels : str, tuple of LevelLink
        For whom it is shown, and the switch.
    entries : tuple of Entry
        By the alphabet.
    number : int
        How many there are.
    letters : tuple of (str, str)
        First letter, and anchor of the first word that has it.
    """

    title: str
    level: str
    levels: tuple[LevelLink, ...] = field(metadata=FOR_PEOPLE)
    entries: tuple[Entry, ...]
    number: int = field(metadata=FOR_PEOPLE)
    letters: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> GlossaryPage:
    """Tell what the words of tomography mean: `level=pupil` plainly, `student` more exactly, else with sources."""
    level, glossary = level_of(request_context.request), words()
    letters: dict[str, str] = {}
    for word in glossary.values():
        letters.setdefault(word.term[0].upper(), word.id)
    return GlossaryPage(
        title="What the words mean",
        level=level,
        levels=level_links(request_context),
        entries=tuple(
            Entry(
                id=word.id,
                term=word.term,
                plain=word.plain,
                student=word.student if level != "pupil" else "",
                source=word.source if level == "scientist" else "",
                related=tuple((id, glossary[id].term) for id in word.related),
            )
            for word in glossary.values()
        ),
        number=len(glossary),
        letters=tuple(letters.items()),
    )


GLOSSARY = Page(
    name="glossary",
    path="/glossary",
    json_path="/glossary.json",
    template="glossary.html",
    content=content,
    levels=True,
)
