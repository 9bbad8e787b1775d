"""The page of one file with a model of a record's mesh, to be opened without a network."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import Response

from tomarium.catalogue.model_file import has_preview, mesh_part, page_of_preview
from tomarium.errors import InputError
from tomarium.portal.door import Door
from tomarium.portal.languages import translations
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED


def add_routes(app: FastAPI) -> None:
    """Add the route of pages with a model to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the route.
    """
    add_get_route(app, "/records/{id}/model.html", model_page, name="model_page", kind=Response)


def model_page(
    request_context: CurrentRequest,
    id: str,
    mesh: Annotated[
        str, Query(max_length=400, description="Path of the mesh; the first one by default")
    ] = "",
) -> Response:
    """Give a page of one file with a model of the record's mesh, to turn, enlarge and cut without a network."""
    record, folder = request_context.record(id)
    try:
        part = mesh_part(record, mesh)
        if not has_preview(part):
            raise InputError(
                f"the mesh {part.path} was made before its preview told its size; `tomarium model {id}` makes the page"
            )
        language = request_context.language
        page = page_of_preview(record, folder, part, language, translations(language))
    except InputError as problem:
        raise HTTPException(404, f"There is no page with a model of this record: {problem}.") from problem
    return Response(
        page,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(f'{id}.html', safe='')}",
            "Cache-Control": "private, no-cache",
            "Content-Security-Policy": LOCKED,
        },
        media_type="text/html; charset=utf-8",
    )


DOOR = Door("model_page", add_routes)
