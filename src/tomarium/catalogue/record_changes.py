"""When that which everybody may know of a record was last changed: noted with each change, and asked by harvesters.

The end of an embargo is a change that nobody makes: its moment is kept beside that of the last change, and counts once
it has passed. So nothing has to run when it ends, and no harvester misses it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    not_,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

from tomarium.catalogue.reader import Reader, may_see
from tomarium.catalogue.tables import record_changes, records
from tomarium.model import Record

_AT_ONCE: Final = 500
_BOTH: Final = record_changes.join(records, records.c.id == record_changes.c.record)


@dataclass(frozen=True)
class Span:
    """Moments from `since` on and before `before`, seconds since 1970; None: without that end."""

    since: float | None = None
    before: float | None = None


ALWAYS: Final = Span()


@dataclass(frozen=True)
class Changed:
    """A published record, and when it was last changed.

    Attributes
    ----------
    id : str
        Its identifier.
    moment : float
        Seconds since 1970.
    withdrawn : bool
        Whether it was withdrawn.
    open : bool
        Whether its files are open to everybody.
    facets : int
        Number of its set of facets.
    """

    id: str
    moment: float
    withdrawn: bool
    open: bool
    facets: int


def note_change(connection: Connection, record: Record) -> None:
    """Note that a record was changed now, if it was published.

    Parameters
    ----------
    connection : Connection
        That writes the change.
    record : Record
        As it is from now on.
    """
    connection.execute(delete(record_changes).where(record_changes.c.record == record.id))
    note_if_unknown(connection, record)


def note_if_unknown(connection: Connection, record: Record) -> None:
    """Note a published record of which no change is known, as after the database was lost.

    Parameters
    ----------
    connection : Connection
        That may write.
    record : Record
        As its folder says.
    """
    publication = record.publication
    if publication is None:
        return
    query = select(record_changes.c.record).where(record_changes.c.record == record.id)
    if connection.execute(query).first() is not None:
        return
    now = time.time()
    opens = None if publication.withdrawn else publication.open_from.timestamp()
    later = opens if opens is not None and opens > now else None
    connection.execute(insert(record_changes).values(record=record.id, changed_utc=now, opens_utc=later))


def note_changes(connection: Connection, ids: Iterable[str]) -> None:
    """Note that published records were changed now by something that is told of them, such as a collection.

    Parameters
    ----------
    connection : Connection
        That writes the change.
    ids : iterable of str
        Identifiers; those that are no published records are left out.
    """
    now, record_ids = time.time(), list(dict.fromkeys(ids))
    of = record_changes.c
    for start in range(0, len(record_ids), _AT_ONCE):
        condition = of.record.in_(record_ids[start : start + _AT_ONCE])
        later = case((of.opens_utc > now, of.opens_utc), else_=null())
        connection.execute(update(record_changes).where(condition).values(changed_utc=now, opens_utc=later))


def changed_records(
    connection: Connection,
    reader: Reader,
    limit: int,
    *,
    span: Span = ALWAYS,
    after: tuple[float, str] | None = None,
    within: ColumnElement[bool] | None = None,
) -> list[Changed]:
    """List published records by the moment of their last change, the oldest first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        `ANYBODY`, or `OPEN_ONLY`.
    limit : int
        How many at most.
    span : Span
        Moments from and before which a record was last changed.
    after : tuple of float and str, optional
        Moment and identifier of the record after which the list begins. It is a place in the order, so a list that is
        gone on with is right whatever was changed meanwhile: what was changed stands later in it.
    within : ColumnElement of bool, optional
        A condition on `record`.

    Returns
    -------
    list of Changed
        In the order of moment and identifier; withdrawn records among them.
    """
    now, of = time.time(), record_changes.c
    conditions = [may_see(reader), true() if within is None else within]
    halves = []
    for moment, holds in ((of.changed_utc, not_(_has_opened(now))), (of.opens_utc, _has_opened(now))):
        # Each half is read in the order of its own index, and no further than the page.
        half = _chosen(moment).where(holds, *conditions, *_within(moment, span))
        if after is not None:
            behind = and_(moment == after[0], of.record > after[1])
            half = half.where(moment >= after[0], or_(moment > after[0], behind))
        halves.append(select(half.order_by(moment, of.record).limit(limit).subquery()))
    query = union_all(*halves).subquery()
    rows = connection.execute(select(query).order_by(query.c.moment, query.c.id).limit(limit)).all()
    return [_changed(row, now) for row in rows]


def changed_record(connection: Connection, reader: Reader, id: str) -> Changed | None:
    """Find a published record, and when it was last changed.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        `ANYBODY`, or `OPEN_ONLY`.
    id : str
        Its identifier; any text.

    Returns
    -------
    Changed or None
        None where there is no such record that the reader may see.
    """
    now = time.time()
    asked = _chosen(_moment(now)).where(record_changes.c.record == id, may_see(reader))
    row = connection.execute(asked).one_or_none()
    return None if row is None else _changed(row, now)


def count_changes(
    connection: Connection,
    reader: Reader,
    *,
    span: Span = ALWAYS,
    within: ColumnElement[bool] | None = None,
) -> int:
    """Count what `changed_records` lists in all; parameters as there."""
    conditions = [*_within(_moment(time.time()), span), may_see(reader), true() if within is None else within]
    counted = select(func.count()).select_from(_BOTH).where(*conditions)
    return int(connection.execute(counted).scalar_one())


def first_change(connection: Connection, reader: Reader) -> float:
    """Return a moment before which no record was last changed; the present one where there is no record."""
    moment = record_changes.c.changed_utc
    query = select(moment).select_from(_BOTH).where(may_see(reader)).order_by(moment).limit(1)
    first_moment = connection.execute(query).scalar_one_or_none()
    return time.time() if first_moment is None else float(first_moment)


def _has_opened(now: float) -> ColumnElement[bool]:
    """Return the condition that an embargo ended after the last change that somebody made."""
    opens = record_changes.c.opens_utc
    return and_(opens.is_not(None), opens <= now)


def _moment(now: float) -> ColumnElement[float]:
    return case((_has_opened(now), record_changes.c.opens_utc), else_=record_changes.c.changed_utc)


def _chosen(moment: ColumnElement[float]) -> Select[Any]:
    of = records.c
    return select(of.id, moment.label("moment"), of.state, of.open_from, of.facets).select_from(_BOTH)


def _within(moment: ColumnElement[float], span: Span) -> list[ColumnElement[bool]]:
    since = [] if span.since is None else [moment >= span.since]
    return since if span.before is None else [*since, moment < span.before]


def _changed(row: Row[Any], now: float) -> Changed:
    is_open = row.open_from is not None and row.open_from <= now
    return Changed(row.id, row.moment, row.state == "withdrawn", is_open, row.facets)
