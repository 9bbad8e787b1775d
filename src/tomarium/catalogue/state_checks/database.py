"""The database itself: whether it is whole, its log unchanged, and what it tells of files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, select

from tomarium.catalogue import audit
from tomarium.catalogue.log_files import place_of_file
from tomarium.catalogue.log_tables import log_entries
from tomarium.catalogue.rebuild import left_by_the_dead, take_away
from tomarium.catalogue.state_checks.state_check import AT_ONCE, CheckContext, Fault, StateCheck
from tomarium.catalogue.tables import life, records
from tomarium.doctor.core.finding import error, info, warning

_MOST: Final = 20
"""Faults of SQLite's own check that are told."""


def run(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    """Ask the database about itself, and look for the files that its rows name."""
    context.tell("database", 0, 4)
    if context.catalogue.engine.dialect.name == "sqlite":
        with context.catalogue.reading() as connection:
            yield from _of_sqlite(connection)
    context.tell("database", 1, 4)
    verdict = audit.verify(context.catalogue)
    if verdict.problem:
        mend = "find out who may write to the database, and compare it with a backup"
        yield "log-changed", Fault(error("log", verdict.problem, "a log that nobody changed", mend))
    context.tell("database", 2, 4)
    yield from _of_lives(context)
    context.tell("database", 3, 4)
    yield from _of_log_files(context)
    if left_by_the_dead(context.catalogue):

        def remove() -> str:
            take_away(context.catalogue)
            return "removed"

        description = "tables that a rebuild was filling when it was stopped; nobody asks them"
        yield (
            "rebuild-left",
            Fault(info("index", description, "no such tables", "the next rebuild removes them"), remove),
        )
    context.tell("database", 4, 4)


def _of_sqlite(connection: Connection) -> Iterator[tuple[str, Fault]]:
    mend = "restore from a backup: tomarium restore BACKUP.zip --catalogue new.sqlite"
    for (message,) in connection.exec_driver_sql(f"PRAGMA quick_check({_MOST})"):
        if message != "ok":
            yield "database-damaged", Fault(error("database", str(message), "a database that is whole", mend))
    for number, row in enumerate(connection.exec_driver_sql("PRAGMA foreign_key_check")):
        if number == _MOST:
            return
        found = f"row {row[1]} of {row[0]} names a row of {row[2]} that is not there"
        yield "database-damaged", Fault(error("database", found, "rows that fit together", mend))


def _of_lives(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    """Find records that have a life and no row in the index, some hundred at a time."""
    last = ""
    while True:
        some_of = select(life).where(life.c.record > last).order_by(life.c.record).limit(AT_ONCE)
        with context.catalogue.reading() as connection:
            rows = connection.execute(some_of).all()
            ids = set(
                connection.execute(
                    select(records.c.id).where(records.c.id.in_([row.record for row in rows]))
                ).scalars()
            )
        for row in rows:
            if row.record not in ids:
                finding = warning(
                    row.record,
                    f"is {row.state}, belongs to {row.owner}, and no row of the index tells where it lies",
                    "a record in the index",
                    "file its folder with: tomarium ingest FOLDER; without it, take it from where copies are kept"
                    + (f", or: tomarium remove {row.record}" if row.state in ("draft", "review") else ""),
                )
                yield "record-without-rows", Fault(finding)
        if len(rows) < AT_ONCE:
            return
        last = rows[-1].record


def _of_log_files(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    last = 0
    columns = (log_entries.c.number, log_entries.c.files)
    while True:
        some_of = select(*columns).where(log_entries.c.number > last).order_by(log_entries.c.number)
        with context.catalogue.reading() as connection:
            rows: list[Any] = list(connection.execute(some_of.limit(AT_ONCE)).all())
        for row in rows:
            for file in row.files:
                if not place_of_file(context.catalogue.home, file["digest"]).is_file():
                    finding = error(
                        f"log book, entry {row.number}",
                        f"its file {file['name']!r} is not there",
                        f"the file {place_of_file(context.catalogue.home, file['digest'])}",
                        f"take logbook/{file['digest']} from a backup",
                    )
                    yield "log-file-missing", Fault(finding)
        if len(rows) < AT_ONCE:
            return
        last = rows[-1].number


DATABASE: Final = StateCheck("database", run)
