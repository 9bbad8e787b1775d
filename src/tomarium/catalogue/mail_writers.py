"""What writes each kind of mail when it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from tomarium.catalogue import mail_addresses, new_records
from tomarium.catalogue.mail_content import MailContent

Writer = Callable[[Connection, Mapping[str, Any]], MailContent | None]


def _write_plain(_connection: Connection, content: Mapping[str, Any]) -> MailContent:
    """Write a mail whose words are all known already."""
    return MailContent(content["subject"], content["text"], content.get("html", ""))


WRITERS: Final[Mapping[str, Writer]] = {
    "letter": _write_plain,
    mail_addresses.KIND: mail_addresses.write_confirmation,
    new_records.KIND: new_records.write_new_records,
}
"""Kind of a mail → `write(connection, content)`: what it says now, or None where there is nothing to say any more."""
