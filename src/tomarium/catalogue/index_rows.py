"""Rows of the index: written, forgotten, moved; in the tables that are asked, or in those that a rebuild fills."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.facets import spell
from tomarium.catalogue.index_changes import note_changed
from tomarium.catalogue.numbers import free_number, numbers_of
from tomarium.catalogue.queries import parameter_numbers, store_of
from tomarium.catalogue.reader import Columns
from tomarium.catalogue.record_totals import TotalsChange
from tomarium.catalogue.store import place_at
from tomarium.catalogue.tables import (
    LIVE,
    SEEN_OF_RECORD,
    IndexTables,
    facet_sets,
    facets,
    parameter_keys,
    rebuild_changes,
    rebuilds,
    records,
    stores,
)
from tomarium.catalogue.words import fold
from tomarium.standards.panosc import Shared

_LIKELY: Final = 9  # numbers of each record that are looked up at once: many are made at one moment
_NUMBERS_AT_ONCE: Final = 5000  # a database takes some ten thousand values in a question

Telling = tuple[str, int, Sequence[Shared]]


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
    shared : tuple of Shared
        What the PaNOSC search API tells of it.
    source : int
        Number of the source that it was harvested from; 0 of a record of this catalogue.
    """

    row: dict[str, Any]
    description: str
    words: str
    facets: tuple[tuple[str, str], ...]
    numbers: dict[str, float]
    shared: tuple[Shared, ...] = ()
    source: int = 0


def save_records(connection: Connection, entries: Sequence[Entry], into: IndexTables = LIVE) -> None:
    """Write records with their texts, facets and numbers; what was there of them goes.

    Parameters
    ----------
    connection : Connection
        That may write.
    entries : sequence of Entry
        Of different identifiers. Many at once take a twentieth of the time of as many calls.
    into : IndexTables
        Those that are asked, or those that a rebuild fills.
    """
    if not entries:
        return
    if into is LIVE:
        _note_change(connection, [entry.row["id"] for entry in entries])
    totals = TotalsChange(connection, into)
    numbers_kept, gone = _forget_known(connection, entries, into, totals)
    numbers = _free_numbers(connection, entries, numbers_kept, into)
    if into is LIVE:
        note_changed(connection, [*numbers, *gone])
    sets = _facet_sets(connection, {spell(entry.facets): entry.facets for entry in entries})
    keys = _parameter_keys(connection, {key for entry in entries for key in entry.numbers})
    numbered = list(zip(numbers, entries, strict=True))
    rows = [entry.row | {"number": number, "facets": sets[spell(entry.facets)]} for number, entry in numbered]
    dialect = dialect_of(connection)
    dialect.insert_rows(connection, into.records, rows)
    totals.add(rows)
    totals.save()
    dialect.save_wordings(connection, [(n, entry.description, entry.words) for n, entry in numbered], into)
    save_shared(connection, [(entry.row["id"], entry.source, entry.shared) for entry in entries], into)
    values = sorted(
        (keys[key], number, value) for number, entry in numbered for key, value in entry.numbers.items()
    )
    if values:
        dialect.save_numbers(connection, values, into.parameters.name)
    brief_rows = {row["number"]: {name: row[name] for name in ("number", *SEEN_OF_RECORD)} for row in rows}
    texts = [
        brief_rows[number]
        | {
            "title": " ".join(fold(entry.row["title"])),
            "keywords": " ".join(fold(entry.words)),
            "rest": " ".join(fold(entry.description)),
            "description": entry.description,
            "words": entry.words,
        }
        for number, entry in numbered
        if entry.row["id"] not in numbers_kept
    ]
    if texts:
        dialect.save_texts(connection, texts, into.texts)
    if numbers_kept:
        dialect.keep_texts(connection, [brief_rows[number] for number in numbers_kept.values()], into.texts)


def save_shared(connection: Connection, tellings: Sequence[Telling], into: IndexTables = LIVE) -> None:
    """Write what the PaNOSC search API tells of records or harvested items; what was there of them goes.

    Parameters
    ----------
    connection : Connection
        That may write.
    tellings : sequence of tuple of str, int and sequence of Shared
        Identifier of the record or item, number of the source that it was harvested from (0 of a record of this
        catalogue), and what is told of it.
    into : IndexTables
        As in `save_records`.
    """
    if not tellings:
        return
    forget_shared(connection, [holder for holder, _, _ in tellings], into)
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    links: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for holder, source, bodies in tellings:
        common = {"holder": holder, "source": source}
        for related in bodies:
            row = common | {"model": related.model, "pid": related.pid, "body": related.body}
            rows[holder, related.model, related.pid] = row
            for link in related.links:
                links[holder, *link] = common | dict(zip(("dataset", "model", "pid"), link, strict=True))
    for table, written in ((into.shared, rows), (into.shared_links, links)):
        if written:
            dialect_of(connection).insert_rows(connection, table, list(written.values()))


def forget_shared(connection: Connection, holders: Sequence[str], into: IndexTables = LIVE) -> None:
    """Forget what the PaNOSC search API tells of records and harvested items."""
    for table in (into.shared, into.shared_links):
        connection.execute(delete(table).where(dialect_of(connection).one_of(table.c.holder, holders)))


def finite_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Take the finite numbers among values, which can be asked for by a range."""
    numbers = {}
    for key, value in values.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                numbers[key] = float(value)
            except OverflowError:  # a whole number of hundreds of digits measures nothing
                continue
    return {key: number for key, number in numbers.items() if math.isfinite(number)}


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


def _forget_known(
    connection: Connection, entries: Sequence[Entry], into: IndexTables, totals: TotalsChange
) -> tuple[dict[str, int], list[int]]:
    """Forget what is known of records; numbers of those whose texts and moments stay as they are, and of the others."""
    entries_by_id = {entry.row["id"]: entry for entry in entries}
    of, dialect = into.records.c, dialect_of(connection)
    statement = select(of.id, of.number, of.title, of.created_utc)
    statement = statement.where(dialect.one_of(of.id, entries_by_id))
    numbers_kept, gone = {}, []
    for row in connection.execute(dialect.add_wording(statement, into)).all():
        new = entries_by_id[row.id]
        texts = (new.row["title"], new.row["created_utc"], new.description, new.words)
        before = (row.title, row.created_utc, dialect.description_of(row), dialect.words_of(row))
        if texts == before:
            numbers_kept[row.id] = row.number
        else:
            gone.append(row.number)
    _delete(connection, [*numbers_kept.values(), *gone], into, totals)
    _retire(connection, gone, into)
    return numbers_kept, gone


def _free_numbers(
    connection: Connection, entries: Sequence[Entry], numbers_kept: Mapping[str, int], into: IndexTables
) -> list[int]:
    likely = (islice(numbers_of(entry.row["id"], entry.row["created_utc"]), _LIKELY) for entry in entries)
    taken_numbers = _Taken(connection, set(chain.from_iterable(likely)), into)
    for number in numbers_kept.values():
        taken_numbers.add(number)
    before = {} if into is LIVE else _numbers_before(connection, entries, into)
    numbers = []
    for entry in entries:
        id = entry.row["id"]
        held = numbers_kept.get(id, before.get(id))
        numbers.append(free_number(id, entry.row["created_utc"], taken_numbers) if held is None else held)
        taken_numbers.add(numbers[-1])
    return numbers


def _numbers_before(connection: Connection, entries: Sequence[Entry], into: IndexTables) -> dict[str, int]:
    """Find the numbers that records of the same moments have in the index that is asked: their order stays."""
    created_by_id = {entry.row["id"]: entry.row["created_utc"] for entry in entries}
    of = LIVE.records.c
    one_of = dialect_of(connection).one_of
    rows = connection.execute(
        select(of.id, of.number, of.created_utc).where(one_of(of.id, created_by_id))
    ).all()
    numbers = {row.id: row.number for row in rows if row.created_utc == created_by_id[row.id]}
    statement = union_all(
        *(
            select(table.c.number).where(one_of(table.c.number, numbers.values()))
            for table in (into.records, into.retired)
        )
    )
    gone = set(connection.execute(statement).scalars())
    return {id: number for id, number in numbers.items() if number not in gone}


class _Taken:
    """Numbers that cannot be given: those of records, and retired ones; the first ones are looked up at once."""

    def __init__(self, connection: Connection, first: set[int], into: IndexTables) -> None:
        self._connection = connection
        self._tables = dict.fromkeys((into.records, into.retired, LIVE.records))
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
        one_of, ordered = dialect_of(self._connection).one_of, sorted(numbers)
        found: set[int] = set()
        for start in range(0, len(ordered), _NUMBERS_AT_ONCE):
            some = ordered[start : start + _NUMBERS_AT_ONCE]
            statement = union_all(
                *(select(table.c.number).where(one_of(table.c.number, some)) for table in self._tables)
            )
            found |= set(self._connection.execute(statement).scalars())
        return found


def _facet_sets(
    connection: Connection, facets_by_content: dict[str, tuple[tuple[str, str], ...]]
) -> dict[str, int]:
    dialect, of = dialect_of(connection), facet_sets.c
    statement = select(of.content, of.number).where(dialect.one_of(of.content, facets_by_content))
    sets = {row.content: row.number for row in connection.execute(statement)}
    new = sorted(facets_by_content.keys() - sets.keys())
    if not new:
        return sets
    last = connection.execute(select(func.coalesce(func.max(facet_sets.c.number), 0))).scalar_one()
    added = {content: last + index for index, content in enumerate(new, 1)}
    sets_added = [{"number": n, "content": content} for content, n in added.items()]
    dialect.insert_rows(connection, facet_sets, sets_added)
    rows = [
        {"name": name, "value": value, "facets": number}
        for content, number in added.items()
        for name, value in facets_by_content[content]
    ]
    if rows:
        dialect.insert_rows(connection, facets, rows)
    return sets | added


def _parameter_keys(connection: Connection, names: set[str]) -> dict[str, int]:
    keys = parameter_numbers(connection)
    for new in sorted(names - keys.keys()):
        key = connection.execute(insert(parameter_keys).values(key=new)).inserted_primary_key
        assert key is not None
        keys[new] = int(key[0])
    return keys


def _delete(connection: Connection, numbers: Sequence[int], into: IndexTables, totals: TotalsChange) -> None:
    if not numbers:
        return
    totals.take(numbers)
    dialect = dialect_of(connection)
    dialect.forget_numbers(connection, numbers, into.parameters.name)
    connection.execute(delete(into.records).where(dialect.one_of(into.records.c.number, numbers)))


def _retire(connection: Connection, numbers: Sequence[int], into: IndexTables) -> None:
    """Note numbers that are not given again, for SQLite's text index still knows their words."""
    if numbers:
        dialect_of(connection).forget_texts(connection, numbers, into.texts)
        connection.execute(insert(into.retired), [{"number": number} for number in numbers])


def lies_in(of: Columns, names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition on rows of `record` that they lie in folders of these names, in whichever store.

    Those that lie in a folder of their own name are found by it, and an index has the others alone.
    """
    return or_(
        and_(of.id.in_(names), of.path == of.id),
        and_(of.path.in_(names), of.path != of.id),
    )


def forget_folder(connection: Connection, folder: Path, but: str, into: IndexTables = LIVE) -> None:
    """Forget what a folder held before: records of other identifiers.

    Parameters
    ----------
    connection : Connection
        That may write.
    folder : Path
        The folder.
    but : str
        Identifier of the record that it holds now.
    into : IndexTables
        As in `save_records`.
    """
    of = into.records.c
    home = select(stores.c.number).where(stores.c.address == str(folder.parent))
    condition = lies_in(of, [folder.name]) & (of.id != but) & of.store.in_(home)
    rows = connection.execute(select(of.id, of.number).where(condition)).all()
    _forget(connection, rows, into)


def forget_record(connection: Connection, id: str, into: IndexTables) -> None:
    """Forget a record; its folder is not touched."""
    of = into.records.c
    _forget(connection, connection.execute(select(of.id, of.number).where(of.id == id)).all(), into)


def _forget(connection: Connection, rows: Sequence[Any], into: IndexTables) -> None:
    if not rows:
        return
    if into is LIVE:
        _note_change(connection, [row.id for row in rows])
    numbers = [row.number for row in rows]
    if into is LIVE:
        note_changed(connection, numbers)
    forget_shared(connection, [row.id for row in rows], into)
    totals = TotalsChange(connection, into)
    _delete(connection, numbers, into, totals)
    totals.save()
    _retire(connection, numbers, into)


def folder_in(connection: Connection, id: str, into: IndexTables = LIVE) -> Path | None:
    """Find the folder of a record by these tables; None where they have none."""
    of = into.records.c
    statement = select(stores.c.address, of.path).join(stores, stores.c.number == of.store).where(of.id == id)
    row = connection.execute(statement).one_or_none()
    return place_at(row.address) / row.path if row else None


def _note_change(connection: Connection, ids: Sequence[str]) -> None:
    """Note, while a rebuild is under way, which records it has to read once more."""
    if connection.execute(select(rebuilds.c.token).limit(1)).first() is None:
        return
    connection.execute(delete(rebuild_changes).where(rebuild_changes.c.record.in_(ids)))
    connection.execute(insert(rebuild_changes), [{"record": id} for id in dict.fromkeys(ids)])


def move_record(connection: Connection, id: str, place: Path) -> None:
    """Change the place of a record in the index.

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
    _note_change(connection, [id])
    connection.execute(update(records).where(records.c.id == id).values(store=store, path=place.name))
