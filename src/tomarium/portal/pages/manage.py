"""What those who keep a record do with it: say what it is, check it, hand it in, publish it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi import HTTPException
from sqlalchemy import Connection

from tomarium.catalogue.comments import comments_of
from tomarium.catalogue.dois import DoiResult, states_of
from tomarium.catalogue.edit import place_for
from tomarium.catalogue.entities import with_current_entities
from tomarium.catalogue.invitations import invitations_of
from tomarium.catalogue.life import may_publish, usual_embargo
from tomarium.catalogue.picture_credits import CREDITED, Credit
from tomarium.catalogue.publication_checks import Check, publication_checks
from tomarium.catalogue.queries import life_of
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.record_use import Use, use_of
from tomarium.catalogue.remove_draft import may_remove
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.withheld_values import exposed, withheld_of
from tomarium.errors import InputError
from tomarium.model import Record, Value, parameter
from tomarium.model.person import write_person
from tomarium.model.plain_card import FIELDS as CARD
from tomarium.model.publication import write_funding, write_related
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.standards.licences import LICENCES

FIELDS = (
    "title",
    "description",
    "creators",
    "licence",
    "keywords",
    "techniques",
    "specimen",
    "proposal",
    "instrument",
    "acknowledgement",
    "funding",
    "related",
    *(f"plain_{name}" for name in CARD),
)


VALUES = ("parameters", "withhold", "disclose")
"""Fields of the form of values."""


@dataclass(frozen=True)
class PersonalValue:
    """A parameter that may tell of a person.

    Attributes
    ----------
    key, label, text : str
        Its key; its name and its value for people.
    withheld : bool
        Whether only those who keep the record see it.
    """

    key: str
    label: str
    text: str
    withheld: bool


@dataclass(frozen=True)
class Remark:
    """A remark on a record.

    Attributes
    ----------
    who, text, kind : str
        Who said what: "comment" or "request".
    when : str
        ISO 8601.
    """

    who: str
    text: str
    kind: str
    when: str


@dataclass(frozen=True)
class LinkRow:
    """A reviewers' link.

    Attributes
    ----------
    name : str
        First letters of its checksum, by which it is withdrawn.
    made_by : str
        Who made it.
    until : str
        Day on which it ends, ISO 8601.
    """

    name: str
    made_by: str
    until: str


@dataclass(frozen=True)
class ManagePage:
    """Content of the page.

    Attributes
    ----------
    title, id, state : str
        As in `model.Record`; its state.
    record : str
        Address of its page.
    values : Mapping of str to str
        Field → its text in the form; lists have a line for each item.
    checks : tuple of Check
        What it must and ought to have.
    ready : bool
        Whether it may be published.
    remarks : tuple of Remark
        The oldest first.
    dois : tuple of DoiResult
        How far its DOIs are.
    may_publish : bool
        Whether who asks may publish it.
    embargo : str
        How long its files stay closed by default.
    licences : tuple of str
        Identifiers to choose from.
    card : tuple of (str, str, int)
        Field of the card in plain words, its label, and the characters it has at most.
    said : str
        What was just done, "" where nothing was.
    links : tuple of LinkRow or None
        Reviewers' links that open it; None to who may not make any.
    pictures : tuple of Credit
        What is said of pictures and documents.
    paths : tuple of str
        Files of which it can be said.
    link_made : str
        Address of a reviewers' link that was just made; it is shown this once.
    months : tuple of (str, Use)
        How often it was seen and taken, by month, the last one first.
    personal : tuple of PersonalValue
        Parameters that may tell of a person and were not declared public.
    removal : str
        Address of the page on which it is removed; "" where it was published, or is not the reader's to remove.
    opens : str
        Day on which its files open, ISO 8601; "" where they are open, or it was not published.
    """

    title: str
    id: str
    state: str
    record: str
    values: Mapping[str, str]
    checks: tuple[Check, ...]
    ready: bool
    remarks: tuple[Remark, ...]
    dois: tuple[DoiResult, ...]
    may_publish: bool = field(metadata=FOR_PEOPLE)
    embargo: str = field(metadata=FOR_PEOPLE)
    licences: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    card: tuple[tuple[str, str, int], ...] = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)
    links: tuple[LinkRow, ...] | None = None
    pictures: tuple[Credit, ...] = ()
    paths: tuple[str, ...] = field(default=(), metadata=FOR_PEOPLE)
    link_made: str = field(default="", metadata=FOR_PEOPLE)
    months: tuple[tuple[str, Use], ...] = ()
    personal: tuple[PersonalValue, ...] = ()
    opens: str = ""
    removal: str = field(default="", metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, id: str, said: str = "") -> ManagePage:
    """Show what is missing before a record can be published, and let its owner and curators do it."""
    return content_of(request_context, id, said)


def content_of(request_context: RequestContext, id: str, said: str = "", *, link: str = "") -> ManagePage:
    """Tell those who keep a record what it says and lacks.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    id : str
        Identifier of the record; any text.
    said, link : str
        What was done, and `link_made` of the page.

    Returns
    -------
    ManagePage
        For the template.

    Raises
    ------
    HTTPException
        403: the reader sees it, but keeps it not. 404: there is none that the reader sees.
    """
    reader = request_context.reader
    _, place = request_context.seen(id)
    try:
        with request_context.catalogue.reading() as connection:
            folder = place_for(connection, reader, id)
            publishes = may_publish(connection, reader, id, all_settings(connection))
            remarks = tuple(
                Remark(
                    row.who, row.text, row.kind, datetime.fromtimestamp(int(row.moment_utc), UTC).isoformat()
                )
                for row in comments_of(connection, id)
            )
            dois = tuple(states_of(connection, id))
            links = _links(connection, reader, id)
            _, months = use_of(connection, id)
            withheld = withheld_of(connection, id)
            lived = life_of(connection, id)
    except NotAllowed as problem:
        raise HTTPException(403, f"{problem}.") from problem
    except InputError as problem:
        raise HTTPException(404, f"{problem}.") from problem
    with request_context.catalogue.reading() as connection:
        record = with_current_entities(connection, read_record(folder), stale=place.stale)
    # The doctor reads files; it is asked when the record is handed in or published, not whenever the page is shown.
    checks = publication_checks(record, folder, files=False)
    return ManagePage(
        title=f"Manage “{record.title}”",
        id=id,
        state=place.state,
        record=request_context.link("record", {"id": id}),
        values=values_of(record),
        checks=checks,
        ready=not any(check.problem and check.refuses for check in checks),
        remarks=remarks,
        dois=dois,
        may_publish=publishes,
        embargo=usual_embargo(record, request_context.settings),
        licences=tuple(LICENCES),
        card=tuple((f"plain_{name}", label, most) for name, (label, most) in CARD.items()),
        said=said[:300],
        links=links,
        link_made=link,
        months=tuple(months.items()),
        personal=(
            *(_personal(key, record.parameters[key], False) for key in exposed(record)),
            *(_personal(key, value, True) for key, value in withheld.items()),
        ),
        opens=_opens(record),
        removal=request_context.link("remove", {"id": id})
        if record.publication is None and lived and may_remove(reader, lived.owner)
        else "",
        pictures=tuple(
            Credit(part.path, part.creator, part.permission) for part in record.parts if part.kind in CREDITED
        ),
        paths=tuple(file.path for file in record.files if not file.path.endswith("/"))[:500],
    )


def _links(connection: Connection, reader: Reader, id: str) -> tuple[LinkRow, ...] | None:
    try:
        invitations = invitations_of(connection, reader, id)
    except NotAllowed:  # a scientist of its instrument
        return None
    days = (
        (invitation, datetime.fromtimestamp(invitation.until_utc, UTC).date().isoformat())
        for invitation in invitations
    )
    return tuple(LinkRow(invitation.digest[:12], invitation.made_by, until) for invitation, until in days)


def _personal(key: str, value: Value[Any], withheld: bool) -> PersonalValue:
    return PersonalValue(key, parameter.label(key), parameter.show(key, value.value), withheld)


def _opens(record: Record) -> str:
    publication = record.publication
    if publication is None or publication.withdrawn or publication.open_from <= datetime.now(UTC):
        return ""
    return publication.open_from.date().isoformat()


def values_of(record: Record) -> dict[str, str]:
    """Write the fields of a record as its form shows them.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    dict of str to str
        Field → text.
    """
    return {
        "title": record.title,
        "description": record.description,
        "creators": "\n".join(map(write_person, record.creators)),
        "licence": record.licence,
        "keywords": "\n".join(record.keywords),
        "techniques": "\n".join(record.techniques),
        "specimen": record.specimen,
        **{kind: entity.id if (entity := record.entity(kind)) else "" for kind in ("proposal", "instrument")},
        "acknowledgement": record.acknowledgement,
        "funding": "\n".join(map(write_funding, record.funding)),
        "related": "\n".join(map(write_related, record.related)),
        **{f"plain_{name}": getattr(record.card, name) for name in CARD},
    }


MANAGE = Page(
    name="manage",
    path="/records/{id}/manage",
    json_path="/records/{id}/manage.json",
    template="manage.html",
    content=content,
)
