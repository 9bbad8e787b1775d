"""BibTeX: a record as an entry of a bibliography.

The entry is `@dataset`, which biblatex and biber know; styles of classic BibTeX treat it as `@misc`. Text is UTF-8;
what TeX reads as a command is escaped.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote

from tomarium.model import Record
from tomarium.standards import record_json
from tomarium.standards.citation import DRAFT, day_of, doi_of, in_line, licence_or_note, link_of
from tomarium.standards.names import Name, name_of
from tomarium.standards.standard import Standard

# Braces by their names, for BibTeX counts even escaped ones.
_ESCAPED: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\textbraceleft{}",
        "}": r"\textbraceright{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "#$%&_"},
    }
)


def export(record: Record, address: str = "") -> str:
    """Write a record as an entry for BibTeX.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page, which is given where there is no DOI.

    Returns
    -------
    str
        One entry, whose key is made of the first family name, the year and the record's identifier.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold, such as half a character.
    """
    record_json.demand_json(record)
    day, publication = day_of(record), record.publication
    notes = [] if publication else [f"{DRAFT.capitalize()}."]
    if publication and publication.withdrawn:
        notes.append(f"Withdrawn on {publication.withdrawn.date().isoformat()}.")
    if not in_line(record.licence):
        notes.append(licence_or_note(record))
    fields = {
        "author": " and ".join(
            _author(name_of(person)) for person in record.creators if in_line(person.name)
        ),
        "title": f"{{{_escape(record.title) or _escape(record.id)}}}",
        "year": f"{day.year:04}",
        "month": str(day.month),
        "publisher": _escape(publication.publisher) if publication else "",
        "version": str(publication.version) if publication else "",
        "type": "Dataset",
        "doi": quote(doi_of(record), safe="/:;()._-"),
        "url": quote(link_of(record, address), safe="/:;()._-~?&=#%+@,!*"),
        "copyright": _escape(record.licence),
        "keywords": ", ".join(_escape(word) for word in record.keywords),
        "abstract": _escape(record.description),
        "note": _escape(" ".join(notes)),
    }
    lines = [f"  {name} = {{{content}}}" for name, content in fields.items() if content]
    return f"@dataset{{{_key(record)},\n" + ",\n".join(lines) + "\n}\n"


def _author(name: Name) -> str:
    """Write a name so that BibTeX parts it as it was parted here."""
    family, given, suffix = (_escape(part) for part in (name.family, name.given, name.suffix))
    whole = ", ".join(part for part in (family, given, suffix) if part)
    if name.organisation or not given or re.search(r"\band\b|,", f"{family} {given}", re.IGNORECASE):
        return f"{{{whole}}}"
    return ", ".join(part for part in (family, suffix, given) if part)


def _key(record: Record) -> str:
    first = name_of(record.creators[0]).family if record.creators else ""
    plain = unicodedata.normalize("NFKD", first).encode("ascii", "ignore").decode().casefold()
    name = re.sub(r"[^a-z0-9]", "", plain)[:20]
    id = re.sub(r"[^A-Za-z0-9_-]", "", record.id)
    return f"{name}{day_of(record).year:04}{id}"


def _escape(text: str) -> str:
    return in_line(text).translate(_ESCAPED)


BIBTEX = Standard(
    name="bibtex",
    title="BibTeX",
    filename="citation.bib",
    media_type="application/x-bibtex",
    export=export,
)
