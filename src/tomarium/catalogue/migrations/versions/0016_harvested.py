"""Other catalogues, the records that were harvested from them, and what the PaNOSC search API tells.

That API tells of records that were filed before once the index is made anew: tomarium index rebuild.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the tables."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "harvest_source",
        sa.Column("number", whole, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("every_s", sa.Float, nullable=False),
        sa.Column("listing", whole, nullable=False),
        sa.Column("started_utc", sa.Float),
        sa.Column("finished_utc", sa.Float),
        sa.Column("response_date", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_index("harvest_source_address", "harvest_source", ["kind", "address", "selection"], unique=True)
    op.create_table(
        "harvested",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column(
            "source", whole, sa.ForeignKey("harvest_source.number", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("identifier", sa.Text, nullable=False),
        sa.Column("fetched_utc", sa.Float, nullable=False),
        sa.Column("listing", whole, nullable=False),
        sa.Column("item", sa.JSON, nullable=False),
    )
    op.create_index("harvested_source", "harvested", ["source", "kind", "identifier"], unique=True)
    keys = ("holder", "model", "pid")
    op.create_table(
        "shared",
        *(sa.Column(key, sa.Text, primary_key=True) for key in keys),
        sa.Column("source", whole, nullable=False),
        sa.Column("body", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    )
    op.create_index("shared_pid", "shared", ["model", "pid"])
    op.create_table(
        "shared_link",
        *(sa.Column(key, sa.Text, primary_key=True) for key in ("holder", "dataset", "model", "pid")),
        sa.Column("source", whole, nullable=False),
    )
    op.create_index("shared_link_dataset", "shared_link", ["dataset"])
    op.create_index("shared_link_pid", "shared_link", ["model", "pid"])


def downgrade() -> None:
    """Forget what was harvested, and its rows in the index."""
    op.execute("DELETE FROM record WHERE state = 'harvested'")
    op.execute("DELETE FROM record_total WHERE state = 'harvested'")
    for table in ("shared_link", "shared", "harvested"):
        op.drop_table(table)
    op.drop_table("harvest_source")
