"""What workers note in the log book: that a run was started, and what came of a job, once each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.log_book import note_event
from tomarium.catalogue.tables import entities, record_entities, records


def note_job(
    catalogue: Catalogue, job: Row[Any], word: str, state: str, told: str = "", made: Sequence[str] = ()
) -> None:
    """Note how a job is in the log books of the records it made, else of those it is about.

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
    sources = _named(job.arguments)
    said = {"started": f"to be {word}: started", "done": word, "failed": f"not {word}"}[state]
    text = f"{said}: {told}" if told else said
    with catalogue.writing() as connection:
        known = _known(connection, sources)
        about = _known(connection, made) or known[:1]
        links = [*(f"records/{id}" for id in known), *_entities(connection, [*about, *known])]
        for id in about:
            note_event(connection, job.asked_by, f"records/{id}", f"job {job.number} {state}", text, links)


def note_record(
    connection: Connection, who: str, record: str, event: str, text: str, links: Iterable[str] = ()
) -> None:
    """Note what was done with a record in its log book, once, and let its proposal and instrument show it."""
    about = [*links, *_entities(connection, [record])]
    note_event(connection, who, f"records/{record}", event, text, about)


def _named(arguments: dict[str, Any]) -> list[str]:
    """List the records that a job's arguments name: "record:ID" of a run, frames of an alignment, `record`."""
    found = []
    for value in arguments.values():
        if isinstance(value, str) and value.startswith(("record:", "records/")):
            found.append(value.removeprefix("record:").removeprefix("records/").partition("/")[0])
    if isinstance(arguments.get("record"), str):
        found.append(arguments["record"])
    return list(dict.fromkeys(found))


def _known(connection: Connection, ids: Iterable[str]) -> list[str]:
    wanted = list(ids)
    there = set(connection.execute(select(records.c.id).where(records.c.id.in_(wanted))).scalars())
    return [id for id in wanted if id in there]


def _entities(connection: Connection, ids: Iterable[str]) -> list[str]:
    """Name the proposals and instruments that records are of."""
    asked = (
        select(entities.c.kind, entities.c.id)
        .join(record_entities, record_entities.c.entity == entities.c.id)
        .where(record_entities.c.record.in_(list(ids)), entities.c.kind.in_(("proposal", "instrument")))
    )
    rows = connection.execute(asked.distinct().order_by(entities.c.kind, entities.c.id)).all()
    return [f"{row.kind}s/{row.id}" for row in rows]
