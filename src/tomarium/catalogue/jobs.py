"""Work that somebody asked for and a worker does: one table, in which whoever takes a job holds it for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from tomarium.catalogue.accounts import all_accounts, any_account
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import LOCAL_OWNER, NotAllowed, Reader, demand_role
from tomarium.catalogue.tables import jobs
from tomarium.errors import DatabaseUnavailable, InputError

LEASE_S: Final = 600
MOST_TRIES: Final = 5


def add_job(
    connection: Connection,
    reader: Reader,
    kind: str,
    arguments: dict[str, Any],
    *,
    joins: Sequence[str] = ("waiting", "running"),
    held: bool = False,
) -> int:
    """Ask for some work.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Who asks.
    kind : str
        What kind of work.
    arguments : dict
        JSON values.
    joins : sequence of str
        States in which one that is the same is taken instead of a new one.
    held : bool
        Whether who asks does it now, so that no worker takes it before its lease ends.

    Returns
    -------
    int
        Number of the job.
    """
    waiting = (jobs.c.kind == kind) & (jobs.c.asked_by == reader.name) & jobs.c.state.in_(joins)
    for row in connection.execute(select(jobs.c.number, jobs.c.arguments).where(waiting)):
        if row.arguments == arguments:
            return int(row.number)
    key = connection.execute(
        insert(jobs).values(
            kind=kind,
            arguments=arguments,
            state="running" if held else "waiting",
            lease_until_utc=time.time() + LEASE_S if held else 0.0,
            tries=int(held),
            not_before_utc=0.0,
            told="",
            asked_by=reader.name,
            made=[],
        )
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


def take_job(catalogue: Catalogue, now: float | None = None) -> Row[Any] | None:
    """Take the oldest job that is due; nobody else gets it before its lease ends.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    Row or None
        A row of `job`. A worker that was killed leaves its job to the next when the lease has ended; after some tries
        it is given up.
    """
    moment = time.time() if now is None else now
    due = ((jobs.c.state == "waiting") & (jobs.c.not_before_utc <= moment)) | (
        (jobs.c.state == "running") & (jobs.c.lease_until_utc <= moment)
    )
    with catalogue.writing() as connection:
        lost = due & (jobs.c.tries >= MOST_TRIES)
        given_up = f"given up: {MOST_TRIES} workers stopped while they did it"
        connection.execute(update(jobs).where(lost).values(state="failed", told=given_up))
        row = connection.execute(select(jobs).where(due).order_by(jobs.c.number).limit(1)).one_or_none()
        if row is None:
            return None
        held = {"state": "running", "tries": row.tries + 1, "lease_until_utc": moment + LEASE_S}
        connection.execute(update(jobs).where(jobs.c.number == row.number).values(held))
    return row


@contextmanager
def holding(catalogue: Catalogue, number: int) -> Iterator[None]:
    """Hold a job for as long as it takes: its lease is made longer while this lasts.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    number : int
        The job, taken before.
    """
    over = threading.Event()

    def renew() -> None:
        while not over.wait(LEASE_S / 4):
            # A database that does not answer now may answer the next time, before the lease has ended.
            with suppress(DatabaseUnavailable), catalogue.writing() as connection:
                later = {"lease_until_utc": time.time() + LEASE_S}
                connection.execute(update(jobs).where(jobs.c.number == number).values(later))

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def end_job(catalogue: Catalogue, number: int, state: str, told: str, made: Sequence[str] = ()) -> None:
    """Note what became of a job.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    number : int
        The job.
    state : str
        "done" or "failed".
    told : str
        For who asked for it.
    made : sequence of str
        Identifiers of the records that came of it.
    """
    over = {"state": state, "told": told, "made": list(made)}
    with catalogue.writing() as connection:
        connection.execute(update(jobs).where(jobs.c.number == number).values(over))


def tell_progress(catalogue: Catalogue, number: int, told: str) -> None:
    """Note how far a job is that runs; a database that does not answer now is told the next time.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    number : int
        The job, taken before.
    told : str
        For who asked for it.
    """
    running = (jobs.c.number == number) & (jobs.c.state == "running")
    with suppress(DatabaseUnavailable), catalogue.writing() as connection:
        connection.execute(update(jobs).where(running).values(told=told))


def jobs_of_record(
    connection: Connection, kinds: Sequence[str], record: str, limit: int = 20
) -> list[Row[Any]]:
    """List the jobs of some kinds whose argument `record` is a record, whoever asked for them.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    kinds : sequence of str
        What kinds of work.
    record : str
        Identifier of the record; who may know of its jobs is asked before.
    limit : int
        At most so many.

    Returns
    -------
    list of Row
        Rows of `job`, the newest first.
    """
    asked = jobs.c.kind.in_(kinds) & (jobs.c.arguments["record"].as_string() == record)
    return list(
        connection.execute(select(jobs).where(asked).order_by(jobs.c.number.desc()).limit(limit)).all()
    )


def reader_who_asked(connection: Connection, job: Row[Any]) -> Reader:
    """Return who asked for a job, with the rights that they have now.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    job : Row
        Of `job`.

    Returns
    -------
    Reader
        As long as the catalogue has no account, the owner of this machine.

    Raises
    ------
    NotAllowed
        Their account was closed or is gone.
    """
    if not any_account(connection):
        return LOCAL_OWNER
    found = next((one for one in all_accounts(connection) if one.name == job.asked_by), None)
    if found is None or found.closed:
        raise NotAllowed(f"the account {job.asked_by!r}, which asked for it, may not be used any more")
    return found.reader


def job_of(connection: Connection, reader: Reader, number: int) -> Row[Any] | None:
    """Find a job of a reader.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    number : int
        The job.

    Returns
    -------
    Row or None
        A row of `job`; None where there is none of this reader.
    """
    mine = jobs.c.number == number
    if not reader.sees_all:
        mine &= jobs.c.asked_by == reader.name
    return connection.execute(select(jobs).where(mine)).one_or_none()


def newest_jobs(connection: Connection, reader: Reader, limit: int = 200) -> list[Row[Any]]:
    """List the jobs of a reader; those of everybody for curators and administrators.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    limit : int
        At most so many.

    Returns
    -------
    list of Row
        Rows of `job`: what failed first, then the newest.
    """
    wanted = select(jobs).order_by((jobs.c.state != "failed"), jobs.c.number.desc()).limit(limit)
    if not reader.sees_all:
        wanted = wanted.where(jobs.c.asked_by == reader.name)
    return list(connection.execute(wanted).all())


def own_jobs(connection: Connection, reader: Reader, kind: str, limit: int = 200) -> list[Row[Any]]:
    """List the jobs of a kind that a reader asked for.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asked.
    kind : str
        What kind of work.
    limit : int
        At most so many.

    Returns
    -------
    list of Row
        Rows of `job`, the newest first.
    """
    mine = (jobs.c.kind == kind) & (jobs.c.asked_by == reader.name)
    return list(
        connection.execute(select(jobs).where(mine).order_by(jobs.c.number.desc()).limit(limit)).all()
    )


def retry_job(connection: Connection, reader: Reader, number: int) -> None:
    """Let a job that failed be done again by the next worker.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        A curator or an administrator.
    number : int
        The job.

    Raises
    ------
    InputError
        There is no such job that failed.
    NotAllowed
        The reader has none of these roles.
    """
    demand_role(reader, "curator", to="have a job done again")
    failed = (jobs.c.number == number) & (jobs.c.state == "failed")
    waiting = {"state": "waiting", "tries": 0, "not_before_utc": 0.0, "lease_until_utc": 0.0}
    if not connection.execute(update(jobs).where(failed).values(waiting)).rowcount:
        raise InputError(f"there is no job {number} that failed; only such a one is done again")
    note(connection, reader, "retry job", job=number)
