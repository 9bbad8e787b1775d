"""PostgreSQL in half the room: the numbers of a record in one row, texts in place of tsvectors, one index of each."""

import zlib

from alembic import op
from sqlalchemy import text

from tomarium.catalogue import postgresql_texts
from tomarium.catalogue.packed_text import unpack
from tomarium.catalogue.words import fold

revision = "0026"
down_revision = "0024"

AT_ONCE = 5000
MAKE_CODES = """
CREATE OR REPLACE FUNCTION parameter_codes(keys integer[], numbers double precision[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT array_agg((key * 4 + level) * 16777216 + (place >> shift))
    FROM (
        SELECT key, CASE WHEN bits < 8388608 THEN bits + 8388608 ELSE 16777215 - bits END AS place
        FROM (
            SELECT key::bigint, get_byte(sent, 0) * 65536 + get_byte(sent, 1) * 256 + get_byte(sent, 2) AS bits
            FROM unnest(keys, numbers) AS told(key, number), float8send(number + 0.0) AS sent
        ) AS read
    ) AS placed, (VALUES (0, 6), (1, 12), (2, 16), (3, 20)) AS cut(level, shift)
$$
"""
NUMBERS = """
CREATE TABLE parameter (record bigint PRIMARY KEY, keys integer[] NOT NULL, numbers double precision[] NOT NULL)
"""
TEXTS = """
CREATE TABLE record_text (
    number bigint PRIMARY KEY, title text COLLATE pg_catalog."C" NOT NULL,
    keywords text COLLATE pg_catalog."C" NOT NULL, rest text COLLATE pg_catalog."C" NOT NULL, whole boolean NOT NULL
)
"""
ENTER = "COPY record_text (number, title, keywords, rest, whole) FROM STDIN"
OLD_TEXTS = """
CREATE TABLE record_text (number bigint PRIMARY KEY, words tsvector NOT NULL, plain text NOT NULL,
    whole boolean NOT NULL)
"""


def upgrade() -> None:
    """Make these tables anew, within the one transaction; SQLite keeps all of it in indexes alone already."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL maintenance_work_mem = '256MB'")
    op.execute(MAKE_CODES)
    op.execute("ALTER TABLE parameter RENAME TO old_parameter")
    op.execute(NUMBERS)
    op.execute(
        "INSERT INTO parameter SELECT record, array_agg(key::integer ORDER BY key), array_agg(number ORDER BY key) "
        "FROM old_parameter GROUP BY record ORDER BY record"
    )
    op.execute("DROP TABLE old_parameter")
    op.execute("CREATE INDEX parameter_number ON parameter USING gin (parameter_codes(keys, numbers))")
    op.execute(postgresql_texts.MAKE_WORDS)
    op.execute("DROP TABLE record_text")
    op.execute(TEXTS)
    _fill_texts()
    op.execute(
        "CREATE INDEX record_text_words ON record_text USING gin (record_words(title, keywords, rest, whole))"
    )
    for table in ("parameter", "record_text"):
        op.execute(f"ANALYZE {table}")


def _fill_texts() -> None:
    """Fold what is shown of each record once more."""
    bind = op.get_bind()
    wanted = text(
        "SELECT number, title, description, words FROM record JOIN wording ON record = number "
        "WHERE number > :last ORDER BY number LIMIT :at_once"
    )
    last = -(2**63)
    while rows := bind.execute(wanted, {"last": last, "at_once": AT_ONCE}).all():
        last = rows[-1].number
        driver = bind.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor, cursor.copy(ENTER) as copy:
            for row in rows:
                parts = [" ".join(fold(told)) for told in (row.title, _unpacked(row.words), row.description)]
                whole = postgresql_texts.all_fit(" ".join(parts))
                copy.write_row((row.number, *(f" {part} " for part in parts), whole))


def _unpacked(packed: bytes) -> str:
    try:
        return unpack(packed)
    except zlib.error:  # a damaged row is found by its title; index rebuild makes it anew
        return ""


def downgrade() -> None:
    """Give each number its row again; words are found again after: tomarium index rebuild."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE parameter RENAME TO new_parameter")
    op.execute(
        "CREATE TABLE parameter (key bigint, record bigint, number double precision NOT NULL, "
        "PRIMARY KEY (key, record) INCLUDE (number))"
    )
    op.execute(
        "INSERT INTO parameter SELECT told.key, record, told.number "
        "FROM new_parameter, unnest(keys, numbers) AS told(key, number) ORDER BY 1, 2"
    )
    op.execute("DROP TABLE new_parameter")
    op.create_index("parameter_number", "parameter", ["key", "number"], postgresql_include=["record"])
    op.execute("DROP FUNCTION parameter_codes")
    op.execute("DROP TABLE record_text")
    op.execute(OLD_TEXTS)
    op.execute("ALTER TABLE record_text ALTER COLUMN words SET STORAGE MAIN")
    op.execute("CREATE INDEX record_text_words ON record_text USING gin (words)")
    op.execute("DROP FUNCTION record_words")
