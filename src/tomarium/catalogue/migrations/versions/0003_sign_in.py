"""Failed sign-ins, counted over all processes, and a log that the database itself keeps from being changed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table of failed sign-ins and the guards of the log."""
    op.create_table(
        "failed_sign_in",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("moment_utc", sa.Float, nullable=False),
    )
    op.create_index("failed_sign_in_moment", "failed_sign_in", ["moment_utc"])
    if op.get_bind().dialect.name == "postgresql":
        _guard_in_postgresql()
        return
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{event.lower()} BEFORE {event} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
        )


def _guard_in_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'integrity_constraint_violation'; "
        "END $$"
    )
    for event, each in {"UPDATE": "ROW", "DELETE": "ROW", "TRUNCATE": "STATEMENT"}.items():
        op.execute(
            f"CREATE TRIGGER audit_no_{event.lower()} BEFORE {event} ON audit "
            f"FOR EACH {each} EXECUTE FUNCTION audit_is_only_added_to()"
        )


def downgrade() -> None:
    """Take them away."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_is_only_added_to() CASCADE")
    else:
        for event in ("update", "delete"):
            op.execute(f"DROP TRIGGER audit_no_{event}")
    op.drop_index("failed_sign_in_moment", "failed_sign_in")
    op.drop_table("failed_sign_in")
