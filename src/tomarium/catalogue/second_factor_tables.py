"""Tables of second factors: their secrets, and the codes for their loss."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, ForeignKey, Table, Text

from tomarium.catalogue.tables import Whole, metadata

second_factors: Final = Table(
    "second_factor",
    metadata,
    Column("account", Text, ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
    Column("secret", Text, nullable=False),  # base32, sealed; an app has the same
    Column("since_utc", Float),  # NULL: it was shown, and no code came yet
    Column("last_step", Whole, nullable=False),  # of the newest code that was used
)

recovery_codes: Final = Table(
    "recovery_code",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of the account and the code
    Column("account", Text, ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
)
