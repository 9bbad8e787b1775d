"""RIS as published works: lines of a tag of two letters, two spaces, a hyphen, a space and a value.

https://en.wikipedia.org/wiki/RIS_(file_format) lists the tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tomarium.standards.citation import in_line
from tomarium.standards.works import Work, Works, bare_doi, named_in, year_in

TYPES: Final = {
    "JOUR": "paper",
    "EJOUR": "paper",
    "MGZN": "paper",
    "CONF": "conference paper",
    "CPAPER": "conference paper",
    "THES": "thesis",
    "BOOK": "book",
    "EBOOK": "book",
    "CHAP": "book chapter",
    "ECHAP": "book chapter",
    "RPRT": "report",
    "UNPB": "preprint",
    "DATA": "dataset",
    "DBASE": "dataset",
    "COMP": "software",
}
"""Type of a reference → ours; all others are "other"."""
_LINE: Final = re.compile(r"([A-Z][A-Z0-9])  ?- ?(.*)")
Fields = dict[str, list[str]]


def read(text: str) -> Works:
    """Read RIS; a reference without a title is told, and the others are read."""
    works, problems = [], []
    for number, fields in enumerate(_references(text), 1):
        work = _work(fields, f"entry {number}")
        if work.title:
            works.append(work)
        else:
            problems.append(f"{work.place}: has no title")
    return Works(tuple(works), tuple(problems))


def _references(text: str) -> Iterator[Fields]:
    fields: Fields = {}
    last: list[str] = []
    for line in text.splitlines():
        match = _LINE.match(line.strip("\ufeff"))
        if match is None:
            if last and line.strip():
                last[-1] += f" {line.strip()}"
        elif match[1] == "ER":
            if fields:
                yield fields
            fields, last = {}, []
        else:
            if match[1] == "TY" and fields:  # the end of the one before is missing
                yield fields
                fields = {}
            last = fields.setdefault(match[1], [])
            last.append(match[2].strip())
    if fields:
        yield fields


def _work(fields: Fields, place: str) -> Work:
    def first(*tags: str) -> str:
        return next((in_line(text) for tag in tags for text in fields.get(tag, ()) if text), "")

    addresses = [in_line(text) for tag in ("UR", "L1", "L2", "LK") for text in fields.get(tag, ())]
    doi = bare_doi(first("DO")) or next(filter(None, map(bare_doi, addresses)), "")
    start, end = first("SP"), first("EP")
    texts = [
        text
        for tag in ("N1", "N2", "AB", "KW", "RN", "C1", "C2", "M1", "M3", "L3", "DB")
        for text in fields.get(tag, ())
    ]
    return Work(
        title=first("TI", "T1", "CT", "BT"),
        type=TYPES.get(first("TY").upper(), "other"),
        authors=tuple(in_line(text) for tag in ("AU", "A1") for text in fields.get(tag, ()) if text),
        year=year_in(first("PY", "Y1", "DA")),
        journal=first("JO", "JF", "T2", "JA"),
        volume=first("VL"),
        pages=f"{start}–{end}" if start and end and start != end else start,
        publisher=first("PB"),
        doi=doi,
        address=next((text for text in addresses if text.startswith("http") and not bare_doi(text)), ""),
        data=named_in([*texts, *addresses], doi),
        place=place,
    )
