"""When the files of each record were read last, and which were not as they were filed; which version wrote it."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0021"


def upgrade() -> None:
    """Make the tables of the rolling audit."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "fixity_check",
        sa.Column("record", sa.Text, primary_key=True),
        sa.Column("checked_utc", sa.Float, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("wrong", number, nullable=False),
    )
    op.create_index("fixity_check_moment", "fixity_check", ["checked_utc"])
    op.create_table(
        "alarm",
        sa.Column("number", number, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("record", "path", "problem")),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("raised_utc", "seen_utc")),
        sa.Column("cleared_utc", sa.Float),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("cleared_by", "reason")),
    )
    op.create_index("alarm_record", "alarm", ["record", "cleared_utc"])
    op.create_table("written_by", sa.Column("version", sa.Text, primary_key=True))


def downgrade() -> None:
    """Forget when files were read, and the alarms."""
    op.drop_table("written_by")
    op.drop_table("alarm")
    op.drop_table("fixity_check")
