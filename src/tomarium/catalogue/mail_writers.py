"""What writes each kind of mail when it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from tomarium.catalogue import mail_addresses, new_records
from tomarium.catalogue.mail_content import Letter

Writer = Callable[[Connection, Mapping[str, Any]], Letter | None]


def _letter(_connection: Connection, content: Mapping[str, Any]) -> Letter:
    """Write a mail whose words are all known already."""
    return Letter(content["subject"], content["text"], content.get("html", ""))


WRITERS: Final[Mapping[str, Writer]] = {
    "letter": _letter,
    mail_addresses.KIND: mail_addresses.write_confirmation,
    new_records.KIND: new_records.write_new_records,
}
"""Kind of a mail → `write(connection, content)`: what it says now, or None where there is nothing to say any more."""
