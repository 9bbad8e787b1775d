"""What visitors write: about the portal, to those who run it; about a record, to those whom it belongs to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, literal, select, update

from tomarium.catalogue import form_words
from tomarium.catalogue.accounts import all_accounts
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.mail_addresses import mail_address_of
from tomarium.catalogue.mail_content import read_address
from tomarium.catalogue.mail_queue import queue_mail
from tomarium.catalogue.reader import Reader, may_see, owns
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.sign_in_limits import network
from tomarium.catalogue.tables import records
from tomarium.catalogue.text_tables import messages
from tomarium.errors import InputError, ParameterError
from tomarium.model.sentence import Sentence

WINDOW_S: Final = 3600.0
PER_NETWORK: Final = 5
"""Messages from one network within an hour."""
PER_HOUR: Final = 200
"""Messages from everywhere within an hour: what comes beyond is no people."""
LONGEST: Final = 5000


@dataclass(frozen=True)
class Message:
    """What somebody wrote.

    Attributes
    ----------
    number : int
        Its number.
    moment_utc : float
        Seconds since 1970.
    record : str
        Identifier of the record it asks about; "" where it is about the portal.
    name, email, text : str
        Who wrote it, where an answer goes ("" where none is wanted), and what.
    page : str
        Path of the page it was written from; "" where none is known.
    answered : str
        Who has dealt with it; "" where nobody has.
    """

    number: int
    moment_utc: float
    record: str
    name: str
    email: str
    text: str
    page: str
    answered: str


class TooMany(InputError):
    """More messages than people write; `wait_s` tells when another is taken."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__("too many messages came from your network; try again later")


def write_message(
    catalogue: Catalogue, fields: Mapping[str, str], *, record: str = "", page: str = "", address: str = ""
) -> int:
    """Keep what a visitor wrote, and mail it to whom it concerns, where the portal sends mail.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    fields : Mapping of str to str
        `text`, and where told `name` and `email`; a question about a record needs an address to answer to.
    record : str
        Identifier of a record that the writer may see; "" for the portal.
    page : str
        Path of the page it is about.
    address : str
        Of the machine it came from; its network is kept for an hour.

    Returns
    -------
    int
        Its number.

    Raises
    ------
    ParameterError
        The text is missing or too long, or the address is none.
    TooMany
        Too many came from there.
    """
    name, email = " ".join(fields.get("name", "").split()), fields.get("email", "").strip()
    text = fields.get("text", "").replace("\r\n", "\n").strip()
    if not text or len(text) > LONGEST:
        raise ParameterError(Sentence(form_words.NO_MESSAGE, longest=LONGEST))
    if len(name) > 100 or not name.isprintable():
        raise ParameterError(Sentence(form_words.NAME_OF_SENDER))
    if record and not email:
        raise ParameterError(Sentence(form_words.NO_ADDRESS))
    email = read_address(email) if email else ""
    with catalogue.writing() as connection:
        _demand_few(connection, network(address))
        row = {
            "record": record,
            "name": name,
            "email": email,
            "text": text,
            "page": page[:500],
            "answered": "",
        }
        result = connection.execute(
            insert(messages).values(moment_utc=time.time(), network=network(address), **row)
        )
        key = result.inserted_primary_key
        assert key is not None
        _mail(connection, row)
    return int(key[0])


def messages_of(connection: Connection, reader: Reader, limit: int = 500) -> list[Message]:
    """List the messages that a reader may see, the newest first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Curators and administrators see all, others what is asked about records of their own or their teams.
    limit : int
        How many at most.

    Returns
    -------
    list of Message
        Those that nobody has dealt with first.
    """
    wanted = _visible_to(reader).order_by(messages.c.answered != "", messages.c.number.desc()).limit(limit)
    return [_message(row) for row in connection.execute(wanted)]


def close_message(catalogue: Catalogue, reader: Reader, number: int, *, remove: bool = False) -> None:
    """Note that a message was dealt with, or remove it with all that it tells of who wrote it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        One who may see it.
    number : int
        Its number.
    remove : bool
        Whether it is removed.

    Raises
    ------
    InputError
        There is no such message that the reader may see.
    """
    with catalogue.writing() as connection:
        row = connection.execute(_visible_to(reader).where(messages.c.number == number)).one_or_none()
        if row is None:
            raise InputError(Sentence(form_words.NO_SUCH_MESSAGE, number=number))
        condition = messages.c.number == number
        if remove:
            connection.execute(delete(messages).where(condition))
        else:
            connection.execute(update(messages).where(condition).values(answered=reader.name))
        action = "remove message" if remove else "answer message"
        note(connection, reader, action, record=row.record, message=number)


def _visible_to(reader: Reader) -> Select[Any]:
    columns = [column for column in messages.c if column.name != "network"]
    return select(*columns).outerjoin(records, records.c.id == messages.c.record).where(_concerns(reader))


def _concerns(reader: Reader) -> ColumnElement[bool]:
    """Return the condition that a message is for a reader: all for who runs the portal, others of their own records."""
    if reader.sees_all:
        return literal(1) == 1
    is_own = owns(reader) & may_see(reader)
    return (messages.c.record != "") & records.c.id.is_not(None) & is_own


def _demand_few(connection: Connection, place: str) -> None:
    """Refuse what is too much, and forget networks that count no more."""
    since = time.time() - WINDOW_S
    connection.execute(update(messages).where(messages.c.moment_utc < since).values(network=""))
    recent = messages.c.moment_utc >= since
    for which, most in ((recent & (messages.c.network == place), PER_NETWORK), (recent, PER_HOUR)):
        count, oldest = connection.execute(
            select(func.count(), func.min(messages.c.moment_utc)).where(which)
        ).one()
        if count >= most:
            raise TooMany(max(oldest - since, 1.0))


def _mail(connection: Connection, row: Mapping[str, str]) -> None:
    """Queue a mail to the owner and the team of a record, or to the portal's contact; only where mail is set up."""
    settings = all_settings(connection)
    if not settings["smtp_host"]:
        return
    who = row["name"] or "A visitor"
    text = f"{who} wrote{' (' + row['email'] + ')' if row['email'] else ''}:\n\n{row['text']}\n"
    base = settings["address"]
    about = f"record {row['record']}" if row["record"] else settings["name"]
    if base:
        text += f"\nAll messages: {base}/messages\n"
    content = {
        "subject": f"A question about {about}" if row["record"] else f"A message about {about}",
        "text": text,
    }
    for receiver in _receivers(connection, row["record"], settings["contact"]):
        queue_mail(connection, "letter", receiver, content)


def _receivers(connection: Connection, record: str, contact: str) -> list[str]:
    """List confirmed addresses of those whom a message concerns; the portal's contact where nobody has one."""
    query = select(records.c.owner, records.c.team).where(records.c.id == record)
    row = connection.execute(query).one_or_none() if record else None
    if row is None:
        return [contact] * bool(contact)
    receivers = [
        account.name
        for account in all_accounts(connection)
        if not account.closed and (account.name == row.owner or (row.team and row.team in account.teams))
    ]
    addresses = (mail_address_of(connection, name) for name in receivers)
    return [mail.address for mail in addresses if mail and mail.confirmed] or [contact] * bool(contact)


def _message(row: Any) -> Message:
    return Message(**row._mapping)
