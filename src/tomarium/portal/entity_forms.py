"""Forms of specimens, proposals, instruments and the like, and of the log book."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tomarium.catalogue import form_words
from tomarium.catalogue.entities import entity_of
from tomarium.catalogue.entity_edit import change_entity, link_specimen, make_entity, publish_entity
from tomarium.catalogue.log_book import change_entry, write_entry
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.same_sample_edit import claim_same, withdraw_claim
from tomarium.catalogue.tokens import Scope
from tomarium.errors import InputError
from tomarium.model.entity import KINDS
from tomarium.model.sentence import Sentence
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, run_form_action
from tomarium.portal.identity import demand_log_scope, demand_scope, identify
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext

# Annotations are evaluated here, not postponed: FastAPI reads them.
T = TypeVar("T")


def add_routes(app: FastAPI) -> None:
    """Add the routes of the forms to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/entities/new/{kind}", new, name="entity.new")
    add_form_route(app, "/entities/{id}/edit", change, name="entity.edit")
    add_form_route(app, "/entities/{id}/link", link, name="entity.link")
    add_form_route(app, "/entities/{id}/claim", claim, name="entity.claim")
    add_form_route(app, "/entities/{id}/publish", publish, name="entity.publish")
    add_form_route(app, "/records/{id}/log", log_of_record, name="record.log")
    add_form_route(app, "/proposals/{id}/log", log_of_proposal, name="proposal.log")


def new(request_context: CurrentRequest, kind: str, fields: Fields) -> Response:
    """Make a specimen, proposal, instrument, collection or document: `name`, `id` and its facts."""
    if kind not in KINDS:
        raise HTTPException(404, Sentence(form_words.NO_KIND, text=repr(kind[:40]), names=", ".join(KINDS)))
    reader = demand_scope(request_context.request, "write")
    facts = {key: text for key, text in fields.items() if key not in ("name", "id")}

    def act() -> str:
        arguments = fields.get("name", ""), facts, fields.get("id", "").strip()
        return make_entity(request_context.catalogue, reader, kind, *arguments).id

    return _entity_done(
        request_context, run_form_action(act), kind, "It is made; only you and the curators see it yet."
    )


def change(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Change what is told: `name` and its facts; `disclosed` lists the private facts that are public.

    The page sends `disclosing` and, for each that is public, `disclose-age` …
    """
    tick = "disclose-"
    other_fields = ("name", "disclosed", "disclosing")
    facts = {
        key: text for key, text in fields.items() if key not in other_fields and not key.startswith(tick)
    }
    disclosed = fields["disclosed"].split() if "disclosed" in fields else None
    if "disclosing" in fields:
        disclosed = [key.removeprefix(tick) for key in fields if key.startswith(tick)]

    def act(reader: Reader) -> None:
        name = fields.get("name")
        change_entity(request_context.catalogue, reader, id, facts, name=name, disclosed=disclosed)

    return _changed(request_context, id, "write", act, "Saved.")


def link(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Say that a specimen was made from `parent`, and `how`; `remove` takes it back."""
    parent, how = fields.get("parent", "").strip(), fields.get("how", "section")

    def act(reader: Reader) -> None:
        link_specimen(request_context.catalogue, reader, id, parent, how, remove=bool(fields.get("remove")))

    return _changed(request_context, id, "write", act, "Saved.")


def claim(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Claim with `evidence` that a specimen is the same sample as `target`; `reason` withdraws it."""
    target, reason = fields.get("target", ""), fields.get("reason", "")

    def act(reader: Reader) -> None:
        if "reason" in fields:
            withdraw_claim(request_context.catalogue, reader, id, target, reason)
        else:
            claim_same(request_context.catalogue, reader, id, target, fields.get("evidence", ""))

    return _changed(request_context, id, "write", act, "Saved.")


def publish(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Publish it, without its private facts."""

    def act(reader: Reader) -> None:
        publish_entity(request_context.catalogue, reader, id)

    return _changed(request_context, id, "review", act, "It is published.")


def log_of_record(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Write `text` into the log book of a record; with `number`, change that entry."""
    return _log(request_context, f"records/{id}", fields, request_context.link("record", {"id": id}))


def log_of_proposal(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Write `text` into the log book of a proposal; with `number`, change that entry."""
    return _log(request_context, f"proposals/{id}", fields, request_context.link("proposal", {"id": id}))


def _log(request_context: RequestContext, subject: str, fields: Fields, page: str) -> Response:
    reader = demand_log_scope(request_context.request)
    kind, _, id = subject.partition("/")
    with request_context.catalogue.reading() as connection:
        visible = place_of(connection, reader, id) if kind == "records" else entity_of(connection, reader, id)
    if visible is None:
        raise HTTPException(404, f"There is no {kind[:-1]} “{id[:80]}” in this catalogue.")
    text, number = fields.get("text", ""), fields.get("number", "")

    by_token = identify(request_context.request).way == "token"

    def act() -> None:
        if number:
            if not (number.isascii() and number.isdecimal() and len(number) < 18):
                raise InputError(f"{number[:20]!r} is no number of an entry; leave it out to write a new one")
            change_entry(request_context.catalogue, reader, subject, int(number), text, machine=by_token)
        else:
            write_entry(request_context.catalogue, reader, subject, text, machine=by_token)

    run_form_action(act)
    if wants_json(request_context.request):
        return JSONResponse({"subject": subject, "said": "Written."})
    return RedirectResponse(f"{page}#log", 303)


def _changed(
    request_context: RequestContext, id: str, scope: Scope, act: Callable[[Reader], object], message: str
) -> Response:
    reader = demand_scope(request_context.request, scope)
    with request_context.catalogue.reading() as connection:
        held_entity = entity_of(connection, reader, id)
    if held_entity is None:
        raise HTTPException(404, f"There is no “{id[:80]}” in this catalogue.")
    run_form_action(lambda: act(reader))
    return _entity_done(request_context, id, held_entity.entity.kind, message)


def _entity_done(request_context: RequestContext, id: str, kind: str, message: str) -> Response:
    if wants_json(request_context.request):
        return JSONResponse({kind: id, "said": message})
    return RedirectResponse(f"{request_context.link(kind, {'id': id})}?said={quote(message)}", 303)


DOOR = Door("entities", add_routes)
