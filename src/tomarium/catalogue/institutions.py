"""Facilities and organisations: what names them, and where they are found by what names them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.entities import may_see_entity
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.search import Page, search
from tomarium.catalogue.tables import entities
from tomarium.model.entity import INSTITUTIONS, Entity

CARDS = 24


def names_of(institution: Entity) -> tuple[str, ...]:
    """Tell all names of a facility or an organisation: its own first, then the others that are told."""
    other_names = institution.facts.get("other_names", ())
    return tuple(dict.fromkeys((institution.name, *other_names)))


def named_by(
    connection: Connection, reader: Reader, institution: Entity, most: int = 500
) -> list[tuple[str, str, str]]:
    """List what names a facility or an organisation by one of its names or its ROR id, and a reader may see.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks; that the reader may see the institution is asked before.
    institution : Entity
        Of a kind of `INSTITUTIONS`.
    most : int
        How many at most.

    Returns
    -------
    list of (str, str, str)
        Kind, identifier and name of instruments, proposals, specimens and facilities, by kind and name.
    """
    ror, names = str(institution.facts.get("ror", "")), names_of(institution)
    conditions: list[ColumnElement[bool]] = []
    for fact, of_ror in INSTITUTIONS[institution.kind]:
        conditions.append(entities.c.facts[fact].as_string().in_(names))
        if ror and of_ror:
            conditions.append(entities.c.facts[of_ror].as_string() == ror)
    query = select(entities.c.kind, entities.c.id, entities.c.name).where(
        or_(*conditions), entities.c.id != institution.id, may_see_entity(reader)
    )
    rows = connection.execute(query.order_by(entities.c.kind, entities.c.name, entities.c.id).limit(most))
    return [(row.kind, row.id, row.name) for row in rows]


def institution_named(
    connection: Connection, reader: Reader, fact: str, facts: dict[str, Any]
) -> Entity | None:
    """Find the facility or organisation that a fact of something names, where a reader may see it.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    fact : str
        "facility", "institution" or "operator".
    facts : dict
        What is told of that which names it.

    Returns
    -------
    Entity or None
        With its kind, identifier and name alone; a facility before an organisation.
    """
    name = str(facts.get(fact, ""))
    kinds = {kind: dict(pairs)[fact] for kind, pairs in INSTITUTIONS.items() if fact in dict(pairs)}
    if not name or not kinds:
        return None
    conditions = [entities.c.name == name]
    for ror in {str(facts.get(key, "")) for key in kinds.values()} - {""}:
        conditions.append(entities.c.facts["ror"].as_string() == ror)
    query = select(entities.c.kind, entities.c.id, entities.c.name).where(
        and_(entities.c.kind.in_(kinds), or_(*conditions)), may_see_entity(reader)
    )
    row = connection.execute(query.order_by(entities.c.kind, entities.c.id).limit(1)).one_or_none()
    return Entity(row.kind, row.id, row.name) if row else None


def records_at(catalogue: Catalogue, reader: Reader, institution: Entity) -> Page:
    """Find the newest records that name a facility by one of its names, as a search by its facet does.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks.
    institution : Entity
        A facility.

    Returns
    -------
    Page
        The newest 24 of them, and how many there are.
    """
    return search(catalogue, reader, filters={"facility": names_of(institution)}, limit=CARDS)
