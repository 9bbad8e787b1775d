"""The forms of a record's keepers: each does one thing, and goes back to the page that shows what became of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tomarium.catalogue import life
from tomarium.catalogue.comments import comment
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.field_texts import changes_of
from tomarium.catalogue.invitations import make_invitation, revoke_invitation
from tomarium.catalogue.picture_credits import read_credit
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.tokens import Scope
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, demand_known, read_days, run_form_action
from tomarium.portal.identity import demand_scope
from tomarium.portal.pages.manage import FIELDS, MANAGE, VALUES, content_of
from tomarium.portal.rendering import answer_html, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext

# Annotations are evaluated here, not postponed: FastAPI reads them.

Made = TypeVar("Made")
DAYS: Final = "60"
"""How long a reviewers' link works, where nobody says otherwise."""


def add_routes(app: FastAPI) -> None:
    """Add the routes of the forms to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/records/{id}/edit", change, name="record.edit")
    add_form_route(app, "/records/{id}/submit", submit, name="record.submit")
    add_form_route(app, "/records/{id}/send-back", send_back, name="record.send_back")
    add_form_route(app, "/records/{id}/comment", remark, name="record.comment")
    add_form_route(app, "/records/{id}/publish", publish, name="record.publish")
    add_form_route(app, "/records/{id}/open-now", open_now, name="record.open_now")
    add_form_route(app, "/records/{id}/withdraw", withdraw, name="record.withdraw")
    add_form_route(app, "/records/{id}/picture", picture, name="record.picture")
    add_form_route(app, "/records/{id}/invite", invite, name="record.invite")
    add_form_route(app, "/records/{id}/uninvite", uninvite, name="record.uninvite")


def change(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Change what a record says: `title`, `description`, `creators`, `licence` …; lists have a line for each item.

    `parameters` sets those of its lines NAME = VALUE; `withhold` keeps one to those who keep the record, and `disclose`
    declares one public.
    """

    def act(reader: Reader) -> None:
        demand_known(fields, (*FIELDS, *VALUES))
        edit(request_context.catalogue, reader, id, changes_of(fields))

    return _answer_done(request_context, id, "write", act, "Saved.")


def submit(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Hand a draft to the curators; `text` is what they should know."""
    catalogue = request_context.catalogue
    return _answer_done(
        request_context,
        id,
        "write",
        lambda reader: life.submit(catalogue, reader, id, fields.get("text", "")),
        "It is with the curators now.",
    )


def send_back(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Give a record in review back to its owner; `text` is what is to be changed."""
    catalogue = request_context.catalogue
    return _answer_done(
        request_context,
        id,
        "review",
        lambda reader: life.send_back(catalogue, reader, id, fields.get("text", "")),
        "It is a draft again.",
    )


def remark(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Leave a remark, `text`, for those who keep the record."""
    catalogue = request_context.catalogue
    return _answer_done(
        request_context,
        id,
        "write",
        lambda reader: comment(catalogue, reader, id, fields.get("text", "")),
        "Your remark is there.",
    )


def publish(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Publish a record, with `embargo` ("3 years", a day, "0") and `new_version_of`."""
    catalogue = request_context.catalogue
    publication_request = life.Request(fields.get("embargo", ""), fields.get("new_version_of", "").strip())

    def act(reader: Reader) -> None:
        life.publish(catalogue, reader, id, publication_request)

    return _answer_done(request_context, id, "review", act, "It is published.")


def open_now(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """End the embargo of a record now."""
    catalogue = request_context.catalogue

    def act(reader: Reader) -> None:
        life.open_files(catalogue, reader, id)

    return _answer_done(request_context, id, "write", act, "Its files are open.")


def withdraw(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Withdraw a published record; `reason` is for everybody to read."""
    catalogue = request_context.catalogue

    def act(reader: Reader) -> None:
        life.withdraw(catalogue, reader, id, fields.get("reason", ""))

    return _answer_done(request_context, id, "review", act, "It is withdrawn.")


def picture(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Say who made a picture or a document: `path`, `creator`, `holder`, `licence`, `text`, `date`, `document`."""

    def act(reader: Reader) -> None:
        edit(request_context.catalogue, reader, id, Changes(credits=(read_credit(fields),)))

    return _answer_done(request_context, id, "write", act, "Saved.")


def invite(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Make a link that opens this record to reviewers for `days`; it is told this once."""
    reader = demand_scope(request_context.request, "write")

    def act(reader: Reader) -> str:
        days = read_days(fields, DAYS)
        with request_context.catalogue.writing() as connection:
            return make_invitation(connection, reader, id, days)

    secret = _change_visible(request_context, reader, id, act)
    address = request_context.address("review", {"secret": secret})
    if wants_json(request_context.request):
        response: Response = JSONResponse({"record": id, "link": address}, 201)
    else:
        context = replace(request_context, reader=reader)
        content = content_of(context, id, link=address)
        response = answer_html(context, MANAGE, content, context.link("manage.json", {"id": id}))
        response.status_code = 201
    response.headers["Cache-Control"] = "no-store"
    return response


def uninvite(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Revoke a reviewers' `link` (the first letters of its name); all of them where it is ""."""

    def act(reader: Reader) -> None:
        with request_context.catalogue.writing() as connection:
            revoke_invitation(connection, reader, id, fields.get("link", "").strip())

    return _answer_done(request_context, id, "write", act, "The link opens nothing any more.")


def _answer_done(
    request_context: RequestContext, id: str, scope: Scope, act: Callable[[Reader], object], message: str
) -> Response:
    reader = demand_scope(request_context.request, scope)
    _change_visible(request_context, reader, id, act)
    with request_context.catalogue.reading() as connection:
        keeps = place_of(connection, reader, id)
    # A scientist of its instrument keeps a record until it is published.
    place = request_context.link("manage" if keeps and keeps.mine else "record", {"id": id})
    if wants_json(request_context.request):
        return JSONResponse({"record": id, "said": message})
    return RedirectResponse(f"{place}?said={quote(message)}", 303)


def _change_visible(
    request_context: RequestContext, reader: Reader, id: str, act: Callable[[Reader], Made]
) -> Made:
    """Change a record that a reader sees, with errors as HTTP statuses."""
    with request_context.catalogue.reading() as connection:
        if place_of(connection, reader, id) is None:
            raise HTTPException(404, f"There is no record “{id[:80]}” in this catalogue.")
    return run_form_action(lambda: act(reader))


DOOR = Door("life of a record", add_routes)
