"""Where the holder of an account gets mail: nothing is sent there before a link in the first mail was followed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from tomarium.catalogue import form_words
from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.audit import note
from tomarium.catalogue.mail_content import MailContent, read_address
from tomarium.catalogue.mail_queue import queue_mail
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.reader_tables import mail_addresses, saved_searches
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tokens import DAY_S, digest_of
from tomarium.errors import InputError
from tomarium.model.sentence import Sentence

KIND: Final = "confirm address"
AGAIN_S: Final = 300.0
"""Seconds between two mails that ask for it, so that nobody has many of them sent to somebody else."""
LINK_S: Final = 7 * DAY_S


@dataclass(frozen=True)
class MailAddress:
    """Where the holder of an account gets mail.

    Attributes
    ----------
    address : str
        E-mail address.
    confirmed : bool
        Whether its holder has followed the link in the first mail.
    """

    address: str
    confirmed: bool


def mail_address_of(connection: Connection, account: str) -> MailAddress | None:
    """Return where the holder of an account gets mail; None where no address was given."""
    query = select(mail_addresses).where(mail_addresses.c.account == account)
    row = connection.execute(query).one_or_none()
    return MailAddress(row.address, row.confirmed_utc is not None) if row is not None else None


def change_mail_address(connection: Connection, reader: Reader, address: str) -> MailAddress:
    """Say where one wants to get mail; another address than the confirmed one is sent a link to confirm it.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Holder of an account.
    address : str
        As it was typed; "" takes the address away, and with it all mail.

    Returns
    -------
    MailAddress
        As it is now.

    Raises
    ------
    InputError
        It is no address, another one was asked to be confirmed less than five minutes ago, or the reader has no
        account.
    """
    account_named(connection, reader.name)
    condition = mail_addresses.c.account == reader.name
    if not address.strip():
        connection.execute(delete(mail_addresses).where(condition))
        note(connection, reader, "no mail address")
        return MailAddress("", False)
    moment, new_address = time.time(), read_address(address)
    row = connection.execute(select(mail_addresses).where(condition)).one_or_none()
    if row is not None and row.address == new_address and row.confirmed_utc is not None:
        return MailAddress(new_address, True)
    if row is not None and moment - row.asked_utc < AGAIN_S:
        raise InputError(Sentence(form_words.MAIL_SENT_LATELY))
    secret = secrets.token_urlsafe(32)
    connection.execute(delete(mail_addresses).where(condition))
    values = {"account": reader.name, "address": new_address, "confirmed_utc": None, "asked_utc": moment}
    connection.execute(insert(mail_addresses).values(**values, digest=digest_of(secret)))
    queue_mail(connection, KIND, new_address, {"account": reader.name, "secret": secret})
    note(connection, reader, "mail address")
    return MailAddress(new_address, False)


def confirm_mail_address(connection: Connection, secret: str) -> str | None:
    """Confirm the address to which a link was sent.

    Parameters
    ----------
    connection : Connection
        That may write.
    secret : str
        From the link; any text.

    Returns
    -------
    str or None
        The address; None where the link is none, was followed before, or is older than a week.
    """
    moment = time.time()
    condition = (mail_addresses.c.digest == digest_of(secret)) & (
        mail_addresses.c.asked_utc > moment - LINK_S
    )
    row = connection.execute(select(mail_addresses).where(condition)).one_or_none()
    if row is None:
        return None
    connection.execute(update(mail_addresses).where(condition).values(confirmed_utc=moment, digest=""))
    # What came before nobody was told of, and is no news any more.
    searches = saved_searches.c.account == row.account
    connection.execute(update(saved_searches).where(searches).values(since_utc=moment, looked_utc=moment))
    return str(row.address)


def write_confirmation(connection: Connection, content: Mapping[str, Any]) -> MailContent | None:
    """Write the mail that asks for an address to be confirmed; None where it is not wanted any more."""
    query = select(mail_addresses.c.digest).where(mail_addresses.c.account == content["account"])
    if connection.execute(query).scalar_one_or_none() != digest_of(content["secret"]):
        return None
    settings = all_settings(connection)
    link = f"{settings['address']}/account/mail/{content['secret']}"
    text = (
        f"The account “{content['account']}” of {settings['name']} wants to get mail of new records "
        "at this address.\n\n"
        f"If that is you, confirm it here within a week:\n{link}\n\n"
        "If it is not, do nothing: no further mail comes.\n"
    )
    return MailContent(f"{settings['name']}: confirm your address", text)
