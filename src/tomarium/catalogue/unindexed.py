"""Columns by which a database chooses no index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class Unindexed(FunctionElement[Any]):
    """A column by which SQLite does not choose an index; PostgreSQL, which counts what columns hold, chooses itself."""

    name = "unindexed"
    inherit_cache = True


def unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column by whose index SQLite finds no rows.

    Parameters
    ----------
    column : ColumnElement
        A number.

    Returns
    -------
    ColumnElement
        Equal to it.
    """
    element = Unindexed(column)
    element.type = column.type
    return element


@compiles(Unindexed, "sqlite")
def _sum(element: Unindexed, compiler: Any, **more: Any) -> str:
    return f"+{compiler.process(element.clauses, **more)}"


class Sorted(FunctionElement[Any]):
    """A column by which rows are sorted when all are there; PostgreSQL reads no index in its order."""

    name = "sorted"
    inherit_cache = True


def sorted_at_last(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column to sort by where all rows are needed anyway.

    PostgreSQL takes the first rows of an answer to be had without the others, also where these are counted beside them,
    and would walk all records in their order for it.

    Parameters
    ----------
    column : ColumnElement
        A number.

    Returns
    -------
    ColumnElement
        Equal to it.
    """
    element = Sorted(column)
    element.type = column.type
    return element


@compiles(Sorted, "postgresql")
def _and_zero(element: Sorted, compiler: Any, **more: Any) -> str:
    return f"{compiler.process(element.clauses, **more)} + 0"


@compiles(Unindexed)
@compiles(Sorted)
def _plain(element: Unindexed | Sorted, compiler: Any, **more: Any) -> str:
    return str(compiler.process(element.clauses, **more))
