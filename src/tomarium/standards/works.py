"""Published works, as files of references tell them: BibTeX, RIS, CSL-JSON, and JSON of Crossref and of DataCite."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tomarium.errors import FormatError
from tomarium.standards.citation import in_line
from tomarium.standards.identifiers import DOI

LONGEST: Final = 64 << 20
"""Characters of a file that is read."""
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


def read_works(text: str, name: str = "the text") -> Works:
    """Read a file of references; its form is known by its first signs.

    Parameters
    ----------
    text : str
        BibTeX, RIS, or JSON: CSL, Crossref's and DataCite's, single or a list.
    name : str
        Of the file, for messages.

    Returns
    -------
    Works
        At least one work, or one problem.

    Raises
    ------
    FormatError
        It is none of these, or holds no work.
    """
    from tomarium.standards import works_bibtex, works_json, works_ris

    if len(text) > LONGEST:
        raise FormatError(
            f"{name}: has {len(text)} characters; at most {LONGEST} are read, so cut it in parts"
        )
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] in ("{", "["):
        try:
            found = works_json.read(json.loads(start))
        except (ValueError, RecursionError) as problem:
            raise FormatError(f"{name}: is no JSON ({problem})") from problem
    elif re.search(r"^TY  ?- ", start, re.MULTILINE):
        found = works_ris.read(start)
    elif re.search(r"^\s*@\s*\w+\s*[{(]", start, re.MULTILINE):
        found = works_bibtex.read(start)
    else:
        raise FormatError(
            f"{name}: is neither BibTeX nor RIS, CSL-JSON or JSON of Crossref or DataCite; export it from your "
            f"reference manager as BibTeX"
        )
    if not found.works and not found.problems:
        raise FormatError(f"{name}: holds no work")
    return found


def bare_doi(text: str) -> str:
    """Return a DOI without "https://doi.org/" and in small letters; "" where the text is none."""
    found = DOI.fullmatch(in_line(text))
    return found[1].lower() if found else ""


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
    found: dict[str, None] = {}
    for text in texts:
        for one in _DOI_IN_TEXT.findall(text):
            found[_trimmed(one).lower()] = None
        for one in _PAGE_IN_TEXT.findall(text):
            found[one] = None
    return tuple(one for one in found if one != but)


def year_in(text: str) -> str:
    """Return the first year in a text; "" where there is none."""
    found = re.search(r"\b(1[5-9]|20|21)\d\d\b", text)
    return found[0] if found else ""


def _trimmed(doi: str) -> str:
    """Leave out what belongs to the sentence around a DOI; brackets are its own where they close within it."""
    doi = doi.rstrip(".:")
    while doi.endswith((")", "]")) and doi.count("(") + doi.count("[") < doi.count(")") + doi.count("]"):
        doi = doi[:-1].rstrip(".:")
    return doi
