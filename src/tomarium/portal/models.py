"""Asking for a mesh or a print of a record, and the pictures of what its body would be."""

from typing import Final
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tomarium.catalogue.model_jobs import ask_for_model
from tomarium.catalogue.queries import place_of
from tomarium.errors import InputError
from tomarium.portal.door import Door
from tomarium.portal.files import Picture
from tomarium.portal.forms import Fields, add_form_route, run_form_action
from tomarium.portal.identity import demand_scope
from tomarium.portal.pages.models import SHOWN, demand_kept_record, preview_of
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED

# Annotations are evaluated here, not postponed: FastAPI reads them.

PICTURES: Final = ("slice", "silhouette")


def add_routes(app: FastAPI) -> None:
    """Add the routes of requests for meshes, and of their pictures, to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/records/{id}/models/mesh", ask_for_mesh, name="models.mesh")
    add_form_route(app, "/records/{id}/models/print", ask_for_print, name="models.print")
    add_get_route(app, "/records/{id}/models/{name}.png", draw_preview, name="models.preview", kind=Picture)


def ask_for_mesh(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Ask for a closed mesh of the body above `threshold`; a worker makes it, and `address` tells how far it is."""
    return _ask(request_context, id, "surface", fields)


def ask_for_print(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Ask for a print of `height` with walls of `min_wall`; a worker makes it, and `address` tells how far it is."""
    return _ask(request_context, id, "print", fields)


def draw_preview(request_context: CurrentRequest, request: Request, id: str, name: str) -> Response:
    """Draw what would be the body: `slice`, the middle slice with the body in amber, or its `silhouette`."""
    record, folder = demand_kept_record(request_context, id)
    if name not in PICTURES:
        raise HTTPException(404, f"There is no picture “{name[:40]}”; there are {', '.join(PICTURES)}.")
    fields = {key: text[:40] for key, text in request.query_params.items() if key in SHOWN}
    try:
        preview = preview_of(record, folder, fields)
    except InputError as problem:
        raise HTTPException(422, f"{problem}.") from problem
    headers = {"Cache-Control": "private, no-cache", "Content-Security-Policy": LOCKED}
    return Picture(preview.slice if name == "slice" else preview.silhouette, headers=headers)


def _ask(request_context: CurrentRequest, id: str, role: str, fields: Fields) -> Response:
    reader = demand_scope(request_context.request, "write")
    with request_context.catalogue.reading() as connection:
        if place_of(connection, reader, id) is None:
            raise HTTPException(404, f"There is no record “{id[:80]}” in this catalogue.")
    number = run_form_action(lambda: ask_for_model(request_context.catalogue, reader, id, role, fields))
    place = request_context.link("models", {"id": id})
    if wants_json(request_context.request):
        address = request_context.link("models.json", {"id": id})
        return JSONResponse({"job": number, "address": address}, 202, headers={"Location": address})
    shown = {name: fields[name] for name in SHOWN if fields.get(name)}
    return RedirectResponse(f"{place}?{urlencode({**shown, 'said': 'A worker makes it.'})}#asked", 303)


DOOR = Door("models", add_routes)
