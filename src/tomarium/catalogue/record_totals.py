"""How many records have each set of facets, state, owner and team, kept while records are written.

Counting all that a reader may see, and by facets, would otherwise look at every record of the index. The condition on
who may see what is that of `reader.py`, asked of these rows: so they have its columns. What became public more than a
day ago is counted together, for it is public to everybody's clock; what became so since, or will, stands at its moment.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, case, delete, func, insert, literal, select, text

from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.index_changes import note_changed
from tomarium.catalogue.tables import LIVE, IndexTables

NEVER: Final = 1e18  # in place of NULL, which a primary key cannot hold
SETTLED_S: Final = 86_400.0  # after which no clock doubts that a moment has passed

Key = tuple[float, str, str, str, int]
"""public_from, state, owner, team and facets."""


class TotalsChange:
    """What a write changes: `take` is called before rows are deleted, `add` for those that are written, then `save`."""

    def __init__(self, connection: Connection, into: IndexTables) -> None:
        self._connection, self._into = connection, into
        self._changes: Counter[Key] = Counter()
        self._settled = time.time() - SETTLED_S
        self._settle()

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Count rows of `record` that are written."""
        for row in rows:
            self._changes[_key(row, self._settled)] += 1

    def take(self, numbers: Sequence[int]) -> None:
        """Count rows of `record` no longer that are deleted after this."""
        of = self._into.records.c
        wanted = select(of.public_from, of.state, of.owner, of.team, of.facets).where(
            dialect_of(self._connection).one_of(of.number, numbers)
        )
        for row in self._connection.execute(wanted).mappings():
            self._changes[_key(row, self._settled)] -= 1

    def save(self) -> None:
        """Write what has changed."""
        changes = {key: count for key, count in self._changes.items() if count}
        _write(self._connection, self._into, changes)

    def _settle(self) -> None:
        """Count together what became public long ago by now."""
        of = self._into.totals.c
        past = (of.public_from > 0) & (of.public_from <= self._settled)
        rows = self._connection.execute(select(self._into.totals).where(past)).all()
        if not rows:
            return
        changes: Counter[Key] = Counter()
        for row in rows:
            changes[(0.0, row.state, row.owner, row.team, row.facets)] += row.total
        self._connection.execute(delete(self._into.totals).where(past))
        _write(self._connection, self._into, changes)


def _key(row: Mapping[Any, Any], settled: float) -> Key:
    since = row["public_from"]
    since = NEVER if since is None else 0.0 if since <= settled else float(since)
    return since, row["state"], row["owner"], row["team"], row["facets"]


def _write(connection: Connection, into: IndexTables, changes: Mapping[Key, int]) -> None:
    if not changes:
        return
    columns = ("public_from", "state", "owner", "team", "facets")
    rows: list[dict[str, Any]] = [
        dict(zip(columns, key, strict=True)) | {"total": count} for key, count in changes.items()
    ]
    name = into.totals.name
    conflict = f"ON CONFLICT ({', '.join(columns)}) DO UPDATE SET total = {name}.total + excluded.total"
    dialect_of(connection).insert_rows(connection, into.totals, rows, conflict)
    fewer = [row for row in rows if row["total"] < 0]
    if fewer:
        same = " AND ".join(f"{column} = :{column}" for column in columns)
        connection.execute(text(f"DELETE FROM {name} WHERE {same} AND total = 0"), fewer)


def count_anew(connection: Connection, into: IndexTables) -> None:
    """Count all records of an index once more, as after they were written past `index_rows`.

    Parameters
    ----------
    connection : Connection
        That may write.
    into : IndexTables
        Those that are asked, or those that a rebuild fills.
    """
    of = into.records.c
    since = case(
        (of.public_from.is_(None), literal(NEVER)),
        (of.public_from <= time.time() - SETTLED_S, literal(0.0)),
        else_=of.public_from,
    ).label("since")
    by = (since, of.state, of.owner, of.team, of.facets)
    connection.execute(delete(into.totals))
    connection.execute(
        insert(into.totals).from_select(
            ["public_from", "state", "owner", "team", "facets", "total"],
            select(*by, func.count()).group_by(*by),
        )
    )
    if into is LIVE:
        note_changed(connection, None)
