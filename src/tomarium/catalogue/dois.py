"""DOIs: how they are made up, and the list of what DataCite has yet to be told.

A DOI is told to DataCite by `tomarium worker`, not while somebody waits: its state is seen meanwhile, and what fails is
tried again. Telling the same thing twice changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, select, update

from tomarium.catalogue import queries
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.datacite_client import Answer, DataCite
from tomarium.catalogue.entities import public_entity, public_member_dois
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.same_sample import standing_claims
from tomarium.catalogue.settings import all_settings, publisher
from tomarium.catalogue.tables import dois, entities, stale_records
from tomarium.errors import InputError, StoreUnavailable
from tomarium.model import Entity, Record
from tomarium.model.entity import KINDS
from tomarium.standards.datacite_attributes import attributes
from tomarium.standards.entity_datacite import entity_attributes, relation_of

LEASE_S: Final = 120
"""How long a worker holds a DOI: longer than DataCite is waited for."""
FIRST_WAIT_S: Final = 60
LONGEST_WAIT_S: Final = 6 * 3600
WORKER: Final = Reader("worker", "administrator")


def doi_of(prefix: str, id: str, version: int | None) -> str:
    """Make up a DOI.

    Parameters
    ----------
    prefix : str
        "10.1234".
    id : str
        Identifier of the first version of the record.
    version : int or None
        None for the DOI of all versions together.

    Returns
    -------
    str
        "10.1234/tooth" or "10.1234/tooth.v2"; the same whenever it is asked for.
    """
    return f"{prefix}/{id}" if version is None else f"{prefix}/{id}.v{version}"


def ask_for_update(connection: Connection, record: Record, address: str = "") -> None:
    """Note that DataCite is to be told what a record's DOIs stand for now.

    Parameters
    ----------
    connection : Connection
        That may write.
    record : Record
        One that was published with a DOI.
    address : str
        Address of its page; the one that was noted before where it is "".
    """
    publication = record.publication
    assert publication is not None
    event = "hide" if publication.withdrawn else "publish"
    for doi in (publication.doi, publication.concept_doi):
        if not doi:
            continue
        row = connection.execute(select(dois).where(dois.c.doi == doi)).one_or_none()
        if doi == publication.concept_doi and row and row.record != record.id and not address:
            continue  # it stands for the newest version, which this is not
        connection.execute(delete(dois).where(dois.c.doi == doi))
        connection.execute(
            insert(dois).values(
                doi=doi,
                record=record.id,
                state="waiting",
                event=event,
                tries=0,
                next_utc=time.time(),
                error="",
                address=address or (row.address if row else ""),
            )
        )


@dataclass(frozen=True)
class DoiResult:
    """What became of a DOI that was due.

    Attributes
    ----------
    doi, record : str
        The DOI and the identifier of its record.
    state : str
        "findable", "waiting" (it is tried again) or "failed" (its metadata must be changed first).
    error : str
        Why, for people; "" where it is findable.
    """

    doi: str
    record: str
    state: str
    error: str


def tell_due(catalogue: Catalogue, service: DataCite, now: float | None = None) -> list[DoiResult]:
    """Tell DataCite all that is due.

    Several workers may do this at once: who takes a DOI holds it for two minutes. A worker that is killed meanwhile
    leaves it to the next, which tells the same once more.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    service : DataCite
        Whom to tell.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    list of DoiResult
        One for each DOI that was due.
    """
    moment = time.time() if now is None else now
    due = _due(moment)
    with catalogue.reading() as connection:
        waiting = connection.execute(select(dois).where(due).order_by(dois.c.next_utc, dois.c.doi)).all()
    results = []
    for row in waiting:
        conditions = dois.c.doi == row.doi, dois.c.next_utc == row.next_utc, dois.c.state == "waiting"
        with catalogue.writing() as connection:
            lease = moment + LEASE_S
            if not connection.execute(update(dois).where(*conditions).values(next_utc=lease)).rowcount:
                continue  # another worker took it
        answer = _tell(catalogue, service, row)
        state = "findable" if answer.done else "waiting" if answer.again else "failed"
        wait = min(FIRST_WAIT_S * 2**row.tries, LONGEST_WAIT_S)
        with catalogue.writing() as connection:
            # Where the record was changed meanwhile, the row is due again and stays so.
            connection.execute(
                update(dois)
                .where(dois.c.doi == row.doi, dois.c.next_utc == lease)
                .values(state=state, tries=row.tries + 1, next_utc=moment + wait, error=answer.told)
            )
            note(connection, WORKER, f"DOI {state}", row.record, doi=row.doi, error=answer.told)
        results.append(DoiResult(row.doi, row.record, state, answer.told))
    return results


def _tell(catalogue: Catalogue, service: DataCite, row: Row[Any]) -> Answer:
    try:
        with catalogue.reading() as connection:
            attributes_due = _attributes_now(connection, row)
    except StoreUnavailable as problem:  # its crate is asked for again later
        return Answer(False, True, str(problem))
    if attributes_due is None:
        return Answer(False, False, f"its record {row.record} is not in the catalogue")
    return service.tell(row.doi, attributes_due, row.event)


def any_due(connection: Connection) -> int:
    """Count the DOIs that are due now.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    int
        How many.
    """
    return connection.execute(select(func.count()).select_from(dois).where(_due(time.time()))).scalar_one()


def _due(moment: float) -> ColumnElement[bool]:
    """Those whose time has come; a record whose crate tells what was taken back waits until it is written anew."""
    stale = select(stale_records.c.record)
    return (dois.c.state == "waiting") & (dois.c.next_utc <= moment) & dois.c.record.not_in(stale)


def due_attributes(catalogue: Catalogue) -> dict[str, Any]:
    """Tell what DataCite would be told now.

    Parameters
    ----------
    catalogue : Catalogue
        Open.

    Returns
    -------
    dict of str to dict
        DOI → `event` and attributes.
    """
    attributes_by_doi: dict[str, Any] = {}
    with catalogue.reading() as connection:
        for row in connection.execute(
            select(dois).where(dois.c.state != "findable").order_by(dois.c.doi)
        ).all():
            if (attributes_due := _attributes_now(connection, row)) is not None:
                attributes_by_doi[row.doi] = {**attributes_due, "doi": row.doi, "event": row.event}
    return attributes_by_doi


def states_of(connection: Connection, record: str) -> list[DoiResult]:
    """Tell how far the DOIs of a record are.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    record : str
        Identifier of the record.

    Returns
    -------
    list of DoiResult
        That of the version, and that of all versions where this is the newest.
    """
    rows = connection.execute(select(dois).where(dois.c.record == record).order_by(dois.c.doi.desc()))
    return [DoiResult(row.doi, row.record, row.state, row.error) for row in rows]


def open_first(connection: Connection, limit: int = 200) -> list[Row[Any]]:
    """List DOIs, those that are not registered yet first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    limit : int
        At most so many.

    Returns
    -------
    list of Row
        Rows of `doi`: failed, waiting, findable; each by DOI.
    """
    order = case((dois.c.state == "failed", 0), (dois.c.state == "waiting", 1), else_=2)
    return list(connection.execute(select(dois).order_by(order, dois.c.doi).limit(limit)).all())


def retry_doi(connection: Connection, reader: Reader, doi: str) -> None:
    """Queue a DOI to be sent to DataCite by the next worker, whatever its state.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        A curator or an administrator.
    doi : str
        As the catalogue made it up.

    Raises
    ------
    InputError
        The catalogue has no such DOI that is not registered.
    NotAllowed
        The reader has none of these roles.
    """
    demand_role(reader, "curator", to="have a DOI registered again")
    condition = (dois.c.doi == doi) & dois.c.state.in_(("waiting", "failed"))
    again = {"state": "waiting", "next_utc": 0.0, "tries": 0}
    if not connection.execute(update(dois).where(condition).values(again)).rowcount:
        raise InputError(f"there is no DOI {doi[:80]!r} that waits or failed; nothing was changed")
    note(connection, reader, "retry DOI", doi=doi)


def try_again(connection: Connection) -> int:
    """Make everything that failed or waits due now.

    Parameters
    ----------
    connection : Connection
        That may write.

    Returns
    -------
    int
        How many DOIs.
    """
    open_ones = dois.c.state.in_(("waiting", "failed"))
    return connection.execute(
        update(dois).where(open_ones).values(state="waiting", next_utc=0.0, tries=0)
    ).rowcount


def ask_for_entity(connection: Connection, id: str, home: str) -> None:
    """Note that DataCite is to be told what the DOI of an entity stands for now, where it has one.

    Parameters
    ----------
    connection : Connection
        That may write.
    id : str
        Identifier of the entity.
    home : str
        Address of the portal; "" where it has none.
    """
    row = connection.execute(select(entities).where(entities.c.id == id, entities.c.doi != "")).one_or_none()
    if row is None:
        return
    plural = KINDS[row.kind].plural
    connection.execute(delete(dois).where(dois.c.doi == row.doi))
    connection.execute(
        insert(dois).values(
            doi=row.doi,
            record=f"{plural}/{id}",  # no identifier of a record holds a slash
            state="waiting",
            event="publish",
            tries=0,
            next_utc=time.time(),
            error="",
            address=f"{home}/{plural}/{id}" if home else "",
        )
    )


def _attributes_now(connection: Connection, row: Row[Any]) -> dict[str, Any] | None:
    """Tell what a DOI stands for now; None where it is not in the catalogue any more."""
    _, slash, id = row.record.partition("/")
    if slash:
        entity = public_entity(connection, id)
        if entity is None:
            return None
        settings = all_settings(connection)
        return entity_attributes(entity, row.address, publisher(settings), _related_dois(connection, entity))
    folder = queries.folder_of(connection, row.record)
    if folder is None:
        return None
    return _attributes(folder, row.doi, row.address, _versions(connection, row.doi))


def _related_dois(connection: Connection, entity: Entity) -> dict[str, str]:
    """List the DOIs of what a specimen was made from or claimed to be, and of what a collection or a document names."""
    relations = {claim.target: "IsIdenticalTo" for claim in standing_claims(connection, entity.id)}
    for origin in entity.origins:
        parent = public_entity(connection, origin.parent)
        if parent and parent.doi:
            relations[parent.doi] = relation_of(origin.how)
    for doi in public_member_dois(connection, entity.id):
        relations[doi] = "HasPart" if entity.kind == "collection" else "Documents"
    if paper := entity.facts.get("paper_doi"):
        relations[str(paper)] = "IsVariantFormOf"
    return relations


def _versions(connection: Connection, concept: str) -> list[str]:
    rows = connection.execute(
        select(dois.c.doi).where(dois.c.doi.startswith(f"{concept}.v", autoescape=True))
    )
    return sorted(rows.scalars())


def _attributes(folder: Path, doi: str, address: str, versions: list[str]) -> dict[str, Any]:
    record = read_record(folder)
    publication = record.publication
    assert publication is not None
    metadata = attributes(record, address)
    if doi == publication.concept_doi:
        related = [
            related_identifier
            for related_identifier in metadata.get("relatedIdentifiers", [])
            if related_identifier["relationType"] != "IsVersionOf"
        ]
        metadata["relatedIdentifiers"] = related + [
            {"relatedIdentifier": version, "relatedIdentifierType": "DOI", "relationType": "HasVersion"}
            for version in versions
        ]
        metadata.pop("version", None)
    return metadata
