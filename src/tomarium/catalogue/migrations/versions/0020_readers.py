"""Saved searches, mail, how often records were seen and taken, and which documents are about what."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def _text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **options)  # type: ignore[arg-type]


def _whole(name: str, **options: object) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=False, **options)  # type: ignore[arg-type]


def _moment(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Float, nullable=False)


def upgrade() -> None:
    """Make the tables, and fill the one of documents from their facts."""
    op.create_table(
        "mail_address",
        sa.Column("account", sa.Text, sa.ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
        _text("address"),
        sa.Column("confirmed_utc", sa.Float),
        _text("digest"),
        _moment("asked_utc"),
    )
    op.create_table(
        "saved_search",
        _whole("number", primary_key=True),
        sa.Column("account", sa.Text, sa.ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
        *(_text(name) for name in ("name", "asked", "every")),
        _whole("paused"),
        _text("key", unique=True),
        _moment("since_utc"),
        _moment("looked_utc"),
    )
    op.create_index("saved_search_account", "saved_search", ["account"])
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "saved_search_told",
        sa.Column(
            "search", number, sa.ForeignKey("saved_search.number", ondelete="CASCADE"), primary_key=True
        ),
        _text("record", primary_key=True),
    )
    op.create_table(
        "mail",
        _whole("number", primary_key=True),
        *(_text(name) for name in ("kind", "receiver")),
        sa.Column("content", sa.JSON, nullable=False),
        _text("state"),
        _whole("tries"),
        _moment("made_utc"),
        _moment("next_utc"),
        _text("error"),
    )
    op.create_index("mail_waiting", "mail", ["state", "next_utc"])
    op.create_table(
        "record_use",
        *(_text(name, primary_key=True) for name in ("record", "month", "kind", "method")),
        _whole("total"),
        _whole("unique_total"),
    )
    op.create_index("record_use_month", "record_use", ["month"])
    members = op.create_table(
        "document_member",
        sa.Column("document", sa.Text, sa.ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
        _text("member", primary_key=True),
    )
    op.create_index("document_member_member", "document_member", ["member"])
    entity = sa.table("entity", sa.column("id"), sa.column("kind"), sa.column("facts", sa.JSON))
    connection = op.get_bind()
    rows = [
        {"document": row.id, "member": member}
        for row in connection.execute(sa.select(entity).where(entity.c.kind == "document")).all()
        for member in dict.fromkeys(row.facts.get("members", []))
    ]
    if rows:
        connection.execute(sa.insert(members), rows)


def downgrade() -> None:
    """Lose what readers asked for, the mail that waits, and the counts."""
    for table in (
        "document_member",
        "record_use",
        "mail",
        "saved_search_told",
        "saved_search",
        "mail_address",
    ):
        op.drop_table(table)
