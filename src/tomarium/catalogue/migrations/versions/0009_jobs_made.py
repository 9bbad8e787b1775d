"""Which records came of a job."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; of what was done before, nothing is told."""
    op.add_column("job", sa.Column("made", sa.JSON, nullable=False, server_default="[]"))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("job", "made")
