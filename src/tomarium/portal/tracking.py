"""Forms of parcels and of where specimens are, their pictures, and sheets of labels."""

import re
from collections.abc import Callable, Mapping

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tomarium.catalogue.log_files import LogFile
from tomarium.catalogue.parcels import change_parcel, make_parcel, parcel_of, tell_of_parcel
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.specimen_events import EventContent, event_numbered, tell_of_specimen
from tomarium.model.parcel import FACTS
from tomarium.portal.door import Door
from tomarium.portal.forms import SentForm, add_form_route, demand_known, run_form_action
from tomarium.portal.identity import demand_scope
from tomarium.portal.logbook import answer_file
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route

# Annotations are evaluated here, not postponed: FastAPI reads them.

KEYS = tuple(fact.key for fact in FACTS)


def add_routes(app: FastAPI) -> None:
    """Add the routes of parcels and of where specimens are, and of their pictures, to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/announce/parcel", new, name="parcel.new")
    add_form_route(app, "/parcels/{id}/edit", change, name="parcel.edit")
    add_form_route(app, "/parcels/{id}/state", tell, name="parcel.state")
    add_form_route(app, "/specimens/{id}/where", where, name="specimen.where")
    add_get_route(
        app,
        "/parcels/{id}/events/{number:int}/files/{digest}",
        parcel_file,
        name="parcel.file",
        kind=Response,
    )
    add_get_route(
        app,
        "/specimens/{id}/where/{number:int}/files/{digest}",
        specimen_file,
        name="specimen.where.file",
        kind=Response,
    )


def new(request_context: CurrentRequest, sent: SentForm) -> Response:
    """Announce a parcel: `specimens` (identifiers), and what is told of it; `receiver_account` may receive it."""
    demand_known(sent.fields, (*KEYS, "specimens", "receiver_account", "id"))
    reader = demand_scope(request_context.request, "write")

    def act() -> str:
        parcel = make_parcel(
            request_context.catalogue,
            reader,
            _facts(sent.fields),
            _read_specimens(sent.fields.get("specimens", "")),
            receiver=sent.fields.get("receiver_account", "").strip(),
            id=sent.fields.get("id", "").strip(),
        )
        return parcel.id

    return _answer_done(request_context, run_form_action(act), 201)


def change(request_context: CurrentRequest, id: str, sent: SentForm) -> Response:
    """Change what is told of a parcel; before it is sent also `specimens`, what is in it."""
    demand_known(sent.fields, (*KEYS, "specimens", "receiver_account"))

    def act(reader: Reader) -> object:
        specimens, receiver = sent.fields.get("specimens"), sent.fields.get("receiver_account")
        return change_parcel(
            request_context.catalogue,
            reader,
            id,
            _facts(sent.fields),
            specimens=None if specimens is None else _read_specimens(specimens),
            receiver=None if receiver is None else receiver.strip(),
        )

    return _of_parcel(request_context, id, act)


def tell(request_context: CurrentRequest, id: str, sent: SentForm) -> Response:
    """Say that a parcel is in another `state`, and `place`, `condition`, `note`, pictures."""
    demand_known(sent.fields, ("state", "place", "condition", "note"))

    def act(reader: Reader) -> object:
        values = {name: sent.fields.get(name, "") for name in ("place", "condition", "note")}
        state = sent.fields.get("state", "")
        return tell_of_parcel(request_context.catalogue, reader, id, state, **values, files=sent.files)

    return _of_parcel(request_context, id, act)


def where(request_context: CurrentRequest, id: str, sent: SentForm) -> Response:
    """Say what became of a specimen: `kind` (moved, handed-over, received, examined), `place`, `holder`."""
    demand_known(sent.fields, ("kind", "place", "holder", "condition", "note"))
    reader = demand_scope(request_context.request, "write")
    values = {name: sent.fields.get(name, "") for name in ("kind", "place", "holder", "condition", "note")}
    event = run_form_action(
        lambda: tell_of_specimen(
            request_context.catalogue, reader, id, EventContent(**values, files=sent.files)
        )
    )
    if wants_json(request_context.request):
        return JSONResponse({"specimen": id, "number": event.number, "said": "Written."})
    return RedirectResponse(f"{request_context.link('specimen', {'id': id})}?said=Written.#where", 303)


def parcel_file(request_context: CurrentRequest, id: str, number: int, digest: str) -> Response:
    """Give a picture of what became of a parcel, to those who may see it."""
    with request_context.catalogue.reading() as connection:
        parcel = parcel_of(connection, request_context.reader, id)
    files = (
        [file for event in parcel.events if event.number == number for file in event.files] if parcel else []
    )
    return _file(request_context, files, digest)


def specimen_file(request_context: CurrentRequest, id: str, number: int, digest: str) -> Response:
    """Give a picture of what became of a specimen, to those who keep it."""
    with request_context.catalogue.reading() as connection:
        event = event_numbered(connection, request_context.reader, number) if number < 2**62 else None
    return _file(request_context, event.files if event and event.specimen == id else (), digest)


def _file(
    request_context: RequestContext, files: tuple[LogFile, ...] | list[LogFile], digest: str
) -> Response:
    matches = [file for file in files if file.digest == digest]
    if not matches:
        raise HTTPException(404, "There is no such picture that you may see.")
    return answer_file(request_context, matches[0])


def _of_parcel(request_context: RequestContext, id: str, act: Callable[[Reader], object]) -> Response:
    reader = demand_scope(request_context.request, "write")
    with request_context.catalogue.reading() as connection:
        if parcel_of(connection, reader, id) is None:
            raise HTTPException(404, f"There is no parcel “{id[:80]}” that you may see.")
    run_form_action(lambda: act(reader))
    return _answer_done(request_context, id, 200)


def _answer_done(request_context: RequestContext, id: str, status: int) -> Response:
    page = request_context.link("parcel", {"id": id})
    if wants_json(request_context.request):
        return JSONResponse({"parcel": id, "page": page}, status)
    return RedirectResponse(page, 303)


def _facts(fields: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in fields.items() if key in KEYS}


def _read_specimens(text: str) -> list[str]:
    """Read identifiers of specimens, or addresses of their pages as a scanner of labels gives them."""
    words = re.split(r"[\s,;]+", text.strip())
    return [word.rstrip("/").rpartition("/")[2].partition("?")[0] for word in words if word]


DOOR = Door("tracking", add_routes)
