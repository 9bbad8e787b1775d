"""What databases do each in a way of their own, chosen in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, Table

from tomarium.catalogue import postgresql, sqlite
from tomarium.catalogue.facets import Filters
from tomarium.catalogue.ranges import Range
from tomarium.catalogue.tables import IndexTables
from tomarium.catalogue.words import Term


class Dialect(Protocol):
    """The functions that the module of a database has."""

    def insert_rows(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], conflict: str = ...
    ) -> None:
        """Enter rows, all of which name the same columns; what to do of one whose key is there, `conflict` tells."""

    def one_of(self, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
        """Return the condition that a column has one of many values."""

    def match(
        self, terms: Sequence[Term], *, common: bool = ..., since: int | None = ..., among: Filters = ...
    ) -> tuple[FromClause, ColumnElement[float]]:
        """Select `number` of the records that hold all of at least one term; and the relevance, larger is better.

        It may have what is asked of a record, too: `public_from`, `facets`, `state`, `owner` and `team`. With `common`
        the newest are found without the text index, where that is quicker; with `since` records from a number on.
        What is not `among` those of facets that few have may be left out.
        """

    def relevance_of(self, terms: Sequence[Term], numbers: Sequence[int]) -> Select[Any]:
        """Select `number` and `score` of records that are known to hold all terms."""

    def highest_relevance(self, terms: Sequence[Term]) -> float | None:
        """Return a relevance that some texts have and none exceeds; None where there is no such one."""

    def newest_with(
        self, connection: Connection, terms: Sequence[Term], count: int | None
    ) -> tuple[NDArray[np.int64], bool]:
        """List the numbers of records that hold all terms, in any order; and whether these are all.

        With a count perhaps not all, but all from some number on, and probably more than so many of them that a visitor
        may see. Among them there may be numbers of records that are gone.
        """

    def newest_from(
        self, connection: Connection, terms: Sequence[Term], count: int
    ) -> tuple[int | None, bool]:
        """Tell from which number on more than so many records hold all terms, by a guess; None where that is no use.

        And whether twice as many seem to hold them at all.
        """

    def sorted_whole(self, rows: Select[Any]) -> Select[Any]:
        """Return a query for the first of some ten thousand sorted rows that hold terms, however many are wanted."""

    def save_texts(self, connection: Connection, texts: Sequence[dict[str, Any]], table: str = ...) -> None:
        """Enter texts, cut and folded: `number`, `title`, `keywords`, `rest`; `description` and `words` as they are.

        Each with `public_from`, `facets`, `state`, `owner` and `team` of its record.
        """

    def keep_texts(self, connection: Connection, rows: Sequence[dict[str, Any]], table: str = ...) -> None:
        """Enter these columns of records whose texts stay, where texts have them."""

    def forget_texts(self, connection: Connection, numbers: Sequence[int], table: str = ...) -> None:
        """Take the texts of records out, as far as the text index can."""

    def save_wordings(
        self, connection: Connection, rows: Sequence[tuple[int, str, str]], into: IndexTables
    ) -> None:
        """Enter texts as they are, where `save_texts` does not: number, description, all other words."""

    def add_wording(self, statement: Select[Any], of: IndexTables) -> Select[Any]:
        """Ask of records for their texts, too."""

    def description_of(self, row: Row[Any]) -> str:
        """Return the description of a record, of a row that `add_wording` asked for."""

    def words_of(self, row: Row[Any]) -> str:
        """Return all that is searched besides title and description, of a row that `add_wording` asked for."""

    def save_numbers(
        self, connection: Connection, rows: Sequence[tuple[int, int, float]], table: str = ...
    ) -> None:
        """Enter numbers of parameters: key, record, number; all of a record at once."""

    def forget_numbers(self, connection: Connection, records: Sequence[int], table: str = ...) -> None:
        """Forget the numbers of records."""

    def in_ranges(
        self, ranges: Sequence[tuple[int, Range]], *, by_size: bool, name: str
    ) -> tuple[FromClause, ColumnElement[int], list[ColumnElement[bool]]]:
        """Return what has numbers in all of some ranges: a table, its column of the record, and conditions on its rows.

        With `by_size` the index by size is asked, for few records; or rows are tried in the order of time.
        """

    def numbers_of(
        self, connection: Connection, key: int, which: Callable[[ColumnElement[int]], ColumnElement[bool]]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Read the numbers of a key of records whose own number meets a condition: these records, and the numbers."""

    def number_beside(self, key: ColumnElement[int], record: ColumnElement[int]) -> ColumnElement[float]:
        """Return the number of a key of the record that another column tells; NULL where it has none."""

    def size_of_range(self, connection: Connection, key: int, bounds: Range, at_most: int) -> int:
        """Tell about how many records are in a range, no more than `at_most`."""

    def begin_bulk(self, connection: Connection) -> None:
        """Prepare for many records in one transaction."""

    def end_bulk(self, connection: Connection) -> None:
        """Put in order what many records leave."""

    def make_shadow(self, connection: Connection, shadow: IndexTables) -> None:
        """Make the tables that a rebuild fills."""

    def drop_shadow(self, connection: Connection, shadow: IndexTables) -> None:
        """Take away what a rebuild that was stopped has left."""

    def shadow_indexes(self, shadow: IndexTables) -> tuple[str, ...]:
        """Spell what makes indexes of the new tables when they are full, each in a transaction of its own."""

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
    return dialect_named(connection.dialect.name)


def dialect_named(name: str) -> Dialect:
    """Return the functions of a database by its name: "sqlite" or "postgresql"."""
    return _BY_NAME[name]
