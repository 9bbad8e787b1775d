"""The tables of the index. Every row is made from a record's folder and can be made again."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text

metadata = MetaData()

records: Final = Table(
    "record",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created", Text, nullable=False),  # as the record says it, with its zone
    Column("created_utc", Float, nullable=False),  # seconds since 1970, to sort by
    Column("folder", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("thumbnail", Text, nullable=False),  # path below the folder, "" where there is none
    Column("shape", JSON, nullable=False),
    Column("voxel_m", Float),
    Column("words", Text, nullable=False),  # all that is searched besides title and description
)
by_folder: Final = Index("record_folder", records.c.folder)
newest: Final = Index("record_newest", records.c.created_utc.desc(), records.c.id)

parameters: Final = Table(
    "parameter",
    metadata,
    Column("key", Text, primary_key=True),
    Column("record", Integer, ForeignKey("record.number", ondelete="CASCADE"), primary_key=True),
    Column("number", Float),
    Column("text", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("origin", Text, nullable=False),
)
by_number: Final = Index("parameter_number", parameters.c.key, parameters.c.number)
by_record: Final = Index("parameter_record", parameters.c.record)
