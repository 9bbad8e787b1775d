"""All questions and changes to the catalogue's tables, each with a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Float, Integer, Row, delete, func, insert, select, update

from tomarium.catalogue import sqlite
from tomarium.catalogue.reader import LOCAL_OWNER, Reader, may_open, may_see
from tomarium.catalogue.tables import life, parameters, records, stores
from tomarium.catalogue.words import Term, fold

RANKED_AT_MOST: Final = 20_000  # ordering more by relevance takes longer than a reader waits


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


def newest_records(connection: Connection, reader: Reader, limit: int, offset: int) -> Sequence[Row[Any]]:
    """List records, the newest first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    limit, offset : int
        How many, after how many.

    Returns
    -------
    sequence of Row
        Rows of `record`.
    """
    return connection.execute(
        select(records, may_open(reader).label("open"))
        .where(may_see(reader))
        .order_by(records.c.created_utc.desc(), records.c.id)
        .limit(limit)
        .offset(offset)
    ).all()


def count_matches(connection: Connection, reader: Reader, terms: Sequence[Term]) -> int:
    """Count the records that hold all terms, up to one more than are ranked.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    terms : sequence of Term
        At least one.

    Returns
    -------
    int
        At most 20 001, which means "more than 20 000".
    """
    found = sqlite.match(terms).columns(number=Integer).subquery()
    some = (
        select(found.c.number)
        .join(records, records.c.number == found.c.number)
        .where(may_see(reader))
        .limit(RANKED_AT_MOST + 1)
        .subquery()
    )
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def matching_records(
    connection: Connection, reader: Reader, terms: Sequence[Term], limit: int, offset: int, *, ranked: bool
) -> Sequence[Row[Any]]:
    """List the records that hold all terms.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    terms : sequence of Term
        At least one.
    limit, offset : int
        How many, after how many.
    ranked : bool
        The most relevant first; else the newest.

    Returns
    -------
    sequence of Row
        Rows of `record` and `score`.
    """
    found = sqlite.match(terms).columns(number=Integer, score=Float).subquery()
    newest = (records.c.created_utc.desc(), records.c.id)
    # Rounded, for bm25 of equal texts may differ in its last bits; then the date decides.
    order = (func.round(found.c.score, 9).desc(), *newest) if ranked else newest
    return connection.execute(
        select(records, may_open(reader).label("open"), found.c.score)
        .join(found, found.c.number == records.c.number)
        .where(may_see(reader))
        .order_by(*order)
        .limit(limit)
        .offset(offset)
    ).all()


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
        Whether the reader may change what it says: its owner, somebody of its team, or a curator.
    """

    folder: Path
    open: bool
    state: str
    mine: bool


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
    row = connection.execute(
        select(
            stores.c.address,
            records.c.path,
            records.c.state,
            records.c.owner,
            records.c.team,
            may_open(reader).label("open"),
        )
        .join(stores, stores.c.number == records.c.store)
        .where(records.c.id == id, may_see(reader))
    ).one_or_none()
    return _place(row, reader) if row is not None else None


def _place(row: Row[Any], reader: Reader) -> Place:
    owns = bool(reader.name) and (row.owner == reader.name or row.team in reader.teams)
    return Place(Path(row.address) / row.path, bool(row.open), row.state, reader.sees_all or owns)


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
        The folder below which records lie.

    Returns
    -------
    int
        For `record.store`.
    """
    known = connection.execute(
        select(stores.c.number).where(stores.c.address == str(address))
    ).scalar_one_or_none()
    if known is not None:
        return int(known)
    key = connection.execute(insert(stores).values(address=str(address))).inserted_primary_key
    assert key is not None
    return int(key[0])


def save_record(connection: Connection, row: dict[str, Any], values: Iterable[dict[str, Any]]) -> None:
    """Write a record's row, parameters and text; what was there of it goes.

    Parameters
    ----------
    connection : Connection
        That may write.
    row : dict
        Columns of `record` but `number`.
    values : iterable of dict
        Columns of `parameter` but `record`.
    """
    known = connection.execute(select(records.c.number).where(records.c.id == row["id"])).scalar_one_or_none()
    if known is None:
        key = connection.execute(insert(records).values(row)).inserted_primary_key
        assert key is not None
        number = key[0]
    else:
        number = known
        connection.execute(update(records).where(records.c.number == number).values(row))
        connection.execute(delete(parameters).where(parameters.c.record == number))
        connection.execute(sqlite.DELETE_TEXT, {"number": number})
    rows = [{"record": number, **value} for value in values]
    if rows:
        connection.execute(insert(parameters), rows)
    connection.execute(
        sqlite.INSERT_TEXT,
        {
            "number": number,
            "title": " ".join(fold(row["title"])),
            "keywords": " ".join(fold(row["words"])),
            "rest": " ".join(fold(row["description"])),
        },
    )


def forget_folder(connection: Connection, folder: Path, but: str) -> None:
    """Forget what a folder held before: records of other identifiers.

    Parameters
    ----------
    connection : Connection
        That may write.
    folder : Path
        The folder.
    but : str
        Identifier of the record that it holds now.
    """
    here = (
        (records.c.path == folder.name)
        & (records.c.id != but)
        & records.c.store.in_(select(stores.c.number).where(stores.c.address == str(folder.parent)))
    )
    for number in connection.execute(select(records.c.number).where(here)).scalars().all():
        connection.execute(sqlite.DELETE_TEXT, {"number": number})
        connection.execute(delete(parameters).where(parameters.c.record == number))
        connection.execute(delete(records).where(records.c.number == number))


def clear(connection: Connection) -> None:
    """Forget all records; their folders are not touched.

    Parameters
    ----------
    connection : Connection
        That may write.
    """
    connection.execute(sqlite.DELETE_ALL_TEXT)
    connection.execute(delete(parameters))
    connection.execute(delete(records))


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
    found = select(records.c.id, stores.c.address, records.c.path).join(
        stores, stores.c.number == records.c.store
    )
    return {row.id: Path(row.address) / row.path for row in connection.execute(found)}


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
    """Move a record that is not published to another state.

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
    connection.execute(update(records).where(records.c.id == id).values(state=state))
