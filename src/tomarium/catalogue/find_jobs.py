"""Jobs of the table `job` that a reader may know of, and with whose rights they are done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from tomarium.catalogue.accounts import all_accounts, any_account
from tomarium.catalogue.reader import LOCAL_OWNER, NotAllowed, Reader
from tomarium.catalogue.tables import jobs


def is_held_by(job: Row[Any] | int) -> ColumnElement[bool]:
    """Return the condition that a job is held by the worker that took it: no later one has it, nobody ended it.

    Parameters
    ----------
    job : Row or int
        The job as `take_job` gave it, or the number of one that `add_job` made held.

    Returns
    -------
    ColumnElement
        For `where`, on the table `job`.
    """
    if isinstance(job, int):
        return and_(jobs.c.number == job, jobs.c.state == "running")
    return and_(jobs.c.number == job.number, jobs.c.state == "running", jobs.c.tries == job.tries)


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
    condition = jobs.c.kind.in_(kinds) & (jobs.c.arguments["record"].as_string() == record)
    return list(
        connection.execute(select(jobs).where(condition).order_by(jobs.c.number.desc()).limit(limit)).all()
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
        The owner of this machine, an administrator, of a job that was asked for at the command line (no account has
        that name), and of all as long as the catalogue has no account.

    Raises
    ------
    NotAllowed
        Their account was closed or is gone.
    """
    if job.asked_by == LOCAL_OWNER.name or not any_account(connection):
        return LOCAL_OWNER
    account = next((account for account in all_accounts(connection) if account.name == job.asked_by), None)
    if account is None or account.closed:
        raise NotAllowed(f"the account {job.asked_by!r}, which asked for it, may not be used any more")
    return account.reader


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
    condition = jobs.c.number == number
    if not reader.sees_all:
        condition &= jobs.c.asked_by == reader.name
    return connection.execute(select(jobs).where(condition)).one_or_none()


def newest_jobs(
    connection: Connection, reader: Reader, limit: int = 200, *, without: Collection[str] = ()
) -> list[Row[Any]]:
    """List the jobs of a reader; those of everybody for curators and administrators.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    limit : int
        At most so many.
    without : collection of str
        Kinds that are left out.

    Returns
    -------
    list of Row
        Rows of `job`: what failed first, then the newest.
    """
    statement = select(jobs).order_by((jobs.c.state != "failed"), jobs.c.number.desc()).limit(limit)
    if without:
        statement = statement.where(jobs.c.kind.not_in(list(without)))
    if not reader.sees_all:
        statement = statement.where(jobs.c.asked_by == reader.name)
    return list(connection.execute(statement).all())


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
    condition = (jobs.c.kind == kind) & (jobs.c.asked_by == reader.name)
    return list(
        connection.execute(select(jobs).where(condition).order_by(jobs.c.number.desc()).limit(limit)).all()
    )


def jobs_of_kind(connection: Connection, kind: str, state: str) -> list[Row[Any]]:
    """List the jobs of a kind in a state, of everybody; for who does them."""
    condition = (jobs.c.kind == kind) & (jobs.c.state == state)
    return list(connection.execute(select(jobs).where(condition).order_by(jobs.c.number)).all())
