"""Searching the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from tomarium.catalogue import queries
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import Reader
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
        Relevance, larger is better; only to be compared within one answer. None where nothing was asked.
    bytes : int
        Size of all its files.
    shape : tuple of int
        Voxels (z, y, x) of its volume; empty where there is none.
    voxel_m : float or None
        Voxel size along z in m.
    thumbnail : str
        Path of a small picture below the record's folder, "" where there is none that the reader may see.
    state : str
        "draft", "review", "published" or "withdrawn".
    open : bool
        Whether the reader may have its files.
    licence : str
        SPDX identifier, "" where none was stated.
    open_from : float or None
        Seconds since 1970 since when, or from when, its files are open to anybody; None where they are not.
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
        There are more than `total`: beyond 20 000 they are not counted, and come the newest first.
    limit, offset : int
        As asked.
    """

    hits: tuple[Hit, ...]
    total: int
    more: bool
    limit: int
    offset: int


def search(
    catalogue: Catalogue, reader: Reader, words: str = "", *, limit: int = 20, offset: int = 0
) -> Page:
    """Find records by words.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks; only what this reader may see is found and counted.
    words : str
        All must occur in title, description, keywords, names or parameters, without regard to capitals and
        accents; the last one may go on; "words in quotes" stand side by side. No words give all records, the
        newest first.
    limit : int
        Hits in the answer, from 1 to 1000.
    offset : int
        Hits to pass over.

    Returns
    -------
    Page
        The most relevant first.

    Raises
    ------
    ParameterError
        The limit or the offset is out of range.
    """
    if not 1 <= limit <= 1000 or not 0 <= offset < 2**31:
        raise ParameterError(
            f"limit {limit} and offset {offset}: give a limit from 1 to 1000 and an offset from 0"
        )
    terms = read_terms(words)
    with catalogue.reading() as connection:
        if not words.strip():
            total = queries.count_records(connection, reader)
            rows = queries.newest_records(connection, reader, limit, offset)
            return Page(tuple(_hit(row, None, terms) for row in rows), total, False, limit, offset)
        if not terms:  # only signs: nothing has them
            return Page((), 0, False, limit, offset)
        total = queries.count_matches(connection, reader, terms)
        more = total > queries.RANKED_AT_MOST
        rows = queries.matching_records(connection, reader, terms, limit, offset, ranked=not more)
    hits = tuple(_hit(row, round(row.score, 9), terms) for row in rows)
    return Page(hits, min(total, queries.RANKED_AT_MOST), more, limit, offset)


def _hit(row: Row[Any], score: float | None, terms: tuple[Term, ...]) -> Hit:
    # The description tells most; but where only a parameter or a keyword holds the words, that line is shown.
    text = row.description
    if terms and not mark(f"{row.title} {text}", terms):
        text = next((line for line in row.words.split("\n") if mark(line, terms)), text)
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
    )
