"""Published works, as files of references tell them: BibTeX, RIS, CSL-JSON, and JSON of Crossref and of DataCite."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tomarium.standards.citation import in_line
from tomarium.standards.identifiers import DOI

_DOI_IN_TEXT: Final = re.compile(r"\b10\.\d{4,9}/[^\s\"'<>{}|\\^`,;]+")
_PAGE_IN_TEXT: Final = re.compile(r"https?://[^\s\"'<>{}|\\^`,;()]+/records/[a-z0-9-]+")


@dataclass(frozen=True)
class Work:
    """A published work.

    Attributes
    ----------
    title : str
        One line.
    type : str
        One of `model.entity.PUBLICATIONS`.
    authors : tuple of str
        "Lovelace, Ada", in their order.
    year : str
        "2026"; "" where it is not told, as all that follows.
    journal, volume, pages, publisher : str
        Where it appeared.
    doi : str
        Bare, in small letters, by which works are compared.
    address : str
        Of its page.
    data : tuple of str
        DOIs, and addresses of pages of records, that it names anywhere: its references, related things, notes and
        keywords.
    place : str
        Where in the file it stands: the key of an entry, or "entry 3".
    """

    title: str
    type: str = "other"
    authors: tuple[str, ...] = ()
    year: str = ""
    journal: str = ""
    volume: str = ""
    pages: str = ""
    publisher: str = ""
    doi: str = ""
    address: str = ""
    data: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True)
class Works:
    """What a file of references tells.

    Attributes
    ----------
    works : tuple of Work
        In the order of the file.
    problems : tuple of str
        Entries that could not be read, each with its place.
    """

    works: tuple[Work, ...]
    problems: tuple[str, ...] = ()


def bare_doi(text: str) -> str:
    """Return a DOI without "https://doi.org/" and in small letters; "" where the text is none."""
    match = DOI.fullmatch(in_line(text))
    return match[1].lower() if match else ""


def named_in(texts: Iterable[str], but: str = "") -> tuple[str, ...]:
    """List the DOIs and pages of records that texts name, each once, without that of the work itself.

    Parameters
    ----------
    texts : iterable of str
        Notes, keywords, references …
    but : str
        The work's own DOI.

    Returns
    -------
    tuple of str
        In their order.
    """
    addresses: dict[str, None] = {}
    for text in texts:
        for doi in _DOI_IN_TEXT.findall(text):
            addresses[_trimmed(doi).lower()] = None
        for page in _PAGE_IN_TEXT.findall(text):
            addresses[page] = None
    return tuple(text for text in addresses if text != but)


def year_in(text: str) -> str:
    """Return the first year in a text; "" where there is none."""
    match = re.search(r"\b(1[5-9]|20|21)\d\d\b", text)
    return match[0] if match else ""


def _trimmed(doi: str) -> str:
    """Leave out what belongs to the sentence around a DOI; brackets are its own where they close within it."""
    doi = doi.rstrip(".:")
    while doi.endswith((")", "]")) and doi.count("(") + doi.count("[") < doi.count(")") + doi.count("]"):
        doi = doi[:-1].rstrip(".:")
    return doi
