"""The tables of the rolling audit: when the files of each record were read last, and what was not as it was filed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Table, Text

from tomarium.catalogue.tables import Whole, metadata

fixity_checks: Final = Table(
    "fixity_check",
    metadata,
    Column("record", Text, primary_key=True),
    Column("checked_utc", Float, nullable=False),
    Column("bytes", BigInteger, nullable=False),  # that were read
    Column("wrong", Whole, nullable=False),  # files that were not as they were filed
)
checks_by_moment: Final = Index("fixity_check_moment", fixity_checks.c.checked_utc)

# Files that are not as they were filed; a row stays when somebody has cleared it.
alarms: Final = Table(
    "alarm",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("record", Text, nullable=False),
    Column("path", Text, nullable=False),  # of the file, below the record's folder; "" for all of it
    Column("problem", Text, nullable=False),  # missing, changed, unreadable
    Column("raised_utc", Float, nullable=False),
    Column("seen_utc", Float, nullable=False),  # when it was found so last
    Column("cleared_utc", Float),  # NULL: it is open
    Column("cleared_by", Text, nullable=False),  # name of an account, "" while it is open
    Column("reason", Text, nullable=False),  # why it was cleared
)
alarms_of_record: Final = Index("alarm_record", alarms.c.record, alarms.c.cleared_utc)
