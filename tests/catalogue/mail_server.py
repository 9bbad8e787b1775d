"""A mail server that lives in a thread (aiosmtpd): it takes mail, refuses it, stays silent, or breaks off."""

from __future__ import annotations

import asyncio
import email
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from free_port import free_port


@dataclass
class MailServer:
    """What it has taken, and how it behaves."""

    host: str = "127.0.0.1"
    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    receivers: list[list[str]] = field(default_factory=list)
    bad_days: list[str] = field(default_factory=list)  # "refuse", "busy", "silent", "drop", "no receiver"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.bad_days[:1] == ["no receiver"]:
            self.bad_days.pop(0)
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        day = self.bad_days.pop(0) if self.bad_days else ""
        if day == "refuse":
            return "554 5.7.1 we do not like it"
        if day == "busy":
            return "451 4.3.0 try again later"
        if day == "silent":
            await asyncio.sleep(3600)
            return "451 4.4.2 too late"
        content = envelope.content
        assert isinstance(content, bytes)
        message: Any = email.message_from_bytes(content, policy=default)
        self.taken.append(message)
        self.receivers.append(list(envelope.rcpt_tos))
        if day == "drop":  # it has the mail, and its client never learns of it
            assert server.transport is not None
            server.transport.abort()
            await asyncio.sleep(0.05)
        return "250 OK"


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    """Run one at a free port; options are those of aiosmtpd's SMTP."""
    server = MailServer()
    server.port = free_port()
    controller = Controller(server, hostname=server.host, port=server.port, ready_timeout=120.0, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
