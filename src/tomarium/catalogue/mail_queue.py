"""The mails that are to be sent: a row each, with what it is written from when it is sent, its state and its tries."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, select, update

from tomarium.catalogue.audit import note
from tomarium.catalogue.mail_content import read_address
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.reader_tables import mails
from tomarium.errors import InputError

FIRST_WAIT_S: Final = 60.0
LONGEST_WAIT_S: Final = 6 * 3600.0
MOST_TRIES: Final = 14
"""Tries over a day and a half; a mail that was not taken by then has failed."""
KEPT_S: Final = 30 * 86400.0
"""How long a mail that was sent, dropped or failed is listed."""
STATES: Final = ("waiting", "sent", "dropped", "failed")


def queue_mail(connection: Connection, kind: str, receiver: str, content: Mapping[str, Any]) -> int:
    """Put a mail among those that a worker sends; nobody waits for it.

    Parameters
    ----------
    connection : Connection
        That may write: the mail is there when what it tells of is there, or neither.
    kind : str
        A key of `mail_writers.WRITERS`: "letter" for one whose words are `content`.
    receiver : str
        An e-mail address.
    content : Mapping
        What its writer writes it from, JSON: of a "letter" `subject`, `text`, and perhaps `html`.

    Returns
    -------
    int
        Its number.

    Raises
    ------
    ParameterError
        The receiver is no address.
    """
    moment = time.time()
    values = {"kind": kind, "receiver": read_address(receiver), "content": dict(content), "state": "waiting"}
    result = connection.execute(
        insert(mails).values(**values, tries=0, made_utc=moment, next_utc=moment, error="")
    )
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def is_due(moment: float) -> ColumnElement[bool]:
    """Return the condition on `mail` that it is to be sent now."""
    return (mails.c.state == "waiting") & (mails.c.next_utc <= moment)


def wait_after(tries: int) -> float:
    """Return the seconds until a mail that was tried so often is tried again."""
    return min(FIRST_WAIT_S * 2.0 ** (tries - 1), LONGEST_WAIT_S)


def open_mails(connection: Connection, limit: int = 200) -> list[Row[Any]]:
    """List mails: those that failed, those that wait, and what became of the last others.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    limit : int
        How many at most.

    Returns
    -------
    list of Row
        Of `mail`, without what they say.
    """
    order = case((mails.c.state == "failed", 0), (mails.c.state == "waiting", 1), else_=2)
    shown = [column for column in mails.c if column.name != "content"]
    query = select(*shown).order_by(order, mails.c.number.desc()).limit(limit)
    return list(connection.execute(query).all())


def retry_mails(connection: Connection, reader: Reader, number: int | None = None) -> int:
    """Make mails that failed or wait due now.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        A curator or an administrator.
    number : int, optional
        Of one mail; all by default.

    Returns
    -------
    int
        How many.

    Raises
    ------
    InputError
        There is no such mail that failed or waits.
    NotAllowed
        The reader has none of these roles.
    """
    demand_role(reader, "curator", to="have a mail sent again")
    open_ones = mails.c.state.in_(("waiting", "failed"))
    condition = open_ones if number is None else open_ones & (mails.c.number == number)
    again = {"state": "waiting", "tries": 0, "next_utc": 0.0}
    changed = connection.execute(update(mails).where(condition).values(**again)).rowcount
    if number is not None:
        if not changed:
            raise InputError(f"there is no mail {number} that waits or failed; nothing was changed")
        note(connection, reader, "retry mail", told=number)
    return changed


def forget_mails(connection: Connection, moment: float) -> None:
    """Remove mails that were done with a month ago."""
    old = mails.c.state.in_(("sent", "dropped", "failed")) & (mails.c.made_utc < moment - KEPT_S)
    connection.execute(delete(mails).where(old))


def count_due(connection: Connection, moment: float) -> int:
    """Count the mails that are to be sent now."""
    return connection.execute(select(func.count()).select_from(mails).where(is_due(moment))).scalar_one()
