"""The queries of a search: which records, how many, and what they have in common.

The order of a record's number is that of time (`numbers.number_at`), so "the newest first" reads every table
backwards and stops when a page is full. What reads least drives a query: the text index where there are words; a
range of few records; else the facets' index or the records themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

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
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from tomarium.catalogue import queries
from tomarium.catalogue.companions import MOST, Companion
from tomarium.catalogue.condition_on_arrays import NotTried, tried
from tomarium.catalogue.cursor import Cursor
from tomarium.catalogue.dialect import dialect_named, dialect_of
from tomarium.catalogue.facet_counts import Groups, read_numbers, sets_of
from tomarium.catalogue.facets import Filters
from tomarium.catalogue.harvest_tables import harvest_sources, harvested
from tomarium.catalogue.held import Held, found_in
from tomarium.catalogue.number_columns import columns_of
from tomarium.catalogue.question import Question, Source, conditions_on, filtered, source_of
from tomarium.catalogue.ranges import Range
from tomarium.catalogue.reader import (
    HARVESTED,
    STATES,
    Reader,
    may_open,
    present,
)
from tomarium.catalogue.tables import LIVE, records, stale_records, totals
from tomarium.catalogue.unindexed import sorted_at_last, unindexed
from tomarium.catalogue.words import Term

_NARROW: Final = 100_000  # records of a set that is made before words are looked for
_FEW: Final = 1000  # records that are found and sorted at once, rather than looked for from the newest on


@dataclass(frozen=True)
class Place:
    """One record of an answer: its number, and its relevance where the most relevant come first."""

    number: int
    score: float | None


def question(
    connection: Connection,
    reader: Reader,
    terms: tuple[Term, ...],
    filters: Filters,
    ranges: Sequence[Range],
    beside: tuple[Companion, ...] = (),
    *,
    elsewhere: bool = False,
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

    Returns
    -------
    Question
        For the other functions here.
    """
    keys = queries.parameter_numbers(connection) if ranges else {}
    asked_ranges = [(keys.get(one.key, -1), one) for one in ranges]
    hides = connection.execute(select(stale_records.c.record).limit(1)).first() is not None
    bare = Question(reader, terms, filters, hides=hides, beside=beside, elsewhere=elsewhere)
    held = _looked_up(connection, bare, asked_ranges)
    few: list[tuple[int, Range]] = []
    many: list[tuple[int, Range]] = []
    for index, asked in enumerate(asked_ranges):
        size = (
            held.sizes[index]
            if held is not None
            else dialect_of(connection).size_of_range(connection, *asked, queries.RANKED_AT_MOST + 1)
        )
        (few if size <= queries.RANKED_AT_MOST else many).append(asked)
    asked_all = replace(bare, few=tuple(few), many=tuple(many), held=held)
    if not (filters or beside) or asked_all.is_counted_whole or held is not None:
        return asked_all
    size = count(connection, replace(bare, terms=()))
    return replace(asked_all, narrow=size <= _NARROW)


def _looked_up(connection: Connection, asked: Question, ranges: Sequence[tuple[int, Range]]) -> Held | None:
    """Look up in memory what ranges find, where it is kept there and tells all that is asked."""
    keys = {key for key, _ in ranges}
    if asked.terms or not asked.asks_little or not keys or min(keys) < 0:
        return None
    columns = columns_of(connection, keys)
    if columns is None:
        return None
    try:
        seen = tried(asked.visible(totals.c), columns.seen)
    except NotTried:
        return None
    left = sets_of(connection).meets(columns.facets, columns.states, asked.filters) if asked.filters else None
    return found_in(columns, ranges, seen, left)


def count(connection: Connection, asked: Question) -> int:
    """Count what is found.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    asked : Question
        What is asked.

    Returns
    -------
    int
        With words or ranges at most 20 001, which means "more than 20 000".
    """
    if asked.held is not None:
        return min(len(asked.held.left), queries.RANKED_AT_MOST + 1)
    if asked.is_totalled:
        kept = [asked.visible(totals.c), *filtered(asked, totals.c)]
        number = select(func.coalesce(func.sum(totals.c.total), 0)).where(*kept)
        return int(connection.execute(number).scalar_one())
    if asked.is_counted_whole:
        number = select(func.count()).select_from(records).where(*conditions_on(asked))
        return int(connection.execute(number).scalar_one())
    source = source_of(connection, asked)
    some = source.select(asked, source.number)
    cut = some.limit(queries.RANKED_AT_MOST + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(cut)).scalar_one())


def numbers(connection: Connection, asked: Question) -> Select[Any]:
    """Return the query of the numbers of all that is found, in no order, to be asked together with other conditions."""
    source = source_of(connection, asked)
    return source.select(asked, source.number)


def groups(connection: Connection, asked: Question) -> tuple[Groups, bool]:
    """Count what is found by sets of facets and states, whatever facets are asked for.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    asked : Question
        What is asked.

    Returns
    -------
    tuple of Groups, and bool
        How many have each set of facets and state; and whether these are all, or only those of the
        20 000 newest.
    """
    if asked.held is not None:
        counted = asked.held.groups(queries.RANKED_AT_MOST + 1)
        return counted, counted.total <= queries.RANKED_AT_MOST
    has_many = False
    if asked.terms and asked.since is None and not (asked.few or asked.many):
        since, has_many = dialect_of(connection).newest_from(connection, asked.terms, queries.RANKED_AT_MOST)
        if since is not None:
            counted, whole = groups(connection, replace(asked, since=since))
            if not whole:
                return counted, whole
    if not asked.is_counted_whole:
        source = source_of(connection, replace(asked, narrow=False))
        # To list all that a common word finds is no use where it is not ranked.
        if source.of is not records.c and asked.since is None and (asked.narrow or not has_many):
            return _groups_and_left(connection, asked, source)
        rows = (
            select(source.of.facets, source.of.state)
            .select_from(source.rows)
            .where(*source.conditions, asked.seen(source.of, streamed=True))
            .order_by(source.number.desc())
        )
        if asked.terms:
            rows = dialect_of(connection).sorted_whole(rows)
        newest = rows.limit(queries.RANKED_AT_MOST + 1).subquery()
        counted = Groups.count(_lines(connection, newest.c.state, cast(newest.c.facets, Text)))
        return counted, counted.total <= queries.RANKED_AT_MOST
    of, number = (totals, func.sum(totals.c.total)) if asked.is_totalled else (records, func.count())
    kept = asked.visible(totals.c) if asked.is_totalled else asked.seen()
    found = (
        select(of.c.facets, of.c.state, number.label("count")).where(kept).group_by(of.c.facets, of.c.state)
    ).subquery()
    pair = cast(found.c.facets, Text).concat(",").concat(cast(found.c.count, Text))
    return Groups.read(_lines(connection, found.c.state, pair)), True


def _lines(
    connection: Connection, state: ColumnElement[str], told: ColumnElement[str]
) -> list[tuple[str, str]]:
    """Read one line of numbers for each state: rows would take longer to be read than to be counted."""
    lines = select(state, func.aggregate_strings(told, ",")).group_by(state)
    return [(row[0], row[1]) for row in connection.execute(lines)]


def _groups_and_left(connection: Connection, asked: Question, source: Source) -> tuple[Groups, bool]:
    """Count as `groups` does, and list what the facets leave, where that is not too much, in one look at all."""
    of, at_most = source.of, queries.RANKED_AT_MOST
    by_time: Any = (
        select(source.number.label("number"), of.facets, of.state)
        .select_from(source.rows)
        .where(*source.conditions, asked.seen(of, streamed=True))
        .order_by(source.number.desc())
    )
    found = dialect_of(connection).sorted_whole(by_time).subquery()
    state = case({name: place for place, name in enumerate(STATES)}, value=found.c.state)
    codes: ColumnElement[Any] = func.array_agg(found.c.facets * len(STATES) + state, type_=ARRAY(BigInteger))
    # Only PostgreSQL has texts that tell so much of their records.
    newest = func.array_to_string(codes[1 : at_most + 1], ",")
    every = func.aggregate_strings(cast(found.c.number, Text), ",")
    left = every.filter(*filtered(asked, found.c, streamed=True)) if asked.filters else every
    line, told, total = connection.execute(select(newest, left, func.count()).select_from(found)).one()
    numbers = read_numbers(told or "")
    counted = Groups.count_coded(line or "", STATES)
    assert counted.total == min(total, at_most + 1), "a record has a state that is not among STATES"
    return replace(counted, left=numbers if len(numbers) <= at_most else None), total <= at_most


def most_relevant(
    connection: Connection, asked: Question, numbers: Sequence[int], *, limit: int, offset: int
) -> list[Place]:
    """List the most relevant of records that are known to be all that is found."""
    wanted = dialect_of(connection).relevance_of(asked.terms, numbers)
    number, score = wanted.selected_columns
    ordered = wanted.order_by(score.desc(), number.desc()).limit(limit).offset(offset)
    return [Place(row[0], row[1]) for row in connection.execute(ordered)]


def found_apart(connection: Connection, asked: Question) -> list[tuple[str, int]]:
    """List identifiers and sets of facets of what is found whatever is asked of other images; one more than `MOST`."""
    asked = replace(asked, beside=(), narrow=asked.narrow and bool(asked.filters))
    source = source_of(connection, asked)
    some = source.select(asked, source.number.label("number")).limit(MOST + 1).subquery()
    wanted = select(records.c.id, records.c.facets).join(some, some.c.number == records.c.number)
    rows = connection.execute(wanted).all()
    return [(row.id, row.facets) for row in rows]


def places(
    connection: Connection,
    asked: Question,
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
    asked : Question
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
    if asked.held is not None:
        return [Place(number, None) for number in asked.held.newest(limit, offset, cursor)]
    if asked.terms and not ranked and total > queries.RANKED_AT_MOST:
        # So many have the words that a page of the newest is found in some thousand texts, whatever else is asked.
        asked = replace(asked, common=True)
    wanted, order = _listed(connection, asked, total, ranked=ranked)
    if cursor is not None:
        wanted = wanted.where(_beyond(connection, asked, cursor, order))
    back = cursor is not None and cursor.back
    wanted = wanted.order_by(*((column.asc() if back else column.desc()) for column in order))
    found = connection.execute(wanted.limit(limit).offset(offset)).all()
    return [Place(row[0], row[1] if ranked else None) for row in found]


def listed_and_counted(
    connection: Connection, asked: Question, *, ranked: bool, limit: int, offset: int
) -> tuple[list[Place], int | None]:
    """List the first records and count all in one look at them: of words or ranges that few records are left of.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    asked : Question
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
    if asked.held is not None:
        listed = places(connection, asked, total=0, ranked=False, limit=limit, offset=offset)
        return listed, count(connection, asked)
    wanted, order = (
        _in_one_range(connection, asked)
        if not ranked and len(asked.few) == 1 and not asked.many
        else _listed(connection, asked, 0, ranked=ranked)
    )
    wanted = wanted.add_columns(func.count().over())
    wanted = wanted.order_by(*((column if ranked else sorted_at_last(column)).desc() for column in order))
    found = connection.execute(wanted.limit(limit).offset(offset)).all()
    return [Place(row[0], row[1] if ranked else None) for row in found], int(found[0][-1]) if found else None


def _in_one_range(
    connection: Connection, asked: Question
) -> tuple[Select[Any], tuple[ColumnElement[Any], ...]]:
    """Select what a narrow range holds in the order of its index, which is quicker than to make a set of it first."""
    held, number, conditions = dialect_of(connection).in_ranges(asked.few, by_size=True, name="narrow")
    source = Source(held.join(records, records.c.number == number), number, conditions)
    return source.select(asked, number), (unindexed(number),)


def _listed(
    connection: Connection, asked: Question, total: int, *, ranked: bool
) -> tuple[Select[Any], tuple[ColumnElement[Any], ...]]:
    """Select numbers, and scores where they are ranked; and the columns of the order, all of them downwards."""
    if asked.is_counted_whole and total <= (
        queries.RANKED_AT_MOST if asked.filters or asked.beside else _FEW
    ):
        # Few of many: the facets' index finds them without a look at all the others.
        few = select(records.c.number).where(*conditions_on(asked))
        return select(records.c.number).where(records.c.number.in_(few)), (records.c.number,)
    source = source_of(connection, asked)
    number = source.number
    if not ranked or source.score is None:  # a relevance is reckoned from all that has the words
        return source.select(asked, number), (number,)
    score = source.score.label("score")
    return source.select(asked, number, score), (score, number)


def _beyond(
    connection: Connection, asked: Question, cursor: Cursor, order: tuple[ColumnElement[Any], ...]
) -> ColumnElement[bool]:
    """Compare with the place of a cursor, in the order of the answer."""
    number = order[-1]
    older = number > cursor.number if cursor.back else number < cursor.number
    if len(order) == 1:
        return older
    # Records that were added have changed all scores a little: that of the cursor's record is taken as it is now.
    found, score_now = dialect_of(connection).match(asked.terms, common=True)  # of one record alone
    now = select(score_now).select_from(found).where(found.c.number == cursor.number)
    at = connection.execute(now).scalar_one_or_none()
    at = cursor.score if at is None else at
    score = order[0]
    return or_(score > at if cursor.back else score < at, and_(score == at, older))


def rows_at(connection: Connection, reader: Reader, found: Sequence[Place]) -> dict[int, Row[Any]]:
    """Read what is shown of records.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    found : sequence of Place
        What `places` listed.

    Returns
    -------
    dict of int to Row
        Number → columns of `record`; texts for the dialect's `description_of` and `words_of`; `open`: whether the
        reader may have the files; and of what was harvested `source`, the title of its catalogue, `fetched_utc`,
        `opens`, the day its files do, and `address` and `doi_there`, of its page and its DOI at the source.
    """
    wanted = _rows_for(reader, connection.dialect.name)
    asked = {"numbers": [place.number for place in found], "moment": present()}
    return {row.number: row for row in connection.execute(wanted, asked)}


@lru_cache(maxsize=256)
def _rows_for(reader: Reader, dialect: str) -> Select[Any]:
    """Write the question for a reader once: it takes as long as a page of SQLite's answer."""
    wanted = (
        select(records, may_open(reader, bindparam("moment", type_=Float)).label("open"))
        .add_columns(harvest_sources.c.title.label("source"), harvested.c.fetched_utc)
        .add_columns(*(harvested.c.item[name].as_string().label(name) for name in ("opens", "address")))
        .add_columns(harvested.c.item["doi"].as_string().label("doi_there"))
        .outerjoin(harvested, and_(records.c.state == HARVESTED, harvested.c.id == records.c.id))
        .outerjoin(harvest_sources, harvest_sources.c.number == harvested.c.source)
        .where(records.c.number.in_(bindparam("numbers", expanding=True)))
    )
    return dialect_named(dialect).add_wording(wanted, LIVE)
