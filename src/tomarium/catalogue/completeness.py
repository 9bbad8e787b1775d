"""What records of a catalogue lack of what a published one needs or should have, one by one and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import place_for
from tomarium.catalogue.entities import demand_entity, members_of, records_of
from tomarium.catalogue.publication_checks import Check, publication_checks
from tomarium.catalogue.reader import NotAllowed, Reader, owns
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.tables import records
from tomarium.errors import FormatError, InputError
from tomarium.model import Record

MOST = 10_000
"""Records that are looked at at once."""


@dataclass(frozen=True)
class Completeness:
    """What a record has and lacks.

    Attributes
    ----------
    id, title, state : str
        Of the record; its state is "draft", "review", "published" or "withdrawn".
    demands : int
        What it needs or should have.
    lacking : tuple of Check
        What it has not, what keeps it from being published first.
    """

    id: str
    title: str
    state: str
    demands: int
    lacking: tuple[Check, ...]

    @property
    def is_complete(self) -> bool:
        """Whether it lacks nothing."""
        return not self.lacking

    @property
    def meets_demands(self) -> bool:
        """Whether it lacks nothing that is demanded; the doctor's word on its files is among it where he was asked."""
        return not any(check.refuses for check in self.lacking)

    @property
    def words(self) -> str:
        """In words: "complete", or "10 of 12; lacks a licence, a sample name"."""
        if self.is_complete:
            return "complete"
        lacks = ", ".join(check.lacks for check in self.lacking)
        return f"{self.demands - len(self.lacking)} of {self.demands}; lacks {lacks}"


def completeness_of(record: Record, folder: Path, state: str = "", *, files: bool = False) -> Completeness:
    """Tell what a record has and lacks.

    Parameters
    ----------
    record : Record
        The record.
    folder : Path
        Its folder.
    state : str
        Its state in the catalogue.
    files : bool
        Whether the doctor examines its files too, which reads them.

    Returns
    -------
    Completeness
        By the rules of `publication_checks`.
    """
    checks = publication_checks(record, folder, files=files)
    lacking = sorted((check for check in checks if check.problem), key=lambda check: not check.refuses)
    return Completeness(record.id, record.title, state, len(checks), tuple(lacking))


def drafts_of(connection: Connection, reader: Reader) -> list[str]:
    """List the identifiers of all records that are a reader's to keep and not published yet, the newest first."""
    query = (
        select(records.c.id)
        .where(records.c.state.in_(("draft", "review")), owns(reader))
        .order_by(records.c.number.desc())
        .limit(MOST)
    )
    return list(connection.execute(query).scalars())


def records_named(connection: Connection, reader: Reader, id: str) -> list[str]:
    """List the records of a proposal, specimen or instrument, or those that a collection names, as a reader sees them.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    id : str
        Identifier of the entity.

    Returns
    -------
    list of str
        Identifiers.

    Raises
    ------
    InputError
        There is no such entity that the reader may see.
    """
    entity = demand_entity(connection, reader, id).entity
    if entity.kind == "collection":
        return [member for kind, member, _ in members_of(connection, reader, id) if kind == "record"]
    return [record for record, _ in records_of(connection, reader, id, MOST)]


def completeness(
    catalogue: Catalogue, reader: Reader, ids: Iterable[str], *, files: bool = False
) -> tuple[list[Completeness], list[str]]:
    """Tell what records have and lack.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks. Records that are not this reader's to change are left out.
    ids : iterable of str
        Identifiers.
    files : bool
        Whether the doctor examines their files too.

    Returns
    -------
    list of Completeness, list of str
        One of each record, and why others cannot be read.
    """
    told, problems = [], []
    for id in ids:
        try:
            with catalogue.reading() as connection:
                folder = place_for(connection, reader, id)
                state = connection.execute(select(records.c.state).where(records.c.id == id)).scalar_one()
            told.append(completeness_of(read_record(folder), folder, state, files=files))
        except NotAllowed:
            continue
        except (InputError, FormatError, OSError) as problem:
            problems.append(f"{id}: {problem}")
    return told, problems


def counted(told: Sequence[Completeness]) -> str:
    """Sum up what records lack.

    Parameters
    ----------
    told : sequence of Completeness
        Of each record.

    Returns
    -------
    str
        "34 of 40 complete; 6 lack a sample name, 2 lack a licence; 38 of 40 drafts lack nothing that is demanded", what
        most lack first.
    """
    if not told:
        return "no record"
    complete = sum(record.is_complete for record in told)
    counts = Counter(check.lacks for record in told for check in record.lacking)
    lacks = ", ".join(
        f"{count} {'lacks' if count == 1 else 'lack'} {words}" for words, count in counts.most_common()
    )
    parts = [f"{complete} of {len(told)} complete", lacks]
    unpublished = [record for record in told if record.state in ("draft", "review")]
    if unpublished:
        ready = sum(record.meets_demands for record in unpublished)
        parts.append(
            f"{ready} of {len(unpublished)} {'draft' if len(unpublished) == 1 else 'drafts'} "
            f"{'lacks' if ready == 1 == len(unpublished) else 'lack'} nothing that is demanded"
        )
    return "; ".join(part for part in parts if part)
