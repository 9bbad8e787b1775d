"""Jobs held by workers that ended, DOIs that cannot become findable, records that are still to be written anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select

from tomarium.catalogue import entity_records
from tomarium.catalogue.dois import WORKER
from tomarium.catalogue.state_checks.state_check import CheckContext, Fault, StateCheck
from tomarium.catalogue.tables import dois, jobs, records, stale_records
from tomarium.catalogue.workers import forget_workers, running_workers
from tomarium.doctor.core.finding import error, info, warning

LONG_S: Final = 3600.0
"""What waits longer than this is not taken by a worker."""


def run(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    """Look at the table of jobs, at that of DOIs, and at what waits to be written anew."""
    yield from _of_jobs(context)
    yield from _of_dois(context)
    yield from _of_stale(context)


def _of_jobs(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    forget_workers(context.catalogue.home, context.moment)
    with context.catalogue.reading() as connection:
        open_jobs = connection.execute(
            select(
                jobs.c.number, jobs.c.kind, jobs.c.state, jobs.c.lease_until_utc, jobs.c.not_before_utc
            ).where(jobs.c.state.in_(("waiting", "running")))
        ).all()
    heard = [worker.name for worker in running_workers(context.catalogue.home, context.moment)]
    start = "a worker takes it again: " + ("it does so of itself" if heard else "tomarium worker")
    for row in open_jobs:
        if row.state == "running" and row.lease_until_utc <= context.moment:
            until = datetime.fromtimestamp(row.lease_until_utc, UTC)
            finding = warning(
                f"job {row.number}",
                f"{row.kind}: whoever held it was not heard since {until:%Y-%m-%d %H:%M} UTC",
                "a job that is done, or held by a worker",
                start,
            )
            yield "job-of-the-dead", Fault(finding)
    waiting = sum(row.state == "waiting" for row in open_jobs)
    if waiting and not heard:
        wait = "1 job waits" if waiting == 1 else f"{waiting} jobs wait"
        finding = info("jobs", f"{wait}, and no worker is heard", "a worker", "start one: tomarium worker")
        yield "no-worker", Fault(finding)


def _of_dois(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    record_ids = select(records.c.id)
    orphans = select(dois).where(dois.c.record.not_in(record_ids), dois.c.record.not_like("%/%"))
    with context.catalogue.reading() as connection:
        without, failed = (
            connection.execute(asked_for.order_by(dois.c.doi)).all()
            for asked_for in (orphans, select(dois).where(dois.c.state == "failed"))
        )
    for row in without:
        finding = error(
            row.doi,
            f"stands for the record {row.record}, which is not in the index",
            "a DOI that leads to a record",
            "copy the record's folder back and file it with: tomarium ingest FOLDER",
        )
        yield "doi-without-record", Fault(finding)
    gone = {row.doi for row in without}
    for row in failed:
        if row.doi not in gone:
            mend = "mend what it says, then: tomarium worker --again"
            yield (
                "doi-refused",
                Fault(warning(row.doi, f"DataCite: {row.error}", "a DOI that is findable", mend)),
            )


def _of_stale(context: CheckContext) -> Iterator[tuple[str, Fault]]:
    open_jobs = select(jobs.c.number).where(
        jobs.c.kind == entity_records.KIND, jobs.c.state.in_(("waiting", "running", "failed"))
    )
    with context.catalogue.reading() as connection:
        names = list(connection.execute(select(stale_records.c.record)).scalars())
        any_job = connection.execute(open_jobs.limit(1)).first() is not None
    for name in names if not any_job else ():

        def write(name: str = name) -> str:
            with context.catalogue.writing() as connection:
                entity_records.rewrite_one(connection, WORKER, name)
            return "written anew"

        finding = warning(
            name,
            "its crate tells of an entity what was taken back, and no job writes it anew",
            "a crate that tells what everybody may know",
            "tomarium fsck --repair",
        )
        yield "record-stale", Fault(finding, write)


WORK: Final = StateCheck("work", run)
