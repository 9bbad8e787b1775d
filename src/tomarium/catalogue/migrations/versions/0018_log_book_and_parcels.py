"""Attachments, links, tags and removal of entries of the log book; where specimens are, and parcels."""

import sqlalchemy as sa
from alembic import op

from tomarium.catalogue.words import fold

revision = "0018"
down_revision = "0017"

TEXTS = ("tags", "removed", "event", "words")
LISTS = ("links", "files")


def upgrade() -> None:
    """Add the columns and make the tables; entries that are there are found by their words."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    with op.batch_alter_table("log_entry") as entry:
        entry.add_column(sa.Column("written_utc", sa.Float, nullable=False, server_default="0"))
        for name in TEXTS:
            entry.add_column(sa.Column(name, sa.Text, nullable=False, server_default=""))
        for name in LISTS:
            entry.add_column(sa.Column(name, sa.JSON, nullable=False, server_default="[]"))
    _fill()
    op.create_index("log_entry_written", "log_entry", ["written_utc", "number"])
    op.create_table(
        "log_link",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("entry", whole, sa.ForeignKey("log_entry.number", ondelete="CASCADE"), primary_key=True),
    )
    specimen = sa.ForeignKey("entity.id", ondelete="CASCADE")
    op.create_table(
        "specimen_event",
        sa.Column("number", whole, primary_key=True),
        sa.Column("specimen", sa.Text, specimen, nullable=False),
        sa.Column("parcel", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("moment_utc", sa.Float, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("who", "place", "holder", "condition", "note")
        ),
        sa.Column("files", sa.JSON, nullable=False),
    )
    op.create_index("specimen_event_specimen", "specimen_event", ["specimen", "number"])
    op.create_table(
        "parcel",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("owner", "team", "receiver")),
        sa.Column("changed_utc", sa.Float, nullable=False),
    )
    op.create_index("parcel_changed", "parcel", ["changed_utc"])
    parcel = "parcel.id"
    op.create_table(
        "parcel_content",
        sa.Column("parcel", sa.Text, sa.ForeignKey(parcel, ondelete="CASCADE"), primary_key=True),
        sa.Column("specimen", sa.Text, sa.ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_index("parcel_content_specimen", "parcel_content", ["specimen"])
    op.create_table(
        "parcel_event",
        sa.Column("number", whole, primary_key=True),
        sa.Column("parcel", sa.Text, sa.ForeignKey(parcel, ondelete="CASCADE"), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("moment_utc", sa.Float, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("files", sa.JSON, nullable=False),
    )
    op.create_index("parcel_event_parcel", "parcel_event", ["parcel", "number"])


def _fill() -> None:
    """Tell of each entry when it was first written, and its words."""
    entry = sa.table(
        "log_entry",
        *(sa.column(name) for name in ("number", "moment_utc", "text", "words", "written_utc", "who")),
        sa.column("before", sa.JSON),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(entry)).all():
        first = row.before[0][0] if row.before else row.moment_utc
        words = f" {' '.join(fold(f'{row.text} {row.who}'))} "
        values = {"written_utc": first, "words": words}
        connection.execute(sa.update(entry).where(entry.c.number == row.number).values(**values))


def downgrade() -> None:
    """Lose attachments, links and tags, where specimens are, and parcels."""
    for name in ("parcel_event", "parcel_content", "parcel", "specimen_event", "log_link"):
        op.drop_table(name)
    op.drop_index("log_entry_written", "log_entry")
    with op.batch_alter_table("log_entry") as entry:
        for name in ("written_utc", *TEXTS, *LISTS):
            entry.drop_column(name)
