"""Second factors of accounts, and the codes for their loss."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0026"


def upgrade() -> None:
    """Make the tables; no account has a second factor yet."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "second_factor",
        sa.Column("account", sa.Text, sa.ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("since_utc", sa.Float),
        sa.Column("last_step", number, nullable=False),
    )
    op.create_table(
        "recovery_code",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, sa.ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
    )


def downgrade() -> None:
    """Let passwords alone open accounts again."""
    op.drop_table("recovery_code")
    op.drop_table("second_factor")
