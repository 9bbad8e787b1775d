"""All questions and changes to the catalogue's tables, each with a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Float, Integer, Row, delete, func, insert, select, update

from tomarium.catalogue import sqlite
from tomarium.catalogue.tables import parameters, records
from tomarium.catalogue.words import Term, fold

RANKED_AT_MOST: Final = 20_000  # ordering more by relevance takes longer than a reader waits


def count_records(connection: Connection) -> int:
    """Count all records.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    int
        How many there are.
    """
    return connection.execute(select(func.count()).select_from(records)).scalar_one()


def newest_records(connection: Connection, limit: int, offset: int) -> Sequence[Row[Any]]:
    """List records, the newest first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    limit, offset : int
        How many, after how many.

    Returns
    -------
    sequence of Row
        Rows of `record`.
    """
    return connection.execute(
        select(records).order_by(records.c.created_utc.desc(), records.c.id).limit(limit).offset(offset)
    ).all()


def count_matches(connection: Connection, terms: Sequence[Term]) -> int:
    """Count the records that hold all terms, up to one more than are ranked.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    terms : sequence of Term
        At least one.

    Returns
    -------
    int
        At most 20 001, which means "more than 20 000".
    """
    found = sqlite.match(terms).columns(number=Integer).subquery()
    some = select(found.c.number).limit(RANKED_AT_MOST + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def matching_records(
    connection: Connection, terms: Sequence[Term], limit: int, offset: int, *, ranked: bool
) -> Sequence[Row[Any]]:
    """List the records that hold all terms.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
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
        select(records, found.c.score)
        .join(found, found.c.number == records.c.number)
        .order_by(*order)
        .limit(limit)
        .offset(offset)
    ).all()


def folder_of(connection: Connection, id: str) -> Path | None:
    """Find the folder of a record.

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
    folder = connection.execute(select(records.c.folder).where(records.c.id == id)).scalar_one_or_none()
    return Path(folder) if folder is not None else None


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
    here = (records.c.folder == str(folder)) & (records.c.id != but)
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
    return {row.id: Path(row.folder) for row in connection.execute(select(records.c.id, records.c.folder))}
