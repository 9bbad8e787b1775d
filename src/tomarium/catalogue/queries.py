"""Questions to the catalogue's tables and changes of lives, each with a name; rows of the index: `index_rows.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Float,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from tomarium.catalogue.reader import (
    HARVESTED,
    LOCAL_OWNER,
    Reader,
    keeps_instrument,
    may_change,
    may_open,
    may_see,
    present,
)
from tomarium.catalogue.store import place_at
from tomarium.catalogue.tables import life, parameter_keys, records, stale_records, stores

RANKED_AT_MOST: Final = 20_000  # ordering or counting more takes longer than a reader waits


def count_records(connection: Connection, reader: Reader) -> int:
    """Count all records that a reader may see.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.

    Returns
    -------
    int
        How many there are.
    """
    return connection.execute(select(func.count()).select_from(records).where(may_see(reader))).scalar_one()


def identifiers(connection: Connection, reader: Reader, begun: str, at_most: int) -> list[str]:
    """List identifiers of records by how they begin.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    begun : str
        Their first characters; "" for those of all.
    at_most : int
        How many are listed.

    Returns
    -------
    list of str
        In alphabetical order, of records of this catalogue that the reader may see.
    """
    among = (
        records.c.id.between(begun, begun + "\U0010ffff") & (records.c.state != HARVESTED) & may_see(reader)
    )
    return list(
        connection.execute(select(records.c.id).where(among).order_by(records.c.id).limit(at_most)).scalars()
    )


@dataclass(frozen=True)
class Place:
    """Where a record lies, and what a reader may have of it.

    Attributes
    ----------
    folder : Path
        Its folder.
    open : bool
        Whether the reader may have its files and pictures.
    state : str
        "draft", "review", "published" or "withdrawn".
    mine : bool
        Whether the reader may change what it says: its owner, somebody of its team, a scientist of its instrument
        while it is a draft, or a curator.
    as_scientist : bool
        Whether it is a draft of an instrument that is assigned to the reader.
    stale : bool
        Whether its crate still tells of an entity what was taken back: see `entities.with_current_entities`.
    """

    folder: Path
    open: bool
    state: str
    mine: bool
    as_scientist: bool = False
    stale: bool = False


def place_of(connection: Connection, reader: Reader, id: str) -> Place | None:
    """Find the place of a record.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    id : str
        Identifier of the record; any text.

    Returns
    -------
    Place or None
        None where there is no such record that the reader may see.
    """
    return places_of(connection, reader, (id,)).get(id)


def places_of(connection: Connection, reader: Reader, ids: Sequence[str]) -> dict[str, Place]:
    """Find the places of some hundred records at most.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    ids : sequence of str
        Identifiers of records; any texts.

    Returns
    -------
    dict of str to Place
        Those that there are and that the reader may see.
    """
    rows = connection.execute(_places_for(reader), {"ids": list(ids), "moment": present()})
    return {
        row.id: Place(
            *(place_at(row.address) / row.path, bool(row.open), row.state, bool(row.mine)),
            *(bool(row.as_scientist), bool(row.stale)),
        )
        for row in rows
    }


@lru_cache(maxsize=256)
def _places_for(reader: Reader) -> Select[Any]:
    """Write the question for a reader once: it is asked of each record and of each file that is sent."""
    moment = bindparam("moment", type_=Float)
    return (
        select(
            records.c.id,
            stores.c.address,
            records.c.path,
            records.c.state,
            may_open(reader, moment).label("open"),
            may_change(reader).label("mine"),
            keeps_instrument(reader).label("as_scientist"),
            exists().where(stale_records.c.record == records.c.id).label("stale"),
        )
        .join(stores, stores.c.number == records.c.store)
        .where(records.c.id.in_(bindparam("ids", expanding=True)), may_see(reader, moment))
    )


def folder_of(connection: Connection, id: str) -> Path | None:
    """Find the folder of a record, for who keeps the catalogue; a reader's way is `place_of`.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    id : str
        Identifier of the record; any text.

    Returns
    -------
    Path or None
        None where there is no such record.
    """
    place = place_of(connection, LOCAL_OWNER, id)
    return place.folder if place else None


def store_of(connection: Connection, address: Path) -> int:
    """Return the number of the store at an address; it is entered where it is not known.

    Parameters
    ----------
    connection : Connection
        That may write.
    address : Path
        Of the store: a folder, or a place in S3.

    Returns
    -------
    int
        For `record.store`.
    """
    number = connection.execute(
        select(stores.c.number).where(stores.c.address == str(address))
    ).scalar_one_or_none()
    if number is not None:
        return int(number)
    key = connection.execute(insert(stores).values(address=str(address))).inserted_primary_key
    assert key is not None
    return int(key[0])


def parameter_numbers(connection: Connection) -> dict[str, int]:
    """List the keys whose numbers can be asked for.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    dict of str to int
        Key → its number in `parameter`.
    """
    return {row.key: row.number for row in connection.execute(select(parameter_keys))}


def all_folders(connection: Connection) -> dict[str, Path]:
    """List the folders of all records.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    dict of str to Path
        Identifier → folder.
    """
    query = select(records.c.id, stores.c.address, records.c.path).join(
        stores, stores.c.number == records.c.store
    )
    return {row.id: place_at(row.address) / row.path for row in connection.execute(query)}


def life_of(connection: Connection, id: str) -> Row[Any] | None:
    """Find in which state a record is, and whose it is.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    id : str
        Identifier of the record.

    Returns
    -------
    Row or None
        A row of `life`.
    """
    return connection.execute(select(life).where(life.c.record == id)).one_or_none()


def save_life(connection: Connection, row: dict[str, Any]) -> None:
    """Write the state of a record; what was there of it goes.

    Parameters
    ----------
    connection : Connection
        That may write.
    row : dict
        Columns of `life`.
    """
    connection.execute(delete(life).where(life.c.record == row["record"]))
    connection.execute(insert(life).values(row))


def change_state(connection: Connection, id: str, state: str, moment: float) -> None:
    """Move a record that is not published to another state; its rows in the index are to be saved after.

    Parameters
    ----------
    connection : Connection
        That may write.
    id : str
        Identifier of the record.
    state : str
        "draft" or "review".
    moment : float
        Seconds since 1970.
    """
    connection.execute(update(life).where(life.c.record == id).values(state=state, changed_utc=moment))


def count_states(connection: Connection) -> dict[str, int]:
    """Count the records in each state of their life.

    Parameters
    ----------
    connection : Connection
        That may read.

    Returns
    -------
    dict of str to int
        By "draft", "review", "published" and "withdrawn"; without those that none is in.
    """
    rows = connection.execute(select(life.c.state, func.count()).group_by(life.c.state))
    return {state: int(count) for state, count in rows}
