"""What a check of a catalogue's state is, and what it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row, select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.tables import life, records, stores
from tomarium.doctor.core.finding import Finding

AT_ONCE: Final = 500
"""Rows that are read together; what a check keeps in memory does not grow with the catalogue."""
SETTLED_S: Final = 60.0
"""What is younger may be at work just now, and is no finding."""
DRAFT: Final = re.compile(r"\..+\.\d+\.part")
"""Name of a file that was being written, with the number of its process."""


@dataclass(frozen=True)
class Fault:
    """One thing that is half done, and how it is brought in order.

    Attributes
    ----------
    finding : Finding
        What was found, what was expected, what to do.
    repair : callable or None
        Does it, and tells in a few words what was done; None where a person has to decide, or a file was lost.
    """

    finding: Finding
    repair: Callable[[], str] | None = None

    def called(self, code: str, theme: str) -> Fault:
        """Stamp the finding with the name of its kind and of its check."""
        return replace(self, finding=replace(self.finding, code=code, theme=theme))


@dataclass(frozen=True)
class CheckContext:
    """What is to be looked at.

    Attributes
    ----------
    catalogue : Catalogue
        Open.
    moment : float
        Now, seconds since 1970.
    files : bool
        Whether the folders of records are looked into; otherwise the database and what lies beside it alone.
    tell : callable
        `tell(stage, done, total)`.
    """

    catalogue: Catalogue
    moment: float
    files: bool
    tell: Callable[[str, int, int], None]

    def is_settled(self, path: Path) -> bool:
        """Tell whether a file or folder was left alone for a while, so that nobody is at work on it."""
        try:
            return self.moment - path.lstat().st_mtime > SETTLED_S
        except OSError:  # it is gone: somebody was
            return False


@dataclass(frozen=True)
class StateCheck:
    """A check; the modules of `tomarium.catalogue.state_checks` make it known by holding it.

    Attributes
    ----------
    name : str
        Its theme, "records".
    run : callable
        `run(asked)`: what it finds, one after the other, each with its code.
    """

    name: str
    run: Callable[[CheckContext], Iterable[tuple[str, Fault]]]


def all_records(context: CheckContext, stage: str) -> Iterator[Row[Any]]:
    """List the records of this catalogue, some hundred at a time, with their stores and lives.

    Parameters
    ----------
    context : CheckContext
        The catalogue.
    stage : str
        What progress is called.

    Yields
    ------
    Row
        The columns of `record`, `address` of its store, and `lived`, its state in `life`, None where it has none.
    """
    columns = (*records.c, stores.c.address, life.c.state.label("lived"))
    query = (
        select(*columns)
        .join(stores, stores.c.number == records.c.store)
        .join(life, life.c.record == records.c.id, isouter=True)
        .order_by(records.c.number)
        .limit(AT_ONCE)
    )
    with context.catalogue.reading() as connection:
        counted = connection.exec_driver_sql("SELECT count(*) FROM record").scalar_one()
    last, examined = None, 0
    while True:
        with context.catalogue.reading() as connection:
            rows = connection.execute(query if last is None else query.where(records.c.number > last)).all()
        for row in rows:
            yield row
            examined += 1
            context.tell(stage, examined, max(counted, examined))
        if len(rows) < AT_ONCE:
            return
        last = rows[-1].number
