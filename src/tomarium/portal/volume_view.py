"""Neuroglancer, served by the portal: its files, the document it runs in, and views that are kept to be shared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from markupsafe import Markup

from tomarium.catalogue.saved_views import find_view, save_view
from tomarium.catalogue.specimen_export import gather
from tomarium.errors import InputError
from tomarium.model.link import rows
from tomarium.portal import built
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route
from tomarium.portal.languages import root_of
from tomarium.portal.rendering import fill
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route, path_of
from tomarium.portal.viewer_state import Source, check_state, make_state, source_of, without_closed

CLIENT: Final = built.FOLDER / "neuroglancer-client"
MOST_WITH: Final = 4
# It compiles functions and WebAssembly while it runs, draws with style attributes, and is shown in our own page only.
POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm"}


def has_client() -> bool:
    """Tell whether the files of Neuroglancer are in this installation.

    Returns
    -------
    bool
        `make web` takes them from the PyPI package neuroglancer.
    """
    return (CLIENT / "index.html").is_file() and built.built("neuroglancer") is not None


def sources(
    request_context: RequestContext, id: str, other_ids: Sequence[str], specimen: str = ""
) -> list[Source]:
    """Describe the volumes of records, the first of which is the page's.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    id : str
        Of the record.
    other_ids : sequence of str
        Identifiers of further ones; at most four.
    specimen : str
        Identifier of a specimen whose links put them into the frame of the first; "" where their own coordinates do.

    Returns
    -------
    list of Source
        In the order asked.

    Raises
    ------
    HTTPException
        404: there is no such record, or it has no volume, or no link connects it. 403: its files are not open.
    """
    if len(other_ids) > MOST_WITH:
        raise HTTPException(400, f"At most {MOST_WITH} other volumes can be laid over one.")
    described = []
    for shown_id in dict.fromkeys([id, *other_ids]):
        record, folder = request_context.record(shown_id)

        def file(path: str, record_id: str = record.id) -> str:
            return path_of(request_context.request.app, "file", {"id": record_id, "path": path})

        source = source_of(record, folder, file)
        if source is None:
            raise HTTPException(404, f"The record {record.id} has no volume that can be shown (OME-Zarr).")
        described.append(source)
    return _by_links(request_context, described, specimen) if specimen else described


def _by_links(request_context: RequestContext, described: list[Source], specimen: str) -> list[Source]:
    """Put volumes where the links of a specimen, as the reader sees them, put them in the frame of the first."""
    with request_context.catalogue.reading() as connection:
        try:
            gathered = gather(
                connection, request_context.reader, specimen, f"records/{described[0].record.id}"
            )
        except InputError as problem:
            raise HTTPException(404, f"{problem}.") from problem
    matrices = {volume.record.id: rows(volume.placed.matrix) for volume in gathered.volumes}
    for source in described:
        if source.record.id not in matrices:
            raise HTTPException(
                404,
                f"No link of the specimen {specimen[:80]} connects {source.record.id} with {described[0].record.id}.",
            )
    return [replace(source, matrix=matrices[source.record.id]) for source in described]


def state_of(
    request_context: RequestContext,
    id: str,
    view: str,
    other_ids: Sequence[str],
    rendering: bool,
    specimen: str = "",
) -> Any:
    """Find a saved view, or make the one with which a record is first shown.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    id, view : str
        Of the record; token of a saved view, "" for the first.
    other_ids : sequence of str
        Identifiers of records laid over it.
    rendering : bool
        Whether the volume is rendered.
    specimen : str
        As `sources` takes it.

    Returns
    -------
    JSON
        State of Neuroglancer; without layers of records that are not open to the reader.

    Raises
    ------
    HTTPException
        404: there is no such record, view or volume. 403: the files are not open.
    """
    if not view:
        return make_state(sources(request_context, id, other_ids, specimen), rendering=rendering)
    request_context.record(id)
    with request_context.catalogue.reading() as connection:
        state = find_view(connection, id, view)
    if state is None:
        raise HTTPException(404, f"The record {id} has no saved view “{view[:40]}”; open it without one.")
    shown = without_closed(state, lambda other_id: _is_open(request_context, other_id))
    return shown if shown["layers"] else make_state(sources(request_context, id, ()), rendering=rendering)


def _is_open(request_context: RequestContext, id: str) -> bool:
    try:
        request_context.record(id)
    except HTTPException:
        return False
    return True


def split_ids(text: str) -> list[str]:
    """Read identifiers with commas between.

    Parameters
    ----------
    text : str
        From an address.

    Returns
    -------
    list of str
        In their order.
    """
    return [word.strip() for word in text.split(",") if word.strip()]


def add_routes(app: FastAPI) -> None:
    """Add the routes of Neuroglancer to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(
        app, "/neuroglancer/{name}", read_client, name="neuroglancer", kind=FileResponse, in_schema=False
    )
    # The client wants "/v/" in its own address.
    add_get_route(
        app,
        "/records/{id}/volume/v/{client}",
        open_client,
        name="volume.client",
        kind=HTMLResponse,
        in_schema=False,
    )
    add_form_route(app, "/records/{id}/views", keep_view, name="volume.keep")


def read_client(name: str) -> Response:
    """Give a file of Neuroglancer; its names hold a digest of the content."""
    place = CLIENT / name
    if not re.fullmatch(r"[\w.-]+", name) or place.suffix not in _TYPES or not place.is_file():
        raise HTTPException(404, f"There is no file “{name[:80]}” of the viewer.")
    # A worker has the policy that came with its own file.
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": POLICY}
    return FileResponse(place, media_type=_TYPES[place.suffix], headers=headers)


def open_client(
    request_context: CurrentRequest,
    request: Request,
    id: str,
    client: str,
    view: str = "",
    rendering: bool = False,
    specimen: str = "",
) -> Response:
    """Give the document in which Neuroglancer runs, with the state that it begins with."""
    other_ids = split_ids(request.query_params.get("with", ""))
    state = state_of(request_context, id, view, other_ids, rendering, specimen)
    if not has_client():
        raise HTTPException(
            404, "Neuroglancer is not in this installation; look at the slices on the record's page."
        )
    html = fill(
        request_context, "volume_client.html", {**_files(request_context), "state": _script_text(state)}
    )
    return HTMLResponse(
        html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache"}
    )


def _files(request_context: RequestContext) -> Mapping[str, Any]:
    index = (CLIENT / "index.html").read_text()

    def addresses(pattern: str) -> list[str]:
        return [request_context.link("neuroglancer", {"name": name}) for name in re.findall(pattern, index)]

    return {
        "scripts": addresses(r'<script defer src="([\w.-]+\.js)"'),
        "styles": addresses(r'<link href="([\w.-]+\.css)"'),
        "root": root_of(request_context.request),
    }


def _script_text(state: Any) -> Markup:
    """Write JSON so that nothing in it can end the element it stands in."""
    return Markup(json.dumps(state).replace("<", "\\u003c").replace("&", "\\u0026"))


def keep_view(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Keep a view of a record's volume: `state` is Neuroglancer's, as JSON; the answer has its address.

    Whoever may open the files of the record may see the view. A state may show volumes of records here alone.
    """
    record, _ = request_context.record(id)
    try:
        state = json.loads(fields.get("state", ""))
    except (ValueError, RecursionError) as problem:
        raise InputError("state: is no JSON; send the state of the viewer") from problem
    checked = check_state(state, lambda other_id: _is_open(request_context, other_id))
    with request_context.catalogue.writing() as connection:
        token = save_view(connection, request_context.reader, record.id, checked)
    address = request_context.link("volume", {"id": id}, {"view": token})
    origin = request_context.address("volume", {"id": id})
    return JSONResponse({"view": token, "path": address, "address": f"{origin}?view={token}"}, 201)


def poster(folder: Path, request_context: RequestContext, id: str, middle: int) -> str:
    """Return the address of the middle slice, drawn by the portal.

    Parameters
    ----------
    folder : Path
        Of the record.
    request_context : RequestContext
        For the address.
    id : str
        Of the record.
    middle : int
        Its index along z.

    Returns
    -------
    str
        Of a PNG.
    """
    return request_context.link("picture", {"id": id, "viewer": "slices", "name": f"z-{middle}.png"})


DOOR = Door("volume view", add_routes)
