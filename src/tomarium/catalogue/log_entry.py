"""An entry of the log book: what it is, and how its text, its tags and what it is about are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tomarium.catalogue import form_words
from tomarium.catalogue.log_files import LogFile
from tomarium.errors import ParameterError
from tomarium.model.sentence import Sentence

LONGEST: Final = 20_000
MOST_TAGS: Final = 20
_TAG: Final = re.compile(r"[\w.+-]{1,40}")
_SUBJECT: Final = re.compile(r"(?:\S+/)?(records|proposals|specimens|instruments)/([^\s/?#]+)/?")


@dataclass(frozen=True)
class Version:
    """What an entry said before it was changed.

    Attributes
    ----------
    when, who, text : str
        When that was written (ISO 8601), by whom, and what.
    machine : bool
        Whether a program wrote it.
    tags, links : tuple of str
        As in `Entry`.
    files : tuple of LogFile
        Its pictures and files.
    """

    when: str
    who: str
    text: str
    machine: bool
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    files: tuple[LogFile, ...] = ()


@dataclass(frozen=True)
class Entry:
    """An entry of the log book, as a reader may know it.

    Attributes
    ----------
    number : int
        Its number in the catalogue.
    who, when, text : str
        Who wrote what it says now, when (ISO 8601), and what; the text is "" where it was removed.
    machine : bool
        Whether a program wrote it.
    before : tuple of Version
        What it said before, the oldest first.
    subject : str
        Whose log book it stands in: "records/tooth", "proposals/hg-123".
    written : str
        When it was written first, ISO 8601: its place among the others.
    tags : tuple of str
        Words by which entries are chosen.
    links : tuple of str
        What else it is about, as subjects, as far as the reader sees that.
    files : tuple of LogFile
        Its pictures and files.
    removed : str
        By whom it was removed, and why; "" where it is shown.
    """

    number: int
    who: str
    when: str
    text: str
    machine: bool
    before: tuple[Version, ...] = ()
    subject: str = ""
    written: str = ""
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    files: tuple[LogFile, ...] = ()
    removed: str = ""


@dataclass(frozen=True)
class EntryContent:
    """What is to be written.

    Attributes
    ----------
    text : str
        Markdown.
    tags : sequence of str
        Words without spaces.
    links : sequence of str
        What else it is about: "records/tooth", or the address of its page.
    files : sequence of (str, bytes)
        Name and content of pictures and files.
    machine : bool
        Whether a program writes it.
    event : str
        Of a program: what it is about, so that it is written once, however often it is told; "" for no such thing.
    """

    text: str
    tags: Sequence[str] = ()
    links: Sequence[str] = ()
    files: Sequence[tuple[str, bytes]] = field(default=(), repr=False)
    machine: bool = False
    event: str = ""


def read_subject(text: str) -> str:
    """Read what an entry is about: "records/tooth", or the address of its page; raises ParameterError."""
    if (match := _SUBJECT.fullmatch(text.strip())) is None:
        raise ParameterError(Sentence(form_words.NO_LOG_BOOK, text=repr(text[:80])))
    return f"{match[1]}/{match[2].removesuffix('.json')}"


def read_text(text: str, *, files: bool = False) -> str:
    """Read the text of an entry; raises ParameterError where it is too long, or empty and there are no `files`."""
    if not text.strip() and not files:
        raise ParameterError(Sentence(form_words.EMPTY_ENTRY))
    if len(text) > LONGEST:
        raise ParameterError(Sentence(form_words.LONG_ENTRY, count=len(text), most=LONGEST))
    return text.strip()


def read_tags(tags: Iterable[str]) -> str:
    """Write tags as the column holds them, with a space around each, so that one is found whole."""
    read = list(dict.fromkeys(tag.strip().lstrip("#").lower() for tag in tags if tag.strip("# \t\r\n")))
    for text in read:
        if not _TAG.fullmatch(text):
            raise ParameterError(f"{text[:50]!r} is no tag; write a word of letters, digits, '.', '+' or '-'")
    if len(read) > MOST_TAGS:
        raise ParameterError(f"{len(read)} tags were given; an entry has at most {MOST_TAGS}")
    return f" {' '.join(read)} " if read else ""
