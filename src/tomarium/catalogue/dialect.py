"""What databases do each in a way of their own, chosen in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Connection, FromClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from tomarium.catalogue import postgresql, sqlite
from tomarium.catalogue.tables import IndexTables
from tomarium.catalogue.words import Term


class Dialect(Protocol):
    """The functions that the module of a database has."""

    def match(self, terms: Sequence[Term], *, in_order: bool = ...) -> FromClause:
        """Select `number` and `score` (larger is better) of the records that hold all of at least one term.

        With `in_order` the most relevant may be found first, where that is quicker.
        """

    def save_texts(self, connection: Connection, texts: Sequence[dict[str, Any]], table: str = ...) -> None:
        """Enter texts, cut and folded: `number`, `title`, `keywords`, `rest`."""

    def forget_texts(self, connection: Connection, numbers: Sequence[int], table: str = ...) -> None:
        """Take the texts of records out, as far as the text index can."""

    def save_numbers(
        self, connection: Connection, rows: Sequence[tuple[int, int, float]], table: str = ...
    ) -> None:
        """Enter rows of `parameter`: key, record, number."""

    def begin_bulk(self, connection: Connection) -> None:
        """Prepare for many records in one transaction."""

    def end_bulk(self, connection: Connection) -> None:
        """Put in order what many records leave."""

    def make_shadow(self, connection: Connection, shadow: IndexTables) -> None:
        """Make the tables that a rebuild fills."""

    def drop_shadow(self, connection: Connection, shadow: IndexTables) -> None:
        """Take away what a rebuild that was stopped has left."""

    def settle_shadow(self, connection: Connection, shadow: IndexTables) -> bool:
        """Put a part of what was filled in order; whether all of it is."""

    def swap(self, connection: Connection, live: IndexTables, shadow: IndexTables) -> None:
        """Put the tables that a rebuild has filled in the place of those that are asked."""

    def end_migration(self, connection: Connection) -> None:
        """Give the tables of a migration what only this database needs."""

    def go_on_counting(self, connection: Connection) -> None:
        """Have numbers that the database gives begin after those that were entered."""


_BY_NAME: Final[dict[str, Dialect]] = {"sqlite": sqlite, "postgresql": postgresql}


def dialect_of(connection: Connection) -> Dialect:
    """Return the functions of a connection's database.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    Dialect
        The module.
    """
    return _BY_NAME[connection.dialect.name]


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


@compiles(Unindexed)
def _plain(element: Unindexed, compiler: Any, **more: Any) -> str:
    return str(compiler.process(element.clauses, **more))


@compiles(Unindexed, "sqlite")
def _sum(element: Unindexed, compiler: Any, **more: Any) -> str:
    return f"+{compiler.process(element.clauses, **more)}"
