"""Full text search in PostgreSQL: folded texts, and an inverted index (GIN) of their words.

Words are cut and folded before, by `words.fold`, as for every database. The index is of a tsvector that is made of them
when a row is written and not kept: with places of words it took twice the room of the texts. What stands side by side,
and how relevant a text is, is looked up in the texts of what the index finds. The texts as they are shown stand beside
them, as what their folded words lack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Float, FromClause, Row, Select, column, text
from sqlalchemy import table as table_of

from tomarium.catalogue import word_marks
from tomarium.catalogue.tables import IndexTables
from tomarium.catalogue.word_marks import pack_marks
from tomarium.catalogue.words import Term

LONGEST: Final = 500  # letters of a word of the index; PostgreSQL takes 2046 bytes
ROOM: Final = 1_000_000  # bytes of all words of a text in it; PostgreSQL takes 1 048 575
NOT_ALL: Final = "…"  # stands in the index for a text whose words do not all fit; no word has this sign
WEIGHED: Final = 50  # terms that tell how relevant a text is; PostgreSQL nests a sum of thousands too deep
LOOKED_AT: Final = 20_000  # hits, as many as are counted
_SAMPLE: Final = 3000  # texts that words are looked for in to tell how many have them

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
# The function that it needs is made by a migration.
MAKE_INDEX: Final = "CREATE INDEX {0}_words ON {0} USING gin (record_words(title, keywords, rest, whole))"
_ENTER: Final = "COPY {} (number, title, keywords, rest, whole, wording) FROM STDIN"
# The offset has the index asked once, before anything is joined: PostgreSQL would try the text of each record instead.
_ONCE: Final = " OFFSET 0"


def match(terms: Sequence[Term], *, in_order: bool = False, common: bool = False) -> FromClause:
    """Return the rows that hold all terms.

    Parameters
    ----------
    terms : sequence of Term
        At least one.
    in_order : bool
        Whether the most relevant come first: what is asked of their records is then looked up of those on the page
        alone, and not of all that has the words.
    common : bool
        Whether the texts themselves are read, in whichever order, and not the index.

    Returns
    -------
    FromClause
        `number` of the record and `score`: of each of the first 50 terms 1 where it stands in the title, else 0.4 among
        the keywords, else 0.1.
    """
    conditions, scores, values = [], [], {}
    for index, term in enumerate(terms):
        name = f"plain_{index}"
        values[name] = f" {' '.join(term.words)}{'' if term.prefix else ' '}"
        has = f"strpos(title || keywords || rest, :{name}) > 0"
        surely = not common and len(term.words) == 1 and len(term.words[0]) < LONGEST
        conditions.append(f"(whole OR {has})" if surely else has)
        scores.append(
            f"CASE WHEN strpos(title, :{name}) > 0 THEN 1.0 WHEN strpos(keywords, :{name}) > 0 THEN 0.4 ELSE 0.1 END"
        )
    if not common:
        values["expression"] = f"({' & '.join(_spell(term) for term in terms)}) | '{NOT_ALL}'"
        conditions.append("record_words(title, keywords, rest, whole) @@ CAST(:expression AS tsquery)")
    # In the order of time by itself: where few are wanted of many, PostgreSQL would compare all that is found with one
    # record after the other.
    order = " ORDER BY score DESC, number DESC" if in_order else "" if common else " ORDER BY number DESC"
    once = _ONCE if order else ""
    found = text(
        f"SELECT number, CAST({' + '.join(scores[:WEIGHED])} AS float8) AS score FROM record_text "
        f"WHERE {' AND '.join(conditions)}{order}{once}"
    ).bindparams(**values)
    return found.columns(number=BigInteger, score=Float).subquery("found")


def _spell(term: Term) -> str:
    """Spell the words of a term for a tsquery: all of them."""
    words = [f"'{word[:LONGEST]}'" for word in term.words]
    return " & ".join([*words[:-1], f"{words[-1]}:*" if term.prefix else words[-1]])


def are_common(connection: Connection, terms: Sequence[Term]) -> bool:
    """Tell whether so many texts have all terms that the newest are found sooner by reading text after text.

    The index gives all that have a word before the first of them is known. Of a share s of N texts it takes s N looks,
    and the newest 20 000 are among 20 000 / s texts: these are fewer where s² N is more than 20 000.
    """
    known = "SELECT reltuples FROM pg_class WHERE oid = 'record_text'::regclass"
    rows = float(connection.exec_driver_sql(known).scalar_one())
    if rows <= LOOKED_AT:
        return False
    has = [f"strpos(title || keywords || rest, :plain_{index}) > 0" for index in range(len(terms))]
    values = {
        f"plain_{index}": f" {' '.join(term.words)}{'' if term.prefix else ' '}"
        for index, term in enumerate(terms)
    }
    sample = f"record_text TABLESAMPLE SYSTEM ({100 * _SAMPLE / rows:.9f}) REPEATABLE (1)"
    asked = text(f"SELECT count(*) FILTER (WHERE {' AND '.join(has)}), count(*) FROM {sample}")
    found, tried = connection.execute(asked, values).one()
    return bool(rows * (found / max(tried, 1)) ** 2 > LOOKED_AT)


def save_texts(connection: Connection, texts: Sequence[dict[str, Any]], table: str = "record_text") -> None:
    """Enter texts, cut and folded: `number`, `title`, `keywords`, `rest`; and `description`, `words` as they are."""
    rows = []
    for row in texts:
        parts = (row["title"], row["keywords"], row["rest"])
        wording = pack_marks(row["description"], row["words"], row["rest"], row["keywords"])
        rows.append((row["number"], *(f" {part} " for part in parts), all_fit(" ".join(parts)), wording))
    copy_texts(connection, rows, table)


def copy_texts(connection: Connection, rows: Sequence[Sequence[Any]], table: str = "record_text") -> None:
    """Enter rows as they are."""
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(_ENTER.format(table)) as copy:
        for row in rows:
            copy.write_row(row)


def save_wordings(_connection: Connection, _rows: Sequence[tuple[int, str, str]], _into: IndexTables) -> None:
    """Do nothing: `save_texts` has kept them."""


def add_wording(wanted: Select[Any], of: IndexTables) -> Select[Any]:
    """Ask of records for their texts, too."""
    texts = table_of(of.texts, *(column(name) for name in ("number", "keywords", "rest", "wording")))
    told = (texts.c.wording, texts.c.keywords.label("folded_words"), texts.c.rest.label("folded_description"))
    return wanted.join(texts, texts.c.number == of.records.c.number).add_columns(*told)


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
    connection.execute(
        text(f"DELETE FROM {table} WHERE number = ANY(CAST(:numbers AS bigint[]))"),
        {"numbers": list(numbers)},
    )
