"""What a search asks, and what drives its query: words, ranges of few records, or the records themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, exists, or_, select

from tomarium.catalogue.companions import Companion, has_companions
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.facets import ACCESS, CATALOGUE, HERE, Filters
from tomarium.catalogue.memory_hits import MemoryHits
from tomarium.catalogue.ranges import Range
from tomarium.catalogue.reader import (
    HARVESTED,
    Columns,
    Reader,
    has_access,
    is_counted_by_totals,
    may_find,
    may_see,
)
from tomarium.catalogue.tables import facets, records, stale_records
from tomarium.catalogue.unindexed import unindexed
from tomarium.catalogue.words import Term


@dataclass(frozen=True)
class Question:
    """What is asked of a catalogue.

    Attributes
    ----------
    reader : Reader
        Who asks.
    terms : tuple of Term
        All must occur.
    filters : Mapping of str to tuple of str
        Facet → values, any of which will do.
    few, many : tuple of (int, Range)
        Number of the key, and the range: those that fewer than 20 000 records are in, and the others.
    narrow : bool
        Whether the facets alone leave so few records that a set of them is made first.
    common : bool
        Whether so many records hold the terms that the newest are found sooner without the text index.
    since : int or None
        Number that only records from it on are found of.
    hides : bool
        Whether there are records whose words and facets tell what was taken back; these are not found.
    beside : tuple of Companion
        Techniques that the images of the record's specimen are to have.
    elsewhere : bool
        Whether what was harvested from other catalogues is found, too.
    memory_hits : MemoryHits or None
        What is found, or the newest of it, where it was looked up in memory.
    by_access : bool
        Whether it is counted by access, too, where the database counts.
    """

    reader: Reader
    terms: tuple[Term, ...]
    filters: Filters
    few: tuple[tuple[int, Range], ...] = ()
    many: tuple[tuple[int, Range], ...] = ()
    narrow: bool = False
    common: bool = False
    since: int | None = None
    hides: bool = False
    beside: tuple[Companion, ...] = ()
    elsewhere: bool = False
    memory_hits: MemoryHits | None = None
    by_access: bool = False

    @property
    def is_counted_whole(self) -> bool:
        """Whether the facets' index alone answers how many there are, however many."""
        return not (self.terms or self.few or self.many)

    @property
    def is_known(self) -> bool:
        """Whether all that is found was looked up in memory."""
        return self.memory_hits is not None and self.memory_hits.is_whole

    @property
    def is_totalled(self) -> bool:
        """Whether this is answered by the numbers that are kept, without a look at the records."""
        return self.is_counted_whole and self.asks_little

    @property
    def asks_little(self) -> bool:
        """Whether all that is asked of a record besides words and ranges is what `record_total` tells."""
        return self.is_told_in_memory and not (self.by_access or ACCESS in self.filters)

    @property
    def is_told_in_memory(self) -> bool:
        """Whether memory may tell all that is asked of a record: what `record_total` tells, and its access."""
        return is_counted_by_totals(self.reader) and not (self.hides or self.beside)

    def visible(self, of: Columns) -> ColumnElement[bool]:
        """Return the condition on rows of `record`, or of `record_total`, that the reader may know of them."""
        return may_find(self.reader, of=of) if self.elsewhere else may_see(self.reader, of=of)

    def seen(self, of: Columns = records.c, *, streamed: bool = False) -> ColumnElement[bool]:
        """Return the condition on `record` that it may be found at all; of rows that come one by one by no index.

        Of other columns where it `asks_little`.
        """
        conditions = [self.visible(of)]
        if self.hides:
            conditions.append(records.c.id.not_in(select(stale_records.c.record)))
        if self.beside:
            id = unindexed(records.c.id) if streamed else records.c.id
            conditions.append(has_companions(self.reader, self.beside, id, hides=self.hides))
        return and_(*conditions)


@dataclass(frozen=True)
class Source:
    """What drives a query.

    Attributes
    ----------
    rows : FromClause
        Its tables.
    number : ColumnElement of int
        The column of the record's number.
    conditions : list of ColumnElement of bool
        Those of words and ranges.
    of : columns
        Of `record`, or others that have what is asked of it.
    score : ColumnElement of float or None
        How relevant a record is; None without words.
    """

    rows: FromClause
    number: ColumnElement[int]
    conditions: list[ColumnElement[bool]]
    of: Columns = field(default_factory=lambda: records.c)
    score: ColumnElement[float] | None = None

    def select(self, question: Question, *columns: ColumnElement[Any]) -> Select[Any]:
        """Select columns of what is found."""
        return select(*columns).select_from(self.rows).where(*self.conditions, *_kept(question, self))


def source_of(connection: Connection, question: Question) -> Source:
    """Choose what drives a query."""
    dialect = dialect_of(connection)
    conditions: list[ColumnElement[bool]] = []
    number: ColumnElement[int] = records.c.number
    source = Source(records, number, conditions)
    if question.terms:
        among = {
            name: values
            for name, values in question.filters.items()
            if question.narrow
            and name not in ("state", ACCESS)
            and not (name == CATALOGUE and HERE in values)
        }
        matches, score = dialect.match(
            question.terms, common=question.common, since=question.since, among=among
        )
        columns: Any = matches.c
        number = columns.number
        if question.asks_little and "facets" in columns:
            source = Source(matches, number, conditions, columns, score)
        else:
            joined = matches.join(records, records.c.number == number)
            source = Source(joined, number, conditions, score=score)
    elif question.many and not question.few:
        # In the order of time rather than by size: the rows of `record` lie side by side then, too.
        table, number, within = dialect.in_ranges(question.many, by_size=False, name="drive")
        return Source(table.join(records, records.c.number == number), number, within)
    if question.few:
        table, of, within = dialect.in_ranges(question.few, by_size=True, name="few")
        conditions.append(_driven(question, source.number).in_(select(of).select_from(table).where(*within)))
    if question.many:
        table, of, within = dialect.in_ranges(question.many, by_size=False, name="probe")
        conditions.append(exists(select(of).select_from(table).where(of == source.number, *within)))
    return source


def _driven(question: Question, number: ColumnElement[int]) -> ColumnElement[int]:
    """Keep SQLite from asking the text index for one number after the other: it reads all words each time."""
    return unindexed(number) if question.terms else number


def _kept(question: Question, source: Source) -> list[ColumnElement[bool]]:
    """Tell the same of rows that come one by one; few that facets leave are a set, made before."""
    if question.is_counted_whole:
        return conditions_on(question)
    if question.narrow and source.of is records.c:
        among = select(records.c.number).where(*conditions_on(question))
        return [_driven(question, source.number).in_(among)]
    return conditions_on(question, source.of, streamed=True)


def conditions_on(
    question: Question, of: Columns = records.c, *, streamed: bool = False
) -> list[ColumnElement[bool]]:
    """Tell what a row of `record`, or of what has the same of it, must meet: the reader and the facets."""
    return [question.seen(of, streamed=streamed), *filtered(question, of, streamed=streamed)]


def filtered(question: Question, of: Any, *, streamed: bool = False) -> list[ColumnElement[bool]]:
    """Tell what the facets of a row of `record`, or of `record_total`, must be."""
    conditions: list[ColumnElement[bool]] = []
    column: ColumnElement[int] = unindexed(of.facets) if streamed else of.facets
    for name, values in question.filters.items():
        if name == "state":
            conditions.append(of.state.in_(values))
        elif name == ACCESS:
            conditions.append(has_access(values, of=of))
        else:
            sets = select(facets.c.facets).where(facets.c.name == name, facets.c.value.in_(values))
            if streamed and of is not records.c:
                # The offset has PostgreSQL make a set once, and not look in it row by row.
                sets = sets.offset(0)
            is_own = name == CATALOGUE and HERE in values
            conditions.append(or_(of.state != HARVESTED, column.in_(sets)) if is_own else column.in_(sets))
    return conditions
