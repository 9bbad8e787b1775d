"""Specimens, proposals, instruments and the like: who may see them, and which records are of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Row,
    and_,
    delete,
    exists,
    insert,
    literal,
    or_,
    select,
    true,
)

from tomarium.catalogue.reader import ANYBODY, Reader, may_see, owns
from tomarium.catalogue.tables import entities, origins, record_entities, records
from tomarium.errors import InputError, ParameterError
from tomarium.model import Record
from tomarium.model.entity import KINDS, Entity, Origin, public_facts


@dataclass(frozen=True)
class Held:
    """An entity as a reader may know it.

    Attributes
    ----------
    entity : Entity
        Its private facts only where it is the reader's to change, and its origins as far as the reader sees them.
    mine : bool
        Whether it is.
    """

    entity: Entity
    mine: bool


def may_see_entity(reader: Reader) -> ColumnElement[bool]:
    """Return the condition on `entity` that a reader may know of it.

    Parameters
    ----------
    reader : Reader
        Who asks.

    Returns
    -------
    ColumnElement of bool
        True for what is published, what is the reader's or the team's, and what the reader may see a record of; a
        record of a specimen is one of its ancestors too.
    """
    if reader.sees_all:
        return true()
    of_it = exists().where(
        record_entities.c.entity == entities.c.id,
        records.c.id == record_entities.c.record,
        may_see(reader),
    )
    since = entities.c.published_utc
    return or_(
        and_(since.is_not(None), since <= literal(time.time(), Float)), owns(reader, entities.c), of_it
    )


def entity_of(connection: Connection, reader: Reader, id: str) -> Held | None:
    """Find an entity that a reader may see.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    id : str
        Its identifier; any text.

    Returns
    -------
    Held or None
        None where there is none that the reader may see.
    """
    row = connection.execute(
        select(entities).where(entities.c.id == id, may_see_entity(reader))
    ).one_or_none()
    return _held(connection, reader, row) if row is not None else None


def entities_of_kind(connection: Connection, reader: Reader, kind: str, most: int = 1000) -> list[Held]:
    """List the entities of a kind that a reader may see, by their names.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    kind : str
        "specimen", "proposal" …
    most : int
        How many at most.

    Returns
    -------
    list of Held
        Without origins.
    """
    query = select(entities).where(entities.c.kind == kind, may_see_entity(reader))
    rows = connection.execute(query.order_by(entities.c.name, entities.c.id).limit(most)).all()
    return [
        Held(_shown(row, mine=reader.owns(row.owner, row.team)), reader.owns(row.owner, row.team))
        for row in rows
    ]


def children_of(connection: Connection, reader: Reader, id: str) -> list[tuple[Entity, str]]:
    """List the specimens that were made from another and that a reader may see, each with how it was made."""
    query = (
        select(entities, origins.c.how)
        .join(origins, origins.c.child == entities.c.id)
        .where(origins.c.parent == id, may_see_entity(reader))
        .order_by(entities.c.name, entities.c.id)
    )
    return [(_shown(row, mine=False), row.how) for row in connection.execute(query).all()]


def records_of(connection: Connection, reader: Reader, id: str, most: int = 500) -> list[tuple[str, str]]:
    """List identifiers and titles of the records of an entity that a reader may see, the newest first."""
    query = (
        select(records.c.id, records.c.title)
        .join(record_entities, record_entities.c.record == records.c.id)
        .where(record_entities.c.entity == id, may_see(reader))
        .order_by(records.c.number.desc())
        .limit(most)
    )
    return [(row.id, row.title) for row in connection.execute(query).all()]


def members_of(connection: Connection, reader: Reader, id: str) -> list[tuple[str, str, str]]:
    """List what a collection or a document names and a reader may see, in its order.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks; that the reader may see the collection is asked before.
    id : str
        Identifier of the collection or document.

    Returns
    -------
    list of (str, str, str)
        "record" or the kind of an entity, its identifier, its title or name.
    """
    facts = connection.execute(select(entities.c.facts).where(entities.c.id == id)).scalar_one()
    members = []
    for member in facts.get("members", []):
        title = select(records.c.title).where(records.c.id == member, may_see(reader))
        named = select(entities.c.kind, entities.c.name).where(
            entities.c.id == member, may_see_entity(reader)
        )
        if (record_title := connection.execute(title).scalar_one_or_none()) is not None:
            members.append(("record", member, record_title))
        elif row := connection.execute(named).one_or_none():
            members.append((row.kind, member, row.name))
    return members


def records_below(connection: Connection, ids: Iterable[str]) -> list[str]:
    """List the identifiers of all records of entities, whoever may see them."""
    query = select(record_entities.c.record).where(record_entities.c.entity.in_(list(ids))).distinct()
    return sorted(connection.execute(query).scalars())


def ancestors(connection: Connection, ids: Iterable[str]) -> list[str]:
    """List all that specimens were made from, the nearest first, without themselves."""
    return _reached(connection, ids, origins.c.child, origins.c.parent)


def descendants(connection: Connection, ids: Iterable[str]) -> list[str]:
    """List all that was made from specimens, the nearest first, without themselves."""
    return _reached(connection, ids, origins.c.parent, origins.c.child)


def _reached(connection: Connection, ids: Iterable[str], start: Any, end: Any) -> list[str]:
    level, reached = list(ids), dict.fromkeys(ids)
    first = set(reached)
    while level:
        rows = connection.execute(select(end).where(start.in_(level)).order_by(end)).scalars()
        level = [id for id in dict.fromkeys(rows) if id not in reached]
        reached |= dict.fromkeys(level)
    return [id for id in reached if id not in first]


def public_entity(connection: Connection, id: str) -> Entity | None:
    """Return an entity with what all who see it may know, for records and for DataCite."""
    row = connection.execute(select(entities).where(entities.c.id == id)).one_or_none()
    return replace(_shown(row, mine=False), origins=_origins(connection, id)) if row is not None else None


def published_collection(connection: Connection, id: str) -> tuple[Entity, list[str]] | None:
    """Find a collection that everybody sees, and what it names in its order, whoever may see that."""
    row = connection.execute(
        select(entities).where(
            entities.c.id == id, entities.c.kind == "collection", entities.c.published_utc.is_not(None)
        )
    ).one_or_none()
    return (_shown(row, mine=False), list(row.facts.get("members", []))) if row is not None else None


def open_entities(connection: Connection, reader: Reader = ANYBODY) -> list[tuple[str, str, float]]:
    """List kind, identifier and last change (seconds since 1970) of all that a reader may see, by identifier."""
    query = select(entities).where(may_see_entity(reader)).order_by(entities.c.id)
    return [(row.kind, row.id, row.changed_utc) for row in connection.execute(query)]


def public_member_dois(connection: Connection, id: str) -> list[str]:
    """List the DOIs of the published members of a collection or a document, in their order."""
    facts = connection.execute(select(entities.c.facts).where(entities.c.id == id)).scalar_one_or_none() or {}
    dois = []
    for member in facts.get("members", []):
        record = select(records.c.doi).where(records.c.id == member, may_see(ANYBODY))
        entity = select(entities.c.doi).where(entities.c.id == member, may_see_entity(ANYBODY))
        dois += [doi for query in (record, entity) if (doi := connection.execute(query).scalar_one_or_none())]
    return dois


def entities_of_record(connection: Connection, record: str) -> tuple[Entity, ...]:
    """Return what a record tells of its entities: those that were chosen first, then their ancestors.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    record : str
        Identifier of the record.

    Returns
    -------
    tuple of Entity
        With public facts only.
    """
    chosen = connection.execute(
        select(record_entities.c.entity)
        .where(record_entities.c.record == record, record_entities.c.chosen == 1)
        .order_by(record_entities.c.entity)
    ).scalars()
    ids = list(chosen)
    public_entities = [public_entity(connection, id) for id in (*ids, *ancestors(connection, ids))]
    return tuple(entity for entity in public_entities if entity is not None)


def with_current_entities(connection: Connection, record: Record, *, stale: bool) -> Record:
    """Return a record with what its entities say now, where its crate still tells what was taken back.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    record : Record
        As its crate says.
    stale : bool
        As `queries.Place` tells.

    Returns
    -------
    Record
        The same where it is not stale.
    """
    return telling(record, entities_of_record(connection, record.id)) if stale else record


def telling(record: Record, told: tuple[Entity, ...]) -> Record:
    """Return a record that tells of these entities, and of links to no other specimens."""
    specimens = {f"specimens/{entity.id}" for entity in told}
    ends = ((link, {link.from_frame, link.to_frame}) for link in record.links)
    links = [
        link
        for link, frames in ends
        if all(text in specimens for text in frames if text.startswith("specimens/"))
    ]
    return replace(record, entities=told, links=tuple(links))


def choose(connection: Connection, reader: Reader, record: Record, kind: str, id: str) -> Record:
    """Assign a record to an entity, in place of another of this kind.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Who changes the record.
    record : Record
        As it is.
    kind : str
        "specimen", "proposal" or "instrument".
    id : str
        Identifier of the entity; "" for none. A specimen may be none of the catalogue's: then the record keeps its
        identifier alone.

    Returns
    -------
    Record
        As it is to be.

    Raises
    ------
    ParameterError
        There is no such proposal or instrument that the reader may give to a record.
    """
    held_entity = entity_of(connection, reader, id) if id else None
    usable = (
        held_entity is not None
        and held_entity.entity.kind == kind
        and (held_entity.mine or held_entity.entity.published is not None)
    )
    before = record.entity(kind)
    if before and before.id == id and not usable:
        return record  # it stays what it was, though who saves the form could not choose it anew
    if id and not usable and kind != "specimen":
        raise ParameterError(
            f"{record.id}: there is no {kind} {id[:80]!r} that is yours or published; make it with: "
            f"tomarium entity new {kind} NAME"
        )
    of_kind = select(entities.c.id).where(entities.c.kind == kind)
    chosen_before = record_entities.c.record == record.id, record_entities.c.entity.in_(of_kind)
    connection.execute(delete(record_entities).where(*chosen_before))
    if id and usable:
        connection.execute(insert(record_entities).values(record=record.id, entity=id, chosen=1))
        reach(connection, [record.id])
    of_other_kinds = tuple(entity for entity in record.entities if entity.kind != kind)
    now_of_kind = tuple(entity for entity in entities_of_record(connection, record.id) if entity.kind == kind)
    specimen = id if kind == "specimen" else record.specimen
    return replace(record, entities=(*now_of_kind, *of_other_kinds), specimen=specimen)


def reach(connection: Connection, names: Iterable[str]) -> None:
    """Note the ancestors of what was chosen for records, after these have changed."""
    record_ids = list(names)
    above: dict[tuple[str, ...], list[str]] = {}
    for start in range(0, len(record_ids), 500):
        condition = record_entities.c.record.in_(record_ids[start : start + 500])
        connection.execute(delete(record_entities).where(condition, record_entities.c.chosen == 0))
        chosen: dict[str, list[str]] = {}
        for row in connection.execute(
            select(record_entities).where(condition).order_by(record_entities.c.entity)
        ):
            chosen.setdefault(row.record, []).append(row.entity)
        rows = []
        for record, ids in chosen.items():
            key = tuple(ids)
            if key not in above:
                above[key] = ancestors(connection, key)
            rows += [{"record": record, "entity": id, "chosen": 0} for id in above[key]]
        if rows:
            connection.execute(insert(record_entities), rows)


def adopt(connection: Connection, record: Record, owner: str, *, lost: bool = False) -> None:
    """Take the entities that a record's crate tells and the catalogue does not know, as after its database was lost.

    One that is known is left alone, and so is whose records it has: a crate that comes from elsewhere opens nothing,
    neither by calling an entity its own nor by saying that one of its own was made from it.

    Parameters
    ----------
    connection : Connection
        That may write.
    record : Record
        As its folder says.
    owner : str
        Whose the record is.
    lost : bool
        Whether the catalogue knew none before, so that those it knows by now came from other crates.
    """
    if not record.entities:
        return
    ids = [entity.id for entity in record.entities]
    rows = connection.execute(select(entities).where(entities.c.id.in_(ids))).all()
    known_ids = {row.id for row in rows}
    new = [entity for entity in record.entities if entity.id not in known_ids]
    closed = {row.id for row in rows if not lost and row.owner != owner and row.published_utc is None}
    for entity in new:
        trusted = record.publication is not None and entity.published is not None
        connection.execute(
            insert(entities).values(
                **row_of(entity, owner),
                published_utc=entity.published.timestamp() if trusted and entity.published else None,
                doi=entity.doi if trusted else "",
            )
        )
    for new_entity in new:
        for origin in new_entity.origins:
            if origin.parent not in ids or origin.parent in closed:
                continue
            if new_entity.id not in ancestors(connection, [origin.parent]):
                connection.execute(
                    insert(origins).values(child=new_entity.id, parent=origin.parent, how=origin.how)
                )
    statement = select(record_entities.c.entity).where(record_entities.c.record == record.id)
    linked = set(connection.execute(statement).scalars())
    for linked_entity in record.entities if lost else new:
        if (
            linked_entity.kind != "specimen" or linked_entity.id == record.specimen
        ) and linked_entity.id not in linked:
            connection.execute(
                insert(record_entities).values(record=record.id, entity=linked_entity.id, chosen=1)
            )
    reach(connection, [record.id])


def known_any(connection: Connection) -> bool:
    """Tell whether the catalogue knows any entity."""
    return connection.execute(select(entities.c.id).limit(1)).first() is not None


def row_of(entity: Entity, owner: str) -> dict[str, Any]:
    """Return the row of an entity that is new, without what its publication brings."""
    return {
        "id": entity.id,
        "kind": entity.kind,
        "name": entity.name,
        "facts": dict(entity.facts),
        "disclosed": list(entity.disclosed),
        "owner": owner,
        "team": "",
        "changed_utc": time.time(),
    }


def demand_entity(connection: Connection, reader: Reader, id: str) -> Held:
    """Return an entity that a reader may see, or refuse."""
    held_entity = entity_of(connection, reader, id)
    if held_entity is None:
        raise InputError(
            f"there is no {', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]} {id[:80]!r}; "
            f"see those that are there with: tomarium entity list KIND"
        )
    return held_entity


def _held(connection: Connection, reader: Reader, row: Row[Any]) -> Held:
    mine = reader.owns(row.owner, row.team)
    shown = _shown(row, mine=mine)
    query = select(origins).join(entities, entities.c.id == origins.c.parent)
    rows = connection.execute(
        query.where(origins.c.child == row.id, may_see_entity(reader)).order_by(origins.c.parent)
    )
    return Held(replace(shown, origins=tuple(Origin(row.parent, row.how) for row in rows)), mine)


def _origins(connection: Connection, id: str) -> tuple[Origin, ...]:
    rows = connection.execute(select(origins).where(origins.c.child == id).order_by(origins.c.parent))
    return tuple(Origin(row.parent, row.how) for row in rows)


def _shown(row: Row[Any], *, mine: bool) -> Entity:
    published = None if row.published_utc is None else datetime.fromtimestamp(row.published_utc, UTC)
    entity = Entity(
        row.kind, row.id, row.name, dict(row.facts), tuple(row.disclosed), doi=row.doi, published=published
    )
    return entity if mine else replace(entity, facts=public_facts(entity))
