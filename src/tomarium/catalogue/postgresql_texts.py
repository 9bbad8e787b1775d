"""Full text search in PostgreSQL: folded texts, and an inverted index (GIN) of their words.

Words are cut and folded before, by `words.fold`, as for every database. The index is of a tsvector that is made of them
when a row is written and not kept: with places of words it took twice the room of the texts. What stands side by side,
and how relevant a text is, is looked up in the texts of what the index finds. The texts as they are shown stand beside
them, as what their folded words lack.

The index lies on a table of its own, of short rows: who may see a record, and its set of facets. PostgreSQL reads the
row of each hit, and texts lie nine on a page of 8 kB, these a hundred.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Float,
    FromClause,
    Row,
    Select,
    Text,
    TextualSelect,
    column,
    literal,
    select,
    text,
)
from sqlalchemy import table as table_of

from tomarium.catalogue import word_marks
from tomarium.catalogue.facets import NO_FILTERS, Filters
from tomarium.catalogue.postgresql_copy import copy_rows
from tomarium.catalogue.tables import SEEN_OF_RECORD, IndexTables
from tomarium.catalogue.word_marks import pack_marks
from tomarium.catalogue.words import Term

LONGEST: Final = 500  # letters of a word of the index; PostgreSQL takes 2046 bytes
ROOM: Final = 1_000_000  # bytes of all words of a text in it; PostgreSQL takes 1 048 575
NOT_ALL: Final = "…"  # stands in the index for a text whose words do not all fit; no word has this sign
WEIGHED: Final = 50  # terms that tell how relevant a text is; PostgreSQL nests a sum of thousands too deep
_SAMPLE: Final = 3000  # texts that words are looked for in to tell how many have them
_SAMPLE_S: Final = 600  # for so long a program keeps them
_SAMPLE_LETTERS: Final = 4000  # of each it keeps no more
_ROWS: Final = "SELECT reltuples FROM pg_class WHERE oid = 'record_text'::regclass"
_PARTS: Final = (
    4  # records from a number on are looked at alone where they are less than one of so many parts of all
)

# It costs 20 µs: stated as so dear, the planner looks words up in the index and never makes a tsvector to compare one.
MAKE_WORDS: Final = f"""
CREATE OR REPLACE FUNCTION record_words(title text, keywords text, rest text, whole boolean) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT CASE
        WHEN whole THEN array_to_tsvector(array_remove(string_to_array(title || keywords || rest, ' '), ''))
        ELSE array_to_tsvector(ARRAY['{NOT_ALL}'])
    END
$$
"""
# Each text has a space before and behind every word, so that whole words can be looked for.
MAKE_TABLE: Final = """
CREATE TABLE {} (
    number bigint PRIMARY KEY, title text COLLATE pg_catalog."C" NOT NULL,
    keywords text COLLATE pg_catalog."C" NOT NULL, rest text COLLATE pg_catalog."C" NOT NULL, whole boolean NOT NULL,
    wording bytea NOT NULL
)
"""
MAKE_BRIEF: Final = """
CREATE TABLE {}_brief (
    number bigint PRIMARY KEY, public_from double precision, facets bigint NOT NULL, whole boolean NOT NULL,
    state text COLLATE pg_catalog."C" NOT NULL, owner text COLLATE pg_catalog."C" NOT NULL,
    team text COLLATE pg_catalog."C" NOT NULL
)
"""
# It reads a table, and is immutable all the same: the text of a number never changes, for a record that does gets
# another number. So a text is entered before its row of the brief table, and taken out after it. Written as RETURN, it
# is bound to the table and not to its name, which changes when a rebuild ends.
MAKE_WORDS_OF: Final = """
CREATE FUNCTION {0}_words(bigint) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000
RETURN (SELECT record_words(title, keywords, rest, whole) FROM {0} WHERE {0}.number = $1)
"""
# What it needs of `MAKE_WORDS` is made by a migration.
MAKE_INDEXES: Final = (
    "CREATE INDEX {0}_words ON {0}_brief USING gin ({0}_words(number))",
    "CREATE INDEX {0}_facets ON {0}_brief (facets)",
)
DROP: Final = ("DROP TABLE IF EXISTS {}_brief", "DROP FUNCTION IF EXISTS {}_words", "DROP TABLE IF EXISTS {}")
_COLUMNS: Final = ("number", "title", "keywords", "rest", "whole", "wording")
FILL_BRIEF: Final = (
    f"INSERT INTO {{0}}_brief (number, whole, {', '.join(SEEN_OF_RECORD)}) "
    f"SELECT number, whole, {', '.join(SEEN_OF_RECORD)} FROM record JOIN {{0}} USING (number) ORDER BY number"
)
_BRIEF: Final[dict[str, Any]] = {
    **dict.fromkeys(("number", "facets"), BigInteger),
    "public_from": Float,
    **dict.fromkeys(("state", "owner", "team"), Text),
}
_HAS: Final = "strpos(title || keywords || rest, :{}) > 0"
# The offset has the index asked once: PostgreSQL would try the texts of the newest in their order where few are wanted.
_ONCE: Final = " OFFSET 0"


def match(
    terms: Sequence[Term], *, common: bool = False, since: int | None = None, among: Filters = NO_FILTERS
) -> tuple[FromClause, ColumnElement[float]]:
    """Return the rows that hold all terms, and how relevant each is.

    Parameters
    ----------
    terms : sequence of Term
        At least one.
    common : bool
        Whether the texts themselves are read, in whichever order, and not the index.
    since : int, optional
        Number that only records from it on are wanted of.
    among : Mapping of str to tuple of str
        Facets that few records have, and the values that are wanted of each: their index is asked beside that of words.

    Returns
    -------
    FromClause
        `number` of the record; but for common words also `public_from`, `facets`, `state`, `owner` and `team`.
    ColumnElement of float
        The relevance: of each of the first 50 terms 1 where it stands in the title, else 0.4 among the keywords, else
        0.1. It is looked up where it is asked for alone.
    """
    of, once = "record_text_brief AS brief", _ONCE
    if common:
        of, once = f"{of} JOIN record_text AS told ON told.number = brief.number", ""
    conditions, values = _conditions(terms, since, common=common)
    for index, (name, values_any) in enumerate(among.items()):
        values |= {f"among_{index}_name": name, f"among_{index}_any": list(values_any)}
        facet_condition = f"name = :among_{index}_name AND value = ANY(CAST(:among_{index}_any AS text[]))"
        conditions.append(f"brief.facets = ANY(ARRAY(SELECT facets FROM facet WHERE {facet_condition}))")
    columns = ", ".join(f"brief.{name}" for name in _BRIEF)
    rows = text(f"SELECT {columns} FROM {of} WHERE {' AND '.join(conditions)}{once}")
    matches = rows.bindparams(**values).columns(**_BRIEF).subquery("found")
    return matches, _score(terms)


def _conditions(
    terms: Sequence[Term], since: int | None, *, common: bool = False
) -> tuple[list[str], dict[str, Any]]:
    """Spell what a row of `brief` must meet to hold all terms; for common words joined with its text, `told`."""
    values: dict[str, Any] = {f"plain_{index}": _plain(term) for index, term in enumerate(terms)}
    conditions = has = [_HAS.format(f"plain_{index}") for index in range(len(terms))]
    if not common:
        values["expression"] = f"({' & '.join(_spell(term) for term in terms)}) | '{NOT_ALL}'"
        conditions = ["record_text_words(brief.number) @@ CAST(:expression AS tsquery)"]
        for term, condition in zip(terms, has, strict=True):
            tried = f"(SELECT {condition} FROM record_text AS told WHERE told.number = brief.number)"
            surely = len(term.words) == 1 and len(term.words[0]) < LONGEST
            conditions.append(f"(whole OR {tried})" if surely else tried)
    if since is not None:
        values["since"] = since
        conditions.append("brief.number >= :since")
    return conditions, values


def relevance_of(terms: Sequence[Term], numbers: Sequence[int]) -> Select[Any]:
    """Select `number` and `score` of records that are known to hold all terms."""
    # Spelled here: the driver takes ten milliseconds to spell a list of some thousand.
    spelled = f"{{{','.join(map(str, numbers))}}}"
    told = text("SELECT unnest(CAST(:numbers AS bigint[])) AS number").bindparams(numbers=spelled)
    found = told.columns(number=BigInteger).subquery("found")
    return select(found.c.number, _score(terms).label("score"))


def highest_relevance(terms: Sequence[Term]) -> float | None:
    """Return the relevance of a text that has all terms in its title."""
    return float(len(terms[:WEIGHED]))


def _score(terms: Sequence[Term]) -> ColumnElement[float]:
    """Look up how relevant the text of a row of `found` is."""
    parts, values = [], {}
    for index, term in enumerate(terms[:WEIGHED]):
        name = f"weighed_{index}"
        values[name] = _plain(term)
        parts.append(
            f"CASE WHEN strpos(title, :{name}) > 0 THEN 1.0 WHEN strpos(keywords, :{name}) > 0 THEN 0.4 ELSE 0.1 END"
        )
    score_of = f"(SELECT CAST({' + '.join(parts)} AS float8) FROM record_text AS told WHERE told.number = found.number)"
    return TextualSelect(text(score_of).bindparams(**values), [column("score", Float)]).scalar_subquery()


def _plain(term: Term) -> str:
    return f" {' '.join(term.words)}{'' if term.prefix else ' '}"


def _spell(term: Term) -> str:
    """Spell the words of a term for a tsquery: all of them."""
    words = [f"'{word[:LONGEST]}'" for word in term.words]
    return " & ".join([*words[:-1], f"{words[-1]}:*" if term.prefix else words[-1]])


def newest_with(
    connection: Connection, terms: Sequence[Term], count: int | None
) -> tuple[NDArray[np.int64], bool]:
    """List the numbers of records that hold all terms, and tell whether these are all: with a count perhaps not."""
    sample = None if count is None else _kept_sample(connection)
    since = None if sample is None or count is None else sample.newest_from(terms, count)
    conditions, values = _conditions(terms, since)
    # As bytes in one piece: of numbers spelled as texts, each takes longer to be read than to be found.
    statement = text(
        f"SELECT string_agg(int8send(brief.number), '') FROM record_text_brief AS brief "
        f"WHERE {' AND '.join(conditions)}"
    )
    line = connection.execute(statement, values).scalar_one()
    return np.frombuffer(line or b"", ">i8").astype(np.int64), since is None


def newest_from(connection: Connection, terms: Sequence[Term], count: int) -> tuple[int | None, bool]:
    """Tell from which number on probably twice as many records have all terms; None where that spares nothing.

    And whether twice as many have them at all, as it seems. A sample of some thousand texts tells it.
    """
    rows = float(connection.exec_driver_sql(_ROWS).scalar_one())
    beyond = int(2 * count * _SAMPLE / rows) if rows > 0 else _SAMPLE
    if beyond >= _SAMPLE // 2:
        return None, False
    values = {f"plain_{index}": _plain(term) for index, term in enumerate(terms)}
    has = " AND ".join(_HAS.format(f"plain_{index}") for index in range(len(terms)))
    statement = text(
        f"SELECT number, count(*) OVER () FROM record_text TABLESAMPLE SYSTEM ({100 * _SAMPLE / rows:.9f}) "
        f"REPEATABLE (1) WHERE {has} ORDER BY number DESC LIMIT 1 OFFSET {beyond}"
    )
    row = connection.execute(statement, values).one_or_none()
    # Of a large part of all, to leave the others out takes as long as to look at them.
    spares = row is not None and row[1] > _PARTS * beyond
    return int(row[0]) if row is not None and spares else None, row is not None


@dataclass(frozen=True)
class _Sample:
    """Some texts of all times, the newest first, each with the number of its record; and of how many they are."""

    texts: Sequence[tuple[int, str]]
    rows: float
    read_at: float

    def newest_from(self, terms: Sequence[Term], count: int) -> int | None:
        """Tell what the function of this name tells."""
        texts, beyond = self.texts, int(2 * count * len(self.texts) / self.rows)
        for term in map(_plain, terms):
            texts = [one for one in texts if term in one[1]]
        return texts[beyond][0] if len(texts) > _PARTS * beyond else None


_SAMPLES: Final[WeakKeyDictionary[Engine, _Sample]] = WeakKeyDictionary()


def _kept_sample(connection: Connection) -> _Sample | None:
    """Return a sample that this program keeps for some minutes: it guesses only how many have some words."""
    sample = _SAMPLES.get(connection.engine)
    if sample is None or time.monotonic() > sample.read_at + _SAMPLE_S:
        rows = float(connection.exec_driver_sql(_ROWS).scalar_one())
        texts: list[tuple[int, str]] = []
        if rows > _SAMPLE:
            statement = text(
                f"SELECT number, left(title || keywords || rest, {_SAMPLE_LETTERS}) FROM record_text "
                f"TABLESAMPLE SYSTEM ({100 * _SAMPLE / rows:.9f}) REPEATABLE (1) LIMIT {2 * _SAMPLE}"
            )
            texts = sorted(((row[0], row[1]) for row in connection.execute(statement)), reverse=True)
        sample = _SAMPLES[connection.engine] = _Sample(texts, max(rows, 1.0), time.monotonic())
    return sample


def sorted_whole(rows: Select[Any]) -> Select[Any]:
    """Return a query of which rows are sorted before the first are taken.

    Hits come the oldest first, so that each of 60 000 would be put before the 20 000 newest so far: that takes three
    times as long as to sort all, which PostgreSQL does where it cannot tell how many are wanted.
    """
    return select(rows.offset(select(literal(0)).scalar_subquery()).subquery())


def save_texts(connection: Connection, texts: Sequence[dict[str, Any]], table: str = "record_text") -> None:
    """Enter texts, cut and folded: `number`, `title`, `keywords`, `rest`; and `description`, `words` as they are.

    Also what is asked of a record: `public_from`, `facets`, `state`, `owner` and `team`.
    """
    rows, briefs = [], []
    for row in texts:
        parts = (row["title"], row["keywords"], row["rest"])
        wording = pack_marks(row["description"], row["words"], row["rest"], row["keywords"])
        is_whole = all_fit(" ".join(parts))
        rows.append((row["number"], *(f" {part} " for part in parts), is_whole, wording))
        briefs.append((row["number"], is_whole, *(row[name] for name in SEEN_OF_RECORD)))
    copy_texts(connection, rows, table)
    copy_rows(connection, f"{table}_brief", ("number", "whole", *SEEN_OF_RECORD), briefs)


def keep_texts(connection: Connection, rows: Sequence[dict[str, Any]], table: str = "record_text") -> None:
    """Enter what is asked of records whose texts stay: `number`, `public_from`, `facets`, `state`, `owner`, `team`."""
    assignments = ", ".join(f"{name} = :{name}" for name in SEEN_OF_RECORD)
    connection.execute(text(f"UPDATE {table}_brief SET {assignments} WHERE number = :number"), list(rows))


def copy_texts(connection: Connection, rows: Sequence[Sequence[Any]], table: str = "record_text") -> None:
    """Enter rows of texts as they are."""
    copy_rows(connection, table, _COLUMNS, rows)


def save_wordings(_connection: Connection, _rows: Sequence[tuple[int, str, str]], _into: IndexTables) -> None:
    """Do nothing: `save_texts` has kept them."""


def add_wording(statement: Select[Any], of: IndexTables) -> Select[Any]:
    """Ask of records for their texts, too."""
    texts = table_of(of.texts, *(column(name) for name in ("number", "keywords", "rest", "wording")))
    text_columns = (
        texts.c.wording,
        texts.c.keywords.label("folded_words"),
        texts.c.rest.label("folded_description"),
    )
    return statement.join(texts, texts.c.number == of.records.c.number).add_columns(*text_columns)


def description_of(row: Row[Any]) -> str:
    """Return the description of a record."""
    return word_marks.description_of(row.wording, row.folded_description)


def words_of(row: Row[Any]) -> str:
    """Return all that is searched besides title and description."""
    return word_marks.words_of(row.wording, row.folded_words)


def all_fit(folded: str) -> bool:
    """Tell whether the index can hold all words of a text."""
    words = folded.split()
    if max(map(len, words), default=0) >= LONGEST:
        return False
    return 4 * len(folded) < ROOM or sum(len(word.encode()) + 4 for word in set(words)) < ROOM


def forget_texts(connection: Connection, numbers: Sequence[int], table: str = "record_text") -> None:
    """Take the texts of records out."""
    for name in (f"{table}_brief", table):
        gone = text(f"DELETE FROM {name} WHERE number = ANY(CAST(:numbers AS bigint[]))")
        connection.execute(gone, {"numbers": list(numbers)})
