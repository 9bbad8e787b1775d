"""Sending a message through the mail server that the settings name (RFC 5321)."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final

from tomarium.catalogue.datacite_client import Answer
from tomarium.catalogue.mail_content import read_sender
from tomarium.errors import InputError

PASSWORD: Final = "TOMARIUM_SMTP_PASSWORD"
TIMEOUT_S: Final = 30.0
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
SECURITIES: Final = ("starttls", "tls", "none")
"""How the connection is protected: by STARTTLS, by TLS from the first byte, or not at all."""


@dataclass(frozen=True)
class Smtp:
    """A mail server, and who sends by it.

    Attributes
    ----------
    host, port : str and int
        Where it is.
    security : str
        One of `SECURITIES`.
    user, password : str
        Of the account there; "" where it asks for none.
    sender : Address
        Who the mails are from.
    timeout_s : float
        How long each of its answers is waited for.
    """

    host: str
    port: int
    security: str
    sender: Address
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = TIMEOUT_S

    def send(self, message: EmailMessage) -> Answer:
        """Hand over a message.

        Parameters
        ----------
        message : EmailMessage
            With one receiver.

        Returns
        -------
        Answer
            `again` where the server cannot be reached, is busy or breaks off; not where it refuses the receiver or
            the message for good.
        """
        where = f"{self.host}, port {self.port}"
        try:
            with self._connected() as server:
                server.send_message(message, self.sender.addr_spec)
        except smtplib.SMTPRecipientsRefused as problem:
            status, reply = next(iter(problem.recipients.values()))
            return Answer(False, status < 500, f"{where}: refuses the receiver ({status} {_words(reply)})")
        except smtplib.SMTPAuthenticationError as problem:
            # The account can be mended without a change of the mail.
            words = f"{where}: refuses user and password ({_words(problem.smtp_error)})"
            return Answer(False, True, f"{words}; set smtp_user and {PASSWORD}")
        except smtplib.SMTPResponseException as problem:
            again = problem.smtp_code < 500
            return Answer(False, again, f"{where}: answers {problem.smtp_code} {_words(problem.smtp_error)}")
        except smtplib.SMTPNotSupportedError as problem:
            words = f"{where}: cannot do what was asked of it ({problem}); see the settings smtp_security and smtp_user"
            return Answer(False, True, words)
        except (smtplib.SMTPException, OSError) as problem:
            return Answer(False, True, f"{where}: cannot be reached or broke off ({problem})")
        return Answer(True)

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server


def smtp_of(settings: Mapping[str, str]) -> Smtp | None:
    """Return the mail server of a catalogue.

    Parameters
    ----------
    settings : Mapping of str to str
        As `settings.all_settings` returns them; the password is told by the environment.

    Returns
    -------
    Smtp or None
        None where none is set: then no mail is sent.

    Raises
    ------
    InputError
        Something else that is needed is not set, or a password would cross the network in the clear.
    """
    host, security, user = settings["smtp_host"], settings["smtp_security"], settings["smtp_user"]
    if not host:
        return None
    if not settings["mail_sender"]:
        raise InputError("mail needs a sender; say who: tomarium settings mail_sender data@example.org")
    if not settings["address"]:
        raise InputError(
            "mails name this portal's pages; tell its address: tomarium settings address https://…"
        )
    password = os.environ.get(PASSWORD, "") if user else ""
    if user and not password:
        raise InputError(
            f"smtp_user is {user[:60]!r}, but no password is known: set {PASSWORD} where the worker runs"
        )
    if user and security == "none" and host not in LOCAL:
        raise InputError(
            f"smtp_security is none, so that the password of {user[:60]!r} would be sent to {host} in the clear; "
            f"set it to starttls or tls"
        )
    port = int(settings["smtp_port"])
    return Smtp(host, port, security, read_sender(settings["mail_sender"]), user, password)


def _words(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())[:200]
