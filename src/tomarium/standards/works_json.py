"""JSON as published works: CSL-JSON, and what the APIs of Crossref and DataCite answer.

https://citeproc-js.readthedocs.io/en/latest/csl-json/markup.html, https://api.crossref.org/swagger-ui/index.html,
https://support.datacite.org/docs/api.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tomarium.standards.citation import in_line
from tomarium.standards.works import Work, Works, bare_doi, named_in, year_in

TYPES: Final = {
    "article-journal": "paper",
    "journal-article": "paper",
    "journalarticle": "paper",
    "article": "paper",
    "datapaper": "paper",
    "posted-content": "preprint",
    "preprint": "preprint",
    "paper-conference": "conference paper",
    "proceedings-article": "conference paper",
    "conferencepaper": "conference paper",
    "thesis": "thesis",
    "dissertation": "thesis",
    "book": "book",
    "monograph": "book",
    "chapter": "book chapter",
    "book-chapter": "book chapter",
    "bookchapter": "book chapter",
    "report": "report",
    "dataset": "dataset",
    "software": "software",
}
"""Type of CSL, Crossref or DataCite, in small letters → ours; all others are "other"."""


def read(content: Any) -> Works:
    """Read one work or a list of them; what is no work is told, and the others are read."""
    works, problems = [], []
    for number, entry in enumerate(_entries(content), 1):
        place = f"entry {number}"
        work = (
            (_datacite(entry, place) if "titles" in entry else _csl(entry, place))
            if isinstance(entry, Mapping)
            else None
        )
        if work is not None and work.title:
            works.append(work)
        else:
            problems.append(f"{place}: has no title")
    return Works(tuple(works), tuple(problems))


def _entries(content: Any) -> Iterator[Any]:
    """Take out of its wrapping what APIs answer: "message" of Crossref, "data" and "attributes" of DataCite."""
    if isinstance(content, list):
        for entry in content:
            yield from _entries(entry)
    elif isinstance(content, Mapping):
        for key in ("message", "data", "attributes", "items"):
            if isinstance(content.get(key), (list, Mapping)):
                yield from _entries(content[key])
                return
        yield content
    else:
        yield content


def _csl(content: Mapping[str, Any], place: str) -> Work:
    doi, address = bare_doi(_first(content.get("DOI"))), _first(content.get("URL"))
    related_texts = [
        *_texts(content.get("relation")),
        *_texts(content.get("reference")),
        *_texts(content.get("related")),
    ]
    notes = [
        _first(content.get(key))
        for key in ("note", "annote", "abstract", "keyword", "archive_location", "source")
    ]
    return Work(
        title=_first(content.get("title")),
        type=TYPES.get(_first(content.get("type")).lower(), "other"),
        authors=tuple(filter(None, map(_person, _list(content.get("author"))))),
        year=_year(content),
        journal=_first(content.get("container-title")),
        volume=_first(content.get("volume")),
        pages=_first(content.get("page")).replace("-", "–"),
        publisher=_first(content.get("publisher")),
        doi=doi,
        address="" if bare_doi(address) else address,
        data=named_in([*related_texts, *notes, *map(_first, _list(content.get("subject")))], doi),
        place=place,
    )


def _datacite(content: Mapping[str, Any], place: str) -> Work:
    doi, types = bare_doi(_first(content.get("doi"))), content.get("types")
    general = _first(types.get("resourceTypeGeneral")) if isinstance(types, Mapping) else ""
    container, publisher = content.get("container"), content.get("publisher")
    related_texts = [
        *_texts(content.get("relatedIdentifiers")),
        *_texts(content.get("relatedItems")),
        *_texts(content.get("descriptions")),
    ]
    pages = ""
    if isinstance(container, Mapping):
        ends = (_first(container.get("firstPage")), _first(container.get("lastPage")))
        pages = "–".join(dict.fromkeys(filter(None, ends)))
    return Work(
        title=next(
            (_first(title.get("title")) for title in _list(content["titles"]) if isinstance(title, Mapping)),
            "",
        ),
        type=TYPES.get(general.lower(), "other"),
        authors=tuple(filter(None, map(_person, _list(content.get("creators"))))),
        year=year_in(_first(content.get("publicationYear"))),
        journal=_first(container.get("title")) if isinstance(container, Mapping) else "",
        volume=_first(container.get("volume")) if isinstance(container, Mapping) else "",
        pages=pages,
        publisher=_first(publisher.get("name") if isinstance(publisher, Mapping) else publisher),
        doi=doi,
        address=_first(content.get("url")),
        data=named_in([*related_texts, *_texts(content.get("subjects"))], doi),
        place=place,
    )


def _person(person: Any) -> str:
    if not isinstance(person, Mapping):
        return ""
    family = _first(person.get("family") or person.get("familyName"))
    given = _first(person.get("given") or person.get("givenName"))
    whole = _first(person.get("name") or person.get("literal"))
    particle = _first(person.get("non-dropping-particle"))
    family = f"{particle} {family}" if particle and family else family
    return ", ".join(part for part in (family, given) if part) or whole


def _year(content: Mapping[str, Any]) -> str:
    for key in ("issued", "published", "published-print", "published-online", "created"):
        date = content.get(key)
        if isinstance(date, Mapping):
            parts = _list(date.get("date-parts"))
            first = _list(parts[0])[:1] if parts else []
            if year := year_in(" ".join(map(str, first)) or _first(date.get("raw") or date.get("literal"))):
                return year
    return ""


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Give all texts in what an API tells of other things."""
    if isinstance(value, str):
        yield value
    elif depth < 6 and isinstance(value, (list, Mapping)):
        for entry in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(entry, depth + 1)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _first(value: Any) -> str:
    """Return a text; Crossref gives many of them as lists."""
    text = value[0] if isinstance(value, list) and value else value
    return in_line(str(text)) if isinstance(text, (str, int)) and not isinstance(text, bool) else ""
