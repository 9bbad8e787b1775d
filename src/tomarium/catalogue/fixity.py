"""The rolling audit: every file of every record is read in turn, and compared with its checksum.

Which record is next follows from the table alone, the oldest check first, so that nothing is lost where workers stop,
and what they have missed is caught up with.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select

from tomarium.catalogue import queries
from tomarium.catalogue.alarms import raise_alarms
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.fixity_tables import fixity_checks
from tomarium.catalogue.record_folder import Mismatch, read_record, verify
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.store import place_at
from tomarium.catalogue.tables import records, stores
from tomarium.errors import FormatError, InputError, StoreUnavailable
from tomarium.pipeline.run.journal import FOLDER as JOURNAL
from tomarium.standards.ro_crate import FILENAME

DAY_S: Final = 86400.0
_LATE: Final = 1.1
"""What was last read this many times longer ago than it should be is caught up with, at twice the pace."""


@dataclass(frozen=True)
class Checked:
    """What came of reading a record.

    Attributes
    ----------
    record : str
        Its identifier.
    wrong : tuple of Mismatch or str
        Files that are missing or changed; a text where the record cannot be read at all.
    new_alarms : int
        How many alarms are new.
    """

    record: str
    wrong: tuple[Mismatch | str, ...]
    new_alarms: int


@dataclass(frozen=True)
class AuditState:
    """How far the rolling audit is.

    Attributes
    ----------
    records : int
        How many there are in this catalogue.
    never : int
        How many were not read yet.
    oldest_utc : float or None
        When that was read whose turn is longest ago, seconds since 1970; None where none was.
    last_day : int
        How many were read in the last 24 hours.
    days : int
        In how many days all are to be read; 0: never.
    """

    records: int
    never: int
    oldest_utc: float | None
    last_day: int
    days: int


def audit_state(connection: Connection, now: float | None = None) -> AuditState:
    """Tell how far the rolling audit is.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    AuditState
        Counted in the database; no file is looked at.
    """
    moment = time.time() if now is None else now
    ours = records.join(stores, stores.c.number == records.c.store)
    join = ours.join(fixity_checks, fixity_checks.c.record == records.c.id)
    total = connection.execute(select(func.count()).select_from(ours)).scalar_one()
    read, oldest = connection.execute(
        select(func.count(), func.min(fixity_checks.c.checked_utc)).select_from(join)
    ).one()
    lately = select(func.count()).where(fixity_checks.c.checked_utc > moment - DAY_S)
    days = int(all_settings(connection)["fixity_days"])
    return AuditState(total, total - read, oldest, connection.execute(lately).scalar_one(), days)


def next_record(connection: Connection, now: float | None = None) -> Row[Any, Any, Any] | None:
    """Return the record whose turn it is.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    Row or None
        `id`, `address` of its store and `path`; None where today's share was read, or nothing is old enough.
    """
    moment = time.time() if now is None else now
    state = audit_state(connection, moment)
    if not state.days or not state.records:
        return None
    span = state.days * DAY_S
    late = state.oldest_utc is not None and moment - state.oldest_utc > span * _LATE
    if state.last_day >= math.ceil(state.records / state.days) * (2 if late else 1):
        return None
    when = func.coalesce(fixity_checks.c.checked_utc, 0.0)
    query = (
        select(records.c.id, stores.c.address, records.c.path)
        .join(stores, stores.c.number == records.c.store)
        .join(fixity_checks, fixity_checks.c.record == records.c.id, isouter=True)
        .where(when <= moment - span + DAY_S)
        .order_by(when, records.c.number)
    )
    return connection.execute(query.limit(1)).first()


def check_record(catalogue: Catalogue, id: str, now: float | None = None) -> Checked | None:
    """Read all files of a record, note that it was done, and raise alarms for what is not as it was filed.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    id : str
        Identifier of the record.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    Checked or None
        None where it was changed meanwhile, so that it has to be read again.

    Raises
    ------
    InputError
        There is no such record.
    StoreUnavailable
        Its store does not answer, which tells nothing of its files.
    """
    moment = time.time() if now is None else now
    with catalogue.reading() as connection:
        folder = queries.folder_of(connection, id)
    if folder is None:
        raise InputError(
            f"there is no record {id[:80]!r} in this catalogue; look for it with: tomarium search"
        )
    mismatches, size = _read(folder)
    if mismatches is None:
        return None
    with catalogue.writing() as connection:
        connection.execute(delete(fixity_checks).where(fixity_checks.c.record == id))
        values = {"record": id, "checked_utc": moment, "bytes": size, "wrong": len(mismatches)}
        connection.execute(insert(fixity_checks).values(**values))
        new = raise_alarms(connection, id, mismatches, moment) if mismatches else 0
    return Checked(id, mismatches, new)


def _read(folder: Path) -> tuple[tuple[Mismatch | str, ...] | None, int]:
    """Compare all files; None where the record was being written meanwhile."""
    if (folder / JOURNAL).is_dir():
        return None, 0
    before = _crate(folder)
    try:
        mismatches: tuple[Mismatch | str, ...] = tuple(
            mismatch for mismatch in verify(folder) if mismatch.problem != "unlisted"
        )
        size = sum(file.bytes for file in read_record(folder).files)
    except StoreUnavailable:
        raise
    except (FormatError, InputError, OSError) as problem:
        mismatches, size = (str(problem),), 0
    if mismatches and _crate(folder) != before:
        return None, 0
    return mismatches, size


def _crate(folder: Path) -> bytes:
    try:
        return (place_at(folder) / FILENAME).read_bytes()
    except FileNotFoundError:
        return b""


def audit_round(
    catalogue: Catalogue, tell: Callable[[str], object], goes_on: Callable[[], bool], now: float | None = None
) -> bool:
    """Read the records whose turn it is, as a worker does between jobs.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    tell : callable
        Told each record that was not as it was filed, in one line.
    goes_on : callable
        Asked before each record whether there is time for another one.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    bool
        Whether all that was read was as it was filed.
    """
    well, unreadable = True, ""
    while goes_on():
        with catalogue.reading() as connection:
            row = next_record(connection, now)
        if row is None or row.id == unreadable:
            return well
        try:
            checked = check_record(catalogue, row.id, now)
        except StoreUnavailable as problem:
            tell(f"audit of files: {problem}")
            return False
        if checked is None:
            unreadable = row.id  # somebody writes it; its turn comes again in the next round
        elif checked.wrong:
            well = False
            tell(f"{row.id}: {len(checked.wrong)} files are not as filed, {checked.new_alarms} new alarms")
    return well
