"""The form that removes a draft."""

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tomarium.catalogue import form_words
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.remove_draft import Removal, remove_draft, rest_of
from tomarium.errors import ParameterError
from tomarium.model.sentence import Sentence
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, demand_known, run_form_action
from tomarium.portal.identity import demand_scope
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import CurrentRequest

# Annotations are evaluated here, not postponed: FastAPI reads them.

FIELDS = ("confirm",)


def add_routes(app: FastAPI) -> None:
    """Add the route of the form to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the route.
    """
    add_form_route(app, "/records/{id}/remove", remove, name="record.remove")


def remove(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Remove a draft of one's own, or as a curator: `confirm` is "yes"."""
    catalogue = request_context.catalogue
    reader = demand_scope(request_context.request, "write")
    with catalogue.reading() as connection:
        seen = place_of(connection, reader, id) is not None
    if not seen and rest_of(catalogue, reader, id) is None:
        raise HTTPException(404, f"There is no record “{id[:80]}” in this catalogue.")

    def act() -> Removal:
        demand_known(fields, FIELDS)
        if fields.get("confirm") != "yes":
            raise ParameterError(Sentence(form_words.NOT_CONFIRMED, id=id))
        return remove_draft(catalogue, reader, id)

    removal = run_form_action(act)
    if wants_json(request_context.request):
        files = {"files": removal.files, "bytes": removal.bytes, "deleted": removal.deletes}
        return JSONResponse({"record": id, "said": "It is removed.", **files})
    return RedirectResponse(request_context.link("records"), 303)


DOOR = Door("remove a draft", add_routes)
