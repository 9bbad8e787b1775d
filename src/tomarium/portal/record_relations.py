"""What a record is related to, what cites it and what it was made of, with their addresses, for its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from tomarium.catalogue.ancestry import ancestors_of
from tomarium.catalogue.cited_by import cited_dois, publications_about
from tomarium.catalogue.record_folder import ID
from tomarium.model import Record
from tomarium.model.person import read_person
from tomarium.portal.request_context import RequestContext
from tomarium.standards.identifiers import DOI, place_of
from tomarium.standards.names import name_of


@dataclass(frozen=True)
class Relation:
    """Another thing that the record is related to.

    Attributes
    ----------
    words : str
        "Is cited by", "Is a newer version of" …
    identifier, address : str
        A DOI, an address or the identifier of a record; where it is found, "" where that is not known.
    """

    words: str
    identifier: str
    address: str


@dataclass(frozen=True)
class Citing:
    """A publication that used the record.

    Attributes
    ----------
    title, authors, year, journal : str
        Of the publication; its DOI as the title where no more is known.
    doi, address, page : str
        Its DOI, where that leads, and the page of its document ("" where it has none).
    """

    title: str
    authors: str
    year: str
    journal: str
    doi: str
    address: str
    page: str


def relations_of(record: Record, request_context: RequestContext) -> Iterator[Relation]:
    """List what a record is related to, but for what cites it."""
    for related in record.related:
        if related.relation == "IsCitedBy":
            continue
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", related.relation).capitalize()
        if doi := DOI.fullmatch(related.identifier):
            yield Relation(words, doi[1], f"https://doi.org/{quote(doi[1], safe='/')}")
        elif place := place_of(related.identifier):
            yield Relation(words, related.identifier, place)
        elif ID.fullmatch(related.identifier):
            yield Relation(
                words, related.identifier, request_context.link("record", {"id": related.identifier})
            )
        else:
            yield Relation(words, related.identifier, "")


def citing(record: Record, request_context: RequestContext) -> Iterator[Citing]:
    """List the documents that cite the record, and then the DOIs that it names itself and no document has."""
    with request_context.catalogue.reading() as connection:
        entities = publications_about(connection, request_context.reader, record.id)
    dois = set()
    for entity in entities:
        doi = str(entity.facts.get("paper_doi", ""))
        dois.add(doi.lower())
        authors = "; ".join(name_of(read_person(text)).cited for text in entity.facts.get("authors", ())[:20])
        about = (str(entity.facts.get("year", "")), str(entity.facts.get("journal", "")))
        page = request_context.link("document", {"id": entity.id})
        yield Citing(entity.name, authors, *about, doi, place_of(doi), page)
    for doi in cited_dois(record):
        if doi.lower() not in dois:
            yield Citing(doi, "", "", "", doi, place_of(doi), "")


def ancestor_relations(record: Record, request_context: RequestContext) -> Iterator[Relation]:
    """List what a record was made of, the first one in front."""
    for ancestor in ancestors_of(request_context.catalogue, request_context.reader, record):
        yield Relation(ancestor.title, ancestor.id, request_context.link("record", {"id": ancestor.id}))
