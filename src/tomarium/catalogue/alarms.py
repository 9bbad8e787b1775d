"""Alarms: files that are not as they were filed, from the moment it is found until somebody says what was done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Row, func, insert, select, update

from tomarium.catalogue.audit import note
from tomarium.catalogue.fixity_tables import alarms
from tomarium.catalogue.mail_queue import queue_mail
from tomarium.catalogue.reader import LOCAL_OWNER, Reader, demand_role
from tomarium.catalogue.reader_tables import mail_addresses
from tomarium.catalogue.record_folder import Mismatch
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tables import accounts
from tomarium.errors import InputError, ParameterError

WHOLE: Final = ""
"""Path of an alarm that is about all of a record: its crate or manifest cannot be read."""
_NAMED: Final = 20
"""Files that a mail names."""
_LONGEST: Final = 500


@dataclass(frozen=True)
class Alarm:
    """A file that is not as it was filed.

    Attributes
    ----------
    number : int
        Of the alarm.
    record, path : str
        Identifier of the record, and the file below its folder; "" where the record as a whole cannot be read.
    problem : str
        "missing", "changed" or "unreadable".
    raised_utc, seen_utc : float
        When it was found first and last, seconds since 1970.
    cleared_utc : float or None
        When somebody cleared it; None where it is open.
    cleared_by, reason : str
        Who did, and why.
    """

    number: int
    record: str
    path: str
    problem: str
    raised_utc: float
    seen_utc: float
    cleared_utc: float | None
    cleared_by: str
    reason: str


def raise_alarms(connection: Connection, id: str, mismatches: Sequence[Mismatch | str], moment: float) -> int:
    """Raise an alarm for each file that has none, note it in the log, and ask for the mails to administrators.

    Parameters
    ----------
    connection : Connection
        That may write.
    id : str
        Identifier of the record.
    mismatches : sequence of Mismatch or str
        What is not as it was filed; a text where the record as a whole cannot be read.
    moment : float
        Seconds since 1970.

    Returns
    -------
    int
        How many are new.
    """
    pairs = [
        (WHOLE, "unreadable") if isinstance(mismatch, str) else (mismatch.path, mismatch.problem)
        for mismatch in mismatches
    ]
    condition = (alarms.c.record == id) & alarms.c.cleared_utc.is_(None)
    open_pairs = {(row.path, row.problem) for row in connection.execute(select(alarms).where(condition))}
    if open_pairs & set(pairs):
        connection.execute(update(alarms).where(condition).values(seen_utc=moment))
    new = [pair for pair in dict.fromkeys(pairs) if pair not in open_pairs]
    if not new:
        return 0
    common = {"record": id, "raised_utc": moment, "seen_utc": moment, "cleared_utc": None, "cleared_by": ""}
    connection.execute(
        insert(alarms), [{**common, "path": path, "problem": problem, "reason": ""} for path, problem in new]
    )
    first = [f"{path or 'the record'}: {problem}" for path, problem in new[:_NAMED]]
    note(connection, LOCAL_OWNER, "alarm", id, files=first, total=len(new))
    _mail(connection, id, first, len(new))
    return len(new)


def _mail(connection: Connection, id: str, files: Sequence[str], total: int) -> None:
    """Ask for a mail to every administrator who has confirmed an address; sent where a mail server is set."""
    settings = all_settings(connection)
    if not settings["smtp_host"]:
        return
    receivers = (
        select(mail_addresses.c.address)
        .join(accounts, accounts.c.name == mail_addresses.c.account)
        .where(
            accounts.c.role == "administrator",
            accounts.c.closed == 0,
            mail_addresses.c.confirmed_utc.is_not(None),
        )
        .order_by(mail_addresses.c.address)
    )
    more = f"\n… and {total - len(files)} more" if total > len(files) else ""
    text = (
        f"{total} {'file' if total == 1 else 'files'} of the record {id} {'is' if total == 1 else 'are'} not as "
        f"filed:\n\n"
        + "\n".join(files)
        + more
        + f"\n\nCopy them back from where copies are kept, check them with\n"
        f"tomarium store check {id}\nand clear the alarms at {settings['address']}/admin/alarms\n"
    )
    for address in connection.execute(receivers).scalars().all():
        queue_mail(
            connection, "letter", address, {"subject": f"{settings['name']}: alarm for {id}", "text": text}
        )


def all_alarms(connection: Connection, *, open_only: bool = False, limit: int = 200) -> list[Alarm]:
    """List alarms.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    open_only : bool
        Whether those that were cleared are left out.
    limit : int
        How many at most.

    Returns
    -------
    list of Alarm
        Open ones first, then the newest.
    """
    query = select(alarms).order_by(alarms.c.cleared_utc.is_not(None), alarms.c.number.desc()).limit(limit)
    if open_only:
        query = query.where(alarms.c.cleared_utc.is_(None))
    return [_alarm(row) for row in connection.execute(query).all()]


def alarms_of(connection: Connection, id: str) -> list[Alarm]:
    """List the open alarms of a record; who may not have its files is not to be told them."""
    condition = (alarms.c.record == id) & alarms.c.cleared_utc.is_(None)
    return [
        _alarm(row)
        for row in connection.execute(select(alarms).where(condition).order_by(alarms.c.number)).all()
    ]


def count_open(connection: Connection) -> int:
    """Count the alarms that nobody has cleared."""
    query = select(func.count()).select_from(alarms).where(alarms.c.cleared_utc.is_(None))
    return connection.execute(query).scalar_one()


def clear_alarm(connection: Connection, reader: Reader, number: int, reason: str) -> Alarm:
    """Clear an alarm; where its file is still not as it was filed, the next audit raises another one.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        An administrator.
    number : int
        Of the alarm.
    reason : str
        What was done, for who reads the log later.

    Returns
    -------
    Alarm
        As it was.

    Raises
    ------
    InputError
        There is no such open alarm.
    ParameterError
        No reason is given.
    NotAllowed
        The reader is no administrator.
    """
    demand_role(reader, to="clear an alarm")
    reason = " ".join(reason.split())[:_LONGEST]
    if not reason:
        raise ParameterError(f"alarm {number}: say what was done, such as: copied back from the tape")
    condition = (alarms.c.number == number) & alarms.c.cleared_utc.is_(None)
    row = connection.execute(select(alarms).where(condition)).one_or_none()
    if row is None:
        raise InputError(f"there is no open alarm {number}; the list of alarms has their numbers")
    values = {"cleared_utc": time.time(), "cleared_by": reader.name, "reason": reason}
    connection.execute(update(alarms).where(condition).values(**values))
    note(connection, reader, "clear alarm", row.record, alarm=number, path=row.path, reason=reason)
    return _alarm(row)


def _alarm(row: Row[tuple[object, ...]]) -> Alarm:
    return Alarm(**row._mapping)
