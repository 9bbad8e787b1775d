"""What of the catalogue a page of text lists below itself, as its head says: `list: beamlines`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from tomarium.catalogue import search
from tomarium.catalogue.entities import entities_of_kind, published_collection, records_of
from tomarium.catalogue.search import named
from tomarium.portal.languages import translate
from tomarium.portal.request_context import RequestContext
from tomarium.portal.result_card import FoundRecord, found_records

NEWEST: Final = 8
NAMED: Final = 5
"""Records of an instrument that are named."""


@dataclass(frozen=True)
class Link:
    """A record of something that is listed.

    Attributes
    ----------
    title, address : str
        Its title, and where its page is.
    """

    title: str
    address: str


@dataclass(frozen=True)
class Listed:
    """Something that is listed.

    Attributes
    ----------
    title, address, words : str
        Its name, where its page is, and a second line.
    records : tuple of Link
        Its newest records that the reader may see.
    more : int
        How many more there are.
    """

    title: str
    address: str
    words: str = ""
    records: tuple[Link, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Lists:
    """What stands below a text.

    Attributes
    ----------
    listed : tuple of Listed
        Lines.
    cards : tuple of FoundRecord
        Records with their pictures.
    """

    listed: tuple[Listed, ...] = ()
    cards: tuple[FoundRecord, ...] = ()


def list_of(context: RequestContext, connection: Connection, name: str, level: str) -> Lists:
    """Make what stands below a text.

    Parameters
    ----------
    context : RequestContext
        Of the request.
    connection : Connection
        Of the catalogue.
    name : str
        A key of `LISTS`; nothing is listed for another word.
    level : str
        For whom cards are told.

    Returns
    -------
    Lists
        Only what the reader may see.
    """
    make = LISTS.get(name)
    return make(context, connection, level) if make else Lists()


def _beamlines(context: RequestContext, connection: Connection, _level: str) -> Lists:
    listed = []
    for held_entity in entities_of_kind(connection, context.reader, "instrument"):
        id_titles = records_of(connection, context.reader, held_entity.entity.id)
        records = tuple(Link(title, context.link("record", {"id": id})) for id, title in id_titles[:NAMED])
        words = str(held_entity.entity.facts.get("facility", ""))
        address = context.link("instrument", {"id": held_entity.entity.id})
        listed.append(Listed(held_entity.entity.name, address, words, records, len(id_titles) - len(records)))
    return Lists(tuple(listed))


def _documents(*types: str) -> Callable[[RequestContext, Connection, str], Lists]:
    """List documents whose type has one of some words; all where none is told."""

    def make(context: RequestContext, connection: Connection, _level: str) -> Lists:
        listed = []
        for held_entity in entities_of_kind(connection, context.reader, "document"):
            facts = held_entity.entity.facts
            kind = str(facts.get("type", ""))
            if types and not any(word in kind.casefold() for word in types):
                continue
            words = ", ".join(filter(None, (translate(kind, context.language), str(facts.get("year", "")))))
            listed.append(
                Listed(
                    held_entity.entity.name, context.link("document", {"id": held_entity.entity.id}), words
                )
            )
        return Lists(tuple(listed))

    return make


def _collections(context: RequestContext, connection: Connection, _level: str) -> Lists:
    held_entities = entities_of_kind(connection, context.reader, "collection")
    return Lists(
        tuple(
            Listed(held_entity.entity.name, context.link("collection", {"id": held_entity.entity.id}))
            for held_entity in held_entities
        )
    )


def _records(context: RequestContext, _connection: Connection, level: str) -> Lists:
    hits = search(context.catalogue, context.reader, limit=NEWEST).hits
    return Lists(cards=found_records(context, hits, level))


def _highlights(context: RequestContext, connection: Connection, level: str) -> Lists:
    """Show the record and the collection that the curators chose for the first page."""
    chosen = [context.settings["featured"]]
    if published := published_collection(connection, context.settings["curators_choice"]):
        chosen += published[1]
    hits = named(connection, context.reader, list(filter(None, chosen)))
    return Lists(cards=found_records(context, hits, level))


LISTS: Final[Mapping[str, Callable[[RequestContext, Connection, str], Lists]]] = {
    "records": _records,
    "collections": _collections,
    "beamlines": _beamlines,
    "documents": _documents(),
    "tutorials": _documents("tutorial"),
    "lessons": _documents("lesson"),
    "highlights": _highlights,
}
"""Word in the head of a text → what is listed."""
