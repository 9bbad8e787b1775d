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


def read(told: Any) -> Works:
    """Read one work or a list of them; what is no work is told, and the others are read."""
    works, problems = [], []
    for number, entry in enumerate(_entries(told), 1):
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


def _entries(told: Any) -> Iterator[Any]:
    """Take out of its wrapping what APIs answer: "message" of Crossref, "data" and "attributes" of DataCite."""
    if isinstance(told, list):
        for one in told:
            yield from _entries(one)
    elif isinstance(told, Mapping):
        for key in ("message", "data", "attributes", "items"):
            if isinstance(told.get(key), (list, Mapping)):
                yield from _entries(told[key])
                return
        yield told
    else:
        yield told


def _csl(one: Mapping[str, Any], place: str) -> Work:
    doi, address = bare_doi(_first(one.get("DOI"))), _first(one.get("URL"))
    named = [*_texts(one.get("relation")), *_texts(one.get("reference")), *_texts(one.get("related"))]
    notes = [
        _first(one.get(key))
        for key in ("note", "annote", "abstract", "keyword", "archive_location", "source")
    ]
    return Work(
        title=_first(one.get("title")),
        type=TYPES.get(_first(one.get("type")).lower(), "other"),
        authors=tuple(filter(None, map(_person, _list(one.get("author"))))),
        year=_year(one),
        journal=_first(one.get("container-title")),
        volume=_first(one.get("volume")),
        pages=_first(one.get("page")).replace("-", "–"),
        publisher=_first(one.get("publisher")),
        doi=doi,
        address="" if bare_doi(address) else address,
        data=named_in([*named, *notes, *map(_first, _list(one.get("subject")))], doi),
        place=place,
    )


def _datacite(one: Mapping[str, Any], place: str) -> Work:
    doi, types = bare_doi(_first(one.get("doi"))), one.get("types")
    general = _first(types.get("resourceTypeGeneral")) if isinstance(types, Mapping) else ""
    container, publisher = one.get("container"), one.get("publisher")
    named = [
        *_texts(one.get("relatedIdentifiers")),
        *_texts(one.get("relatedItems")),
        *_texts(one.get("descriptions")),
    ]
    pages = ""
    if isinstance(container, Mapping):
        ends = (_first(container.get("firstPage")), _first(container.get("lastPage")))
        pages = "–".join(dict.fromkeys(filter(None, ends)))
    return Work(
        title=next(
            (_first(title.get("title")) for title in _list(one["titles"]) if isinstance(title, Mapping)), ""
        ),
        type=TYPES.get(general.lower(), "other"),
        authors=tuple(filter(None, map(_person, _list(one.get("creators"))))),
        year=year_in(_first(one.get("publicationYear"))),
        journal=_first(container.get("title")) if isinstance(container, Mapping) else "",
        volume=_first(container.get("volume")) if isinstance(container, Mapping) else "",
        pages=pages,
        publisher=_first(publisher.get("name") if isinstance(publisher, Mapping) else publisher),
        doi=doi,
        address=_first(one.get("url")),
        data=named_in([*named, *_texts(one.get("subjects"))], doi),
        place=place,
    )


def _person(told: Any) -> str:
    if not isinstance(told, Mapping):
        return ""
    family = _first(told.get("family") or told.get("familyName"))
    given = _first(told.get("given") or told.get("givenName"))
    whole = _first(told.get("name") or told.get("literal"))
    particle = _first(told.get("non-dropping-particle"))
    family = f"{particle} {family}" if particle and family else family
    return ", ".join(part for part in (family, given) if part) or whole


def _year(one: Mapping[str, Any]) -> str:
    for key in ("issued", "published", "published-print", "published-online", "created"):
        told = one.get(key)
        if isinstance(told, Mapping):
            parts = _list(told.get("date-parts"))
            first = _list(parts[0])[:1] if parts else []
            if year := year_in(" ".join(map(str, first)) or _first(told.get("raw") or told.get("literal"))):
                return year
    return ""


def _texts(told: Any, depth: int = 0) -> Iterator[str]:
    """Give all texts in what an API tells of other things."""
    if isinstance(told, str):
        yield told
    elif depth < 6 and isinstance(told, (list, Mapping)):
        for one in told.values() if isinstance(told, Mapping) else told:
            yield from _texts(one, depth + 1)


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [] if told is None else [told]


def _first(told: Any) -> str:
    """Return a text; Crossref gives many of them as lists."""
    one = told[0] if isinstance(told, list) and told else told
    return in_line(str(one)) if isinstance(one, (str, int)) and not isinstance(one, bool) else ""
