"""What a catalogue knows of some hundred records before their rows are made, looked up at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from tomarium.catalogue import queries
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.index_rows import lies_in
from tomarium.catalogue.store import place_at
from tomarium.catalogue.tables import IndexTables, life, stores
from tomarium.model import Record


@dataclass
class KnownRecords:
    """What was looked up, and what is to be written of the life of records.

    Attributes
    ----------
    folders : dict of str to Path
        Identifier of a record → its folder.
    held : dict of Path to set of str
        Folder → identifiers of records that lie there by these tables.
    lives : dict of str to Row
        Identifier → row of `life`.
    new_lives : dict of str to dict
        Identifier → the row of `life` that is to be written.
    """

    folders: dict[str, Path]
    held: dict[Path, set[str]]
    lives: dict[str, Row[Any]]
    new_lives: dict[str, dict[str, Any]] = field(default_factory=dict)
    _stores: dict[Path, int] = field(default_factory=dict)

    def store_of(self, connection: Connection, address: Path) -> int:
        """Return the number of the store at an address, as `queries.store_of`, each looked up once."""
        if address not in self._stores:
            self._stores[address] = queries.store_of(connection, address)
        return self._stores[address]

    def save_lives(self, connection: Connection) -> None:
        """Write the rows of `life` that are to be written."""
        if self.new_lives:
            connection.execute(
                delete(life).where(dialect_of(connection).one_of(life.c.record, self.new_lives))
            )
            connection.execute(insert(life), list(self.new_lives.values()))
            self.new_lives.clear()


def known_records(
    connection: Connection, batch: Sequence[tuple[Record, Path]], into: IndexTables
) -> KnownRecords:
    """Look up some hundred records.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    batch : sequence of Record and Path
        Records, and their folders.
    into : IndexTables
        Whose rows are looked at.

    Returns
    -------
    KnownRecords
        For `entry_of`, as long as nobody else writes.
    """
    one_of, of = dialect_of(connection).one_of, into.records.c
    ids = list(dict.fromkeys(record.id for record, _ in batch))
    names = list(dict.fromkeys(place.name for _, place in batch))
    rows = select(of.id, of.path, stores.c.address).join(stores, stores.c.number == of.store)
    found = connection.execute(rows.where(one_of(of.id, ids))).all()
    known = KnownRecords(
        {row.id: place_at(row.address) / row.path for row in found},
        {},
        {row.record: row for row in connection.execute(select(life).where(one_of(life.c.record, ids)))},
    )
    for row in connection.execute(rows.where(lies_in(of, names))):
        known.held.setdefault(place_at(row.address) / row.path, set()).add(row.id)
    return known
