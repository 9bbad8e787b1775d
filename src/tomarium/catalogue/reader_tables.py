"""The tables of what readers ask for and do: saved searches, mail, how often records were seen and taken."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Table, Text

from tomarium.catalogue.tables import Whole, metadata

mail_addresses: Final = Table(
    "mail_address",
    metadata,
    Column("account", Text, ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
    Column("address", Text, nullable=False),
    Column("confirmed_utc", Float),  # NULL: its holder has not followed the link yet
    Column("digest", Text, nullable=False),  # SHA-256 of that link's secret, "" once it was followed
    Column("asked_utc", Float, nullable=False),
)

saved_searches: Final = Table(
    "saved_search",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("account", Text, ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("asked", Text, nullable=False),  # as in an address: "q=tooth&technique=PaNET01207"
    Column("every", Text, nullable=False),  # a key of `saved_searches.EVERY`
    Column("paused", Whole, nullable=False),
    Column("key", Text, nullable=False, unique=True),  # what the link in its mails names it by
    Column("since_utc", Float, nullable=False),  # what came before is not new
    Column("looked_utc", Float, nullable=False),
)
searches_of_account: Final = Index("saved_search_account", saved_searches.c.account)

# Records that a mail of a saved search has told, or is about to tell.
told_records: Final = Table(
    "saved_search_told",
    metadata,
    Column("search", Whole, ForeignKey("saved_search.number", ondelete="CASCADE"), primary_key=True),
    Column("record", Text, primary_key=True),
)

mails: Final = Table(
    "mail",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("kind", Text, nullable=False),  # a key of `mail_writers.WRITERS`
    Column("receiver", Text, nullable=False),
    Column("content", JSON, nullable=False),  # what it is written from when it is sent
    Column("state", Text, nullable=False),  # waiting, sent, dropped, failed
    Column("tries", Whole, nullable=False),
    Column("made_utc", Float, nullable=False),
    Column("next_utc", Float, nullable=False),
    Column("error", Text, nullable=False),
)
mails_waiting: Final = Index("mail_waiting", mails.c.state, mails.c.next_utc)

# How often published records were seen and taken; nothing of who did is kept.
record_use: Final = Table(
    "record_use",
    metadata,
    Column("record", Text, primary_key=True),
    Column("month", Text, primary_key=True),  # "2026-11"
    Column("kind", Text, primary_key=True),  # view, download
    Column("method", Text, primary_key=True),  # regular, machine
    Column("total", Whole, nullable=False),
    Column("unique_total", Whole, nullable=False),  # visitors, each once a day
)
use_by_month: Final = Index("record_use_month", record_use.c.month)

# What documents are about, as their facts tell it, to be found from the other side; made from `entity` again at will.
document_members: Final = Table(
    "document_member",
    metadata,
    Column("document", Text, ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
    Column("member", Text, primary_key=True),
)
documents_of_member: Final = Index("document_member_member", document_members.c.member)
