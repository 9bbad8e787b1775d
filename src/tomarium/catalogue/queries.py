"""All questions and changes to the catalogue's tables, each with a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, union_all, update

from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.facets import spell
from tomarium.catalogue.numbers import free_number, number_at
from tomarium.catalogue.reader import LOCAL_OWNER, Reader, keeps_instrument, may_change, may_open, may_see
from tomarium.catalogue.store import place_at
from tomarium.catalogue.tables import (
    facet_sets,
    facets,
    life,
    parameter_keys,
    parameters,
    records,
    retired,
    stores,
    wordings,
)
from tomarium.catalogue.words import fold

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
    """

    folder: Path
    open: bool
    state: str
    mine: bool
    as_scientist: bool = False


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
            may_open(reader).label("open"),
            may_change(reader).label("mine"),
            keeps_instrument(reader).label("as_scientist"),
        )
        .join(stores, stores.c.number == records.c.store)
        .where(records.c.id == id, may_see(reader))
    ).one_or_none()
    if row is None:
        return None
    folder = place_at(row.address) / row.path
    return Place(folder, bool(row.open), row.state, bool(row.mine), bool(row.as_scientist))


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
    known = connection.execute(
        select(stores.c.number).where(stores.c.address == str(address))
    ).scalar_one_or_none()
    if known is not None:
        return int(known)
    key = connection.execute(insert(stores).values(address=str(address))).inserted_primary_key
    assert key is not None
    return int(key[0])


@dataclass(frozen=True)
class Entry:
    """What the index keeps of a record.

    Attributes
    ----------
    row : dict
        Columns of `record` but `number` and `facets`.
    description, words : str
        Texts that are searched besides the title.
    facets : tuple of (str, str)
        Names and values, sorted.
    numbers : dict of str to float
        Key → number, in the unit that the key tells.
    """

    row: dict[str, Any]
    description: str
    words: str
    facets: tuple[tuple[str, str], ...]
    numbers: dict[str, float]


def save_records(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write records with their texts, facets and numbers; what was there of them goes.

    Parameters
    ----------
    connection : Connection
        That may write.
    entries : sequence of Entry
        Of different identifiers. Many at once take a twentieth of the time of as many calls.
    """
    if not entries:
        return
    kept = _forget_known(connection, entries)
    numbers = _free_numbers(connection, entries, kept)
    sets = _facet_sets(connection, {spell(entry.facets): entry.facets for entry in entries})
    keys = _parameter_keys(connection, {key for entry in entries for key in entry.numbers})
    numbered = list(zip(numbers, entries, strict=True))
    connection.execute(
        insert(records),
        [entry.row | {"number": number, "facets": sets[spell(entry.facets)]} for number, entry in numbered],
    )
    connection.execute(
        insert(wordings),
        [{"record": n, "description": entry.description, "words": entry.words} for n, entry in numbered],
    )
    values = sorted(
        (keys[key], number, value) for number, entry in numbered for key, value in entry.numbers.items()
    )
    if values:
        dialect_of(connection).save_numbers(connection, values)
    texts = [
        {
            "number": number,
            "title": " ".join(fold(entry.row["title"])),
            "keywords": " ".join(fold(entry.words)),
            "rest": " ".join(fold(entry.description)),
        }
        for number, entry in numbered
        if entry.row["id"] not in kept
    ]
    if texts:
        dialect_of(connection).save_texts(connection, texts)


@contextmanager
def in_bulk(connection: Connection) -> Iterator[None]:
    """Write many records within, each database by its quickest way; readers go on meanwhile.

    Parameters
    ----------
    connection : Connection
        That may write.
    """
    dialect = dialect_of(connection)
    dialect.begin_bulk(connection)
    yield
    dialect.end_bulk(connection)


def _forget_known(connection: Connection, entries: Sequence[Entry]) -> dict[str, int]:
    """Forget what is known of records, and return the numbers of those whose texts and moments stay as they are."""
    told = {entry.row["id"]: entry for entry in entries}
    wanted = (
        select(records.c.id, records.c.number, records.c.title, records.c.created_utc)
        .add_columns(wordings.c.description, wordings.c.words)
        .join(wordings, wordings.c.record == records.c.number)
        .where(records.c.id.in_(told))
    )
    kept, gone = {}, []
    for row in connection.execute(wanted).all():
        new = told[row.id]
        texts = (new.row["title"], new.row["created_utc"], new.description, new.words)
        if texts == (row.title, row.created_utc, row.description, row.words):
            kept[row.id] = row.number
        else:
            gone.append(row.number)
    _delete(connection, [*kept.values(), *gone])
    _retire(connection, gone)
    return kept


def _free_numbers(connection: Connection, entries: Sequence[Entry], kept: Mapping[str, int]) -> list[int]:
    taken = _Taken(connection, {number_at(entry.row["created_utc"]) for entry in entries})
    for number in kept.values():
        taken.add(number)
    numbers = []
    for entry in entries:
        id = entry.row["id"]
        numbers.append(kept[id] if id in kept else free_number(id, entry.row["created_utc"], taken))
        taken.add(numbers[-1])
    return numbers


class _Taken:
    """Numbers that cannot be given: those of records, and retired ones; the first ones are looked up at once."""

    def __init__(self, connection: Connection, first: set[int]) -> None:
        self._connection = connection
        self._looked_up = first
        self._taken = self._look_up(first)

    def add(self, number: int) -> None:
        """Note that a number was given now."""
        self._taken.add(number)

    def __contains__(self, number: object) -> bool:
        if number not in self._taken and number not in self._looked_up:
            self._looked_up.add(int(str(number)))
            self._taken |= self._look_up({int(str(number))})
        return number in self._taken

    def _look_up(self, numbers: set[int]) -> set[int]:
        found = union_all(
            *(select(table.c.number).where(table.c.number.in_(numbers)) for table in (records, retired))
        )
        return set(self._connection.execute(found).scalars())


def _facet_sets(connection: Connection, told: dict[str, tuple[tuple[str, str], ...]]) -> dict[str, int]:
    known = select(facet_sets.c.content, facet_sets.c.number).where(facet_sets.c.content.in_(told))
    sets = {row.content: row.number for row in connection.execute(known)}
    new = sorted(told.keys() - sets.keys())
    if not new:
        return sets
    last = connection.execute(select(func.coalesce(func.max(facet_sets.c.number), 0))).scalar_one()
    added = {content: last + index for index, content in enumerate(new, 1)}
    connection.execute(
        insert(facet_sets), [{"number": n, "content": content} for content, n in added.items()]
    )
    rows = [
        {"name": name, "value": value, "facets": number}
        for content, number in added.items()
        for name, value in told[content]
    ]
    if rows:
        connection.execute(insert(facets), rows)
    return sets | added


def _parameter_keys(connection: Connection, told: set[str]) -> dict[str, int]:
    keys = parameter_numbers(connection)
    for new in sorted(told - keys.keys()):
        key = connection.execute(insert(parameter_keys).values(key=new)).inserted_primary_key
        assert key is not None
        keys[new] = int(key[0])
    return keys


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


def _delete(connection: Connection, numbers: Sequence[int]) -> None:
    if not numbers:
        return
    gone = [{"gone": number} for number in numbers]
    keys = select(parameter_keys.c.number).scalar_subquery()
    here = parameters.c.record == bindparam("gone")
    connection.execute(delete(parameters).where(parameters.c.key.in_(keys), here), gone)
    connection.execute(delete(records).where(records.c.number == bindparam("gone")), gone)


def _retire(connection: Connection, numbers: Sequence[int]) -> None:
    """Note numbers that are not given again, for SQLite's text index still knows their words."""
    if numbers:
        dialect_of(connection).forget_texts(connection, numbers)
        connection.execute(insert(retired), [{"number": number} for number in numbers])


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
    numbers = connection.execute(select(records.c.number).where(here)).scalars().all()
    _delete(connection, numbers)
    _retire(connection, numbers)


def clear(connection: Connection) -> None:
    """Forget all records; their folders are not touched.

    Parameters
    ----------
    connection : Connection
        That may write.
    """
    dialect_of(connection).forget_all_texts(connection)
    for table in (parameters, wordings, records, retired):  # sets of facets may be wanted again
        connection.execute(delete(table))


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
    return {row.id: place_at(row.address) / row.path for row in connection.execute(found)}


def move_record(connection: Connection, id: str, place: Path) -> None:
    """Let the index find a record at another place.

    Parameters
    ----------
    connection : Connection
        That may write.
    id : str
        Identifier of the record.
    place : Path
        Where it lies from now on, in a store.
    """
    store = store_of(connection, place.parent)
    connection.execute(update(records).where(records.c.id == id).values(store=store, path=place.name))


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
