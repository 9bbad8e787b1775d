"""What is SQLite's own: how a connection is set up, and full text search with FTS5."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Float,
    FromClause,
    Integer,
    Row,
    Select,
    Table,
    create_engine,
    event,
    exists,
    func,
    insert,
    inspect,
    intersect,
    select,
    text,
)
from sqlalchemy.schema import CreateTable

from tomarium.catalogue.facets import NO_FILTERS, Filters
from tomarium.catalogue.range_condition import within
from tomarium.catalogue.ranges import Range
from tomarium.catalogue.tables import LIVE, SHADOW_PREFIX, IndexTables, by_facets, by_number, parameters
from tomarium.catalogue.unindexed import unindexed
from tomarium.catalogue.words import Term

PRAGMAS: Final = (
    "busy_timeout=5000",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "cache_size=-65536",  # KiB of pages that a connection may keep
    "temp_store=MEMORY",
    "mmap_size=8589934592",  # pages are looked at where they lie, not copied
)

# Weights of bm25 for the columns of record_text.
TITLE, KEYWORDS, REST = 10.0, 4.0, 1.0

# The table record_text is made by a migration. Its tokenizer, unicode61, only splits at spaces: words are
# cut and folded before, by `words.fold`, for every database alike.
MATCH: Final = text(
    # Rounded, for bm25 of equal texts may differ in its last bits; then the date decides.
    "SELECT rowid AS number, round(-bm25(record_text, :title, :keywords, :rest), 9) AS score "
    "FROM record_text WHERE record_text MATCH :expression"
).bindparams(title=TITLE, keywords=KEYWORDS, rest=REST)
# It keeps no text beside its index, and so cannot take one record's words out again: see the table `retired`.
MAKE_TEXT: Final = (
    "CREATE VIRTUAL TABLE {} USING fts5(title, keywords, rest, content='', "
    "tokenize=\"unicode61 remove_diacritics 0 categories 'L* N* M* Co'\")"
)
_NEWEST: Final = (
    4  # times as many as are counted are listed: of records of which most are hidden all are listed
)
_MERGED_PAGES: Final = 2000  # of the text index, in one transaction
OPTIMIZE_TEXT: Final = text("INSERT INTO record_text (record_text) VALUES ('optimize')")


def connect(path: Path | None) -> Engine:
    """Make an engine on a file, as catalogues need it.

    Parameters
    ----------
    path : Path or None
        The file; None for one in memory.

    Returns
    -------
    Engine
        Write-ahead log, foreign keys, 5 s patience. A connection with the execution option `write=True`
        takes the writer's lock when its transaction begins, so that it cannot fail later; with `patience_s` it
        waits so many seconds for it.
    """
    engine = create_engine(f"sqlite:///{path}" if path else "sqlite://")
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], conflict: str = ""
) -> None:
    """Enter rows, all of which name the same columns; what to do of one whose key is there, `conflict` tells."""
    statement: Executable = insert(table)
    if conflict:
        names = list(rows[0])
        told = ", ".join(f":{name}" for name in names)
        statement = text(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({told}) {conflict}")
    connection.execute(statement, rows)


def one_of(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that a column has one of many values."""
    return column.in_(list(values))


def match(
    terms: Sequence[Term], *, common: bool = False, since: int | None = None, among: Filters = NO_FILTERS
) -> tuple[FromClause, ColumnElement[float]]:
    """Return the rows that hold all terms, and how relevant each is.

    Parameters
    ----------
    terms : sequence of Term
        At least one.
    common : bool
        Whether very many have them, which changes nothing here.
    since : int, optional
        Not taken: the text index gives the newest first, and stops.
    among : Mapping of str to tuple of str
        Not taken either.

    Returns
    -------
    FromClause
        `number` of the record and `score`.
    ColumnElement of float
        The score: bm25, larger is better.
    """
    statement = MATCH.bindparams(expression=_expression(terms))
    rows = statement.columns(number=Integer, score=Float).subquery("found")
    return rows, rows.c.score


def relevance_of(terms: Sequence[Term], numbers: Sequence[int]) -> Select[Any]:
    """Select `number` and `score` of records that are known to hold all terms."""
    matches, score = match(terms)
    # Spelled here: a statement takes 32 766 values at most.
    told = text("SELECT value FROM json_each(:numbers)").bindparams(
        numbers=f"[{','.join(map(str, numbers))}]"
    )
    wanted = told.columns(value=Integer).subquery()
    number = unindexed(matches.c.number)
    return select(matches.c.number, score.label("score")).where(number.in_(select(wanted.c.value)))


def highest_relevance(_terms: Sequence[Term]) -> float | None:
    """Tell nothing: bm25 has no bound."""
    return None


def newest_with(
    connection: Connection, terms: Sequence[Term], count: int | None
) -> tuple[NDArray[np.int64], bool]:
    """List the numbers of the newest records that hold all terms, four times as many as a count; all without one."""
    at_most = -1 if count is None else _NEWEST * count
    numbers_text = text(
        "SELECT group_concat(number), count(*) FROM (SELECT rowid AS number FROM record_text "
        "WHERE record_text MATCH :expression ORDER BY rowid DESC LIMIT :at_most)"
    )
    values = {"expression": _expression(terms), "at_most": at_most}
    line, listed = connection.execute(numbers_text, values).one()
    return np.fromstring(line or "", np.int64, sep=","), listed != at_most


def newest_from(connection: Connection, terms: Sequence[Term], count: int) -> tuple[int | None, bool]:
    """Tell nothing: the text index gives the newest first, however many there are."""
    return None, False


def sorted_whole(rows: Select[Any]) -> Select[Any]:
    """Return the same query: the text index gives the newest first."""
    return rows


def save_texts(connection: Connection, texts: Sequence[dict[str, Any]], table: str = "record_text") -> None:
    """Enter texts, cut and folded: `number`, `title`, `keywords`, `rest`."""
    columns = "(rowid, title, keywords, rest) VALUES (:number, :title, :keywords, :rest)"
    connection.execute(text(f"INSERT INTO {table} {columns}"), texts)


def keep_texts(connection: Connection, rows: Sequence[dict[str, Any]], table: str = "record_text") -> None:
    """Do nothing: texts have nothing else of their records."""


def forget_texts(connection: Connection, numbers: Sequence[int], table: str = "record_text") -> None:
    """Do nothing: the text index cannot take one record's words out; see the table `retired`."""


def save_wordings(connection: Connection, rows: Sequence[tuple[int, str, str]], into: IndexTables) -> None:
    """Enter texts as they are: number, description, all other words."""
    names = ("record", "description", "words")
    connection.execute(insert(into.wordings), [dict(zip(names, row, strict=True)) for row in rows])


def add_wording(statement: Select[Any], of: IndexTables) -> Select[Any]:
    """Ask of records for their texts, too."""
    wording = of.wordings.c
    return statement.join(of.wordings, wording.record == of.records.c.number).add_columns(
        wording.description, wording.words
    )


def description_of(row: Row[Any]) -> str:
    """Return the description of a record."""
    return str(row.description)


def words_of(row: Row[Any]) -> str:
    """Return all that is searched besides title and description."""
    return str(row.words)


def save_numbers(
    connection: Connection, rows: Sequence[tuple[int, int, float]], table: str = "parameter"
) -> None:
    """Enter rows of `parameter`, by the driver's own form, which is quick."""
    connection.exec_driver_sql(f"INSERT INTO {table} (key, record, number) VALUES (?, ?, ?)", list(rows))


def forget_numbers(connection: Connection, records: Sequence[int], table: str = "parameter") -> None:
    """Forget the numbers of records."""
    # Rows are in the order of keys: with all of them named, each record's are found at once.
    gone = f"DELETE FROM {table} WHERE key IN (SELECT number FROM parameter_key) AND record = ?"
    connection.exec_driver_sql(gone, [(record,) for record in records])


def in_ranges(
    ranges: Sequence[tuple[int, Range]], *, by_size: bool, name: str
) -> tuple[FromClause, ColumnElement[int], list[ColumnElement[bool]]]:
    """Return what has numbers in all of some ranges: a table, its column of the record, and conditions on its rows.

    Parameters
    ----------
    ranges : sequence of (int, Range)
        At least one: number of the key, and the range in its unit.
    by_size : bool
        Whether the index by size is asked; or the rows of the first key, in the order of time.
    name : str
        Of the table in the query.

    Returns
    -------
    tuple of FromClause, ColumnElement and list of ColumnElement
        These three.
    """
    tables = [parameters.alias(f"{name}_{index}") for index in range(len(ranges))]
    conditions = [
        [of.c.key == key, *within(of.c.number if by_size else unindexed(of.c.number), bounds)]
        for of, (key, bounds) in zip(tables, ranges, strict=True)
    ]
    if len(tables) > 1 and by_size:
        sets = [
            select(of.c.record).where(*table_conditions)
            for of, table_conditions in zip(tables, conditions, strict=True)
        ]
        common_records = intersect(*sets).subquery(name)
        return common_records, common_records.c.record, []
    first, *other_tables = zip(tables, conditions, strict=True)
    record: ColumnElement[int] = first[0].c.record
    also = [
        exists(select(of.c.key).where(of.c.record == record, *table_conditions))
        for of, table_conditions in other_tables
    ]
    return first[0], record, [*first[1], *also]


def numbers_of(
    connection: Connection, key: int, which: Callable[[ColumnElement[int]], ColumnElement[bool]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read the numbers of a key of records whose own number meets a condition: these records, and the numbers."""
    of = parameters.c
    rows = connection.execute(select(of.record, of.number).where(of.key == key, which(of.record)))
    # Straight from the driver: a million rows of SQLAlchemy's would take four times as long.
    driver: Any = rows.cursor
    numbers_read = np.fromiter(driver, [("record", np.int64), ("number", np.float64)])
    rows.close()
    return numbers_read["record"], numbers_read["number"]


def number_beside(key: ColumnElement[int], record: ColumnElement[int]) -> ColumnElement[float]:
    """Return the number of a key of the record that another column tells; NULL where it has none."""
    of = parameters.c
    return select(of.number).where(of.key == key, of.record == record).scalar_subquery()


def size_of_range(connection: Connection, key: int, bounds: Range, at_most: int) -> int:
    """Count the records in a range, no more than `at_most`."""
    of, record, conditions = in_ranges([(key, bounds)], by_size=True, name="sized")
    matches = select(record).select_from(of).where(*conditions).limit(at_most).subquery()
    return int(connection.execute(select(func.count()).select_from(matches)).scalar_one())


def begin_bulk(connection: Connection) -> None:
    """Take indexes away that are made more quickly at the end."""
    for index in (by_number, by_facets):
        index.drop(connection, checkfirst=True)


def end_bulk(connection: Connection) -> None:
    """Make the indexes again, and the text index of few pieces."""
    for index in (by_number, by_facets):
        index.create(connection)
    connection.execute(OPTIMIZE_TEXT)


def make_shadow(connection: Connection, shadow: IndexTables) -> None:
    """Make the tables that a rebuild fills."""
    # An index keeps its name when its table takes another's place: here the names take turns.
    taken_names = set(inspect(connection).get_table_names()) | {
        index["name"] for table in LIVE.all for index in inspect(connection).get_indexes(table.name)
    }
    for table in shadow.all:
        connection.execute(CreateTable(table))
        for index in table.indexes:
            if index.info.get("only", "sqlite") != "sqlite":
                continue
            name = str(index.name)
            plain = name.removeprefix(SHADOW_PREFIX)
            columns = ", ".join(column.name for column in index.columns)
            where = index.dialect_options["sqlite"]["where"]
            condition = "" if where is None else f" WHERE {where.left.name} <> {where.right.name}"
            connection.exec_driver_sql(
                f"CREATE INDEX {name if plain in taken_names else plain} ON {table.name} ({columns}){condition}"
            )
    connection.exec_driver_sql(MAKE_TEXT.format(shadow.texts))


def drop_shadow(connection: Connection, shadow: IndexTables) -> None:
    """Take away what a rebuild that was stopped has left."""
    for name in (shadow.texts, *(table.name for table in reversed(shadow.all))):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def shadow_indexes(shadow: IndexTables) -> tuple[str, ...]:
    """Spell nothing: the indexes are there from the beginning."""
    return ()


def settle_shadow(connection: Connection, shadow: IndexTables) -> bool:
    """Merge a part of the text index; whether all of it is in order."""
    before = connection.exec_driver_sql("SELECT total_changes()").scalar_one()
    merge = f"INSERT INTO {shadow.texts} ({shadow.texts}, rank) VALUES ('merge', {_MERGED_PAGES})"
    connection.exec_driver_sql(merge)
    return int(connection.exec_driver_sql("SELECT total_changes()").scalar_one()) - int(before) < 2


def swap(connection: Connection, live: IndexTables, shadow: IndexTables) -> None:
    """Put the tables that a rebuild has filled in the place of those that are asked."""
    drop_shadow(connection, live)
    for old, new in (*zip(shadow.all, live.all, strict=True), (shadow.texts, live.texts)):
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


def end_migration(connection: Connection) -> None:
    """Do nothing: texts are compared letter by letter."""


def go_on_counting(connection: Connection) -> None:
    """Do nothing: a row without a number gets the largest one and 1."""


def _expression(terms: Sequence[Term]) -> str:
    return " AND ".join(_spell(term) for term in terms)


def _spell(term: Term) -> str:
    """Spell a term in FTS5's language: a quoted phrase, in which nothing has a meaning."""
    quoted = '"' + " ".join(term.words).replace('"', '""') + '"'
    return quoted + " *" if term.prefix else quoted


def _set_up(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # Python's driver would begin transactions by rules of its own
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if patience_s := options.get("patience_s"):
        connection.exec_driver_sql(f"PRAGMA busy_timeout={1000 * int(patience_s)}").close()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write", False) else "BEGIN")
    if patience_s:
        connection.exec_driver_sql(f"PRAGMA {PRAGMAS[0]}").close()
