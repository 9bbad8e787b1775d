"""What is PostgreSQL's own: connections, one writer at a time, and full text search with a tsvector.

Words are cut and folded before, by `words.fold`, as for every database. The tsvector is written out here rather than
made by `to_tsvector`, whose parser would cut them once more ("1e5" is a number to it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import URL, BigInteger, Connection, Engine, Float, FromClause, create_engine, event, text
from sqlalchemy.sql.elements import TextClause

from tomarium.catalogue.tables import SHADOW_PREFIX, IndexTables
from tomarium.catalogue.words import Term
from tomarium.errors import InputError
from tomarium.optional_packages import optional_import

# One number for all programs: whoever writes holds it until the transaction ends.
WRITERS_LOCK: Final = 0x746F_6D61_7269_756D
PATIENCE_S: Final = 10
READING: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Before the state that is read is fixed, so that no rebuild takes another table's place within one answer.
READING_INDEX: Final = f"{READING}; LOCK TABLE record IN ACCESS SHARE MODE"
WRITING: Final = f"SET LOCAL lock_timeout = '{{}}s'; SELECT pg_advisory_xact_lock({WRITERS_LOCK})"

WEIGHTS: Final = "{0.1, 0.1, 0.4, 1.0}"  # of D, C, B, A: the rest, nothing, keywords, the title
LONGEST: Final = 500  # letters of a word; PostgreSQL takes 2046 bytes
ROOM: Final = 1_000_000  # bytes of a tsvector; PostgreSQL takes 1 048 575
PLACES: Final = 255  # of one word; PostgreSQL keeps as many
LAST_PLACE: Final = 16_383
NOT_ALL: Final = "…"  # stands in the tsvector of a text whose words do not all fit; no word has this sign

# Kept beside the tsvector, plainly, only of texts beyond its limits: what it does not know for sure is looked up there.
_ENTER: Final = "COPY {} (number, words, plain, whole) FROM STDIN"
_NUMBERS: Final = "COPY {} (key, record, number) FROM STDIN"
# The offset keeps PostgreSQL from joining first and ordering after.
_IN_ORDER: Final = " ORDER BY score DESC, number DESC OFFSET 0"
_SWAP_PATIENCE_MS: Final = 300  # as long as new readers wait for the tables of a rebuild at most


def connect(address: URL) -> Engine:
    """Make an engine on a database, as catalogues need it.

    Parameters
    ----------
    address : URL
        "postgresql://user:password@host:port/database"; what is left out, libpq takes from its own settings
        (`PGPASSWORD`, `~/.pgpass`, `PGHOST` …).

    Returns
    -------
    Engine
        Each connection is tried before it is used. One with the execution option `write=True` is the only one that
        writes: it waits for the others, 10 s at most, or `patience_s`. All others see one state of the database, and
        only read.

    Raises
    ------
    EngineUnavailable
        The driver is not installed.
    """
    optional_import("psycopg", "postgresql")
    engine = create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=35,  # as many as a portal's threads
        # Never prepared: a plan is made for the numbers that are asked for, and poolers between are no matter.
        connect_args={"client_encoding": "UTF8", "application_name": "tomarium", "prepare_threshold": None}
        | ({} if "connect_timeout" in address.query else {"connect_timeout": 10}),
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
    return engine


def demand_suitable(connection: Connection, name: str) -> None:
    """Refuse a database that cannot hold every text.

    Parameters
    ----------
    connection : Connection
        Of it.
    name : str
        For the message.

    Raises
    ------
    InputError
        Its encoding is not UTF-8.
    """
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise InputError(
            f"{name}: its encoding is {encoding}; make a database with: createdb --encoding=UTF8 --template=template0"
        )


def match(terms: Sequence[Term], *, in_order: bool = False) -> FromClause:
    """Return the rows that hold all terms.

    Parameters
    ----------
    terms : sequence of Term
        At least one.
    in_order : bool
        Whether the most relevant come first: what is asked of their records is then looked up of those on the page
        alone, and not of all that has the words.

    Returns
    -------
    FromClause
        `number` of the record and `score` (ts_rank, larger is better).
    """
    conditions = ["words @@ CAST(:expression AS tsquery)"]
    values = {"expression": f"({' & '.join(_spell(term) for term in terms)}) | '{NOT_ALL}'"}
    for index, term in enumerate(terms):
        values[f"plain_{index}"] = f"% {' '.join(term.words)}{'' if term.prefix else ' '}%"
        if len(term.words) == 1 and len(term.words[0]) < LONGEST:
            conditions.append(f"(whole OR plain LIKE :plain_{index})")
            continue
        values[f"phrase_{index}"] = _spell(term, " <-> ")
        beside = f"words @@ CAST(:phrase_{index} AS tsquery)"
        conditions.append(f"CASE plain WHEN '' THEN {beside} ELSE plain LIKE :plain_{index} END")
    found: TextClause = text(
        "SELECT number, "
        "CAST(ts_rank(CAST(:weights AS real[]), words, CAST(:expression AS tsquery)) AS float8) AS score "
        f"FROM record_text WHERE {' AND '.join(conditions)}{_IN_ORDER if in_order else ''}"
    ).bindparams(weights=WEIGHTS, **values)
    return found.columns(number=BigInteger, score=Float).subquery("found")


def _spell(term: Term, between: str = " & ") -> str:
    """Spell the words of a term for a tsquery: all of them, or with " <-> " side by side."""
    words = [f"'{word[:LONGEST]}'" for word in term.words]
    return between.join([*words[:-1], f"{words[-1]}:*" if term.prefix else words[-1]])


def save_texts(connection: Connection, texts: Sequence[dict[str, Any]], table: str = "record_text") -> None:
    """Enter texts, cut and folded: `number`, `title`, `keywords`, `rest`."""
    with _cursor(connection) as cursor, cursor.copy(_ENTER.format(table)) as copy:
        for row in texts:
            parts = (row["title"], row["keywords"], row["rest"])
            words, whole, placed = _tsvector(parts)
            plain = "" if placed else "\n".join(f" {part} " for part in parts)
            copy.write_row((row["number"], words, plain, whole))


def _tsvector(parts: Sequence[str]) -> tuple[str, bool, bool]:
    """Write a tsvector with weights A, B, D; whether it holds all words, and whether all of them at all places."""
    places: dict[str, list[str]] = {}
    place, placed = 0, True
    for part, weight in zip(parts, ("A", "B", ""), strict=True):
        for word in part.split():
            place += 1
            known = places.setdefault(word[:LONGEST], [])
            if len(known) < PLACES:
                known.append(f"{min(place, LAST_PLACE)}{weight}")
            else:
                placed = False
            placed = placed and place <= LAST_PLACE and len(word) < LONGEST
        place += 1  # a phrase does not go on in the next part
    room, spelled = ROOM, list[str]()
    for word, known in places.items():
        room -= len(word.encode()) + 2 * len(known) + 4
        if room < 0:
            return " ".join([*spelled, f"'{NOT_ALL}'"]), False, False
        spelled.append(f"'{word}':{','.join(known)}")
    return " ".join(spelled), True, placed


def forget_texts(connection: Connection, numbers: Sequence[int], table: str = "record_text") -> None:
    """Take the texts of records out."""
    connection.execute(
        text(f"DELETE FROM {table} WHERE number = ANY(CAST(:numbers AS bigint[]))"),
        {"numbers": list(numbers)},
    )


def save_numbers(
    connection: Connection, rows: Sequence[tuple[int, int, float]], table: str = "parameter"
) -> None:
    """Enter rows of `parameter`: key, record, number."""
    with _cursor(connection) as cursor, cursor.copy(_NUMBERS.format(table)) as copy:
        for row in rows:
            copy.write_row(row)


def begin_bulk(connection: Connection) -> None:
    """Do nothing: readers would wait for an index that is dropped."""


def end_bulk(connection: Connection) -> None:
    """Count what the tables hold now, by which queries are planned."""
    for table in (
        "record",
        "wording",
        "record_text",
        "facet_set",
        "facet",
        "parameter",
        "parameter_key",
        "record_total",
        "shared",
        "shared_link",
    ):
        connection.exec_driver_sql(f"ANALYZE {table}")


def make_shadow(connection: Connection, shadow: IndexTables) -> None:
    """Make the tables that a rebuild fills."""
    for table in shadow.all:
        table.create(connection)
    # With the number in its key, a wide range is read in the order of time without a look at the rows.
    name = shadow.parameters.name
    key = f"SELECT conname FROM pg_constraint WHERE conrelid = '{name}'::regclass AND contype = 'p'"
    made = connection.exec_driver_sql(key).scalar_one()
    connection.exec_driver_sql(
        f'ALTER TABLE {name} DROP CONSTRAINT "{made}", ADD PRIMARY KEY (key, record) INCLUDE (number)'
    )
    connection.exec_driver_sql(
        f"CREATE TABLE {shadow.texts} (number bigint PRIMARY KEY, words tsvector NOT NULL, plain text NOT NULL, "
        "whole boolean NOT NULL)"
    )
    # In the row itself: fetched from beside it, the words of many hits took twice as long to be ranked, or longer.
    connection.exec_driver_sql(f"ALTER TABLE {shadow.texts} ALTER COLUMN words SET STORAGE MAIN")
    connection.exec_driver_sql(f"CREATE INDEX {shadow.texts}_words ON {shadow.texts} USING gin (words)")
    end_migration(connection)


def drop_shadow(connection: Connection, shadow: IndexTables) -> None:
    """Take away what a rebuild that was stopped has left."""
    for name in (shadow.texts, *(table.name for table in reversed(shadow.all))):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def settle_shadow(connection: Connection, shadow: IndexTables) -> bool:
    """Count what the new tables hold, by which queries are planned."""
    for name in (*(table.name for table in shadow.all), shadow.texts, "facet_set", "facet", "parameter_key"):
        connection.exec_driver_sql(f"ANALYZE {name}")
    return True


def swap(connection: Connection, live: IndexTables, shadow: IndexTables) -> None:
    """Put the tables that a rebuild has filled in the place of those that are asked, once no reader holds them."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SWAP_PATIENCE_MS}ms'")
    names = (*(table.name for table in live.all), live.texts)
    connection.exec_driver_sql(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
    drop_shadow(connection, live)
    for name in names:
        connection.exec_driver_sql(f"ALTER TABLE {SHADOW_PREFIX}{name} RENAME TO {name}")
    indexes = [str(index.name) for table in live.all for index in table.indexes]
    for name in (*indexes, f"{live.texts}_words"):
        connection.exec_driver_sql(f"ALTER INDEX {SHADOW_PREFIX}{name} RENAME TO {name}")


def end_migration(connection: Connection) -> None:
    """Have texts compared letter by letter, as SQLite and Python do, and give whole numbers eight bytes."""
    wanted = text(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name <> 'alembic_version' "
        "AND (data_type = 'integer' OR data_type = 'text' AND coalesce(collation_name, '') <> 'C')"
    )
    changes: dict[str, list[str]] = {}
    for table, column, kind in connection.execute(wanted).all():
        wider = "bigint" if kind == "integer" else 'text COLLATE pg_catalog."C"'
        changes.setdefault(table, []).append(f'ALTER COLUMN "{column}" TYPE {wider}')
    for table, told in changes.items():
        connection.exec_driver_sql(f'ALTER TABLE "{table}" {", ".join(told)}')


def go_on_counting(connection: Connection) -> None:
    """Have numbers that the database gives begin after those that were entered."""
    counted = text(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%'"
    )
    for table, column in connection.execute(counted).all():
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), max(\"{column}\")) "
            f'FROM "{table}" HAVING max("{column}") > 0'
        )


def _cursor(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver.cursor()


def _set_up(connection: Any, _record: Any) -> None:
    connection.execute("SET jit = off")  # compiling a query takes longer than answering it
    # As on disks without moving parts: with the server's 4, all texts are unpacked rather than their index read.
    connection.execute("SET random_page_cost = 1.1")
    # With the server's 4 MB it forgets which rows of a page have a word that many have, and reads all of them again.
    connection.execute("SET work_mem = '32MB'")
    # Others are asked at the same time; and to save workers it reads all of a table rather than what fills a page.
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.commit()


def _begin(connection: Connection) -> None:
    told = connection.get_execution_options()
    reading = READING_INDEX if told.get("index") else READING
    writing = WRITING.format(int(told.get("patience_s", PATIENCE_S)))
    connection.exec_driver_sql(writing if told.get("write") else reading)


def _without_nul(
    _connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Write U+FFFD for U+0000, which no text of PostgreSQL can hold: so it is nobody's name, and breaks nothing."""
    return statement, [_clean(row) for row in values] if isinstance(values, list) else _clean(values)


def _clean(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    if not any(isinstance(value, str) and "\0" in value for value in values.values()):
        return values
    return {
        key: value.replace("\0", "\ufffd") if isinstance(value, str) else value
        for key, value in values.items()
    }
