"""The glossary: words of tomography, each told plainly and for students; and where they stand in a text.

`glossary.toml` is the one file of terms, from which come the page, the command and the page of the documentation. Its
sentences are ours; `source` tells where a reader finds more.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, MutableSet
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Final

from markupsafe import Markup, escape

from tomarium.errors import ParameterError

MOST_WORDS: Final = 40
"""Words of a plain definition at most."""


@dataclass(frozen=True)
class Word:
    """A term of the glossary.

    Attributes
    ----------
    id : str
        Its anchor: "voxel-size".
    term : str
        As a heading: "voxel size".
    also : tuple of str
        Other spellings: plurals, abbreviations.
    plain, student : str
        What it is, for pupils and for students.
    source : str
        Where a reader finds more.
    related : tuple of str
        Ids of other terms.
    """

    id: str
    term: str
    also: tuple[str, ...]
    plain: str
    student: str
    source: str
    related: tuple[str, ...]

    @property
    def spellings(self) -> tuple[str, ...]:
        """How it may stand in a text."""
        return (self.term, *self.also)


@cache
def words() -> dict[str, Word]:
    """Read the terms.

    Returns
    -------
    dict of str to Word
        Id → term, by the alphabet of the terms.
    """
    text = (files("tomarium.standards") / "glossary.toml").read_text(encoding="utf-8")
    words_read = [
        Word(
            id=id,
            term=load["term"],
            also=tuple(load.get("also", ())),
            plain=load["plain"],
            student=load["student"],
            source=load["source"],
            related=tuple(load["related"]),
        )
        for id, load in tomllib.loads(text).items()
    ]
    return {word.id: word for word in sorted(words_read, key=lambda word: word.term.casefold())}


def word_of(text: str) -> Word:
    """Find a term.

    Parameters
    ----------
    text : str
        Its id or one of its spellings, in any case.

    Returns
    -------
    Word
        The term.

    Raises
    ------
    ParameterError
        The glossary has no such term.
    """
    spelling_wanted = " ".join(text.split()).casefold()
    words_by_spelling = {
        spelling.casefold(): word for word in words().values() for spelling in (*word.spellings, word.id)
    }
    if spelling_wanted in words_by_spelling:
        return words_by_spelling[spelling_wanted]
    near = get_close_matches(spelling_wanted, words_by_spelling, n=3, cutoff=0.6)
    hint = (
        f"near are {', '.join(dict.fromkeys(words_by_spelling[text].term for text in near))}; "
        if near
        else ""
    )
    raise ParameterError(
        f"the glossary has no word {text[:60]!r}; {hint}`tomarium glossary` lists all {len(words())}"
    )


def find(text: str, seen: MutableSet[str]) -> Iterator[tuple[str, str]]:
    """Part a text at the terms that occur in it for the first time.

    Parameters
    ----------
    text : str
        Plain text, without markup.
    seen : set of str
        Ids that occurred before; those found are added.

    Yields
    ------
    tuple of str
        A piece of the text, and the id of the term that it is, "" where it is none; all pieces together are the text.
    """
    last = 0
    for match in _pattern().finditer(text):
        spelling = " ".join(match[0].split())
        id = _ids_by_spelling().get(spelling) or _ids_by_spelling().get(spelling.casefold(), "")
        if not id or id in seen:
            continue
        seen.add(id)
        if match.start() > last:
            yield text[last : match.start()], ""
        yield match[0], id
        last = match.end()
    if last < len(text):
        yield text[last:], ""


def linked(text: str, seen: MutableSet[str], address: Callable[[str], str]) -> Markup:
    """Write a text as HTML in which the terms that occur for the first time lead to the glossary.

    Parameters
    ----------
    text : str
        Plain text; it is escaped.
    seen : set of str
        As for `find`.
    address : callable
        Id of a term → its address; "" where there is no page of the glossary.

    Returns
    -------
    Markup
        Text and links; a link's `title` is the plain definition.
    """
    pieces = []
    for piece, id in find(text, seen):
        where = address(id) if id else ""
        pieces.append(
            Markup('<a class="word" href="{}" title="{}">{}</a>').format(where, words()[id].plain, piece)
            if where
            else escape(piece)
        )
    return Markup("").join(pieces)


@cache
def _ids_by_spelling() -> dict[str, str]:
    """Spelling → id; abbreviations as they are, all others also in small letters."""
    ids_by_spelling: dict[str, str] = {}
    for word in words().values():
        for spelling in word.spellings:
            ids_by_spelling.setdefault(spelling if _capitals(spelling) else spelling.casefold(), word.id)
    return ids_by_spelling


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(_ids_by_spelling(), key=len, reverse=True)
    some = "|".join(
        re.escape(text) if _capitals(text) else f"(?i:{re.escape(text)})" for text in longest_first
    ).replace(r"\ ", r"\s+")
    return re.compile(rf"(?<![\w-])(?:{some})(?![\w-])")


def _capitals(spelling: str) -> bool:
    """Tell whether a spelling is an abbreviation, such as DOI, that no word in small letters stands for."""
    return sum(text.isupper() for text in spelling) > 1
