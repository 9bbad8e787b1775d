"""Stores in place of absolute folders, who may see a record, and what lives in the database only.

A migration is history: it tells the tables as they were then, and never imports those of today.
"""

from pathlib import PurePath

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

DURABLE = (
    "audit",
    "job",
    "doi",
    "setting",
    "token",
    "team",
    "account",
    "invitation",
    "comment",
    "withheld",
    "life",
)


def text(name: str, default: str | None = None, unique: bool | None = None) -> sa.Column[str]:
    """Return a column of text that is always there."""
    return sa.Column(name, sa.Text, nullable=False, server_default=default, unique=unique)


def moment(name: str) -> sa.Column[float]:
    """Return a column of seconds since 1970 that is always there."""
    return sa.Column(name, sa.Float, nullable=False)


def number(name: str) -> sa.Column[int]:
    """Return a column of whole numbers that is always there."""
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    """Make the durable tables, and give the index its new columns."""
    op.create_table("store", sa.Column("number", sa.Integer, primary_key=True), text("address", unique=True))
    op.create_table(
        "life",
        sa.Column("record", sa.Text, primary_key=True),
        *(text("state"), text("owner"), text("team"), moment("changed_utc")),
    )
    op.create_table(
        "withheld",
        sa.Column("record", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )
    op.create_table(
        "comment",
        sa.Column("number", sa.Integer, primary_key=True),
        *(text("record"), text("who"), moment("moment_utc"), text("kind"), text("text")),
    )
    op.create_index("comment_record", "comment", ["record", "number"])
    op.create_table(
        "invitation",
        sa.Column("digest", sa.Text, primary_key=True),
        *(text("record"), text("made_by"), moment("made_utc"), moment("until_utc")),
    )
    op.create_table(
        "account",
        sa.Column("name", sa.Text, primary_key=True),
        *(
            text("role"),
            text("password"),
            text("subject"),
            text("orcid"),
            moment("made_utc"),
            number("closed"),
        ),
    )
    op.create_table(
        "team",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, sa.ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
    )
    op.create_table(
        "token",
        sa.Column("digest", sa.Text, primary_key=True),
        text("kind"),
        sa.Column("account", sa.Text, sa.ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
        *(text("name"), text("scopes"), moment("made_utc"), moment("until_utc")),
    )
    op.create_table("setting", sa.Column("key", sa.Text, primary_key=True), text("value"))
    op.create_table(
        "doi",
        sa.Column("doi", sa.Text, primary_key=True),
        *(text("record"), text("state"), text("event"), number("tries"), moment("next_utc")),
        *(text("error"), text("address")),
    )
    op.create_table(
        "job",
        sa.Column("number", sa.Integer, primary_key=True),
        text("kind"),
        sa.Column("arguments", sa.JSON, nullable=False),
        *(text("state"), moment("lease_until_utc"), number("tries"), moment("not_before_utc")),
        *(text("told"), text("asked_by")),
    )
    op.create_index("job_waiting", "job", ["state", "not_before_utc"])
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True),
        *(moment("moment_utc"), text("who"), text("action"), text("record")),
        sa.Column("told", sa.JSON, nullable=False),
        text("chain"),
    )
    _extend_index()


def _extend_index() -> None:
    for name, default in {
        "path": "",
        "state": "draft",
        "owner": "owner",
        "team": "",
        "doi": "",
        "licence": "",
    }.items():
        op.add_column("record", text(name, default))
    op.add_column("record", sa.Column("store", sa.Integer, nullable=False, server_default="0"))
    op.add_column("record", sa.Column("public_from", sa.Float))
    op.add_column("record", sa.Column("open_from", sa.Float))
    bind = op.get_bind()
    stores: dict[str, int] = {}
    for row, folder in bind.execute(sa.text("SELECT number, folder FROM record")).all():
        place = PurePath(folder)
        home = str(place.parent)
        if home not in stores:
            stores[home] = len(stores) + 1
            bind.execute(
                sa.text("INSERT INTO store (number, address) VALUES (:number, :address)"),
                {"number": stores[home], "address": home},
            )
        bind.execute(
            sa.text("UPDATE record SET store = :store, path = :path WHERE number = :number"),
            {"store": stores[home], "path": place.name, "number": row},
        )
    op.drop_index("record_folder", "record")
    op.drop_column("record", "folder")
    op.create_index("record_place", "record", ["store", "path"])
    op.create_index("record_doi", "record", ["doi"])


def downgrade() -> None:
    """Go back to absolute folders; what lived in the database only is lost."""
    op.add_column("record", text("folder", ""))
    op.execute(
        "UPDATE record SET folder = (SELECT address FROM store WHERE number = record.store) || '/' || record.path"
    )
    op.drop_index("record_place", "record")
    op.drop_index("record_doi", "record")
    for name in ("store", "path", "state", "owner", "team", "doi", "licence", "public_from", "open_from"):
        op.drop_column("record", name)
    op.create_index("record_folder", "record", ["folder"])
    op.drop_index("comment_record", "comment")
    op.drop_index("job_waiting", "job")
    for table in (*DURABLE, "store"):
        op.drop_table(table)
