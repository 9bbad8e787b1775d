"""Numbers of records by what a search of all of them asks, kept while they are written."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the table and count what the index has; nothing durable is touched."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "record_total",
        sa.Column("public_from", sa.Float, primary_key=True),
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("state", "owner", "team")),
        sa.Column("facets", whole, primary_key=True),
        sa.Column("total", whole, nullable=False),
        sqlite_with_rowid=False,
    )
    # What became public more than a day ago is counted together; what is not public stands under 1e18.
    counted = sa.text(
        "INSERT INTO record_total (public_from, state, owner, team, facets, total) "
        "SELECT CASE WHEN public_from IS NULL THEN 1e18 WHEN public_from <= :settled THEN 0 ELSE public_from END "
        "AS since, state, owner, team, facets, count(*) FROM record GROUP BY since, state, owner, team, facets"
    )
    op.get_bind().execute(counted, {"settled": time.time() - 86_400})


def downgrade() -> None:
    """Lose nothing: the numbers can be counted again."""
    op.drop_table("record_total")
