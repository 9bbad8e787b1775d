"""The log of who did what: only ever added to, each line chained to the one before."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from sqlalchemy import Connection, insert, select

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
