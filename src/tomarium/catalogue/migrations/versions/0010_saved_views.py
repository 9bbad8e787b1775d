"""Views of volumes that were saved to be shared."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the table; it is durable, for links to its rows were given away."""
    op.create_table(
        "saved_view",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_utc", sa.Float, nullable=False),
    )
    op.create_index("saved_view_record", "saved_view", ["record"])


def downgrade() -> None:
    """Lose all saved views."""
    op.drop_table("saved_view")
