"""What is PostgreSQL's own: connections, one writer at a time, and tables that a rebuild fills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, text

from tomarium.catalogue import postgresql_numbers, postgresql_texts
from tomarium.catalogue.postgresql_copy import insert_rows as insert_rows
from tomarium.catalogue.postgresql_copy import one_of as one_of
from tomarium.catalogue.postgresql_copy import without_nul
from tomarium.catalogue.postgresql_numbers import forget_numbers as forget_numbers
from tomarium.catalogue.postgresql_numbers import in_ranges as in_ranges
from tomarium.catalogue.postgresql_numbers import number_beside as number_beside
from tomarium.catalogue.postgresql_numbers import numbers_of as numbers_of
from tomarium.catalogue.postgresql_numbers import save_numbers as save_numbers
from tomarium.catalogue.postgresql_numbers import size_of_range as size_of_range
from tomarium.catalogue.postgresql_texts import add_wording as add_wording
from tomarium.catalogue.postgresql_texts import description_of as description_of
from tomarium.catalogue.postgresql_texts import forget_texts as forget_texts
from tomarium.catalogue.postgresql_texts import highest_relevance as highest_relevance
from tomarium.catalogue.postgresql_texts import keep_texts as keep_texts
from tomarium.catalogue.postgresql_texts import match as match
from tomarium.catalogue.postgresql_texts import newest_from as newest_from
from tomarium.catalogue.postgresql_texts import newest_with as newest_with
from tomarium.catalogue.postgresql_texts import relevance_of as relevance_of
from tomarium.catalogue.postgresql_texts import save_texts as save_texts
from tomarium.catalogue.postgresql_texts import save_wordings as save_wordings
from tomarium.catalogue.postgresql_texts import sorted_whole as sorted_whole
from tomarium.catalogue.postgresql_texts import words_of as words_of
from tomarium.catalogue.tables import SHADOW_PREFIX, IndexTables
from tomarium.errors import InputError
from tomarium.optional_packages import optional_import

# One number for all programs: whoever writes holds it until the transaction ends.
WRITERS_LOCK: Final = 0x746F_6D61_7269_756D
PATIENCE_S: Final = 10
OLDEST: Final = 14
"""Version of the server from which on functions may be bound to tables, as the index of words needs."""
READING: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Before the state that is read is fixed, so that no rebuild takes another table's place within one answer.
READING_INDEX: Final = f"{READING}; LOCK TABLE record IN ACCESS SHARE MODE"
WRITING: Final = f"SET LOCAL lock_timeout = '{{}}s'; SELECT pg_advisory_xact_lock({WRITERS_LOCK})"

_INDEXING_MB: Final = 256  # of memory, for an index of a full table
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
    """Refuse a database that cannot hold every text, or whose server is too old.

    Parameters
    ----------
    connection : Connection
        Of it.
    name : str
        For the message.

    Raises
    ------
    InputError
        Its encoding is not UTF-8, or the server is older than PostgreSQL 14.
    """
    version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    if version < OLDEST:
        raise InputError(
            f"{name}: its server is PostgreSQL {version}, and {OLDEST} or newer is needed; bring the server up "
            f"to date, or take another one"
        )
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise InputError(
            f"{name}: its encoding is {encoding}; make a database with: createdb --encoding=UTF8 --template=template0"
        )


def begin_bulk(connection: Connection) -> None:
    """Do nothing: readers would wait for an index that is dropped."""


def end_bulk(connection: Connection) -> None:
    """Count what the tables hold now, by which queries are planned."""
    for table in (
        "record",
        "record_text",
        "record_text_brief",
        "facet_set",
        "facet",
        "parameter",
        "parameter_key",
        "record_total",
        "shared",
        "shared_link",
    ):
        connection.exec_driver_sql(f"ANALYZE {table}")


def _tables(of: IndexTables) -> list[Table]:
    """List the tables but those that SQLite alone has."""
    return [table for table in of.all if table is not of.wordings]


def make_shadow(connection: Connection, shadow: IndexTables) -> None:
    """Make the tables that a rebuild fills, without the indexes that are made when they are full."""
    for table in _tables(shadow):
        if table is not shadow.parameters:
            table.create(connection)
    connection.exec_driver_sql(postgresql_numbers.MAKE_TABLE.format(shadow.parameters.name))
    for template in (
        postgresql_texts.MAKE_TABLE,
        postgresql_texts.MAKE_BRIEF,
        postgresql_texts.MAKE_WORDS_OF,
    ):
        connection.exec_driver_sql(template.format(shadow.texts))
    end_migration(connection)


def drop_shadow(connection: Connection, shadow: IndexTables) -> None:
    """Take away what a rebuild that was stopped has left."""
    for gone in postgresql_texts.DROP:
        connection.exec_driver_sql(gone.format(shadow.texts))
    for table in reversed(shadow.all):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table.name}")


def shadow_indexes(shadow: IndexTables) -> tuple[str, ...]:
    """Spell what makes the indexes of full tables: sooner than record after record, and in half the room."""
    return (
        postgresql_numbers.MAKE_INDEX.format(shadow.parameters.name),
        *(template.format(shadow.texts) for template in postgresql_texts.MAKE_INDEXES),
        f"REINDEX TABLE {shadow.records.name}",
    )


def settle_shadow(connection: Connection, shadow: IndexTables) -> bool:
    """Count what the new tables hold, by which queries are planned."""
    for name in (
        *(table.name for table in _tables(shadow)),
        shadow.texts,
        f"{shadow.texts}_brief",
        "facet_set",
        "facet",
        "parameter_key",
    ):
        connection.exec_driver_sql(f"ANALYZE {name}")
    return True


def swap(connection: Connection, live: IndexTables, shadow: IndexTables) -> None:
    """Put the tables that a rebuild has filled in the place of those that are asked, once no reader holds them."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_SWAP_PATIENCE_MS}ms'")
    names = (*(table.name for table in _tables(live)), live.texts, f"{live.texts}_brief")
    connection.exec_driver_sql(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
    drop_shadow(connection, live)
    for name in names:
        connection.exec_driver_sql(f"ALTER TABLE {SHADOW_PREFIX}{name} RENAME TO {name}")
    connection.exec_driver_sql(
        f"ALTER FUNCTION {SHADOW_PREFIX}{live.texts}_words RENAME TO {live.texts}_words"
    )
    indexes = {
        str(index.name)
        for table in _tables(live)
        for index in table.indexes
        if index.info.get("only", "postgresql") == "postgresql" and table is not live.parameters
    }
    indexes.add(f"{live.parameters.name}_number")
    for name in (*indexes, f"{live.texts}_words", f"{live.texts}_facets"):
        connection.exec_driver_sql(f"ALTER INDEX {SHADOW_PREFIX}{name} RENAME TO {name}")


def end_migration(connection: Connection) -> None:
    """Have texts compared letter by letter, as SQLite and Python do, and give whole numbers eight bytes."""
    statement = text(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name <> 'alembic_version' "
        "AND (data_type = 'integer' OR data_type = 'text' AND coalesce(collation_name, '') <> 'C')"
    )
    changes: dict[str, list[str]] = {}
    for table, column, kind in connection.execute(statement).all():
        wider = "bigint" if kind == "integer" else 'text COLLATE pg_catalog."C"'
        changes.setdefault(table, []).append(f'ALTER COLUMN "{column}" TYPE {wider}')
    for table, alterations in changes.items():
        connection.exec_driver_sql(f'ALTER TABLE "{table}" {", ".join(alterations)}')


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
    options = connection.get_execution_options()
    if options.get("unlocked"):
        connection.exec_driver_sql(f"SET LOCAL maintenance_work_mem = '{_INDEXING_MB}MB'")
        return
    reading = READING_INDEX if options.get("index") else READING
    writing = WRITING.format(int(options.get("patience_s", PATIENCE_S)))
    connection.exec_driver_sql(writing if options.get("write") else reading)


def _without_nul(
    _connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Write what PostgreSQL can hold: so U+0000 is in nobody's name, and breaks nothing."""
    return statement, [_clean(row) for row in values] if isinstance(values, list) else _clean(values)


def _clean(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    if not any(isinstance(value, str) and "\0" in value for value in values.values()):
        return values
    return {key: without_nul(value) for key, value in values.items()}
