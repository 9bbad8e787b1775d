"""Harvests that are due: asked for by a worker in its round, and done by it as jobs, so that nobody waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.harvest_sources import Source, all_sources
from tomarium.catalogue.jobs import Ended, add_job
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.work import Kind
from tomarium.errors import InputError
from tomarium.portal.harvests.harvester import Harvest, Harvester, Tell
from tomarium.registry import collect

KIND: Final = "harvest"


def harvest(
    catalogue: Catalogue, source: Source, *, again: bool = False, tell: Tell | None = None
) -> Harvest:
    """Harvest a source by its protocol; parameters, result and errors as of `Harvesting`."""
    harvester = collect("portal.harvests", Harvester).get(source.kind)
    if harvester is None:
        raise InputError(
            f"{source.title}: nothing here harvests by {source.kind!r}; take a newer version of tomarium"
        )
    return harvester.harvest(catalogue, source, again=again, tell=tell)


def due_sources(catalogue: Catalogue) -> list[Source]:
    """List the sources that are harvested of themselves and were not for as long as that is to be."""
    with catalogue.reading() as connection:
        return [source for source in all_sources(connection) if source.is_due()]


def ask_for_due(catalogue: Catalogue) -> None:
    """Ask for the harvest of all sources that are due; one that is asked for already is not asked for twice."""
    for source in due_sources(catalogue):
        with catalogue.writing() as connection:
            ask_for(connection, source)


def ask_for(connection: Connection, source: Source) -> None:
    """Ask for the harvest of a source; the connection may write."""
    add_job(connection, LOCAL_OWNER, KIND, {"source": source.number, "title": source.title})


def describe_harvest(outcome: Harvest) -> str:
    """Tell in one line what came of a harvest."""
    counts = outcome.kept
    parts = [
        f"{counts.added} new",
        f"{counts.changed} changed",
        f"{counts.same} as before",
        f"{counts.deleted} gone",
    ]
    unread = f"; {len(counts.problems)} could not be read" if counts.problems else ""
    return f"{', '.join(parts)}{unread}"


def _run_harvest(catalogue: Catalogue, job: Row[Any]) -> Ended:
    with catalogue.reading() as connection:
        sources = {source.number: source for source in all_sources(connection)}
    source = sources.get(job.arguments["source"])
    if source is None:
        return "done", "this source is not harvested any more", ()
    return "done", f"{source.title}: {describe_harvest(harvest(catalogue, source))}", ()


def harvest_kinds() -> Mapping[str, Kind]:
    """Return the kind of job that a worker does for it."""
    return {KIND: Kind(_run_harvest)}
