"""A record of another catalogue: what was harvested of it, from where and when, and the way to its own page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import HTTPException

from tomarium.catalogue.harvest_sources import KINDS
from tomarium.catalogue.harvested import DATASET, Harvested, harvested_item, read_moment
from tomarium.catalogue.harvested_twice import copies_of
from tomarium.model import parameter
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.standards.panet import label_of
from tomarium.units import show

ACCESS: Final = {
    "open": "Open at the source",
    "embargoed": "Under embargo",
    "closed": "Not open at the source",
}
"""Who may have the files, as the source tells → words for it."""


@dataclass(frozen=True)
class Fact:
    """One line of the table: what it is, and what the source tells."""

    label: str
    text: str
    address: str = ""


@dataclass(frozen=True)
class AlsoThere:
    """Another source of the same record: its title, its page of the record, when it told it, and who may have files."""

    source: str
    address: str
    fetched: str
    access: str


@dataclass(frozen=True)
class HarvestedPage:
    """Content of the page.

    Attributes
    ----------
    title, id, description : str
        Of the record; the identifier is that in this catalogue.
    identifier : str
        At its source.
    source, source_address, protocol : str
        Title and address of the catalogue it is of, and how it was harvested.
    also : tuple of AlsoThere
        Other sources that tell the same record: by its DOI, or else by the address of its page. What is shown is what
        the source tells that tells most.
    fetched, checked : str
        ISO 8601: when the source told this last, and when it was read to its end last ("" where it never was).
    problem : str
        Why the last harvest was not complete; "" where it was.
    address : str
        Of its own page at the source, "" where none is known.
    creators : tuple of str
        Names.
    created, licence, doi : str
        As the source tells; "" where it does not.
    access, opens : str
        "open", "embargoed", "closed" or "", and the day when its files open, as the source tells.
    parameters : Mapping of str to JSON value
        With the unit in the key.
    facts : tuple of Fact
        The same for people.
    told : Mapping
        All that the source told, in its own form.
    """

    title: str
    id: str
    description: str
    identifier: str
    source: str
    source_address: str
    protocol: str
    also: tuple[AlsoThere, ...]
    fetched: str
    checked: str
    problem: str
    address: str
    creators: tuple[str, ...]
    created: str
    licence: str
    doi: str
    access: str
    opens: str
    parameters: Mapping[str, Any]
    facts: tuple[Fact, ...] = field(metadata=FOR_PEOPLE)
    told: Mapping[str, Any]


def content(request_context: CurrentRequest, id: str) -> HarvestedPage:
    """Tell what was harvested of a record of another catalogue, from where and when; its files are there."""
    with request_context.catalogue.reading() as connection:
        harvested = harvested_item(connection, id)
        copies = copies_of(connection, harvested.id) if harvested is not None else ()
    if harvested is None or harvested.item.kind != DATASET or request_context.reader.open_only:
        raise HTTPException(
            404,
            f"There is no harvested record “{id[:80]}” in this catalogue: its source may have taken it away. Search "
            "for it by a word.",
        )
    item = harvested.item
    return HarvestedPage(
        title=item.title or item.identifier,
        id=harvested.id,
        description=item.description,
        identifier=item.identifier,
        source=harvested.source,
        source_address=harvested.source_address if _is_web(harvested.source_address) else "",
        protocol=KINDS.get(harvested.kind, harvested.kind),
        also=tuple(
            AlsoThere(
                copy.source,
                copy.address if _is_web(copy.address) else "",
                _moment(copy.fetched_utc),
                ACCESS.get(copy.access, ""),
            )
            for copy in copies
        ),
        fetched=_moment(harvested.fetched_utc),
        checked="" if harvested.checked_utc is None else _moment(harvested.checked_utc),
        problem=harvested.error,
        address=item.address if _is_web(item.address) else "",
        creators=item.creators,
        created=item.created,
        licence=item.licence,
        doi=item.doi,
        access=item.access,
        opens=item.opens,
        parameters=item.parameters,
        facts=tuple(_facts(harvested)),
        told=item.content,
    )


def _facts(harvested: Harvested) -> list[Fact]:
    item = harvested.item
    created = read_moment(item.created)
    facts = [
        Fact("Identifier there", item.identifier),
        Fact("DOI", item.doi, f"https://doi.org/{item.doi}"),
        Fact("Made", created[0][:10] if created else item.created),
        Fact("Instrument", item.instrument),
        Fact("Facility", item.facility),
        Fact("Technique", ", ".join(map(label_of, item.techniques))),
        Fact("Keywords", ", ".join(item.keywords)),
        Fact("Licence", item.licence),
        Fact("Files", _access(harvested)),
        Fact("Size of its files", show(item.bytes, "B", 3) if item.bytes else ""),
    ]
    labels = {fact.label for fact in facts if fact.text} | {"Title", "Sample"}  # which stand above
    for key, value in item.parameters.items():
        if (label := parameter.label(key)) not in labels:
            shown = float(f"{value:.7g}") if isinstance(value, float) else value
            facts.append(Fact(label, parameter.show(key, shown)))
    return [fact for fact in facts if fact.text]


def _access(harvested: Harvested) -> str:
    """Tell who may have the files, as the source told."""
    item = harvested.item
    return ACCESS.get(item.access, "")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _is_web(address: str) -> bool:
    return address.startswith(("https://", "http://"))


HARVESTED = Page(
    name="harvested",
    path="/harvested/{id}",
    json_path="/harvested/{id}.json",
    template="harvested.html",
    content=content,
)
