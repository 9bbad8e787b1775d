"""Claims that specimens are the same samples as some that are described elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make the table; it is durable, for claims are statements of people."""
    op.create_table(
        "same_sample_claim",
        sa.Column("specimen", sa.Text, sa.ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("moment_utc", sa.Float, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("checked_utc", sa.Float),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("withdrawn", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Lose what was claimed."""
    op.drop_table("same_sample_claim")
