"""Looking up in the memory of a program what a question finds, where that tells all that is asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection

from tomarium.catalogue import queries
from tomarium.catalogue.condition_on_arrays import NotTried, tried
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.facet_counts import sets_of
from tomarium.catalogue.facets import ACCESS, EMBARGO, OPEN
from tomarium.catalogue.memory_hits import MemoryHits, hits_in_memory
from tomarium.catalogue.number_columns import columns_of
from tomarium.catalogue.question import Question
from tomarium.catalogue.ranges import Range
from tomarium.catalogue.reader import has_access
from tomarium.catalogue.tables import totals


def looked_up(
    connection: Connection, question: Question, ranges: Sequence[tuple[int, Range]], spread: Collection[int]
) -> MemoryHits | None:
    """Look up in memory what words, ranges and facets find.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    question : Question
        What is asked besides the ranges.
    ranges : sequence of (int, Range)
        Number of the key, -1 of one that the catalogue does not know; and the range.
    spread : collection of int
        Numbers of keys whose columns are kept, too, where there is room.

    Returns
    -------
    MemoryHits or None
        None where memory does not tell all that is asked, or is not kept.
    """
    keys = {key for key, _ in ranges}
    if not question.is_told_in_memory or min(keys, default=0) < 0:
        return None
    columns = columns_of(connection, keys | set(spread))
    columns = columns_of(connection, keys) if columns is None and spread else columns
    if columns is None:
        return None
    try:
        visible_holders = tried(question.visible(totals.c), columns.seen)
    except NotTried:
        return None
    by_sets = {name: values for name, values in question.filters.items() if name != ACCESS}
    hits_with = partial(
        hits_in_memory,
        columns,
        ranges,
        visible_holders,
        sets_of(connection).meets(columns.facets, columns.states, by_sets) if by_sets else None,
        question.filters.get(ACCESS),
        access_of=partial(_access_of, columns.opened.numbers, has_access((OPEN,)), has_access((EMBARGO,))),
    )
    if not question.terms:
        return hits_with()
    dialect, at_most = dialect_of(connection), queries.RANKED_AT_MOST
    numbers, is_whole = dialect.newest_with(connection, question.terms, None if ranges else at_most)
    hits = hits_with(with_words=numbers, is_whole=is_whole)
    if is_whole or len(hits.rows) > at_most:
        return hits
    numbers, _ = dialect.newest_with(connection, question.terms, None)
    return hits_with(with_words=numbers)


def _access_of(
    opened: NDArray[np.float64],
    is_open: ColumnElement[bool],
    is_shut: ColumnElement[bool],
    rows: NDArray[np.int64],
) -> NDArray[np.int8]:
    """Tell the access of rows as a place among `memory_hits.ACCESS_TOLD`."""
    of = {"open_from": opened[rows]}
    return np.asarray(tried(is_open, of) + np.int8(2) * tried(is_shut, of), np.int8)
