"""Specimens, proposals, instruments, collections and documents, the records of them, and the log book.

A migration is history: it tells the tables as they were then, and never imports those of today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0004"


def text(name: str, primary_key: bool = False) -> sa.Column[str]:
    """Return a column of text that is always there."""
    return sa.Column(name, sa.Text, nullable=False, primary_key=primary_key)


def entity(name: str) -> sa.Column[str]:
    """Return a column that names an entity."""
    return sa.Column(name, sa.Text, sa.ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    """Make the tables; no other is touched."""
    op.create_table(
        "entity",
        *(text("id", primary_key=True), text("kind"), text("name")),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("disclosed", sa.JSON, nullable=False),
        *(text("owner"), text("team")),
        sa.Column("published_utc", sa.Float),
        text("doi"),
        sa.Column("changed_utc", sa.Float, nullable=False),
    )
    op.create_index("entity_kind", "entity", ["kind", "name"])
    op.create_table("entity_origin", entity("child"), entity("parent"), text("how"))
    op.create_table(
        "record_entity",
        text("record", primary_key=True),
        entity("entity"),
        sa.Column("chosen", sa.Integer, nullable=False),
    )
    op.create_index("record_entity_entity", "record_entity", ["entity", "record"])
    op.create_table(
        "log_entry",
        sa.Column("number", sa.Integer, primary_key=True),
        *(text("subject"), text("who")),
        sa.Column("machine", sa.Integer, nullable=False),
        sa.Column("moment_utc", sa.Float, nullable=False),
        text("text"),
        sa.Column("before", sa.JSON, nullable=False),
    )
    op.create_index("log_entry_subject", "log_entry", ["subject", "number"])


def downgrade() -> None:
    """Drop the tables and what they hold."""
    for table in ("log_entry", "record_entity", "entity_origin", "entity"):
        op.drop_table(table)
