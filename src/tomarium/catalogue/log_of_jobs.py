"""What workers note in the log book: that a run was started, and what came of a job, once each.

It stands in the log book of the record's proposal and leads to the record; where it has none, in the record's own.
Entries are signed as the catalogue's: who asked for a job is told to the team by the page of jobs, and to nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.find_jobs import reader_who_asked
from tomarium.catalogue.log_access import keeps_log
from tomarium.catalogue.log_book import note_event
from tomarium.catalogue.tables import entities, record_entities, records
from tomarium.errors import InputError

PROGRAM: Final = "tomarium"


def note_job(
    catalogue: Catalogue, job: Row[Any], word: str, state: str, told: str = "", made: Sequence[str] = ()
) -> None:
    """Note how a job is in the log books of the records it made, else of the first that it is about.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        Of `job`.
    word : str
        What it does: "reconstructed", "aligned" …
    state : str
        "started", "done" or "failed".
    told : str
        What came of it.
    made : sequence of str
        Identifiers of records that came of it.
    """
    sources = _records_named(job.arguments)
    outcome = {"started": f"to be {word}: started", "done": word, "failed": f"not {word}"}[state]
    with catalogue.writing() as connection:
        try:
            reader = reader_who_asked(connection, job)
        except InputError:  # the account was closed meanwhile
            return
        known_ids = _known_records(connection, sources)
        links = [f"records/{id}" for id in known_ids]
        for id in _known_records(connection, made) or known_ids[:1]:
            subject = (_entities(connection, [id], "proposal") or [f"records/{id}"])[0]
            if keeps_log(connection, reader, subject):
                text = f"{id}: {outcome}{f': {told}' if told else ''}"
                linked = [f"records/{id}", *links, *_entities(connection, [id], "instrument")]
                note_event(connection, PROGRAM, subject, f"job {job.number} {state} {id}", text, linked)


def note_publication(connection: Connection, record: str, text: str) -> None:
    """Note that a record was published in the log book of its proposal, once; nothing where it has none."""
    for subject in _entities(connection, [record], "proposal"):
        links = [f"records/{record}", *_entities(connection, [record], "instrument")]
        note_event(connection, PROGRAM, subject, f"published {record}", f"{record}: {text}", links)


def _records_named(arguments: dict[str, Any]) -> list[str]:
    """List the records that a job's arguments name: "record:ID" of a run, frames of an alignment, `record`."""
    record_ids = []
    for value in arguments.values():
        if isinstance(value, str) and value.startswith(("record:", "records/")):
            record_ids.append(value.removeprefix("record:").removeprefix("records/").partition("/")[0])
    if isinstance(arguments.get("record"), str):
        record_ids.append(arguments["record"])
    return list(dict.fromkeys(record_ids))


def _known_records(connection: Connection, ids: Iterable[str]) -> list[str]:
    record_ids = list(ids)
    known_ids = set(connection.execute(select(records.c.id).where(records.c.id.in_(record_ids))).scalars())
    return [id for id in record_ids if id in known_ids]


def _entities(connection: Connection, ids: Iterable[str], kind: str) -> list[str]:
    """Name the proposals or the instruments that records are of."""
    query = (
        select(entities.c.id)
        .join(record_entities, record_entities.c.entity == entities.c.id)
        .where(record_entities.c.record.in_(list(ids)), entities.c.kind == kind)
    )
    return [f"{kind}s/{id}" for id in connection.execute(query.distinct().order_by(entities.c.id)).scalars()]
