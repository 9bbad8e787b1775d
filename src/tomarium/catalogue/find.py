"""The queries of a search: which records, how many, and what they have in common.

The order of a record's number is that of time (`numbers.number_at`), so "the newest first" reads every table
backwards and stops when a page is full. What reads least drives a query: the text index where there are words; a
range of few records; else the facets' index or the records themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from tomarium.catalogue import queries
from tomarium.catalogue.companions import MOST, Companion
from tomarium.catalogue.cursor import Cursor
from tomarium.catalogue.dialect import dialect_named, dialect_of
from tomarium.catalogue.facet_counts import JOINT, Groups, read_numbers
from tomarium.catalogue.facets import ACCESS, EMBARGO, OPEN, Filters
from tomarium.catalogue.harvest_tables import harvest_sources, harvested
from tomarium.catalogue.look_up import looked_up
from tomarium.catalogue.number_columns import is_large
from tomarium.catalogue.question import Question, Source, conditions_on, filtered, source_of
from tomarium.catalogue.ranges import Range
from tomarium.catalogue.reader import (
    HARVESTED,
    STATES,
    Reader,
    has_access,
    may_open,
    present,
)
from tomarium.catalogue.tables import LIVE, parameter_keys, records, stale_records, totals
from tomarium.catalogue.tables import facets as facet_values
from tomarium.catalogue.unindexed import sorted_at_last, unindexed
from tomarium.catalogue.words import Term

_NARROW: Final = 100_000  # records of a set that is made before words are looked for
_TRIED: Final = 4  # times as many of the newest as a page ends with are tried to be the most relevant of all
_FEW: Final = 1000  # records that are found and sorted at once, rather than looked for from the newest on


@dataclass(frozen=True)
class Place:
    """One record of an answer: its number, and its relevance where the most relevant come first."""

    number: int
    score: float | None


def make_question(
    connection: Connection,
    reader: Reader,
    terms: tuple[Term, ...],
    filters: Filters,
    ranges: Sequence[Range],
    beside: tuple[Companion, ...] = (),
    *,
    elsewhere: bool = False,
    by_facets: bool = False,
    spread: Collection[int] = (),
) -> Question:
    """Make a question, for which the size of each range is looked up.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    terms : tuple of Term
        All must occur.
    filters : Mapping of str to tuple of str
        Facet → values, any of which will do.
    ranges : sequence of Range
        All must be met; their keys are known to the catalogue or to nobody.
    beside : tuple of Companion
        Techniques of the images of the record's specimen.
    elsewhere : bool
        Whether what was harvested from other catalogues is found, too.
    by_facets : bool
        Whether it is counted by facets: then all that is found is looked up in memory, where that tells it.
    spread : collection of int
        Numbers of keys that are told in memory, too, if it tells them: see `spreads`.

    Returns
    -------
    Question
        For the other functions here.
    """
    keys = queries.parameter_numbers(connection) if ranges else {}
    asked_ranges = [(keys.get(bounds.key, -1), bounds) for bounds in ranges]
    hides = connection.execute(select(stale_records.c.record).limit(1)).first() is not None
    bare = Question(reader, terms, filters, hides=hides, beside=beside, elsewhere=elsewhere)
    wanted = by_facets or ACCESS in filters or (ranges and not terms)
    memory_hits = looked_up(connection, bare, asked_ranges, spread) if wanted else None
    if memory_hits is None and by_facets:
        # Where records are many and no more is asked than the totals tell, they would not be read for it.
        is_read = ACCESS in filters or not bare.is_told_in_memory or not is_large(connection)
        bare = replace(bare, by_access=is_read)
    narrow: list[tuple[int, Range]] = []
    wide: list[tuple[int, Range]] = []
    for index, key_and_range in enumerate(asked_ranges):
        size = (
            memory_hits.sizes[index]
            if memory_hits is not None
            else dialect_of(connection).size_of_range(connection, *key_and_range, queries.RANKED_AT_MOST + 1)
        )
        (narrow if size <= queries.RANKED_AT_MOST else wide).append(key_and_range)
    asked_all = replace(bare, few=tuple(narrow), many=tuple(wide), memory_hits=memory_hits)
    if not (filters or beside) or asked_all.is_counted_whole or asked_all.is_known:
        return asked_all
    size = count(connection, replace(bare, terms=()))
    return replace(asked_all, narrow=size <= _NARROW)


def _counted_at_most(question: Question) -> int:
    """Tell how many records are counted: all where only facets are asked."""
    return sys.maxsize - 1 if question.is_counted_whole else queries.RANKED_AT_MOST


def count(connection: Connection, question: Question) -> int:
    """Count what is found.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    question : Question
        What is asked.

    Returns
    -------
    int
        With words or ranges at most 20 001, which means "more than 20 000".
    """
    if question.memory_hits is not None:
        known = question.memory_hits.count(_counted_at_most(question))
        if known is not None:
            return known
    if question.is_totalled:
        conditions = [question.visible(totals.c), *filtered(question, totals.c)]
        number = select(func.coalesce(func.sum(totals.c.total), 0)).where(*conditions)
        return int(connection.execute(number).scalar_one())
    if question.is_counted_whole:
        number = select(func.count()).select_from(records).where(*conditions_on(question))
        return int(connection.execute(number).scalar_one())
    source = source_of(connection, question)
    matches = source.select(question, source.number)
    cut = matches.limit(queries.RANKED_AT_MOST + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(cut)).scalar_one())


def numbers(connection: Connection, question: Question) -> Select[Any]:
    """Return the query of the numbers of all that is found, in no order, to be asked together with other conditions."""
    source = source_of(connection, question)
    return source.select(question, source.number)


def groups(connection: Connection, question: Question) -> tuple[Groups, bool]:
    """Count what is found by sets of facets and states, whatever facets are asked for.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    question : Question
        What is asked.

    Returns
    -------
    tuple of Groups, and bool
        How many have each set of facets and state; and whether these are all, or only those of the
        20 000 newest.
    """
    if question.memory_hits is not None:
        return question.memory_hits.groups(_counted_at_most(question), with_left=bool(question.terms))
    has_many = False
    if question.terms and question.since is None and not (question.few or question.many):
        since, has_many = dialect_of(connection).newest_from(
            connection, question.terms, queries.RANKED_AT_MOST
        )
        if since is not None:
            counted, whole = groups(connection, replace(question, since=since))
            if not whole:
                return counted, whole
    if not question.is_counted_whole:
        source = source_of(connection, replace(question, narrow=False))
        # To list all that a common word finds is no use where it is not ranked.
        if source.of is not records.c and question.since is None and (question.narrow or not has_many):
            return _groups_and_left(connection, question, source)
        rows: Any = (
            select(source.of.facets, _told(question, source.of).label("state"))
            .select_from(source.rows)
            .where(*source.conditions, question.seen(source.of, streamed=True))
            .order_by(source.number.desc())
        )
        if question.terms:
            rows = dialect_of(connection).sorted_whole(rows)
        newest = rows.limit(queries.RANKED_AT_MOST + 1).subquery()
        counted = Groups.count(_lines(connection, newest.c.state, cast(newest.c.facets, Text)))
        return counted, counted.total <= queries.RANKED_AT_MOST
    of: Any = totals if question.is_totalled else records
    number = func.sum(totals.c.total) if question.is_totalled else func.count()
    condition = question.visible(totals.c) if question.is_totalled else question.seen()
    rows = select(of.c.facets, _told(question, of.c).label("state"), number.label("count")).where(condition)
    if question.by_access:
        # Grouped one level up: an expression with values of its own is no column to group by.
        each = select(of.c.facets, _told(question, of.c).label("state")).where(condition).subquery()
        rows, of = select(each.c.facets, each.c.state, number.label("count")), each
    groups_found = rows.group_by(of.c.facets, of.c.state).subquery()
    pair = cast(groups_found.c.facets, Text).concat(",").concat(cast(groups_found.c.count, Text))
    return Groups.read(_lines(connection, groups_found.c.state, pair)), True


def _told(question: Question, of: Any) -> ColumnElement[str]:
    """Tell the state of rows, with their access where it is counted by that."""
    if not question.by_access:
        return cast(of.state, Text)
    access = case((has_access((OPEN,), of=of), OPEN), (has_access((EMBARGO,), of=of), EMBARGO), else_="")
    return cast(of.state, Text).concat(JOINT).concat(access)


def _lines(
    connection: Connection, state: ColumnElement[str], numbers: ColumnElement[str]
) -> list[tuple[str, str]]:
    """Read one line of numbers for each state: rows would take longer to be read than to be counted."""
    lines = select(state, func.aggregate_strings(numbers, ",")).group_by(state)
    return [(row[0], row[1]) for row in connection.execute(lines)]


def _groups_and_left(connection: Connection, question: Question, source: Source) -> tuple[Groups, bool]:
    """Count as `groups` does, and list what the facets leave, where that is not too much, in one look at all."""
    of, at_most = source.of, queries.RANKED_AT_MOST
    by_time: Any = (
        select(source.number.label("number"), of.facets, of.state)
        .select_from(source.rows)
        .where(*source.conditions, question.seen(of, streamed=True))
        .order_by(source.number.desc())
    )
    found = dialect_of(connection).sorted_whole(by_time).subquery()
    state = case({name: place for place, name in enumerate(STATES)}, value=found.c.state)
    codes: ColumnElement[Any] = func.array_agg(found.c.facets * len(STATES) + state, type_=ARRAY(BigInteger))
    # Only PostgreSQL has texts that tell so much of their records.
    newest = func.array_to_string(codes[1 : at_most + 1], ",")
    every = func.aggregate_strings(cast(found.c.number, Text), ",")
    left = every.filter(*filtered(question, found.c, streamed=True)) if question.filters else every
    line, told, total = connection.execute(select(newest, left, func.count()).select_from(found)).one()
    numbers = read_numbers(told or "")
    counted = Groups.count_coded(line or "", STATES)
    assert counted.total == min(total, at_most + 1), "a record has a state that is not among STATES"
    return replace(counted, left=numbers if len(numbers) <= at_most else None), total <= at_most


def known_numbers(question: Question) -> NDArray[np.int64] | None:
    """List the numbers of all that is found, where they are known and not more than are ranked."""
    hits = question.memory_hits
    return None if hits is None else hits.numbers(queries.RANKED_AT_MOST)


def most_relevant(
    connection: Connection, question: Question, numbers: Sequence[int], *, limit: int, offset: int
) -> list[Place]:
    """List the most relevant of records that are known to be all that is found."""
    dialect, end = dialect_of(connection), offset + limit
    newest = sorted(numbers, reverse=True)[: _TRIED * end]
    highest = dialect.highest_relevance(question.terms)
    # No older one comes before the newest that are as relevant as any can be.
    tries = [newest] if highest is not None and _TRIED * len(newest) < len(numbers) else []
    for some in (*tries, numbers):
        statement = dialect.relevance_of(question.terms, some)
        number, score = statement.selected_columns
        ordered = statement.order_by(score.desc(), number.desc()).limit(limit).offset(offset)
        places_found = [Place(row[0], row[1]) for row in connection.execute(ordered)]
        if len(places_found) == limit and places_found[-1].score == highest:
            break
    return places_found


def found_apart(connection: Connection, question: Question) -> list[tuple[str, int]]:
    """List identifiers and sets of facets of what is found whatever is asked of other images; one more than `MOST`."""
    question = replace(question, beside=(), narrow=question.narrow and bool(question.filters))
    source = source_of(connection, question)
    matches = source.select(question, source.number.label("number")).limit(MOST + 1).subquery()
    statement = select(records.c.id, records.c.facets).join(matches, matches.c.number == records.c.number)
    rows = connection.execute(statement).all()
    return [(row.id, row.facets) for row in rows]


def places(
    connection: Connection,
    question: Question,
    *,
    total: int,
    ranked: bool,
    limit: int,
    offset: int = 0,
    cursor: Cursor | None = None,
) -> list[Place]:
    """List where the records of a page are.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    question : Question
        What is asked.
    total : int
        How many there are, as `count` told.
    ranked : bool
        The most relevant first, for which there must be words; else the newest.
    limit, offset : int
        How many, after how many.
    cursor : Cursor, optional
        Where the page begins, or ends where it goes back; then there is no offset.

    Returns
    -------
    list of Place
        In the order of the answer; with a cursor that goes back, from its place backwards.
    """
    if question.memory_hits is not None and not ranked:
        newest = question.memory_hits.newest(limit, offset, cursor)
        if newest is not None:
            return [Place(number, None) for number in newest]
    if question.terms and not ranked and total > queries.RANKED_AT_MOST:
        # So many have the words that a page of the newest is found in some thousand texts, whatever else is asked.
        question = replace(question, common=True)
    statement, order = _listed(connection, question, total, ranked=ranked)
    if cursor is not None:
        statement = statement.where(_beyond(connection, question, cursor, order))
    back = cursor is not None and cursor.back
    statement = statement.order_by(*((column.asc() if back else column.desc()) for column in order))
    rows = connection.execute(statement.limit(limit).offset(offset)).all()
    return [Place(row[0], row[1] if ranked else None) for row in rows]


def listed_and_counted(
    connection: Connection, question: Question, *, ranked: bool, limit: int, offset: int
) -> tuple[list[Place], int | None]:
    """List the first records and count all in one look at them: of words or ranges that few records are left of.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    question : Question
        Of words among few records (`narrow`), or of a range of few records.
    ranked : bool
        The most relevant first, for which there must be words; else the newest.
    limit, offset : int
        How many, after how many.

    Returns
    -------
    tuple of list of Place, and int or None
        As `places` lists them; and how many there are, however many. None where no record is beyond the offset.
    """
    statement, order = (
        _in_one_range(connection, question)
        if not ranked and len(question.few) == 1 and not question.many
        else _listed(connection, question, 0, ranked=ranked)
    )
    statement = statement.add_columns(func.count().over())
    statement = statement.order_by(
        *((column if ranked else sorted_at_last(column)).desc() for column in order)
    )
    rows = connection.execute(statement.limit(limit).offset(offset)).all()
    return [Place(row[0], row[1] if ranked else None) for row in rows], int(rows[0][-1]) if rows else None


def _in_one_range(
    connection: Connection, question: Question
) -> tuple[Select[Any], tuple[ColumnElement[Any], ...]]:
    """Select what a narrow range holds in the order of its index, which is quicker than to make a set of it first."""
    table, number, conditions = dialect_of(connection).in_ranges(question.few, by_size=True, name="narrow")
    source = Source(table.join(records, records.c.number == number), number, conditions)
    return source.select(question, number), (unindexed(number),)


def _listed(
    connection: Connection, question: Question, total: int, *, ranked: bool
) -> tuple[Select[Any], tuple[ColumnElement[Any], ...]]:
    """Select numbers, and scores where they are ranked; and the columns of the order, all of them downwards."""
    if question.is_counted_whole and total <= (
        queries.RANKED_AT_MOST if question.filters or question.beside else _FEW
    ):
        # Few of many: the facets' index finds them without a look at all the others.
        numbers_found = select(records.c.number).where(*conditions_on(question))
        return select(records.c.number).where(records.c.number.in_(numbers_found)), (records.c.number,)
    source = source_of(connection, question)
    number = source.number
    if not ranked or source.score is None:  # a relevance is reckoned from all that has the words
        return source.select(question, number), (number,)
    score = source.score.label("score")
    return source.select(question, number, score), (score, number)


def _beyond(
    connection: Connection, question: Question, cursor: Cursor, order: tuple[ColumnElement[Any], ...]
) -> ColumnElement[bool]:
    """Compare with the place of a cursor, in the order of the answer."""
    number = order[-1]
    older = number > cursor.number if cursor.back else number < cursor.number
    if len(order) == 1:
        return older
    # Records that were added have changed all scores a little: that of the cursor's record is taken as it is now.
    matches, score_now = dialect_of(connection).match(question.terms, common=True)  # of one record alone
    now = select(score_now).select_from(matches).where(matches.c.number == cursor.number)
    at = connection.execute(now).scalar_one_or_none()
    at = cursor.score if at is None else at
    score = order[0]
    return or_(score > at if cursor.back else score < at, and_(score == at, older))


def rows_at(connection: Connection, reader: Reader, places: Sequence[Place]) -> dict[int, Row[Any]]:
    """Read what is shown of records.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    places : sequence of Place
        What `places` listed.

    Returns
    -------
    dict of int to Row
        Number → columns of `record`; texts for the dialect's `description_of` and `words_of`; `open`: whether the
        reader may have the files; `energy_kev`, None where none is told; `mesh`: whether it holds one; and of what was
        harvested `source`, the title of its catalogue, `fetched_utc`, `opens`, the day its files do, and `address` and
        `doi_there`, of its page and its DOI at the source.
    """
    statement = _rows_for(reader, connection.dialect.name)
    values = {"numbers": [place.number for place in places], "moment": present()}
    return {row.number: row for row in connection.execute(statement, values)}


@lru_cache(maxsize=256)
def _rows_for(reader: Reader, dialect: str) -> Select[Any]:
    """Write the question for a reader once: it takes as long as a page of SQLite's answer."""
    mesh = select(facet_values.c.facets).where(facet_values.c.name == "holds", facet_values.c.value == "mesh")
    energy = select(parameter_keys.c.number).where(parameter_keys.c.key == "energy_kev").scalar_subquery()
    statement = (
        select(records, may_open(reader, bindparam("moment", type_=Float)).label("open"))
        .add_columns(dialect_named(dialect).number_beside(energy, records.c.number).label("energy_kev"))
        .add_columns(exists(mesh.where(facet_values.c.facets == records.c.facets)).label("mesh"))
        .add_columns(harvest_sources.c.title.label("source"), harvested.c.fetched_utc)
        .add_columns(*(harvested.c.item[name].as_string().label(name) for name in ("opens", "address")))
        .add_columns(harvested.c.item["doi"].as_string().label("doi_there"))
        .outerjoin(harvested, and_(records.c.state == HARVESTED, harvested.c.id == records.c.id))
        .outerjoin(harvest_sources, harvest_sources.c.number == harvested.c.source)
        .where(records.c.number.in_(bindparam("numbers", expanding=True)))
    )
    return dialect_named(dialect).add_wording(statement, LIVE)
