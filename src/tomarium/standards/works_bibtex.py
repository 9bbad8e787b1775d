"""BibTeX as published works; it is parsed by pybtex (https://pybtex.org)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tomarium.standards.citation import in_line
from tomarium.standards.works import Work, Works, bare_doi, named_in, year_in

if TYPE_CHECKING:
    from pybtex.database import Entry

TYPES: Final = {
    "article": "paper",
    "inproceedings": "conference paper",
    "conference": "conference paper",
    "proceedings": "book",
    "book": "book",
    "booklet": "book",
    "inbook": "book chapter",
    "incollection": "book chapter",
    "phdthesis": "thesis",
    "mastersthesis": "thesis",
    "thesis": "thesis",
    "techreport": "report",
    "report": "report",
    "unpublished": "preprint",
    "online": "other",
    "dataset": "dataset",
    "data": "dataset",
    "software": "software",
}
"""Type of an entry → ours; all others are "other"."""
_LEFT: Final = {"\\textbraceleft": "{", "\\textbraceright": "}", "\\textbackslash": "\\"}
"""What pybtex leaves as it is."""
TELLING: Final = (
    "note",
    "annote",
    "annotation",
    "keywords",
    "abstract",
    "addendum",
    "howpublished",
    "data",
    "related",
)
"""Fields in which the data that a work used are named."""


def read(text: str) -> Works:
    """Read BibTeX; an entry that cannot be read is told, and the others are read."""
    from pybtex import errors
    from pybtex.database import Person
    from pybtex.database.input.bibtex import Parser

    with errors.capture() as problems:
        database = Parser().parse_string(text)
        works = tuple(_work(key, entry, Person) for key, entry in database.entries.items())
    return Works(
        tuple(work for work in works if work.title),
        tuple(in_line(str(problem))[:300] for problem in problems)
        + tuple(f"{work.place}: has no title" for work in works if not work.title),
    )


def _work(key: str, entry: Entry, person: Any) -> Work:
    fields = {name.lower(): _plain(value) for name, value in entry.fields.items()}
    raw = {name.lower(): value for name, value in entry.fields.items()}
    doi = bare_doi(raw.get("doi", "").replace("\\", "")) or bare_doi(raw.get("url", ""))
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    journal = next(
        (
            fields[name]
            for name in ("journal", "journaltitle", "booktitle", "school", "institution")
            if fields.get(name)
        ),
        "",
    )
    texts = [raw[name].replace("\\", "") for name in TELLING if name in raw]
    return Work(
        title=fields.get("title", ""),
        type=TYPES.get(entry.type.lower(), "other"),
        authors=tuple(filter(None, map(_author, people))),
        year=year_in(fields.get("year", "") or fields.get("date", "")),
        journal=journal,
        volume=fields.get("volume", ""),
        pages=fields.get("pages", "").replace("--", "–"),
        publisher=fields.get("publisher", ""),
        doi=doi,
        address="" if bare_doi(raw.get("url", "")) else in_line(raw.get("url", "").replace("\\", "")),
        data=named_in(texts, doi),
        place=in_line(key),
    )


def _author(person: Any) -> str:
    family = " ".join(map(_plain, [*person.prelast_names, *person.last_names]))
    given = " ".join(map(_plain, [*person.first_names, *person.middle_names]))
    suffix = " ".join(map(_plain, person.lineage_names))
    return ", ".join(part for part in (family, given, suffix) if part)


def _plain(value: str) -> str:
    """Turn LaTeX into the letters that it stands for."""
    from pybtex.richtext import Text

    try:
        text = str(Text.from_latex(value))
        for name, letter in _LEFT.items():
            text = text.replace(f"{name} ", letter).replace(name, letter)
        return in_line(text)
    except Exception:  # a brace too many: better as it is than not at all
        return in_line(value.replace("{", "").replace("}", ""))
