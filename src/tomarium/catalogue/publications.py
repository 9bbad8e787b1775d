"""What was published, for feeds and lists that everybody reads alike."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from tomarium.catalogue.reader import ANYBODY, Reader, may_see
from tomarium.catalogue.tables import life, records, wordings


@dataclass(frozen=True)
class Published:
    """A published record, in short.

    Attributes
    ----------
    id, title, description, doi : str
        As in `model.Record`.
    published, changed : float
        Seconds since 1970: when it was published, and when that was last changed.
    """

    id: str
    title: str
    description: str
    doi: str
    published: float
    changed: float


def newest_published(
    connection: Connection, limit: int, after: int = 0, reader: Reader = ANYBODY
) -> list[Published]:
    """List what anybody may see, the newest first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    limit, after : int
        How many, after how many.
    reader : Reader
        `ANYBODY`, or `OPEN_ONLY`.

    Returns
    -------
    list of Published
        Withdrawn records among them: their pages stay.
    """
    rows = connection.execute(
        select(records, wordings.c.description, life.c.changed_utc)
        .join(wordings, wordings.c.record == records.c.number)
        .outerjoin(life, life.c.record == records.c.id)
        .where(may_see(reader))
        .order_by(records.c.public_from.desc(), records.c.id)
        .limit(limit)
        .offset(after)
    )
    return [
        Published(
            id=row.id,
            title=row.title,
            description=row.description,
            doi=row.doi,
            published=row.public_from,
            changed=max(row.public_from, row.changed_utc or 0.0),
        )
        for row in rows
    ]


def published_count(connection: Connection, reader: Reader = ANYBODY) -> int:
    """Count what anybody may see.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        `ANYBODY`, or `OPEN_ONLY`.

    Returns
    -------
    int
        How many records.
    """
    return connection.execute(select(func.count()).select_from(records).where(may_see(reader))).scalar_one()
