"""The forms of a record's keepers: each does one thing, and goes back to the page that shows what became of it."""

from collections.abc import Callable
from urllib.parse import quote

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tomarium.catalogue import life
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.tokens import Scope
from tomarium.errors import FormatError, InputError
from tomarium.model.person import read_person
from tomarium.portal.forms import Fields, take
from tomarium.portal.identity import demand_scope
from tomarium.portal.pages.manage import FIELDS
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.standards.licences import read_licence
from tomarium.standards.panet import id_of

# Annotations are evaluated here, not postponed: FastAPI reads them.


def give_forms(app: FastAPI) -> None:
    """Let an application take the forms.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    take(app, "/records/{id}/edit", change, name="record.edit")
    take(app, "/records/{id}/submit", submit, name="record.submit")
    take(app, "/records/{id}/send-back", send_back, name="record.send_back")
    take(app, "/records/{id}/comment", remark, name="record.comment")
    take(app, "/records/{id}/publish", publish, name="record.publish")
    take(app, "/records/{id}/open-now", open_now, name="record.open_now")
    take(app, "/records/{id}/withdraw", withdraw, name="record.withdraw")


def change(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Change what a record says: `title`, `description`, `creators`, `licence` …; lists have a line for each item."""

    def act(reader: Reader) -> None:
        unknown = [name for name in fields if name not in FIELDS]
        if unknown:
            raise HTTPException(400, f"There is no field {unknown[0][:60]!r}; there are {', '.join(FIELDS)}.")
        edit(request_context.catalogue, reader, id, _changes(fields))

    return _done(request_context, id, "write", act, "Saved.")


def submit(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Hand a draft to the curators; `text` is what they should know."""
    catalogue = request_context.catalogue
    return _done(
        request_context,
        id,
        "write",
        lambda reader: life.submit(catalogue, reader, id, fields.get("text", "")),
        "It is with the curators now.",
    )


def send_back(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Give a record in review back to its owner; `text` is what is to be changed."""
    catalogue = request_context.catalogue
    return _done(
        request_context,
        id,
        "review",
        lambda reader: life.send_back(catalogue, reader, id, fields.get("text", "")),
        "It is a draft again.",
    )


def remark(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Leave a remark, `text`, for those who keep the record."""
    catalogue = request_context.catalogue
    return _done(
        request_context,
        id,
        "write",
        lambda reader: life.comment(catalogue, reader, id, fields.get("text", "")),
        "Your remark is there.",
    )


def publish(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Publish a record, with `embargo` ("3 years", a day, "0") and `new_version_of`."""
    catalogue = request_context.catalogue
    wanted = life.Request(fields.get("embargo", ""), fields.get("new_version_of", "").strip())

    def act(reader: Reader) -> None:
        life.publish(catalogue, reader, id, wanted)

    return _done(request_context, id, "review", act, "It is published.")


def open_now(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """End the embargo of a record now."""
    catalogue = request_context.catalogue

    def act(reader: Reader) -> None:
        life.open_files(catalogue, reader, id)

    return _done(request_context, id, "write", act, "Its files are open.")


def withdraw(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Withdraw a published record; `reason` is for everybody to read."""
    catalogue = request_context.catalogue

    def act(reader: Reader) -> None:
        life.withdraw(catalogue, reader, id, fields.get("reason", ""))

    return _done(request_context, id, "review", act, "It is withdrawn.")


def _changes(fields: Fields) -> Changes:
    def lines(name: str) -> list[str] | None:
        return [one.strip() for one in fields[name].splitlines() if one.strip()] if name in fields else None

    creators, keywords, techniques = lines("creators"), lines("keywords"), lines("techniques")
    licence = fields.get("licence")
    return Changes(
        title=fields.get("title"),
        description=fields["description"].strip() if "description" in fields else None,
        creators=None if creators is None else tuple(map(read_person, creators)),
        licence=read_licence(licence) if licence else licence,
        keywords=None if keywords is None else tuple(keywords),
        techniques=None if techniques is None else tuple(map(id_of, techniques)),
        specimen=fields["specimen"].strip() if "specimen" in fields else None,
        proposal=fields["proposal"].strip() if "proposal" in fields else None,
        instrument=fields["instrument"].strip() if "instrument" in fields else None,
        acknowledgement=fields["acknowledgement"].strip() if "acknowledgement" in fields else None,
    )


def _done(
    request_context: RequestContext, id: str, scope: Scope, act: Callable[[Reader], object], said: str
) -> Response:
    reader = demand_scope(request_context.request, scope)
    with request_context.catalogue.reading() as connection:
        if place_of(connection, reader, id) is None:
            raise HTTPException(404, f"There is no record “{id[:80]}” in this catalogue.")
    try:
        act(reader)
    except FormatError:
        raise
    except NotAllowed as problem:
        raise HTTPException(403, f"{problem}.") from problem
    except InputError as problem:
        raise HTTPException(422, f"{problem}.") from problem
    place = request_context.link("manage", {"id": id})
    if wants_json(request_context.request):
        return JSONResponse({"record": id, "said": said})
    return RedirectResponse(f"{place}?said={quote(said)}", 303)
