"""What those who keep a record do with it: say what it is, check it, hand it in, publish it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import HTTPException

from tomarium.catalogue.dois import Told, states_of
from tomarium.catalogue.edit import place_for
from tomarium.catalogue.life import comments_of
from tomarium.catalogue.publication_checks import Check, publication_checks
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.record_folder import read_record
from tomarium.errors import InputError
from tomarium.model import Record
from tomarium.model.person import write_person
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
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
)


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
    dois : tuple of Told
        How far its DOIs are.
    may_publish : bool
        Whether who asks is a curator.
    embargo : str
        How long its files stay closed by default.
    licences : tuple of str
        Identifiers to choose from.
    said : str
        What was just done, "" where nothing was.
    """

    title: str
    id: str
    state: str
    record: str
    values: Mapping[str, str]
    checks: tuple[Check, ...]
    ready: bool
    remarks: tuple[Remark, ...]
    dois: tuple[Told, ...]
    may_publish: bool = field(metadata=FOR_PEOPLE)
    embargo: str = field(metadata=FOR_PEOPLE)
    licences: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, id: str, said: str = "") -> ManagePage:
    """Show what is missing before a record can be published, and let its owner and curators do it."""
    reader = request_context.reader
    _, place = request_context.seen(id)
    try:
        with request_context.catalogue.reading() as connection:
            folder = place_for(connection, reader, id)
            remarks = tuple(
                Remark(
                    row.who, row.text, row.kind, datetime.fromtimestamp(int(row.moment_utc), UTC).isoformat()
                )
                for row in comments_of(connection, id)
            )
            dois = tuple(states_of(connection, id))
    except NotAllowed as problem:
        raise HTTPException(403, f"{problem}.") from problem
    except InputError as problem:
        raise HTTPException(404, f"{problem}.") from problem
    record = read_record(folder)
    # The doctor reads files; it is asked when the record is handed in or published, not whenever the page is shown.
    checks = publication_checks(record, folder, files=False)
    return ManagePage(
        title=f"Manage “{record.title}”",
        id=id,
        state=place.state,
        record=request_context.link("record", {"id": id}),
        values=values_of(record),
        checks=checks,
        ready=not any(one.problem and one.refuses for one in checks),
        remarks=remarks,
        dois=dois,
        may_publish=reader.sees_all,
        embargo=request_context.settings["embargo"],
        licences=tuple(LICENCES),
        said=said[:300],
    )


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
        **{kind: one.id if (one := record.entity(kind)) else "" for kind in ("proposal", "instrument")},
        "acknowledgement": record.acknowledgement,
    }


MANAGE = Page(
    name="manage",
    path="/records/{id}/manage",
    json_path="/records/{id}/manage.json",
    template="manage.html",
    content=content,
)
