"""Links between the frames of images and specimens."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the table; it is durable, for links are statements of people."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "frame_link",
        sa.Column("number", whole, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", whole, nullable=False),
        sa.Column("from_frame", sa.Text, nullable=False),
        sa.Column("to_frame", sa.Text, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("filed_by", sa.Text, nullable=False),
        sa.Column("filed_utc", sa.Float, nullable=False),
        sa.Column("latest", whole, nullable=False),
        sa.Column("withdrawn", sa.Text, nullable=False),
    )
    op.create_index("frame_link_version", "frame_link", ["id", "version"], unique=True)
    op.create_index("frame_link_from", "frame_link", ["from_frame"])
    op.create_index("frame_link_to", "frame_link", ["to_frame"])


def downgrade() -> None:
    """Lose all links that no crate tells."""
    op.drop_table("frame_link")
