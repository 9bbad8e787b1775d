"""PostgreSQL's texts as what their folded words lack, fewer codes of numbers, and indexes of what needs one."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from tomarium.catalogue import postgresql_numbers, postgresql_texts
from tomarium.catalogue.packed_text import pack, unpack
from tomarium.catalogue.word_marks import description_of, pack_marks, words_of

revision = "0029"
down_revision = "0028"

AT_ONCE = 5000
ELSEWHERE = sa.text("path <> id")
OLD_CODES = """
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
TEXTS = "SELECT number, keywords, rest, wording FROM record_text WHERE number > :last ORDER BY number LIMIT :at_once"
OLD_TEXTS = """
SELECT number, title, keywords, rest, whole, description, words FROM old_text JOIN wording ON record = number
WHERE number > :last ORDER BY number LIMIT :at_once
"""


def upgrade() -> None:
    """Make these anew, within the one transaction."""
    _drop_place()
    op.create_index("record_place", "record", ["path"], sqlite_where=ELSEWHERE, postgresql_where=ELSEWHERE)
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL maintenance_work_mem = '256MB'")
    op.drop_index("record_facets", "record")
    op.create_index("record_facets", "record", ["facets"])
    op.drop_index("parameter_number", "parameter")
    op.execute(postgresql_numbers.MAKE_CODES)
    op.execute(postgresql_numbers.MAKE_INDEX.format("parameter"))
    op.drop_index("record_text_words", "record_text")
    op.execute("ALTER TABLE record_text RENAME TO old_text")
    op.execute("ALTER INDEX record_text_pkey RENAME TO old_text_pkey")
    op.execute(postgresql_texts.MAKE_TABLE.format("record_text"))
    for rows in _rows(OLD_TEXTS):
        postgresql_texts.copy_texts(
            op.get_bind(),
            [
                (
                    *row[:5],
                    pack_marks(row.description, _unpacked(row.words), row.rest.strip(), row.keywords.strip()),
                )
                for row in rows
            ],
        )
    op.execute("DROP TABLE old_text")
    op.execute("DROP TABLE wording")
    op.execute(
        "CREATE INDEX record_text_words ON record_text USING gin (record_words(title, keywords, rest, whole))"
    )
    op.execute("ANALYZE record_text")


def _drop_place() -> None:
    # A rebuild on SQLite leaves an index under another name: "record_place" and "new_record_place" take turns.
    for name in ("record_place", "new_record_place"):
        op.execute(f"DROP INDEX IF EXISTS {name}")


def _rows(asked: str) -> Iterator[Sequence[sa.Row[Any]]]:
    """Read rows some thousand at a time."""
    last = -(2**63)
    while rows := op.get_bind().execute(sa.text(asked), {"last": last, "at_once": AT_ONCE}).all():
        last = rows[-1].number
        yield rows


def _unpacked(packed: bytes) -> str:
    try:
        return unpack(packed)
    except zlib.error:  # a damaged row is found by its title; index rebuild makes it anew
        return ""


def downgrade() -> None:
    """Make what was there before."""
    _drop_place()
    op.create_index("record_place", "record", ["store", "path"])
    if op.get_bind().dialect.name != "postgresql":
        return
    op.drop_index("record_facets", "record")
    op.create_index("record_facets", "record", ["facets", "state", "public_from", "owner", "team"])
    op.drop_index("parameter_number", "parameter")
    op.execute(OLD_CODES)
    op.execute("CREATE INDEX parameter_number ON parameter USING gin (parameter_codes(keys, numbers))")
    op.create_table(
        "wording",
        sa.Column(
            "record", sa.BigInteger, sa.ForeignKey("record.number", ondelete="CASCADE"), primary_key=True,
            autoincrement=False,
        ),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("words", sa.LargeBinary, nullable=False),
    )  # fmt: skip
    wording = sa.table("wording", *(sa.column(name) for name in ("record", "description", "words")))
    for rows in _rows(TEXTS):
        told = [(description_of(row.wording, row.rest), words_of(row.wording, row.keywords)) for row in rows]
        op.bulk_insert(
            wording,
            [
                {
                    "record": row.number,
                    "description": description.replace("\0", "\ufffd"),
                    "words": pack(words),
                }
                for row, (description, words) in zip(rows, told, strict=True)
            ],
        )
    op.execute("ALTER TABLE record_text DROP COLUMN wording")
