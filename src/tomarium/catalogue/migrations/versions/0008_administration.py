"""Instruments of accounts, links by which people set their password, and quotas of disk.

A migration is history: it tells the tables as they were then, and never imports those of today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "account_instrument",
        sa.Column("account", sa.Text, sa.ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("instrument", sa.Text, primary_key=True),
    )
    op.create_table(
        "account_link",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, sa.ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_utc", sa.Float, nullable=False),
        sa.Column("until_utc", sa.Float, nullable=False),
    )
    op.create_table(
        "quota",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("quota", "account_link", "account_instrument"):
        op.drop_table(table)
