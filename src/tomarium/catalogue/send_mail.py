"""Sending the mails that are due: each is written when it is sent, so that it says what its reader may see then."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, select, update

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.datacite_client import Answer
from tomarium.catalogue.mail_content import message_of
from tomarium.catalogue.mail_queue import MOST_TRIES, count_due, forget_mails, is_due, wait_after
from tomarium.catalogue.mail_writers import WRITERS
from tomarium.catalogue.reader_tables import mails
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.smtp import Smtp, smtp_of
from tomarium.errors import InputError

LEASE_S: Final = 600.0
"""How long a worker holds a mail: longer than all answers of a slow server are waited for."""


@dataclass(frozen=True)
class Sent:
    """What became of a mail that was due.

    Attributes
    ----------
    number : int
        Of the mail.
    receiver : str
        Its address.
    state : str
        "sent", "waiting" (it is tried again), "failed", or "dropped" where there was nothing to say any more.
    error : str
        Why, for people.
    """

    number: int
    receiver: str
    state: str
    error: str


def send_due(catalogue: Catalogue, smtp: Smtp, now: float | None = None) -> list[Sent]:
    """Send all mails that are due.

    Several workers may do this at once: who takes a mail holds it for ten minutes. Where a worker is killed, or the
    server breaks off after it got the message, the same mail with the same Message-ID is sent again.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    smtp : Smtp
        Whom to hand them to.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    list of Sent
        One for each that was due.
    """
    moment, sent = time.time() if now is None else now, []
    with catalogue.reading() as connection:
        query = select(mails).where(is_due(moment)).order_by(mails.c.number)
        due = connection.execute(query).all()
    for row in due:
        lease = moment + LEASE_S
        still_due = (mails.c.number == row.number) & (mails.c.next_utc == row.next_utc) & is_due(moment)
        with catalogue.writing() as connection:
            if not connection.execute(update(mails).where(still_due).values(next_utc=lease)).rowcount:
                continue  # another worker took it
        answer = _send(catalogue, smtp, row)
        tries = row.tries + 1
        state = "dropped" if answer is None else "sent" if answer.done else "failed"
        if answer is not None and answer.again and tries < MOST_TRIES:
            state = "waiting"
        values: dict[str, Any] = {"state": state, "tries": tries, "next_utc": moment + wait_after(tries)}
        values["error"] = answer.told if answer else "there was nothing to say any more"
        if state in ("sent", "dropped"):
            values["content"] = {}  # what it said is kept no longer than it is needed
        with catalogue.writing() as connection:
            condition = (mails.c.number == row.number) & (mails.c.next_utc == lease)
            connection.execute(update(mails).where(condition).values(**values))
        sent.append(Sent(row.number, row.receiver, state, values["error"]))
    return sent


def _send(catalogue: Catalogue, smtp: Smtp, row: Row[Any]) -> Answer | None:
    """Write a mail and hand it over; None where there is nothing to say any more."""
    if row.kind not in WRITERS:
        return Answer(False, False, f"no worker of this version writes mails of the kind {row.kind!r}")
    try:
        with catalogue.reading() as connection:
            content = WRITERS[row.kind](connection, row.content)
    except InputError as problem:
        return Answer(False, True, f"it cannot be written: {problem}")
    if content is None:
        return None
    message = message_of(content, smtp.sender, row.receiver, f"{row.number}.{int(row.made_utc)}.tomarium")
    return smtp.send(message)


def mail_round(catalogue: Catalogue) -> tuple[list[Sent], str]:
    """Send what is due by the mail server of the settings, as a worker does.

    Parameters
    ----------
    catalogue : Catalogue
        Open.

    Returns
    -------
    tuple of list of Sent, and str
        What became of each; and why mails wait though a server is set, "" where they do not.
    """
    moment = time.time()
    with catalogue.reading() as connection:
        settings, waiting = all_settings(connection), count_due(connection, moment)
    if not waiting:
        return [], ""
    try:
        smtp = smtp_of(settings)
    except InputError as problem:
        return [], f"{waiting} mails wait: {problem}"
    if smtp is None:
        return [], ""
    sent = send_due(catalogue, smtp)
    with catalogue.writing() as connection:
        forget_mails(connection, moment)
    return sent, ""
