"""The content of a mail, and how it becomes a message whose headers nobody can add to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime
from typing import Final

from tomarium.errors import ParameterError
from tomarium.standards.citation import in_line

LONGEST_ADDRESS: Final = 254
"""Characters of an address, by RFC 5321."""
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_FROM: Final = re.compile(r'\s*"?([^"<>]*?)"?\s*<([^<>\s]+)>\s*')


@dataclass(frozen=True)
class MailContent:
    """What a mail says.

    Attributes
    ----------
    subject : str
        One line; line ends in it become spaces.
    text : str
        Plain text.
    html : str
        The same as HTML; "" where there is none.
    unsubscribe : str
        Address at which a program that sends a POST ends these mails (RFC 8058); "" where there is none.
    """

    subject: str
    text: str
    html: str = ""
    unsubscribe: str = ""


def read_address(text: str) -> str:
    """Read an e-mail address as people type it.

    Parameters
    ----------
    text : str
        "ada@example.org"; a name of a host in other letters than Latin ones is taken, too.

    Returns
    -------
    str
        The address in the letters that every mail server takes.

    Raises
    ------
    ParameterError
        It is none, or its part before the @ has letters that not every mail server takes.
    """
    local, at, domain = text.strip().rpartition("@")
    try:
        host = domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        host = ""
    if not (at and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(host)) or len(text) > LONGEST_ADDRESS:
        raise ParameterError(f"{in_line(text)[:80]!r} is no e-mail address; write it as ada@example.org")
    return f"{local}@{host.lower()}"


def read_sender(text: str) -> Address:
    """Read who sends: an address, or a name and behind it the address in angle brackets.

    Parameters
    ----------
    text : str
        "data@example.org", or "Data portal <data@example.org>".

    Returns
    -------
    Address
        For the header From.

    Raises
    ------
    ParameterError
        There is no address in it.
    """
    named = _FROM.fullmatch(text)
    name, address = (in_line(named[1]), named[2]) if named else ("", text)
    return Address(display_name=name, addr_spec=read_address(address))


def message_of(content: MailContent, sender: Address, receiver: str, identifier: str) -> EmailMessage:
    """Write the content of a mail as a message.

    Parameters
    ----------
    content : MailContent
        What it says.
    sender : Address
        Who sends it.
    receiver : str
        As `read_address` returned it.
    identifier : str
        What its Message-ID begins with: the same whenever the same mail is tried again, so that a mail server or
        program that has it already knows it.

    Returns
    -------
    EmailMessage
        Plain text, and HTML beside it where the content has it.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = Address(addr_spec=read_address(receiver))
    message["Subject"] = in_line(content.subject)[:250] or "(no subject)"
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = f"<{identifier}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if content.unsubscribe:
        message["List-Unsubscribe"] = f"<{content.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(_lines(content.text))
    if content.html:
        message.add_alternative(_lines(content.html), subtype="html")
    return message


def _lines(text: str) -> str:
    """Leave out what is no text, such as a bell, and end with a line end."""
    printable = "".join(
        sign for sign in text.replace("\r\n", "\n") if sign in "\n\t" or in_line(sign) or sign == " "
    )
    return printable.rstrip("\n") + "\n"
