"""What queries take out of columns of JSON, each database in its own way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Float,
    TableValuedAlias,
    Text,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Of(FunctionElement[Any]):
    """A value below a key of an object; keys are ours, never a reader's."""

    inherit_cache = True
    name = ""
    key: str

    def __init__(self, column: ColumnElement[Any], key: str) -> None:
        super().__init__(column, literal_column(f"'{key}'"))


class TextAt(_Of):
    """The text, or the truth value as text, below a key; NULL where it is something else."""

    inherit_cache = True
    type = Text()


class NumberAt(_Of):
    """The number below a key; NULL where it is something else."""

    inherit_cache = True
    type = Float()


class ObjectAt(_Of):
    """The object or list below a key; NULL where there is none."""

    inherit_cache = True
    type = JSON()


def _words(element: _Of, compiler: Any, more: dict[str, Any]) -> tuple[str, str]:
    column, key = element.clauses.clauses
    return compiler.process(column, **more), compiler.process(key, **more)


@compiles(TextAt, "sqlite")
def _text_sqlite(element: TextAt, compiler: Any, **more: Any) -> str:
    column, key = _words(element, compiler, more)
    path = f"'$.' || {key}"
    return (
        f"CASE json_type({column}, {path}) WHEN 'text' THEN json_extract({column}, {path}) "
        f"WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' END"
    )


@compiles(TextAt, "postgresql")
def _text_postgresql(element: TextAt, compiler: Any, **more: Any) -> str:
    column, key = _words(element, compiler, more)
    kind = f"jsonb_typeof({column} -> {key}) IN ('string', 'boolean')"
    return f'(CASE WHEN {kind} THEN {column} ->> {key} END) COLLATE "C"'


@compiles(NumberAt, "sqlite")
def _number_sqlite(element: NumberAt, compiler: Any, **more: Any) -> str:
    column, key = _words(element, compiler, more)
    path = f"'$.' || {key}"
    return f"CASE WHEN json_type({column}, {path}) IN ('integer', 'real') THEN json_extract({column}, {path}) END"


@compiles(NumberAt, "postgresql")
def _number_postgresql(element: NumberAt, compiler: Any, **more: Any) -> str:
    column, key = _words(element, compiler, more)
    return f"CASE WHEN jsonb_typeof({column} -> {key}) = 'number' THEN CAST({column} ->> {key} AS double precision) END"


@compiles(ObjectAt, "sqlite")
def _object_sqlite(element: ObjectAt, compiler: Any, **more: Any) -> str:
    column, key = _words(element, compiler, more)
    return f"json_extract({column}, '$.' || {key})"


@compiles(ObjectAt, "postgresql")
def _object_postgresql(element: ObjectAt, compiler: Any, **more: Any) -> str:
    column, key = _words(element, compiler, more)
    return f"({column} -> {key})"


def items_of(
    connection: Connection, column: ColumnElement[Any], key: str, *, texts: bool = False
) -> TableValuedAlias:
    """Return the elements of a list below a key as a table, `key` and `value`, that is joined to its row.

    Parameters
    ----------
    connection : Connection
        Of the database that is asked.
    column : ColumnElement
        An object.
    key : str
        Of ours, never a reader's.
    texts : bool
        Whether the elements are texts, rather than objects.

    Returns
    -------
    TableValuedAlias
        Under a name of its own.
    """
    if connection.dialect.name == "sqlite":
        rows = func.json_each(column, f"$.{key}")
        return rows.table_valued("key", "value", joins_implicitly=True)
    function = func.jsonb_array_elements_text if texts else func.jsonb_array_elements
    rows = function(ObjectAt(column, key))
    value = Column("value", Text if texts else JSONB)
    return rows.table_valued(value, with_ordinality="key", joins_implicitly=True).render_derived()
