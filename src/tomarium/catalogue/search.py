"""Searching the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, select

from tomarium.catalogue import find, queries
from tomarium.catalogue.asked import ranges_of
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.companions import MOST, any_linked, count_companions, read_companions
from tomarium.catalogue.cursor import Cursor, read_cursor
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.facet_counts import FacetCounts, sets_of
from tomarium.catalogue.facets import read_filters
from tomarium.catalogue.harvested_twice import other_titles
from tomarium.catalogue.naming_lines import creators_in
from tomarium.catalogue.question import Question
from tomarium.catalogue.reader import Reader, may_see
from tomarium.catalogue.spreads import Spread, spread_keys, spreads
from tomarium.catalogue.tables import records
from tomarium.catalogue.words import Term, mark, read_terms, snippet
from tomarium.errors import ParameterError


@dataclass(frozen=True)
class Hit:
    """A record that was found.

    Attributes
    ----------
    id, title : str
        Of the record.
    created : str
        When it was made: ISO 8601 with its zone.
    snippet : str
        Part of its text with the words that were asked for.
    score : float or None
        Relevance, larger is better; only to be compared within one answer. None where the newest come first.
    bytes : int
        Size of all its files.
    shape : tuple of int
        Voxels (z, y, x) of its volume; empty where there is none.
    voxel_m : float or None
        Voxel size along z in m.
    thumbnail : str
        Path of a small picture below the record's folder, "" where there is none that the reader may see.
    state : str
        "draft", "review", "published" or "withdrawn"; "harvested" of another catalogue's.
    open : bool
        Whether the reader may have its files.
    licence : str
        SPDX identifier, "" where none was stated.
    open_from : float or None
        Seconds since 1970 since when, or from when, its files are open to anybody; None where they are not.
    source : str
        Title of the catalogue that it was harvested from; "" of a record of this one.
    fetched : float or None
        Seconds since 1970 when it was harvested last; None of a record of this catalogue.
    opens : str
        Of what was harvested, the day when its source opens its files; "" where none is told.
    also : tuple of str
        Of what was harvested, titles of other catalogues that tell the same record.
    address : str
        Of what was harvested, the address of its page at the source; "" where none is told.
    doi : str
        Without "https://doi.org/"; "" where there is none.
    creators : tuple of str
        Names of those who made it, in their order; in an index that was made when names had commas between, all of
        them as one text, until `tomarium index rebuild`.
    energy_kev : float or None
        Photon energy; None where none is told.
    mesh : bool
        Whether it holds a mesh, which is shown in three dimensions.
    """

    id: str
    title: str
    created: str
    snippet: str
    score: float | None
    bytes: int
    shape: tuple[int, ...]
    voxel_m: float | None
    thumbnail: str
    state: str
    open: bool
    licence: str
    open_from: float | None
    source: str = ""
    fetched: float | None = None
    opens: str = ""
    also: tuple[str, ...] = ()
    address: str = ""
    doi: str = ""
    creators: tuple[str, ...] = ()
    energy_kev: float | None = None
    mesh: bool = False


@dataclass(frozen=True)
class Page:
    """Part of an answer.

    Attributes
    ----------
    hits : tuple of Hit
        At most `limit`.
    total : int
        Records found.
    more : bool
        There are more than `total`: with words or ranges no more than 20 000 are counted, and more come the newest
        first.
    limit : int
        As asked.
    offset : int
        Records before this page; with a cursor as many as there were when it was made.
    sort : str
        "relevance" or "newest": which come first here.
    next, previous : str or None
        Cursors of the pages beside this one; None where there is none.
    facets : tuple of FacetCounts
        What the records have in common; empty where it was not asked for.
    facets_of_newest : bool
        The facets count only the 20 000 newest of all that words and ranges find.
    spreads : tuple of Spread
        How the numbers of what is found are spread; empty where it was not asked for, and where it is not known yet.
    """

    hits: tuple[Hit, ...]
    total: int
    more: bool
    limit: int
    offset: int
    sort: str = "newest"
    next: str | None = None
    previous: str | None = None
    facets: tuple[FacetCounts, ...] = ()
    facets_of_newest: bool = False
    spreads: tuple[Spread, ...] = ()


SORTS: Final = ("relevance", "newest")
"""What may come first."""

Asked = Mapping[str, str | Iterable[str]]


def search(
    catalogue: Catalogue,
    reader: Reader,
    words: str = "",
    *,
    filters: Asked | None = None,
    ranges: Asked | None = None,
    companions: Iterable[str] = (),
    sort: str = "relevance",
    limit: int = 20,
    offset: int = 0,
    after: str = "",
    facets: bool = False,
    spread: bool = False,
    elsewhere: bool = False,
) -> Page:
    """Find records by words, facets and ranges of numbers.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks; only what this reader may see is found and counted.
    words : str
        All must occur in title, description, card, keywords, names or parameters, without regard to capitals and
        accents; the last one may go on; "words in quotes" stand side by side. No words give all records, the
        newest first.
    filters : Mapping of str to str or iterable of str, optional
        Facet ("technique", "instrument", "facility", "access", "holds", "licence", "year", "state") → a value, or
        several of which any will do.
    ranges : Mapping of str to str or iterable of str, optional
        Parameter ("pixel", "energy_kev" …) → "<1um", ">=20 keV", "0.5..1 um"; of several all must be met.
    companions : iterable of str
        Techniques ("ct", "eds", "ebsd", "PaNET01207" …) that the images of the record's specimen have, of what it was
        made from and of what was made from it. All must be met, at least one of them by another record that the reader
        may see: with one technique another record has it, of several the record itself may have some.
    sort : str
        "relevance" or "newest". Without words, and beyond 20 000 records, always the newest first.
    limit : int
        Hits in the answer, from 1 to 1000.
    offset : int
        Hits to pass over; with `after` none.
    after : str
        Cursor of a page, from `next` or `previous` of another one. In the order "newest" nothing is then passed over
        or shown twice, whatever is added meanwhile; the order of relevance may itself change by what is added.
    facets : bool
        Whether to count by facets.
    spread : bool
        Whether to tell how sizes of voxels and pixels and energies are spread, too; with `facets`.
    elsewhere : bool
        Whether what was harvested from other catalogues is found, too.

    Returns
    -------
    Page
        The most relevant first.

    Raises
    ------
    ParameterError
        The limit, the offset, the cursor, a facet, a range or a technique is not one; the message says what to write.
    """
    if not 1 <= limit <= 1000 or not 0 <= offset < 2**31:
        raise ParameterError(
            f"limit {limit} and offset {offset}: give a limit from 1 to 1000 and an offset from 0"
        )
    if sort not in SORTS:
        raise ParameterError(f"sort {sort!r}: give one of {', '.join(SORTS)}")
    cursor = read_cursor(after) if after else None
    chosen = read_filters(filters or {})
    terms = read_terms(words)
    with catalogue.reading() as connection:
        asked_ranges = ranges_of(connection, ranges or {})
        if words.strip() and not terms:  # only signs: nothing has them
            return Page((), 0, False, limit, offset)
        companion_words = tuple(companions)
        beside = (
            read_companions(companion_words, sets_of(connection).values("technique"))
            if companion_words
            else ()
        )
        keys = spread_keys(connection) if spread and facets else {}
        question = find.make_question(
            connection,
            reader,
            terms,
            chosen,
            asked_ranges,
            beside,
            elsewhere=elsewhere,
            by_facets=facets,
            spread=[number for _, number in keys.values()],
        )
        facet_counts, facets_whole, total, numbers_left = (
            _counted(connection, question) if facets else ((), True, None, find.known_numbers(question))
        )
        hits: list[find.Place] | None = None
        if cursor is None:
            by_relevance = bool(terms) and sort == "relevance"
            hits, total = _at_once(
                connection, question, total, numbers_left, by_relevance, limit=limit + 1, offset=offset
            )
        total = find.count(connection, question) if total is None else total
        facet_counts = (
            (*facet_counts, *_by_companions(connection, question, total)) if facets else facet_counts
        )
        is_more = total > queries.RANKED_AT_MOST and not question.is_counted_whole
        ranked = bool(terms) and sort == "relevance" and not is_more
        if cursor is not None:
            offset, ranked = 0, bool(terms) and cursor.score is not None
        if hits is None or is_more:
            hits = find.places(
                connection,
                question,
                total=total,
                ranked=ranked,
                limit=limit + 1,
                offset=offset,
                cursor=cursor,
            )
        shown, before, beyond = _beside(hits, limit, offset, cursor, ranked=ranked)
        told_spreads = spreads(connection, question, asked_ranges, keys)
        rows = find.rows_at(connection, reader, shown)
        also = other_titles(connection, [row.id for row in rows.values() if row.source])
    return Page(
        hits=tuple(
            _hit(connection, row, place.score, terms, also.get(row.id, ()))
            for place in shown
            if (row := rows.get(place.number)) is not None
        ),
        total=min(total, queries.RANKED_AT_MOST) if is_more else total,
        more=is_more,
        limit=limit,
        offset=offset if cursor is None else cursor.position,
        sort="relevance" if ranked else "newest",
        next=beyond,
        previous=before,
        facets=facet_counts,
        facets_of_newest=not facets_whole,
        spreads=told_spreads,
    )


def named(connection: Connection, reader: Reader, ids: Sequence[str]) -> tuple[Hit, ...]:
    """Show records that are called by their identifiers, as a search does.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    ids : sequence of str
        Identifiers; any text.

    Returns
    -------
    tuple of Hit
        Those that the reader may see, in this order.
    """
    statement = select(records.c.id, records.c.number).where(records.c.id.in_(ids), may_see(reader))
    numbers = {row.id: row.number for row in connection.execute(statement)}
    rows = find.rows_at(connection, reader, [find.Place(number, None) for number in numbers.values()])
    return tuple(
        _hit(connection, rows[numbers[id]], None, ()) for id in dict.fromkeys(ids) if numbers.get(id) in rows
    )


def _at_once(
    connection: Connection,
    question: Question,
    total: int | None,
    numbers_left: NDArray[np.int64] | None,
    by_relevance: bool,
    *,
    limit: int,
    offset: int,
) -> tuple[list[find.Place] | None, int | None]:
    """List and count what is found where one look tells both; None where it does not, and `total` as it was known."""
    if numbers_left is not None and by_relevance:
        numbers = numbers_left.tolist()
        return find.most_relevant(connection, question, numbers, limit=limit, offset=offset), len(numbers)
    ranked = by_relevance and bool(question.narrow or question.few)
    if total is not None or question.is_known or not (ranked or (question.few and not question.terms)):
        return None, total
    return find.listed_and_counted(connection, question, ranked=ranked, limit=limit, offset=offset)


def _counted(
    connection: Connection, question: Question
) -> tuple[tuple[FacetCounts, ...], bool, int | None, NDArray[np.int64] | None]:
    """Count by facets; whether of all, the number of records found where that tells it, and which, where it does."""
    groups, is_whole = find.groups(connection, question)
    sets = sets_of(connection)
    total: int | None = None
    if is_whole:
        total = sets.total(groups, question.filters)
    elif not question.filters:
        total = queries.RANKED_AT_MOST + 1
    return sets.tally(groups, question.filters), is_whole, total, groups.left


def _by_companions(connection: Connection, question: Question, total: int) -> tuple[FacetCounts, ...]:
    """Count by the techniques of other images of the specimen; nothing where there is none."""
    # Of more records it is not counted, and where none is of a specimen there is nothing to count.
    if not question.beside and (total > MOST or not any_linked(connection)):
        return ()
    apart, sets = find.found_apart(connection, question), sets_of(connection)
    counted = count_companions(
        connection, question.reader, apart, question.beside, sets, total=total, hides=question.hides
    )
    return () if counted is None else (counted,)


def _beside(
    places_found: list[find.Place], limit: int, offset: int, cursor: Cursor | None, *, ranked: bool
) -> tuple[list[find.Place], str | None, str | None]:
    """Take a page from one record more than it holds, and make the cursors of the pages beside it."""
    full = len(places_found) > limit
    shown = places_found[:limit]
    back = cursor is not None and cursor.back
    position = offset if cursor is None else cursor.position
    if back:
        shown.reverse()
    if not shown:
        return shown, None, None
    first, last = shown[0], shown[-1]
    has_before = full if back else cursor is not None or offset > 0
    has_next = back or full
    scores = (first.score, last.score) if ranked else (None, None)
    before = Cursor(first.number, scores[0], back=True, position=max(0, position - limit))
    beyond = Cursor(last.number, scores[1], position=position + len(shown))
    return shown, str(before) if has_before else None, str(beyond) if has_next else None


def _hit(
    connection: Connection,
    row: Row[Any],
    score: float | None,
    terms: tuple[Term, ...],
    also: tuple[str, ...] = (),
) -> Hit:
    # The description tells most; but where only a parameter or a keyword holds the words, that line is shown.
    dialect = dialect_of(connection)
    text, words = dialect.description_of(row), dialect.words_of(row)
    if terms and not mark(f"{row.title} {text}", terms):
        text = next((line for line in words.split("\n") if mark(line, terms)), text)
    return Hit(
        id=row.id,
        title=row.title,
        created=row.created,
        snippet=snippet(text, terms),
        score=score,
        bytes=row.bytes,
        shape=tuple(row.shape),
        voxel_m=row.voxel_m,
        thumbnail=row.thumbnail if row.open else "",
        state=row.state,
        open=bool(row.open),
        licence=row.licence,
        open_from=row.open_from,
        source=row.source or "",
        fetched=row.fetched_utc,
        opens=row.opens or "",
        also=also,
        address=(row.address or "") if row.source else "",
        doi=(row.doi_there or "") if row.source else row.doi,
        creators=creators_in(words),
        energy_kev=row.energy_kev,
        mesh=bool(row.mesh),
    )
