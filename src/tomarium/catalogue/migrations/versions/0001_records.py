"""Records, their parameters and their text.

A migration is history: it tells the tables as they were then, and never imports those of today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "record",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("created_utc", sa.Float, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("thumbnail", sa.Text, nullable=False),
        sa.Column("shape", sa.JSON, nullable=False),
        sa.Column("voxel_m", sa.Float),
        sa.Column("words", sa.Text, nullable=False),
    )
    op.create_index("record_folder", "record", ["folder"])
    op.create_index("record_newest", "record", [sa.text("created_utc DESC"), "id"])
    op.create_table(
        "parameter",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("record", sa.Integer, sa.ForeignKey("record.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Float),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
    )
    op.create_index("parameter_number", "parameter", ["key", "number"])
    op.create_index("parameter_record", "parameter", ["record"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE record_text (number bigint PRIMARY KEY)")  # never filled: see 0004
        return
    op.execute(
        "CREATE VIRTUAL TABLE record_text USING fts5("
        "title, keywords, rest, tokenize=\"unicode61 remove_diacritics 0 categories 'L* N* M* Co'\")"
    )


def downgrade() -> None:
    """Drop them; the records themselves lie in their folders."""
    op.execute("DROP TABLE record_text")
    op.drop_table("parameter")
    op.drop_table("record")
