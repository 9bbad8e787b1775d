"""Rebuilds beside the index that is asked, room that uploads have taken, records that tell what was taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rebuild",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("beat_utc", sa.Float, nullable=False),
    )
    op.create_table(
        "upload_room",
        sa.Column("batch", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("upload_room_owner", "upload_room", ["owner"])
    op.create_table("stale_record", sa.Column("record", sa.Text, primary_key=True))
    op.create_table("rebuild_change", sa.Column("record", sa.Text, primary_key=True))
    if op.get_bind().dialect.name == "postgresql":
        # Words lie in their rows, where ranking finds them quickly; those that are there, after the next rebuild.
        op.execute("ALTER TABLE record_text ALTER COLUMN words SET STORAGE MAIN")


def downgrade() -> None:
    """Lose who rebuilds the index now, what uploads take, and what is hidden until a worker has written it."""
    op.drop_table("upload_room")
    op.drop_table("rebuild_change")
    op.drop_table("stale_record")
    op.drop_table("rebuild")
