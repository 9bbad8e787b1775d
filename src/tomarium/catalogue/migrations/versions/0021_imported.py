"""What came from other catalogues, so that importing it again brings it up to date."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Make the table; it is durable, for the records do not tell what another catalogue said of them."""
    op.create_table(
        "imported",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("told", sa.JSON, nullable=False),
        sa.Column("filed", sa.JSON, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("moment_utc", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Forget where records came from."""
    op.drop_table("imported")
