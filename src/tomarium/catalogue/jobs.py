"""Work that somebody asked for and a worker does: one table, in which whoever takes a job holds it for a while."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.find_jobs import is_held_by, job_of
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.tables import jobs
from tomarium.errors import DatabaseUnavailable, InputError

Ended = tuple[str, str, tuple[str, ...]]
"""State ("done" or "failed"), what became of a job, and the identifiers of records that were made."""

LEASE_S: Final = 600
MOST_TRIES: Final = 5
LAST_PART: Final = -1.0
"""What `not_before_utc` of a running job is in its last part, in which it cannot be cancelled."""


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


def take_job(
    catalogue: Catalogue,
    now: float | None = None,
    *,
    only: Collection[str] = (),
    urgent: Collection[str] = (),
    leases: Mapping[str, float] | None = None,
) -> Row[Any] | None:
    """Take the oldest job that is due; nobody else gets it before its lease ends.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    now : float, optional
        Seconds since 1970; the present moment by default.
    only : collection of str
        Kinds that are taken; all where there is none.
    urgent : collection of str
        Kinds that are taken before others.
    leases : mapping of str to float, optional
        Kind → seconds for which a job is held; `LEASE_S` for others.

    Returns
    -------
    Row or None
        A row of `job` as it is now. A worker that was killed leaves its job to the next when the lease has ended; after
        some tries it is given up.
    """
    moment = time.time() if now is None else now
    due = _due(moment, only)
    with catalogue.writing() as connection:
        condition = due & (jobs.c.tries >= MOST_TRIES)
        given_up = f"given up: {MOST_TRIES} workers stopped while they did it"
        connection.execute(update(jobs).where(condition).values(state="failed", told=given_up))
        first = (jobs.c.kind.not_in(list(urgent)), jobs.c.number) if urgent else (jobs.c.number,)
        row = connection.execute(select(jobs).where(due).order_by(*first).limit(1)).one_or_none()
        if row is None:
            return None
        lease_s = (leases or {}).get(row.kind, LEASE_S)
        values = {"state": "running", "tries": row.tries + 1, "lease_until_utc": moment + lease_s}
        connection.execute(update(jobs).where(jobs.c.number == row.number).values(values))
        return connection.execute(select(jobs).where(jobs.c.number == row.number)).one()


def is_any_due(catalogue: Catalogue, only: Collection[str] = ()) -> bool:
    """Tell whether there is a job that could be taken now.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    only : collection of str
        Kinds that count; all where there is none.

    Returns
    -------
    bool
        Whether `take_job` would take one.
    """
    query = select(jobs.c.number).where(_due(time.time(), only)).limit(1)
    with catalogue.reading() as connection:
        return connection.execute(query).first() is not None


def _due(moment: float, only: Collection[str]) -> ColumnElement[bool]:
    due = ((jobs.c.state == "waiting") & (jobs.c.not_before_utc <= moment)) | (
        (jobs.c.state == "running") & (jobs.c.lease_until_utc <= moment)
    )
    return due & jobs.c.kind.in_(list(only)) if only else due


@contextmanager
def holding(catalogue: Catalogue, job: Row[Any] | int, lease_s: float = LEASE_S) -> Iterator[None]:
    """Hold a job for as long as it takes: its lease is made longer while this lasts.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row or int
        The job as `take_job` gave it, or the number of one that `add_job` made held.
    lease_s : float
        Seconds after which another worker takes it where this one was killed.
    """
    over = threading.Event()

    def renew() -> None:
        while not over.wait(lease_s / 4):
            # A database that does not answer now may answer the next time, before the lease has ended.
            with suppress(DatabaseUnavailable), catalogue.writing() as connection:
                later = {"lease_until_utc": time.time() + lease_s}
                connection.execute(update(jobs).where(is_held_by(job)).values(later))

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_held(catalogue: Catalogue, job: Row[Any]) -> bool:
    """Tell whether a worker still holds the job that it took: it was not cancelled, and no other has it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        The job as `take_job` gave it.

    Returns
    -------
    bool
        False where what comes of it is not wanted any more.
    """
    with catalogue.reading() as connection:
        return connection.execute(select(jobs.c.number).where(is_held_by(job))).first() is not None


def begin_last_part(catalogue: Catalogue, job: Row[Any], told: str) -> bool:
    """Say that a job is in its last part, in which it cannot be cancelled any more.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        The job as `take_job` gave it.
    told : str
        What is done now.

    Returns
    -------
    bool
        False where it was cancelled before, or another worker has it: then nothing is to be done.
    """
    last = {"told": told, "not_before_utc": LAST_PART}
    with catalogue.writing() as connection:
        return bool(connection.execute(update(jobs).where(is_held_by(job)).values(last)).rowcount)


def leave_to_other(catalogue: Catalogue, job: Row[Any], lease_s: float) -> None:
    """Leave a job to the worker that is still at it, though its lease had ended, or to the next: as if nobody took it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        The job as `take_job` gave it.
    lease_s : float
        Seconds after which it may be taken again; 0 where nobody is at it, so that it waits.
    """
    back: dict[str, Any] = {"tries": job.tries - 1, "lease_until_utc": time.time() + lease_s}
    if not lease_s:
        back |= {"state": "waiting", "told": ""}
    with catalogue.writing() as connection:
        connection.execute(update(jobs).where(is_held_by(job)).values(back))


def end_job(
    catalogue: Catalogue,
    number: int,
    state: str,
    told: str,
    made: Sequence[str] = (),
    *,
    held: Row[Any] | None = None,
) -> bool:
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
    held : Row, optional
        The job as `take_job` gave it: nothing is noted where it was cancelled or another worker has it since.

    Returns
    -------
    bool
        Whether it was noted.
    """
    over = {"state": state, "told": told, "made": list(made), "not_before_utc": 0.0}
    which = jobs.c.number == number if held is None else is_held_by(held)
    with catalogue.writing() as connection:
        return bool(connection.execute(update(jobs).where(which).values(over)).rowcount)


def cancel_job(connection: Connection, reader: Reader, number: int) -> None:
    """Cancel a job that is not done yet; a worker that is at it stops at its next look.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Who asked for it, a curator or an administrator.
    number : int
        The job.

    Raises
    ------
    InputError
        There is no such job of this reader, or it has come to its end.
    """
    job = job_of(connection, reader, number)
    if job is None:
        raise InputError(f"there is no job {number} of yours")
    if job.state not in ("waiting", "running"):
        raise InputError(
            f"job {number} has ended already ({job.state}); only one that waits or runs is cancelled"
        )
    if job.not_before_utc == LAST_PART:
        raise InputError(
            f"job {number} files its record just now, which is not stopped; remove the record instead"
        )
    over = {"state": "cancelled", "told": f"cancelled by {reader.name}"}
    connection.execute(update(jobs).where(jobs.c.number == number).values(over))


def drop_jobs(
    connection: Connection, reader: Reader, kind: str, unwanted: Callable[[Mapping[str, Any]], bool]
) -> None:
    """Cancel jobs that a newer one makes needless.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Who asked for them.
    kind : str
        What kind of work.
    unwanted : callable
        `unwanted(arguments)`: which of those that wait or run.
    """
    open_ones = (
        (jobs.c.kind == kind) & (jobs.c.asked_by == reader.name) & jobs.c.state.in_(("waiting", "running"))
    )
    rows = connection.execute(select(jobs.c.number, jobs.c.arguments).where(open_ones)).all()
    numbers = [row.number for row in rows if unwanted(row.arguments)]
    if numbers:
        over = {"state": "cancelled", "told": "a newer one was asked for"}
        connection.execute(update(jobs).where(jobs.c.number.in_(numbers)).values(over))


def forget_jobs(connection: Connection, kind: str, kept: Callable[[Row[Any]], bool]) -> list[int]:
    """Remove the rows of jobs that ended and that nobody asks for any more.

    Parameters
    ----------
    connection : Connection
        That may write.
    kind : str
        What kind of work.
    kept : callable
        `kept(job)`: which of those that ended are kept; asked from the newest on.

    Returns
    -------
    list of int
        Their numbers. The newest job of all is never removed, so that no number is given twice.
    """
    newest = connection.execute(select(jobs.c.number).order_by(jobs.c.number.desc()).limit(1)).scalar()
    ended = (jobs.c.kind == kind) & jobs.c.state.not_in(("waiting", "running"))
    rows = connection.execute(select(jobs).where(ended).order_by(jobs.c.number.desc())).all()
    numbers = [row.number for row in rows if not kept(row) and row.number != newest]
    if numbers:
        connection.execute(delete(jobs).where(jobs.c.number.in_(numbers)))
    return numbers


def retry_job(connection: Connection, reader: Reader, number: int) -> None:
    """Queue a job that failed again.

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


def without_folders(told: str, folders: Mapping[Path, str]) -> str:
    """Leave out where folders lie on this machine, of what who asked for a job is told.

    Parameters
    ----------
    told : str
        What became of the job.
    folders : mapping of Path to str
        Folders; a path below one begins behind it, and one that is named itself becomes the word that stands for it.

    Returns
    -------
    str
        The same, by the folders as they are given and as they are resolved.
    """
    words_by_folder = {
        place: word for folder, word in folders.items() for place in (folder, folder.resolve())
    }
    words = {
        str(place): word for place, word in words_by_folder.items() if place.name
    }  # the root tells nothing
    for place in sorted(words, key=len, reverse=True):
        alone = rf"{re.escape(place)}(?![\w.-])"
        told = words[place].join(re.split(alone, told.replace(f"{place}/", "")))
    return told
