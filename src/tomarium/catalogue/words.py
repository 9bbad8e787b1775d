"""How text is cut into words for searching: the same for what is stored and for what is asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

# Letters that Unicode does not decompose but people type without their stroke.
STROKES: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
_SHORT: Final = 40  # characters of a piece that is kept folded
WORD = re.compile(r"[^\W_]+")
ASKED = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True)
class Term:
    """One thing to be found.

    Attributes
    ----------
    words : tuple of str
        Folded words that must stand side by side; at least one.
    prefix : bool
        Whether the last of them may go on.
    """

    words: tuple[str, ...]
    prefix: bool = False


def name_from(title: str, longest: int = 60) -> str:
    """Make a name for an address from words of people.

    Parameters
    ----------
    title : str
        Any text.
    longest : int
        Most letters of the name.

    Returns
    -------
    str
        Lower-case letters and digits with single hyphens between; "" where the text has none of them.
    """
    return re.sub(r"[^a-z0-9]+", "-", "-".join(fold(title)))[:longest].strip("-")


def fold(text: str) -> tuple[str, ...]:
    """Cut text into words without accents, strokes and capitals.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    tuple of str
        "Énamel_No. 3" gives ("enamel", "no", "3").
    """
    if len(text) < _SHORT:
        return _fold(text)
    parts = [_fold(part) if len(part) < _SHORT else _fold.__wrapped__(part) for part in text.split()]
    return tuple(chain.from_iterable(parts))


@lru_cache(maxsize=1 << 16)  # the same pieces come again and again
def _fold(text: str) -> tuple[str, ...]:
    if text.isascii():
        return tuple(WORD.findall(text.lower()))
    # Both ways around (Unicode 16, D146), for a decomposition may bring capitals and a casefold accents.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return tuple(WORD.findall(bare.translate(STROKES)))


def read_terms(question: str) -> tuple[Term, ...]:
    """Understand what a person asks for.

    Parameters
    ----------
    question : str
        Words, all of which must occur; "words in quotes" must stand side by side, and so must the parts of
        one word ("CT-12", "0.65"). The last word may go on, unless it is in quotes or a space follows it.

    Returns
    -------
    tuple of Term
        In the order of the question; signs alone give none.
    """
    terms = []
    for match in ASKED.finditer(question):
        quoted, bare = match.groups()
        words = fold(quoted if bare is None else bare)
        if words:
            terms.append(Term(words, prefix=bare is not None and match.end() == len(question)))
    return tuple(dict.fromkeys(terms))


def snippet(text: str, terms: Sequence[Term], width: int = 180) -> str:
    """Cut out of a text the part where the first of the terms occurs.

    Parameters
    ----------
    text : str
        Text for people.
    terms : sequence of Term
        What was asked for.
    width : int
        Characters, about.

    Returns
    -------
    str
        The text on one line, with "…" where it was cut; its beginning where no term occurs.
    """
    line = " ".join(text.split())
    if len(line) <= width:
        return line
    places = [start for start, end in mark(line, terms)]
    start = max(0, min(places, default=0) - width // 3)
    if start:
        start = line.find(" ", start, start + 30) + 1 or start
    end = min(len(line), start + width)
    if end < len(line):
        end = max(line.rfind(" ", start + width // 2, end), start + width // 2)
    return ("… " if start else "") + line[start:end].strip() + (" …" if end < len(line) else "")


def mark(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Find where terms occur in a text for people.

    Parameters
    ----------
    text : str
        Text for people, accents and all.
    terms : sequence of Term
        What was asked for.

    Returns
    -------
    list of tuple of int
        Start and end of each word that is part of a term, in order.
    """
    whole_words = {word for term in terms for word in term.words}
    beginnings = tuple(term.words[-1] for term in terms if term.prefix)
    spans = []
    for match in WORD.finditer(text):
        folded = fold(match[0])
        if any(word in whole_words or (beginnings and word.startswith(beginnings)) for word in folded):
            spans.append(match.span())
    return spans
