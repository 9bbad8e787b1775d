"""Which collections name a record: the other direction of `entities.members_of`."""

from __future__ import annotations

from sqlalchemy import Connection, Text, cast, select

from tomarium.catalogue.entities import may_see_entity
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.tables import entities


def collections_of(connection: Connection, reader: Reader, id: str) -> list[tuple[str, str]]:
    """List the collections that name a record or an entity, as far as a reader may see them.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks; that the reader may see the record is asked before.
    id : str
        Identifier of the record or entity.

    Returns
    -------
    list of (str, str)
        Identifiers and names, by identifier.
    """
    telling = cast(entities.c.facts, Text).contains(f'"{id}"', autoescape=True)
    query = select(entities.c.id, entities.c.name, entities.c.facts).where(
        entities.c.kind == "collection", telling, may_see_entity(reader)
    )
    rows = connection.execute(query.order_by(entities.c.id))
    return [(row.id, row.name) for row in rows if id in row.facts.get("members", ())]
