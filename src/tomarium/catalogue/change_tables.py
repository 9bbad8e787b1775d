"""The table of what was written to the index: see `index_changes.py`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, LargeBinary, Table

from tomarium.catalogue.tables import Whole, metadata

index_changes: Final = Table(
    "index_change",
    metadata,
    Column("serial", Whole, primary_key=True),  # microseconds since 1970, and more than of any line before
    Column("numbers", LargeBinary),  # of the records, int64, little-endian; NULL: of any
)
