"""The log of who did what: only ever added to, each line chained to the one before."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.tables import audit


def note(connection: Connection, reader: Reader, action: str, record: str = "", **told: Any) -> None:
    """Add a line to the log.

    Parameters
    ----------
    connection : Connection
        That may write; the line is there when what it tells of is there, or neither.
    reader : Reader
        Who did it.
    action : str
        "publish", "edit" …
    record : str
        Identifier of the record it concerns, "" where it concerns none.
    **told : JSON values
        What else there is to say; never a secret.
    """
    last = connection.execute(
        select(audit.c.chain).order_by(audit.c.number.desc()).limit(1)
    ).scalar_one_or_none()
    line = {
        "moment_utc": time.time(),
        "who": reader.name,
        "action": action,
        "record": record,
        "told": json.loads(json.dumps(told, default=str)),
    }
    connection.execute(insert(audit).values(**line, chain=chained(last or "", line)))


def chained(before: str, line: dict[str, Any]) -> str:
    """Return the checksum of a line of the log.

    Parameters
    ----------
    before : str
        Checksum of the line before, "" of the first.
    line : dict
        Columns of `audit` but `number` and `chain`.

    Returns
    -------
    str
        SHA-256 of both, hexadecimal.
    """
    text = json.dumps(
        [before, *(line[key] for key in ("moment_utc", "who", "action", "record", "told"))], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Line:
    """A line of the log.

    Attributes
    ----------
    number : int
        Its place; lines are in the order in which things happened.
    moment_utc : float
        Seconds since 1970.
    who : str
        Name of an account, "owner" for who runs the command line, "" for who has no account.
    action : str
        "publish", "sign in" …
    record : str
        Identifier of the record it concerns, "" where it concerns none.
    told : dict
        What else there is to say.
    chain : str
        SHA-256 of the line before and this one.
    """

    number: int
    moment_utc: float
    who: str
    action: str
    record: str
    told: dict[str, Any]
    chain: str


@dataclass(frozen=True)
class Verdict:
    """What `verify` found.

    Attributes
    ----------
    lines : int
        How many lines the log has.
    newest : str
        Checksum of the newest line; kept elsewhere, it shows later whether lines at the end were taken away.
    problem : str
        What is wrong, and at which line; "" where nothing is.
    """

    lines: int
    newest: str
    problem: str


def lines(connection: Connection, *, record: str = "", who: str = "") -> Iterator[Line]:
    """Read the log, from the oldest line to the newest.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    record : str
        Only lines that concern this record.
    who : str
        Only what this account did.

    Yields
    ------
    Line
        One by one; a log may be long.
    """
    query = select(audit).order_by(audit.c.number)
    if record:
        query = query.where(audit.c.record == record)
    if who:
        query = query.where(audit.c.who == who)
    for row in connection.execute(query):
        yield Line(**row._mapping)


def newest_lines(
    connection: Connection,
    *,
    record: str = "",
    who: str = "",
    action: str = "",
    since_utc: float | None = None,
    until_utc: float | None = None,
    before: int | None = None,
    limit: int = 100,
    of_records: bool = False,
) -> list[Line]:
    """Read the newest lines of the log.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    record, who, action : str
        Only lines that concern this record, of this account, of this action; "" for all.
    since_utc, until_utc : float, optional
        Seconds since 1970 between which they were written, the first included.
    before : int, optional
        Only lines with smaller numbers: those after a page of this list.
    limit : int
        At most so many.
    of_records : bool
        Only lines that concern a record, whichever.

    Returns
    -------
    list of Line
        The newest first.
    """
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    for column, text in ((audit.c.record, record), (audit.c.who, who), (audit.c.action, action)):
        if text:
            query = query.where(column == text)
    if of_records:
        query = query.where(audit.c.record != "")
    if since_utc is not None:
        query = query.where(audit.c.moment_utc >= since_utc)
    if until_utc is not None:
        query = query.where(audit.c.moment_utc < until_utc)
    if before is not None:
        query = query.where(audit.c.number < before)
    return [Line(**row._mapping) for row in connection.execute(query)]


def actions(connection: Connection, *, of_records: bool = False) -> list[str]:
    """Return the actions that the log knows.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    of_records : bool
        Only those that concern a record.

    Returns
    -------
    list of str
        In the order of the alphabet.
    """
    query = select(audit.c.action).distinct().order_by(audit.c.action)
    if of_records:
        query = query.where(audit.c.record != "")
    return list(connection.execute(query).scalars())


def verify(catalogue: Catalogue, checksum: str = "") -> Verdict:
    """Check that no line of the log was changed, taken out or put in.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    checksum : str
        Checksum of a line, as an earlier `Verdict` gave it. Lines taken from the end leave a chain that is whole;
        only a checksum that was kept elsewhere shows it.

    Returns
    -------
    Verdict
        Names the first line that does not fit.
    """
    count, before, problem = 0, "", ""
    reached = not checksum
    with catalogue.reading() as connection:
        for line in lines(connection):
            count += 1
            values = {key: getattr(line, key) for key in ("moment_utc", "who", "action", "record", "told")}
            if not problem and chained(before, values) != line.chain:
                problem = (
                    f"line {line.number} ({line.action}) does not follow from the one before: it was changed, or lines "
                    f"before it were taken out or put in; compare with a backup"
                )
            before = line.chain
            reached = reached or line.chain == checksum
    if not problem and not reached:
        problem = (
            f"no line has the checksum {checksum[:64]}: lines were taken from the end since it was written down; "
            f"compare with a backup"
        )
    return Verdict(count, before, problem)
