"""Which records of the index were written, a line for each write, by which what programs keep in memory follows it.

One program writes at a time, and keeps the writer's lock until everybody sees what it wrote. So lines are seen in the
order of their serials: who sees one sees all those before it, and what they tell of.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, insert, select

from tomarium.catalogue.change_tables import index_changes

KEPT_US: Final = 86_400_000_000
"""Microseconds after which a line is taken out; who has not looked since then reads the index anew."""
_HOUR_US: Final = 3_600_000_000


def note_changed(connection: Connection, numbers: Iterable[int] | None) -> None:
    """Note that records were written or deleted.

    Parameters
    ----------
    connection : Connection
        That may write.
    numbers : iterable of int or None
        Of these records, before and after; None: of any.
    """
    last = last_change(connection)
    serial = max(last + 1, int(time.time() * 1e6))
    packed = None if numbers is None else np.array(sorted(set(numbers)), "<i8").tobytes()
    connection.execute(insert(index_changes).values(serial=serial, numbers=packed))
    if serial // _HOUR_US != last // _HOUR_US:
        connection.execute(delete(index_changes).where(index_changes.c.serial < serial - KEPT_US))


def last_change(connection: Connection) -> int:
    """Return the serial of the last write that a connection sees; 0 before the first."""
    return int(connection.execute(select(func.max(index_changes.c.serial))).scalar_one() or 0)


def changed_since(connection: Connection, serial: int) -> NDArray[np.int64] | None:
    """List the numbers of records that were written after a serial; None where it may be any of them.

    Parameters
    ----------
    connection : Connection
        That reads.
    serial : int
        What `last_change` told once.

    Returns
    -------
    NDArray of int64, or None
        In order, each once.
    """
    of = index_changes.c
    lines = connection.execute(select(of.serial, of.numbers).where(of.serial >= serial)).all()
    # Lines are taken out from the oldest on: where this one is left, so are all after it.
    if serial not in {line.serial for line in lines}:
        return None
    new = [line.numbers for line in lines if line.serial > serial]
    if any(numbers is None for numbers in new):
        return None
    return np.unique(np.frombuffer(b"".join(new), "<i8")).astype(np.int64)
