"""Every table of a catalogue, in whichever file it is described: what a backup holds and what migrations make."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData

# Each file that describes tables is imported, so that none is missing below.
from tomarium.catalogue import (
    change_tables,
    fixity_tables,
    harvest_tables,
    log_tables,
    reader_tables,
    second_factor_tables,
    tables,
    text_tables,
)

FILES: Final = (
    tables, change_tables, fixity_tables, harvest_tables, log_tables, reader_tables, second_factor_tables, text_tables,
)  # fmt: skip
EVERY: Final[MetaData] = tables.metadata
