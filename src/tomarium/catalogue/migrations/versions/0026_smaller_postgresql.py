"""PostgreSQL in half the room: the numbers of a record in one row, texts in place of tsvectors, one index of each."""

import zlib

from alembic import op
from sqlalchemy import text

from tomarium.catalogue import postgresql_numbers, postgresql_texts
from tomarium.catalogue.packed_text import unpack
from tomarium.catalogue.words import fold

revision = "0026"
down_revision = "0024"

AT_ONCE = 5000
OLD_TEXTS = """
CREATE TABLE record_text (number bigint PRIMARY KEY, words tsvector NOT NULL, plain text NOT NULL,
    whole boolean NOT NULL)
"""


def upgrade() -> None:
    """Make these tables anew, within the one transaction; SQLite keeps all of it in indexes alone already."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL maintenance_work_mem = '256MB'")
    op.execute(postgresql_numbers.MAKE_CODES)
    op.execute("ALTER TABLE parameter RENAME TO old_parameter")
    op.execute(postgresql_numbers.MAKE_TABLE.format("parameter"))
    op.execute(
        "INSERT INTO parameter SELECT record, array_agg(key::integer ORDER BY key), array_agg(number ORDER BY key) "
        "FROM old_parameter GROUP BY record ORDER BY record"
    )
    op.execute("DROP TABLE old_parameter")
    op.execute(postgresql_numbers.MAKE_INDEX.format("parameter"))
    op.execute(postgresql_texts.MAKE_WORDS)
    op.execute("DROP TABLE record_text")
    op.execute(postgresql_texts.MAKE_TABLE.format("record_text"))
    _fill_texts()
    op.execute(postgresql_texts.MAKE_INDEX.format("record_text"))
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
        postgresql_texts.save_texts(
            bind,
            [
                {
                    "number": row.number,
                    "title": " ".join(fold(row.title)),
                    "keywords": " ".join(fold(_unpacked(row.words))),
                    "rest": " ".join(fold(row.description)),
                }
                for row in rows
            ],
        )


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
