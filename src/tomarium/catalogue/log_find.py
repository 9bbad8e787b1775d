"""Finding entries of the log book: by words, day, author, tag, people or programs, and what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from tomarium.catalogue.cursor import Cursor, read_cursor
from tomarium.catalogue.log_access import may_read_entry
from tomarium.catalogue.log_book import as_entries
from tomarium.catalogue.log_entry import Entry
from tomarium.catalogue.log_tables import log_entries, log_links
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.words import Term, read_terms
from tomarium.errors import ParameterError

By = Literal["", "people", "machine"]
LARGEST: Final = 1000


@dataclass(frozen=True)
class EntryFilter:
    """Which entries are wanted; what is empty is not asked for.

    Attributes
    ----------
    words : str
        All must occur in the text, the author, the tags or the names of files, as in the search of records: without
        regard to capitals and accents, the last one may go on, "words in quotes" stand side by side.
    about : str
        "records/tooth", "proposals/hg-123": of its log book, and of others that link to it.
    who : str
        Name of the author.
    by : {"", "people", "machine"}
        Whether people or programs wrote it.
    tag : str
        One of its tags.
    since_utc, until_utc : float, optional
        Seconds since 1970 between which it was first written, the first included.
    """

    words: str = ""
    about: str = ""
    who: str = ""
    by: By = ""
    tag: str = ""
    since_utc: float | None = None
    until_utc: float | None = None


def find_entries(
    connection: Connection, reader: Reader, filters: EntryFilter, *, after: str = "", limit: int = 50
) -> tuple[tuple[Entry, ...], str]:
    """Find entries.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks; what this reader may not read is not found.
    filters : EntryFilter
        Which.
    after : str
        Cursor of a page, as it was returned with the page before.
    limit : int
        At most so many, from 1 to 1000.

    Returns
    -------
    tuple of Entry, str
        The newest first, and the cursor of the page after them; "" where that were empty.

    Raises
    ------
    ParameterError
        The cursor or the limit is none.
    """
    if not 1 <= limit <= LARGEST:
        raise ParameterError(f"limit {limit}: give one from 1 to {LARGEST}")
    of = log_entries.c
    query = select(log_entries).where(may_read_entry(reader), _condition(filters))
    if after:
        last = read_cursor(after).number
        moment = select(of.written_utc).where(of.number == last).scalar_subquery()
        query = query.where(or_(of.written_utc < moment, and_(of.written_utc == moment, of.number < last)))
    rows = connection.execute(query.order_by(of.written_utc.desc(), of.number.desc()).limit(limit + 1)).all()
    entries = as_entries(connection, reader, rows[:limit])
    return entries, str(Cursor(entries[-1].number)) if len(rows) > limit else ""


def last_change(connection: Connection, reader: Reader, filters: EntryFilter) -> str:
    """Tell what of entries is different when one was written, changed or removed: for pages that wait for that."""
    of = log_entries.c
    query = select(func.count(), func.max(of.number), func.max(of.moment_utc)).select_from(log_entries)
    row = connection.execute(query.where(may_read_entry(reader), _condition(filters))).one()
    return " ".join(str(value or 0) for value in row)


def _condition(filters: EntryFilter) -> ColumnElement[bool]:
    of, terms = log_entries.c, read_terms(filters.words)
    parts: list[ColumnElement[bool]] = [_holds(terms)]
    if filters.words.strip() and not terms:  # only signs: nothing has them
        parts.append(of.number < 0)
    if filters.about:
        linked = select(log_links.c.entry).where(log_links.c.subject == filters.about)
        parts.append(or_(of.subject == filters.about, of.number.in_(linked)))
    if filters.who.strip():
        parts.append(of.who == filters.who.strip())
    if filters.by:
        parts.append(of.machine == int(filters.by == "machine"))
    if tag := filters.tag.strip().lstrip("#").lower():
        parts.append(of.tags.contains(f" {tag} ", autoescape=True))
    if filters.since_utc is not None:
        parts.append(of.written_utc >= filters.since_utc)
    if filters.until_utc is not None:
        parts.append(of.written_utc < filters.until_utc)
    return and_(*parts)


def _holds(terms: Sequence[Term]) -> ColumnElement[bool]:
    """Return the condition that an entry holds all of the terms; folded words have no signs of LIKE."""
    patterns = (f"% {' '.join(term.words)}{'' if term.prefix else ' '}%" for term in terms)
    return and_(log_entries.c.number > 0, *(log_entries.c.words.like(pattern) for pattern in patterns))
