"""DOIs: how they are made up, and the list of what DataCite has yet to be told.

A DOI is told to DataCite by `tomarium worker`, not while somebody waits: its state is seen meanwhile, and what fails is
tried again. Telling the same thing twice changes nothing.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue.tables import dois
from tomarium.model import Record


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
        known = connection.execute(select(dois).where(dois.c.doi == doi)).one_or_none()
        if doi == publication.concept_doi and known and known.record != record.id and not address:
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
                address=address or (known.address if known else ""),
            )
        )
