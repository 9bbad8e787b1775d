"""Which records of the index were written, by which what a portal keeps in memory follows it."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Make the table, with a first line that tells of any record."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    changes = op.create_table(
        "index_change",
        sa.Column("serial", number, primary_key=True),
        sa.Column("numbers", sa.LargeBinary),
    )
    op.bulk_insert(changes, [{"serial": int(time.time() * 1e6), "numbers": None}])


def downgrade() -> None:
    """Forget what was written."""
    op.drop_table("index_change")
