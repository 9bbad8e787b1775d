"""Facets, numbers of parameters in two orders, and records in the order of time.

A migration is history: it tells the tables as they were then, and never imports those of today.
"""

import json
import zlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

FACETS = {"technique": "technique", "instrument": "instrument", "facility": "facility"}


# Numbers of records have six bytes; SQLite numbers its rows itself only where the type is called INTEGER.
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def text(name: str, unique: bool | None = None) -> sa.Column[str]:
    """Return a column of text that is always there."""
    return sa.Column(name, sa.Text, nullable=False, unique=unique)


def upgrade() -> None:
    """Make the index's tables anew from what is in them; nothing durable is touched."""
    for index in ("record_place", "record_newest", "record_doi", "parameter_number", "parameter_record"):
        op.drop_index(index)
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":  # no catalogue is kept in it from before
        for table in ("parameter", "record", "record_text"):
            op.drop_table(table)
        _make()
        return
    for table in ("record", "parameter", "record_text"):
        op.rename_table(table, f"old_{table}")
    _make()
    sets: dict[str, int] = {}
    keys: dict[str, int] = {}
    taken: set[int] = set()
    for row in bind.execute(sa.text("SELECT * FROM old_record ORDER BY created_utc, id")).mappings().all():
        number = round((row["created_utc"] - 946_684_800) * 65_536)
        while number in taken:
            number += 1
        taken.add(number)
        _move(bind, dict(row), number, sets, keys)
    for table in ("old_parameter", "old_record_text", "old_record"):
        op.drop_table(table)


def _make() -> None:
    op.create_table(
        "record",
        sa.Column("number", WHOLE, primary_key=True),
        *(text("id", unique=True), text("title"), text("created")),
        sa.Column("created_utc", sa.Float, nullable=False),
        sa.Column("store", sa.Integer, nullable=False),
        text("path"),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        text("thumbnail"),
        sa.Column("shape", sa.JSON, nullable=False),
        sa.Column("voxel_m", sa.Float),
        *(text("state"), text("owner"), text("team")),
        sa.Column("public_from", sa.Float),
        sa.Column("open_from", sa.Float),
        *(text("doi"), text("licence")),
        sa.Column("facets", sa.Integer, nullable=False),
    )
    op.create_index("record_place", "record", ["store", "path"])
    op.create_index("record_doi", "record", ["doi"])
    op.create_index("record_facets", "record", ["facets", "state", "public_from", "owner", "team", "id"])
    op.create_table(
        "wording",
        sa.Column("record", WHOLE, sa.ForeignKey("record.number", ondelete="CASCADE"), primary_key=True),
        text("description"),
        sa.Column("words", sa.LargeBinary, nullable=False),
    )
    op.create_table("retired", sa.Column("number", WHOLE, primary_key=True))
    op.create_table(
        "facet_set", sa.Column("number", sa.Integer, primary_key=True), text("content", unique=True)
    )
    op.create_table(
        "facet",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column(
            "facets", sa.Integer, sa.ForeignKey("facet_set.number", ondelete="CASCADE"), primary_key=True
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parameter_key", sa.Column("number", sa.Integer, primary_key=True), text("key", unique=True)
    )
    op.create_table(
        "parameter",
        sa.Column("key", sa.Integer, primary_key=True),
        sa.Column("record", WHOLE, primary_key=True),
        sa.Column("number", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("parameter_number", "parameter", ["key", "number"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE record_text (number bigint PRIMARY KEY, words tsvector NOT NULL, plain text NOT NULL, "
            "whole boolean NOT NULL)"
        )
        op.execute("CREATE INDEX record_text_words ON record_text USING gin (words)")
        return
    op.execute(
        "CREATE VIRTUAL TABLE record_text USING fts5(title, keywords, rest, content='', "
        "tokenize=\"unicode61 remove_diacritics 0 categories 'L* N* M* Co'\")"
    )


def _move(
    bind: sa.Connection, row: dict[str, Any], number: int, sets: dict[str, int], keys: dict[str, int]
) -> None:
    old = row.pop("number")
    wording = {
        "number": number,
        "description": row.pop("description"),
        "words": zlib.compress(row.pop("words").encode()),
    }
    rows = bind.execute(
        sa.text("SELECT key, number, text FROM old_parameter WHERE record = :old"), {"old": old}
    ).all()
    texts = {row.key: " ".join(row.text.split()) for row in rows if row.number is None}
    told = {(name, texts.get(key, "")) for name, key in FACETS.items()}
    if not texts.get("instrument"):
        told.add(("instrument", texts.get("beamline", "")))
    told |= {("licence", row["licence"]), ("year", row["created"][:4])}
    content = json.dumps(sorted(one for one in told if 0 < len(one[1]) <= 200), ensure_ascii=False)
    if content not in sets:
        sets[content] = len(sets) + 1
        bind.execute(sa.text("INSERT INTO facet_set VALUES (:n, :c)"), {"n": sets[content], "c": content})
        for name, value in json.loads(content):
            values = {"name": name, "value": value, "n": sets[content]}
            bind.execute(sa.text("INSERT INTO facet VALUES (:name, :value, :n)"), values)
    row |= {"number": number, "facets": sets[content]}
    columns = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    bind.execute(sa.text(f"INSERT INTO record ({columns}) VALUES ({places})"), row)
    bind.execute(sa.text("INSERT INTO wording VALUES (:number, :description, :words)"), wording)
    for one in rows:
        if one.number is None:
            continue
        if one.key not in keys:
            keys[one.key] = len(keys) + 1
            bind.execute(
                sa.text("INSERT INTO parameter_key VALUES (:n, :key)"), {"n": keys[one.key], "key": one.key}
            )
        values = {"key": keys[one.key], "record": number, "number": one.number}
        bind.execute(sa.text("INSERT INTO parameter VALUES (:key, :record, :number)"), values)
    bind.execute(
        sa.text(
            "INSERT INTO record_text (rowid, title, keywords, rest) "
            "SELECT :number, title, keywords, rest FROM old_record_text WHERE rowid = :old"
        ),
        {"number": number, "old": old},
    )


def downgrade() -> None:
    """Go back to the tables before, empty: tomarium index rebuild fills them."""
    for table in (
        "record_text",
        "parameter",
        "parameter_key",
        "facet",
        "facet_set",
        "retired",
        "wording",
        "record",
    ):
        op.drop_table(table)
    op.create_table(
        "record",
        sa.Column("number", sa.Integer, primary_key=True),
        *(text("id", unique=True), text("title"), text("description"), text("created")),
        sa.Column("created_utc", sa.Float, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        text("thumbnail"),
        sa.Column("shape", sa.JSON, nullable=False),
        sa.Column("voxel_m", sa.Float),
        *(
            text("words"),
            text("path"),
            text("state"),
            text("owner"),
            text("team"),
            text("doi"),
            text("licence"),
        ),
        sa.Column("store", sa.Integer, nullable=False),
        sa.Column("public_from", sa.Float),
        sa.Column("open_from", sa.Float),
    )
    op.create_index("record_newest", "record", [sa.text("created_utc DESC"), "id"])
    op.create_index("record_place", "record", ["store", "path"])
    op.create_index("record_doi", "record", ["doi"])
    op.create_table(
        "parameter",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("record", sa.Integer, sa.ForeignKey("record.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Float),
        *(text("text"), text("unit"), text("origin")),
    )
    op.create_index("parameter_number", "parameter", ["key", "number"])
    op.create_index("parameter_record", "parameter", ["record"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE record_text (number bigint PRIMARY KEY)")
        return
    op.execute(
        "CREATE VIRTUAL TABLE record_text USING fts5("
        "title, keywords, rest, tokenize=\"unicode61 remove_diacritics 0 categories 'L* N* M* Co'\")"
    )
