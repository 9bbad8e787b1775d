"""What was published, for feeds and lists that everybody reads alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.find import numbers
from tomarium.catalogue.question import Question
from tomarium.catalogue.reader import ANYBODY, Reader, may_see
from tomarium.catalogue.tables import LIVE, life, records


@dataclass(frozen=True)
class Published:
    """A published record, in short.

    Attributes
    ----------
    id, title, description, doi : str
        As in `model.Record`.
    published, changed : float
        Seconds since 1970: when it was published; and the last of that, of its withdrawal, of the end of its embargo,
        and of when it came into this catalogue.
    withdrawn : bool
        Whether it was withdrawn.
    opens : float or None
        When its files open, where they do not yet.
    """

    id: str
    title: str
    description: str
    doi: str
    published: float
    changed: float
    withdrawn: bool = False
    opens: float | None = None


def newest_published(
    connection: Connection,
    limit: int,
    after: int = 0,
    reader: Reader = ANYBODY,
    asked: Question | None = None,
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
    asked : Question, optional
        Only of what it finds; asked by this reader.

    Returns
    -------
    list of Published
        Withdrawn records among them: their pages stay.
    """
    query = (
        select(records, life.c.changed_utc)
        .outerjoin(life, life.c.record == records.c.id)
        .where(may_see(reader))
        .order_by(records.c.public_from.desc(), records.c.id)
        .limit(limit)
        .offset(after)
    )
    if asked is not None:
        query = query.where(records.c.number.in_(numbers(connection, asked)))
    dialect, now = dialect_of(connection), time.time()
    rows = connection.execute(dialect.add_wording(query, LIVE))
    return [_published(row, dialect.description_of(row), now) for row in rows]


def _published(row: Row[Any], description: str, now: float) -> Published:
    opens = row.open_from if row.open_from is not None and row.open_from > now else None
    opened = row.open_from if row.open_from is not None and opens is None else 0.0
    return Published(
        id=row.id,
        title=row.title,
        description=description,
        doi=row.doi,
        published=row.public_from,
        changed=max(row.public_from, row.changed_utc or 0.0, opened),
        withdrawn=row.state == "withdrawn",
        opens=opens,
    )


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
