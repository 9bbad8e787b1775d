"""The tables of log books, of where specimens are, and of parcels; they are durable, as those of `tables.py`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Table, Text

from tomarium.catalogue.tables import Whole, metadata

# Entries of the log book; none is ever deleted, and what one said before is kept in it.
log_entries: Final = Table(
    "log_entry",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("subject", Text, nullable=False),  # whose readers see it: "records/tooth", "proposals/hg-123"
    Column("who", Text, nullable=False),
    Column("machine", Whole, nullable=False),  # 1: a program wrote it with a token
    Column("moment_utc", Float, nullable=False),  # of what it says now
    Column("text", Text, nullable=False),
    Column(
        "before", JSON, nullable=False
    ),  # [[moment, who, text, machine, tags, links, files], …], oldest first
    Column("written_utc", Float, nullable=False, server_default="0"),  # when it was written first: its place
    Column("tags", Text, nullable=False, server_default=""),  # " beam lost "
    Column("links", JSON, nullable=False, server_default="[]"),  # what else it is about, as subjects
    Column("files", JSON, nullable=False, server_default="[]"),  # [{"name", "digest", "bytes", "type"}, …]
    Column("removed", Text, nullable=False, server_default=""),  # why it is not shown; "" where it is
    Column(
        "event", Text, nullable=False, server_default=""
    ),  # of a program: what it is about, once a subject
    Column("words", Text, nullable=False, server_default=""),  # folded, with a space around each
)
log_of_subject: Final = Index("log_entry_subject", log_entries.c.subject, log_entries.c.number)
log_by_time: Final = Index("log_entry_written", log_entries.c.written_utc, log_entries.c.number)
log_links: Final = Table(
    "log_link",
    metadata,
    Column("subject", Text, primary_key=True),  # what an entry is about besides its own subject
    Column("entry", Whole, ForeignKey("log_entry.number", ondelete="CASCADE"), primary_key=True),
)

# Where specimens are and were: what a person, a label's reader or a parcel said. Rows are only ever added.
specimen_events: Final = Table(
    "specimen_event",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("specimen", Text, ForeignKey("entity.id", ondelete="CASCADE"), nullable=False),
    Column("parcel", Text, nullable=False),  # identifier of the parcel that it came or went with, or ""
    Column("kind", Text, nullable=False),  # a key of `model.parcel.EVENTS`
    Column("moment_utc", Float, nullable=False),
    Column("who", Text, nullable=False),  # name of the account
    Column(
        "place", Text, nullable=False
    ),  # where it is from then on, "lab 3 / shelf B"; "" where nobody said
    Column("holder", Text, nullable=False),  # who has it from then on; "" where nobody said
    Column("condition", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("files", JSON, nullable=False),  # as in `log_entry`
)
events_of_specimen: Final = Index(
    "specimen_event_specimen", specimen_events.c.specimen, specimen_events.c.number
)
parcels: Final = Table(
    "parcel",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),  # a key of `model.parcel.STATES`, of the last of its events
    Column("facts", JSON, nullable=False),  # sender, receiver, carrier, tracking …; the private ones too
    Column("owner", Text, nullable=False),
    Column("team", Text, nullable=False),  # "" for none
    Column("receiver", Text, nullable=False),  # account that may receive it; "" for none
    Column("changed_utc", Float, nullable=False),
)
parcels_by_change: Final = Index("parcel_changed", parcels.c.changed_utc)
parcel_contents: Final = Table(
    "parcel_content",
    metadata,
    Column("parcel", Text, ForeignKey("parcel.id", ondelete="CASCADE"), primary_key=True),
    Column("specimen", Text, ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
)
parcels_of_specimen: Final = Index("parcel_content_specimen", parcel_contents.c.specimen)
parcel_events: Final = Table(
    "parcel_event",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("parcel", Text, ForeignKey("parcel.id", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),  # from then on
    Column("moment_utc", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("files", JSON, nullable=False),
)
events_of_parcel: Final = Index("parcel_event_parcel", parcel_events.c.parcel, parcel_events.c.number)
