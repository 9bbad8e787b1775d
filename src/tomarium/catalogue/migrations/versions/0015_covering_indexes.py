"""Indexes that PostgreSQL answers from without a look at the rows."""

from alembic import op

revision = "0015"
down_revision = "0014"


def _make_key(columns: str) -> None:
    """Make the primary key of `parameter` anew, whose name a rebuild may have changed."""
    wanted = "SELECT conname FROM pg_constraint WHERE conrelid = 'parameter'::regclass AND contype = 'p'"
    name = op.get_bind().exec_driver_sql(wanted).scalar_one()
    op.execute(f'ALTER TABLE parameter DROP CONSTRAINT "{name}", ADD PRIMARY KEY {columns}')


def upgrade() -> None:
    """Make them; SQLite's are so already, or its rows are small."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.drop_index("parameter_number")
    op.create_index("parameter_number", "parameter", ["key", "number"], postgresql_include=["record"])
    _make_key("(key, record) INCLUDE (number)")
    seen = ["public_from", "state", "owner", "team", "facets"]
    op.create_index("record_seen", "record", ["number"], postgresql_include=seen)


def downgrade() -> None:
    """Make them as they were."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.drop_index("record_seen")
    _make_key("(key, record)")
    op.drop_index("parameter_number")
    op.create_index("parameter_number", "parameter", ["key", "number"])
