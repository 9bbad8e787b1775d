"""When published records were last changed, for those who harvest them; and the key that tokens are signed by."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the table; of records published before, what was last noted of them counts as their last change."""
    op.create_table(
        "record_change",
        sa.Column("record", sa.Text, primary_key=True),
        sa.Column("changed_utc", sa.Float, nullable=False),
        sa.Column("opens_utc", sa.Float),
    )
    op.create_index("record_change_moment", "record_change", ["changed_utc", "record"])
    op.create_index("record_change_opens", "record_change", ["opens_utc", "record"])
    changed = "CASE WHEN life.changed_utc > public_from THEN life.changed_utc ELSE public_from END"
    op.execute(
        f"INSERT INTO record_change (record, changed_utc, opens_utc) SELECT life.record, {changed}, "
        f"CASE WHEN open_from > {changed} THEN open_from END FROM life JOIN record ON record.id = life.record "
        f"WHERE public_from IS NOT NULL"
    )
    key = sa.text("INSERT INTO setting (key, value) VALUES ('signing_key', :key)")
    op.get_bind().execute(key, {"key": secrets.token_urlsafe(32)})


def downgrade() -> None:
    """Lose the moments, and the key: tokens that were given away open nothing."""
    op.drop_table("record_change")
    op.execute("DELETE FROM setting WHERE key = 'signing_key'")
