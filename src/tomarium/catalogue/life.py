"""The life of a record: draft, review, published in versions, withdrawn."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from tomarium.catalogue import form_words, queries
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.comments import add_comment
from tomarium.catalogue.dois import ask_for_update, doi_of
from tomarium.catalogue.edit import place_for, rewrite, write_record
from tomarium.catalogue.file_table import freeze, with_table_of
from tomarium.catalogue.ingest import save
from tomarium.catalogue.link_edit import tell_linked
from tomarium.catalogue.log_of_jobs import note_publication
from tomarium.catalogue.moments import after
from tomarium.catalogue.publication_checks import Check, publication_checks
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.record_patches import ask_for_patches
from tomarium.catalogue.settings import all_settings, publisher
from tomarium.errors import InputError, ParameterError
from tomarium.model import Publication, Record, Related
from tomarium.model.sentence import Sentence

OPENS_ON: Final = "opens_on"
"""Parameter: the day on which the files open, as the catalogue tells from which the record was imported."""

EMBARGO: Final = "embargo"
"""Parameter: how long the files stay closed, "3 years", or until which day, as the beamtime states."""


class NotReady(InputError):
    """A record lacks what it must have to be published."""


@dataclass(frozen=True)
class Request:
    """How a record is to be published.

    Attributes
    ----------
    embargo : str
        How long its files stay closed: "3 years", "2027-06-01", "0"; the catalogue's setting where it is "".
    new_version_of : str
        Identifier of the record whose next version it is; "" where it is the first.
    doi : bool
        Whether it gets a DOI, where the catalogue has a prefix.
    files : bool
        Whether the doctor examines its files before.
    """

    embargo: str = ""
    new_version_of: str = ""
    doi: bool = True
    files: bool = True


def checks_of(catalogue: Catalogue, reader: Reader, id: str, *, files: bool = True) -> tuple[Check, ...]:
    """Check what a record must and ought to have before it is published.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks; it must be this reader's to change.
    id : str
        Identifier of the record.
    files : bool
        Whether the doctor examines its files too.

    Returns
    -------
    tuple of Check
        All demands.
    """
    with catalogue.reading() as connection:
        place = place_for(connection, reader, id)
    return publication_checks(read_record(place), place, files=files)


def submit(catalogue: Catalogue, reader: Reader, id: str, text: str = "") -> None:
    """Hand a draft to the curators.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Its owner, or somebody of its team.
    id : str
        Identifier of the record.
    text : str
        What they should know.

    Raises
    ------
    NotReady
        It lacks what it must have.
    InputError
        It is no draft.
    """
    refuse_unready(id, checks_of(catalogue, reader, id))
    _move(catalogue, reader, id, "submit", "draft", "review", text, "comment")


def send_back(catalogue: Catalogue, reader: Reader, id: str, text: str) -> None:
    """Give a record in review back to its owner, with what is to be changed.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        A curator.
    id : str
        Identifier of the record.
    text : str
        What is to be changed.

    Raises
    ------
    InputError
        It is not in review, or the text is empty.
    """
    demand_role(reader, "curator", to="send a record back")
    if not text.strip():
        raise ParameterError(Sentence(form_words.WHY_SENT_BACK, id=id))
    _move(catalogue, reader, id, "send back", "review", "draft", text, "request")


def publish(catalogue: Catalogue, reader: Reader, id: str, request: Request | None = None) -> Record:
    """Publish a record: from now on its page is public, and its files from the end of its embargo.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        A curator; the owner of a catalogue on this machine is one. A scientist of the record's instrument, where the
        setting `scientists_publish` is "yes".
    id : str
        Identifier of the record.
    request : Request, optional
        How.

    Returns
    -------
    Record
        As it is now. One that was published before is returned as it is. A worker writes patches of a volume
        into it after, for learning; nobody waits for them.

    Raises
    ------
    NotReady
        It lacks what it must have; each is named.
    NotAllowed
        The reader is no curator.
    InputError
        The record whose next version it is was not published, or was withdrawn.
    """
    request_given = request or Request()
    with catalogue.reading() as connection:
        settings = all_settings(connection)
        if not may_publish(connection, reader, id, settings):
            demand_role(reader, "curator", to="publish a record")
        place = place_for(connection, reader, id)
    record = read_record(place)
    embargo = request_given.embargo or usual_embargo(record, settings)
    if record.publication is None:
        refuse_unready(id, publication_checks(record, place, files=request_given.files))
        record = freeze(place, record)  # what takes long, before anybody is kept from writing

    def change(connection: Connection, now: Record) -> Record:
        if now.publication is not None:
            return now
        before = _version_before(connection, reader, request_given.new_version_of)
        frozen = with_table_of(now, record) or freeze(place, now)
        published = as_published(frozen, before, settings, request_given)
        publication = published.publication
        assert publication is not None
        if before:
            later = Related("IsPreviousVersionOf", publication.doi or id)
            place_before = place_for(connection, reader, before.id)
            write_record(connection, reader, replace(before, related=(*before.related, later)), place_before)
        if publication.doi:
            ask_for_update(connection, published, address_of(settings, id))
        opens = (
            ""
            if publication.open_from <= publication.published
            else f"; files open {publication.open_from:%Y-%m-%d}"
        )
        named = f", DOI {publication.doi}" if publication.doi else ""
        note_publication(connection, id, f"published{named}{opens}")
        ask_for_patches(connection, reader, published)
        return published

    published = rewrite(catalogue, reader, id, "publish", change, {"embargo": embargo})
    tell_linked(catalogue, reader, id)
    return published


def usual_embargo(record: Record, settings: Mapping[str, str]) -> str:
    """Return how long a record's files stay closed where nobody says otherwise.

    Parameters
    ----------
    record : Record
        A draft; its parameter `opens_on` is the day on which the catalogue it came from opens its files, `embargo` the
        span or the day that its beamtime states.
    settings : Mapping of str to str
        Of the catalogue.

    Returns
    -------
    str
        That day where it is to come; else what the beamtime states, "0" for a day that has passed; else the setting.
    """
    today = datetime.now(UTC).date().isoformat()
    texts = (
        value.value if value and isinstance(value.value, str) else ""
        for value in map(record.parameters.get, (OPENS_ON, EMBARGO))
    )
    opens_on, stated = texts
    if opens_on > today:
        return opens_on
    if not stated.strip():
        return settings["embargo"]
    is_day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", stated)
    return "0" if is_day and stated <= today else stated


def may_publish(connection: Connection, reader: Reader, id: str, settings: Mapping[str, str]) -> bool:
    """Tell whether a reader may publish a record, whatever it lacks.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    id : str
        Identifier of the record.
    settings : Mapping of str to str
        Of the catalogue.

    Returns
    -------
    bool
        True for curators and administrators; for a scientist of its instrument where `scientists_publish` says so.
    """
    if reader.sees_all:
        return True
    place = queries.place_of(connection, reader, id)
    return place is not None and place.as_scientist and settings["scientists_publish"] == "yes"


def as_published(
    record: Record, before: Record | None, settings: Mapping[str, str], request: Request
) -> Record:
    """Return what a record becomes when it is published now.

    Parameters
    ----------
    record : Record
        A draft.
    before : Record or None
        The published record whose next version it is.
    settings : Mapping of str to str
        Of the catalogue.
    request : Request
        How it is to be published.

    Returns
    -------
    Record
        With its publication.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    related, version, root = record.related, 1, record.id
    if before and before.publication:
        version, root = before.publication.version + 1, _first_id(before)
        related = (*related, Related("IsNewVersionOf", before.publication.doi or before.id))
    prefix = settings["doi_prefix"] if request.doi else ""
    publication = Publication(
        published=now,
        publisher=publisher(settings),
        open_from=after(now, request.embargo or usual_embargo(record, settings)),
        doi=doi_of(prefix, root, version) if prefix else "",
        concept_doi=doi_of(prefix, root, None) if prefix else "",
        version=version,
        kept_until=after(now, settings["kept"]),
    )
    return replace(record, related=related, publication=publication)


def address_of(settings: Mapping[str, str], id: str) -> str:
    """Return the address under which the world sees a record.

    Parameters
    ----------
    settings : Mapping of str to str
        Of the catalogue.
    id : str
        Identifier of the record.

    Returns
    -------
    str
        "https://data.example.org/records/tooth"; "" where the catalogue has no address.
    """
    return f"{settings['address']}/records/{id}" if settings["address"] else ""


def open_files(catalogue: Catalogue, reader: Reader, id: str) -> Record:
    """End the embargo of a record now.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Its owner or a curator.
    id : str
        Identifier of the record.

    Returns
    -------
    Record
        As it is now.

    Raises
    ------
    InputError
        It was not published, or was withdrawn.
    """
    now = datetime.now(UTC).replace(microsecond=0)

    def change(_connection: Connection, record: Record) -> Record:
        publication = _published(record)
        return replace(record, publication=replace(publication, open_from=min(publication.open_from, now)))

    return rewrite(catalogue, reader, id, "open files", change)


def withdraw(catalogue: Catalogue, reader: Reader, id: str, reason: str) -> Record:
    """Withdraw a published record: its page stays and says why, its files are not given any more.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        A curator.
    id : str
        Identifier of the record.
    reason : str
        Why, for everybody to read.

    Returns
    -------
    Record
        As it is now; nothing is deleted.

    Raises
    ------
    InputError
        It was not published, or there is no reason.
    """
    demand_role(reader, "curator", to="withdraw a record")
    if not reason.strip():
        raise ParameterError(Sentence(form_words.WHY_WITHDRAWN, id=id))
    now = datetime.now(UTC).replace(microsecond=0)

    def change(_connection: Connection, record: Record) -> Record:
        publication = _published(record)
        return replace(
            record, publication=replace(publication, withdrawn=now, reason=" ".join(reason.split()))
        )

    return rewrite(catalogue, reader, id, "withdraw", change, {"reason": reason})


def refuse_unready(id: str, checks: tuple[Check, ...]) -> None:
    """Refuse a record that lacks what it must have.

    Parameters
    ----------
    id : str
        Identifier of the record.
    checks : tuple of Check
        As `publication_checks` returns them.

    Raises
    ------
    NotReady
        With each problem.
    """
    problems = [
        f"{check.problem} ({check.mend})" if check.mend else check.problem
        for check in checks
        if check.problem and check.refuses
    ]
    if problems:
        raise NotReady(f"{id}: cannot be published yet: {'; '.join(problems)}")


def _published(record: Record) -> Publication:
    if record.publication is None:
        raise InputError(Sentence(form_words.NOT_PUBLISHED, id=record.id))
    if record.publication.withdrawn:
        raise InputError(
            f"{record.id}: was withdrawn on {record.publication.withdrawn:%Y-%m-%d}; nothing was changed"
        )
    return record.publication


def _version_before(connection: Connection, reader: Reader, id: str) -> Record | None:
    if not id:
        return None
    before = read_record(place_for(connection, reader, id))
    _published(before)
    later = next(
        (related.identifier for related in before.related if related.relation == "IsPreviousVersionOf"), None
    )
    if later:
        raise InputError(f"{id}: {later} is its next version already; give that one with --new-version-of")
    return before


def _first_id(before: Record) -> str:
    """Return the identifier of the first version, from which the DOIs of all versions are made."""
    publication = before.publication
    return publication.concept_doi.partition("/")[2] if publication and publication.concept_doi else before.id


def _move(
    catalogue: Catalogue,
    reader: Reader,
    id: str,
    action: str,
    before: str,
    state: str,
    text: str,
    kind: str,
) -> None:
    with catalogue.writing() as connection:
        place = place_for(connection, reader, id)
        lived = queries.life_of(connection, id)
        assert lived is not None
        if lived.state != before:
            raise InputError(f"{id}: is {_named(lived.state)}, so it cannot be moved to {_named(state)}")
        queries.change_state(connection, id, state, time.time())
        save(connection, read_record(place), place, reader)
        if text.strip():
            add_comment(connection, reader, id, text, kind)
        note(connection, reader, action, id, folder=place.name)


def _named(state: str) -> str:
    return {"draft": "a draft", "review": "in review"}.get(state, state)
