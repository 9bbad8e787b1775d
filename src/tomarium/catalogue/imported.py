"""What came from another catalogue, and what it became here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from tomarium.catalogue.reader import Reader, owns
from tomarium.catalogue.tables import entities, imported


@dataclass(frozen=True)
class Imported:
    """Something that came from another catalogue.

    Attributes
    ----------
    id : str
        Its identifier here.
    told : Mapping of str to JSON values
        Field → what the source told when it was imported last.
    filed : Mapping of str to JSON values
        Field → what stood here after that.
    digest : str
        SHA-256 of all that the source told, and of what lay at hand; "" where it was not finished.
    """

    id: str
    told: Mapping[str, Any]
    filed: Mapping[str, Any]
    digest: str


def imported_from(connection: Connection, source: str) -> dict[tuple[str, str], Imported]:
    """Return all that came from a source, by its kind and its identifier there.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    source : str
        Name of an importer.

    Returns
    -------
    dict of (str, str) to Imported
        Whoever may see it: the importer shows nothing of it to who may not change it.
    """
    rows = connection.execute(select(imported).where(imported.c.source == source)).all()
    return {(row.kind, row.key): Imported(row.id, row.told, row.filed, row.digest) for row in rows}


def keep_imported(connection: Connection, source: str, kind: str, key: str, now: Imported) -> None:
    """Note what something became here, in place of what was noted before."""
    condition = imported.c.source == source, imported.c.kind == kind, imported.c.key == key
    connection.execute(delete(imported).where(*condition))
    connection.execute(
        insert(imported).values(
            source=source,
            kind=kind,
            key=key,
            id=now.id,
            told=dict(now.told),
            filed=dict(now.filed),
            digest=now.digest,
            moment_utc=time.time(),
        )
    )


def own_entity(connection: Connection, reader: Reader, kind: str, name: str) -> str | None:
    """Find an entity of a kind that a reader may change by its name, capitals or not; None where there are none."""
    named = (entities.c.kind == kind) & (func.lower(entities.c.name) == name.lower())
    query = select(entities.c.id).where(named, owns(reader, entities.c)).order_by(entities.c.id)
    return connection.execute(query.limit(1)).scalar_one_or_none()
