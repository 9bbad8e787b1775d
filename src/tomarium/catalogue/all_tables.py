"""Every table of a catalogue, in whichever file it is described: what a backup holds and what migrations make."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData

# Each file that describes tables is imported, so that none is missing below.
from tomarium.catalogue import harvest_tables, log_tables, reader_tables, tables, text_tables

FILES: Final = (tables, harvest_tables, log_tables, reader_tables, text_tables)
EVERY: Final[MetaData] = tables.metadata
