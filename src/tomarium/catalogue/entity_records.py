"""The records of an entity follow its changes: a job that is noted with the change, done at once where it is short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select

from tomarium.catalogue import queries
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.dois import ask_for_update
from tomarium.catalogue.edit import write_record
from tomarium.catalogue.entities import descendants, entities_of_record, records_below
from tomarium.catalogue.jobs import add_job, end_job, holding
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.tables import jobs, stale_records
from tomarium.errors import DatabaseUnavailable, TomariumError
from tomarium.model.sentence import Sentence

KIND: Final = "rewrite records"
AT_ONCE: Final = 20
"""Most records that are written while somebody waits."""
HIDDEN: Final = (
    "What was taken back is hidden from everybody. %(number)s of its %(all)s records are still being written anew by a "
    "worker; until then no search finds them."
)
BEHIND: Final = "Its records are being written anew by a worker; until then some tell what it said before."


def ask_to_rewrite(connection: Connection, reader: Reader, id: str, *, hides: bool = False) -> int | None:
    """Note, with a change of an entity, that the crates of its records are to be written anew.

    Parameters
    ----------
    connection : Connection
        That writes the change: both are there, or neither.
    reader : Reader
        Who changed it.
    id : str
        Identifier of the entity.
    hides : bool
        Whether something public was taken back. What the records' crates and the index tell of it is hidden from now
        on, by `stale_record`, until they are written.

    Returns
    -------
    int or None
        Number of a job for `rewrite_now`; None where there is nothing to write or a worker does it.
    """
    names = records_below(connection, [id, *descendants(connection, [id])])
    if not names:
        return None
    if hides:
        _hide(connection, names)
    now = len(names) <= AT_ONCE
    # A job that runs may have passed a record already, so that it does not take this change over.
    job = add_job(connection, reader, KIND, {"entity": id}, joins=() if now else ("waiting",), held=now)
    return job if now else None


def _hide(connection: Connection, names: Sequence[str]) -> None:
    stale = set(connection.execute(select(stale_records.c.record)).scalars())
    if new := [{"record": name} for name in names if name not in stale]:
        connection.execute(insert(stale_records), new)


def rewrite_now(catalogue: Catalogue, reader: Reader, id: str, job: int | None) -> None:
    """Run at once the job that `ask_to_rewrite` queued.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who changed the entity.
    id : str
        Its identifier.
    job : int or None
        As `ask_to_rewrite` returned it. It is gone where all went well, and has failed where a record could not be
        written; where this program is stopped, a worker does it again.
    """
    if job is None:
        return
    with holding(catalogue, job):
        state, sentence = rewrite(catalogue, reader, id)
    if state == "failed":
        end_job(catalogue, job, state, sentence)
        return
    with catalogue.writing() as connection:
        connection.execute(delete(jobs).where(jobs.c.number == job))


def rewrite(catalogue: Catalogue, reader: Reader, id: str) -> tuple[str, str]:
    """Write the crates and rows of all records of an entity anew, each whole; doing it twice does no harm.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who changed the entity.
    id : str
        Its identifier.

    Returns
    -------
    str, str
        "done" or "failed", and how many records were written, or what became of those that were not.
    """
    with catalogue.reading() as connection:
        names = records_below(connection, [id, *descendants(connection, [id])])
    problems = []
    for name in names:
        try:
            with catalogue.writing() as connection:
                rewrite_one(connection, reader, name)
        except DatabaseUnavailable:
            raise
        except (TomariumError, OSError) as problem:
            problems.append(f"{name}: {problem}")
    if problems:
        return (
            "failed",
            f"{len(names) - len(problems)} of {len(names)} records written; {'; '.join(problems)}",
        )
    with catalogue.writing() as connection:
        for row in unwritten(connection, id):
            if row.state == "failed":
                connection.execute(delete(jobs).where(jobs.c.number == row.number))
    return "done", f"{len(names)} records written"


def unwritten(connection: Connection, id: str) -> list[Row[Any]]:
    """List the jobs that are to write records of an entity, those that failed among them.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    id : str
        Identifier of the entity.

    Returns
    -------
    list of Row
        Rows of `job`; none where all records tell what the entity does.
    """
    query = select(jobs).where(jobs.c.kind == KIND, jobs.c.state != "done").order_by(jobs.c.number)
    return [row for row in connection.execute(query).all() if row.arguments == {"entity": id}]


def still_to_write(connection: Connection, id: str) -> str:
    """Tell in one sentence that records of an entity still tell what it said before; "" where none does."""
    open_jobs = unwritten(connection, id)
    if not open_jobs:
        return ""
    names = records_below(connection, [id, *descendants(connection, [id])])
    stale = select(func.count()).where(stale_records.c.record.in_(names))
    hidden = connection.execute(stale).scalar_one()
    if all(row.state == "failed" for row in open_jobs):
        warning = (
            f"; what was taken back is hidden in {hidden} of them, which no search finds" if hidden else ""
        )
        return f"Some of its records could not be written and tell what it said before{warning}: {open_jobs[-1].told}"
    if hidden:
        return Sentence(HIDDEN, number=hidden, all=len(names))
    return BEHIND


def rewrite_one(connection: Connection, reader: Reader, name: str) -> None:
    """Write the crate and rows of one record anew, with what its entities tell now."""
    folder = queries.folder_of(connection, name)
    connection.execute(delete(stale_records).where(stale_records.c.record == name))
    if folder is None:
        return
    record = replace(read_record(folder), entities=entities_of_record(connection, name))
    write_record(connection, reader, record, folder)
    if record.publication is not None and record.publication.doi:
        ask_for_update(connection, record)
