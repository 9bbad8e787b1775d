"""Texts of the portal, every version of them, and what visitors write."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

Whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; they are durable."""
    op.create_table(
        "page_text",
        sa.Column("number", Whole, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("moment_utc", sa.Float, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("remark", sa.Text, nullable=False),
        sa.Column("draft", Whole, nullable=False),
    )
    op.create_index("page_text_name", "page_text", ["name", "language", "number"])
    op.create_table(
        "message",
        sa.Column("number", Whole, primary_key=True),
        sa.Column("moment_utc", sa.Float, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("page", sa.Text, nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("answered", sa.Text, nullable=False),
    )
    op.create_index("message_record", "message", ["record"])


def downgrade() -> None:
    """Lose both."""
    op.drop_table("message")
    op.drop_table("page_text")
