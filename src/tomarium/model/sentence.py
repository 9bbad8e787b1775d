"""A sentence with values in it, which a page translates before it puts the values in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Self

from tomarium.errors import UnitError
from tomarium.model.wording import day


class Day(str):
    """The day of a moment, in English, as a value of a `Sentence`; a page writes it in its language."""

    __slots__ = ("when",)
    when: datetime

    def __new__(cls, when: datetime) -> Self:
        """Write a moment as a day."""
        made = super().__new__(cls, day(when))
        made.when = when
        return made


class Sentence(str):
    """A text in English that still knows what it was made of; everywhere but on a page it is that text.

    Parameters
    ----------
    pattern : str
        English words with "%(name)s" for each value; listed in `tests/marked_words.py`, so that they are translated.
    **values : object
        The values. Those that are a `Sentence` themselves are translated too.
    """

    __slots__ = ("pattern", "values")
    pattern: str
    values: Mapping[str, object]

    def __new__(cls, pattern: str, **values: object) -> Self:
        """Put the values into the English words."""
        made = super().__new__(cls, pattern % values if values else pattern)
        made.pattern, made.values = pattern, values
        return made


def translated(text: str, words: Callable[[str], str], number: Callable[[str], str]) -> str:
    """Write a text in another language.

    Parameters
    ----------
    text : str
        English words, or a `Sentence`.
    words : callable
        `words(english)`: the same in the language.
    number : callable
        `number(text)`: a value that is no `Sentence`, as the language writes its numbers; a `Day` as it writes days.

    Returns
    -------
    str
        The text.
    """
    if not isinstance(text, Sentence):
        return words(text)
    told = {
        name: translated(value, words, number)
        if isinstance(value, Sentence)
        else number(value if isinstance(value, str) else str(value))
        for name, value in text.values.items()
    }
    return words(text.pattern) % told if told else words(text.pattern)


def sentence_of(problem: Exception) -> str:
    """Give what an error tells, so that a page translates it.

    Parameters
    ----------
    problem : Exception
        With a text, or a `Sentence`.

    Returns
    -------
    str
        A `Sentence` where the error knows what it was made of.
    """
    if isinstance(problem, UnitError) and problem.values:
        return Sentence(problem.pattern, **problem.values)
    told = problem.args[0] if problem.args else ""
    return told if isinstance(told, Sentence) else str(problem)


def joined(parts: Iterable[str], between: str) -> Sentence:
    """Join words and sentences to one.

    Parameters
    ----------
    parts : iterable of str
        Words in English, or each a `Sentence`.
    between : str
        What stands between two of them; the same in all languages.

    Returns
    -------
    Sentence
        All of them.
    """
    told = {
        f"part{k}": part if isinstance(part, Sentence) else Sentence(part) for k, part in enumerate(parts)
    }
    return Sentence(between.join(f"%({name})s" for name in told), **told)
