"""What data are used where: which publications cite which records, by record, publication, place and year."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from sqlalchemy import Connection, select

from tomarium.catalogue.cited_by import is_publication
from tomarium.catalogue.entities import entity_of, may_see_entity
from tomarium.catalogue.reader import Reader, may_see
from tomarium.catalogue.reader_tables import document_members
from tomarium.catalogue.tables import entities, facet_sets, records
from tomarium.errors import ParameterError
from tomarium.standards.identifiers import doi_address

BY: Final = {
    "record": "Record",
    "publication": "Publication",
    "facility": "Facility",
    "instrument": "Instrument",
    "year": "Year of the publication",
}
"""What a report is ordered by → its name for people."""
COLUMNS: Final = (
    *("publication", "publication_title", "publication_doi", "publication_year", "authors", "journal"),
    *("record", "record_title", "record_doi", "facility", "instrument"),
)


@dataclass(frozen=True)
class DataUse:
    """That a publication used a record.

    Attributes
    ----------
    publication, publication_title, publication_doi, publication_year : str
        Identifier of the document, and what it tells.
    authors : str
        With ";" between.
    journal : str
        Where it appeared.
    record, record_title, record_doi : str
        The record.
    facility, instrument : str
        Where it was measured, as records are filtered by it; "" where that is not known.
    """

    publication: str
    publication_title: str
    publication_doi: str
    publication_year: str
    authors: str
    journal: str
    record: str
    record_title: str
    record_doi: str
    facility: str
    instrument: str

    def key(self, by: str) -> tuple[str, str]:
        """Return by what a report groups it, and the name of that for people."""
        if by == "record":
            return self.record, self.record_title
        if by == "publication":
            return self.publication, self.publication_title
        group = {"facility": self.facility, "instrument": self.instrument, "year": self.publication_year}[by]
        return group, group or "not known"


@dataclass(frozen=True)
class Group:
    """What a report tells together.

    Attributes
    ----------
    id, name : str
        Identifier, or the value of a facet; its name for people.
    publications, records : int
        How many there are among `uses`.
    uses : tuple of DataUse
        The last publication first.
    """

    id: str
    name: str
    publications: int
    records: int
    uses: tuple[DataUse, ...]


def uses_of_data(connection: Connection, reader: Reader) -> list[DataUse]:
    """List which publications used which records, as far as a reader may see both.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.

    Returns
    -------
    list of DataUse
        The last publications first.
    """
    query = (
        select(
            document_members.c.document,
            records.c.id,
            records.c.title,
            records.c.doi,
            facet_sets.c.content,
        )
        .join(entities, entities.c.id == document_members.c.document)
        .join(records, records.c.id == document_members.c.member)
        .outerjoin(facet_sets, facet_sets.c.number == records.c.facets)
        .where(may_see_entity(reader), may_see(reader))
        .order_by(document_members.c.document, records.c.id)
    )
    rows = connection.execute(query).all()
    entities_by_id = {id: entity_of(connection, reader, id) for id in {row.document for row in rows}}
    uses = []
    for row in rows:
        held_entity = entities_by_id[row.document]
        if held_entity is None or not is_publication(held_entity.entity):
            continue
        facts = held_entity.entity.facts
        facets = dict(json.loads(row.content)) if row.content else {}
        uses.append(
            DataUse(
                *(
                    held_entity.entity.id,
                    held_entity.entity.name,
                    str(facts.get("paper_doi", "")),
                    str(facts.get("year", "")),
                ),
                *("; ".join(facts.get("authors", ())), str(facts.get("journal", ""))),
                *(row.id, row.title, row.doi, facets.get("facility", ""), facets.get("instrument", "")),
            )
        )
    return sorted(uses, key=lambda use: (use.publication_year, use.publication, use.record), reverse=True)


def grouped(uses: Iterable[DataUse], by: str) -> list[Group]:
    """Put together what a report tells together: what is used most comes first, and years backwards.

    Parameters
    ----------
    uses : iterable of DataUse
        As `uses_of_data` lists them.
    by : str
        A key of `BY`.

    Returns
    -------
    list of Group
        Each with at least one use.

    Raises
    ------
    ParameterError
        There is no such order.
    """
    if by not in BY:
        raise ParameterError(f"{by[:40]!r}: give one of {', '.join(BY)}")
    together: dict[tuple[str, str], list[DataUse]] = {}
    for use in uses:
        together.setdefault(use.key(by), []).append(use)
    groups = [
        Group(
            id,
            name,
            len({data_use.publication for data_use in uses_of_group}),
            len({data_use.record for data_use in uses_of_group}),
            tuple(uses_of_group),
        )
        for (id, name), uses_of_group in together.items()
    ]
    if by == "year":
        return sorted(groups, key=lambda group: group.id, reverse=True)
    return sorted(
        groups,
        key=lambda group: (-(group.records if by == "publication" else group.publications), group.name),
    )


def as_csv(groups: Sequence[Group]) -> str:
    """Write a report as CSV: a row for each publication and record, in the order of the groups."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for group in groups:
        rows.writerows([_cell(getattr(use, name)) for name in COLUMNS] for use in group.uses)
    return text.getvalue()


def _cell(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def as_html(groups: Sequence[Group], by: str) -> str:
    """Write a report as a page of its own, which needs no other file."""
    heads = ("Publication", "Year", "Record", "Instrument", "Facility")
    parts = []
    for group in groups:
        lines = "".join(
            "<tr>" + "".join(f"<td>{cell}</td>" for cell in _cells(use)) + "</tr>" for use in group.uses
        )
        parts.append(
            f"<h2>{escape(group.name)}</h2><p>{group.publications} publications, {group.records} records</p>"
            f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{lines}</table>"
        )
    title = f"What data are used where, by {BY[by].lower()}"
    style = (
        "body{font:16px/1.4 sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse}"
        "td,th{border-bottom:1px solid #bbb;padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top}"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head><body><h1>{title}</h1>{''.join(parts)}</body></html>\n"
    )


def _cells(use: DataUse) -> Iterable[str]:
    for doi, text in ((use.publication_doi, use.publication_title), ("", use.publication_year)):
        yield f'<a href="{escape(doi_address(doi))}">{escape(text)}</a>' if doi else escape(text)
    title = escape(use.record_title)
    yield f'<a href="{escape(doi_address(use.record_doi))}">{title}</a>' if use.record_doi else title
    yield escape(use.instrument)
    yield escape(use.facility)
