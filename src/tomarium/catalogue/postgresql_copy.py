"""Many rows, and many values of a condition, told to PostgreSQL in one piece.

An INSERT for each row, and a parameter for each value, take the driver and the server several times as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Float,
    Table,
    Text,
    any_,
    cast,
    literal,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeEngine

_ARRAYS: Final[dict[type[Any], str]] = {Text: "text[]", Double: "float8[]", BigInteger: "bigint[]"}
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"'})


def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Enter rows of a table, each with a value for each of these columns."""
    import psycopg

    driver = connection.connection.driver_connection
    assert driver is not None
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.OperationalError as problem:  # as SQLAlchemy tells it of other statements
        raise OperationalError(statement, None, problem) from problem


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], conflict: str = ""
) -> None:
    """Enter rows, all of which name the same columns; what to do of one whose key is there, `conflict` tells."""
    columns = [table.c[name] for name in rows[0]]
    names = [column.name for column in columns]
    if conflict:
        casts = ", ".join(f"CAST(:{column.name} AS {_ARRAYS[_kind_of(column)]})" for column in columns)
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({casts}) {conflict}"
        connection.execute(
            text(statement), {name: spell_array([row[name] for row in rows]) for name in names}
        )
        return
    written = [_written(connection, column.type) for column in columns]
    values = ([write(row[name]) for name, write in zip(names, written, strict=True)] for row in rows)
    copy_rows(connection, table.name, names, values)


def one_of(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that a column has one of many values, whole numbers or texts."""
    return column == any_(cast(literal(spell_array(values), Text), ARRAY(_kind_of(column))))


def spell_array(values: Iterable[Any]) -> str:
    """Spell an array of numbers or of texts as PostgreSQL reads it."""
    held = list(values)
    if held and isinstance(held[0], str):
        return "{" + ",".join([f'"{value.translate(_ESCAPES)}"' for value in held]) + "}"
    return "{" + ",".join(map(repr, held)) + "}"


def without_nul(value: Any) -> Any:
    """Return a text with U+FFFD for U+0000, which no text of PostgreSQL can hold; any other value as it is."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _kind_of(column: ColumnElement[Any]) -> type[Text] | type[Double[Any]] | type[BigInteger]:
    if isinstance(column.type, Text):
        return Text
    return Double if isinstance(column.type, Float) else BigInteger


def _written(connection: Connection, kind: TypeEngine[Any]) -> Any:
    write = kind.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return write or without_nul
