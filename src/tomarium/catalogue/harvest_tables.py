"""The tables of other catalogues and of what was taken from them; they are durable, as those of `tables.py`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Table, Text

from tomarium.catalogue.tables import Whole, metadata

# Other catalogues, and what was taken from them: a rebuild makes the rows of the index from these.
harvest_sources: Final = Table(
    "harvest_source",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("kind", Text, nullable=False),  # oai, panosc
    Column("address", Text, nullable=False),
    Column("selection", Text, nullable=False),  # the set of an OAI repository; "" for all
    Column("title", Text, nullable=False),
    Column("every_s", Float, nullable=False),  # how often it is harvested; 0: when somebody asks
    Column("listing", Whole, nullable=False),  # number of the listing that is read, or was read last
    Column("started_utc", Float),
    Column("finished_utc", Float),  # of the last listing that was read to its end
    Column("response_date", Text, nullable=False),  # of the source, from which the next listing goes on
    Column("token", Text, nullable=False),  # where a listing that was interrupted goes on; "" where none was
    Column("error", Text, nullable=False),  # of the last harvest; "" where it was complete
)
harvest_addresses: Final = Index(
    "harvest_source_address",
    harvest_sources.c.kind,
    harvest_sources.c.address,
    harvest_sources.c.selection,
    unique=True,
)
harvested: Final = Table(
    "harvested",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Whole, ForeignKey("harvest_source.number", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),  # dataset, document, instrument: datasets alone are in the index
    Column("identifier", Text, nullable=False),  # of the source
    Column("fetched_utc", Float, nullable=False),
    Column("listing", Whole, nullable=False),  # the last one that had it
    Column("item", JSON, nullable=False),  # fields of `harvested.Item`
    # What items of one record share: its DOI, else the address of its page.
    Column("same", Text, nullable=False, server_default=""),
    Column("shown_by", Text, nullable=False, server_default=""),  # id of the item that is shown in its place
)
harvested_of_source: Final = Index(
    "harvested_source", harvested.c.source, harvested.c.kind, harvested.c.identifier, unique=True
)
harvested_same: Final = Index("harvested_same", harvested.c.same)
harvested_shown_by: Final = Index("harvested_shown_by", harvested.c.shown_by)
