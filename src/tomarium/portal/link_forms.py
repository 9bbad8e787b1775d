"""Forms of links between the images of a specimen: filed from points or a link.json, asked of a worker, withdrawn."""

from collections.abc import Mapping
from urllib.parse import quote

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tomarium.catalogue.align_job import ask_to_align
from tomarium.catalogue.link_edit import demand_both_ends, file_link, withdraw_link
from tomarium.catalogue.link_request import link_of_pairs, link_of_text, read_known, read_pairs
from tomarium.catalogue.links import demand_link
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.specimen_space import Space, space_of
from tomarium.errors import InputError
from tomarium.model import Link
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, run_form_action
from tomarium.portal.identity import demand_scope
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.specimen.image_frame import ImageFrame
from tomarium.specimen.link_file import link_json

# Annotations are evaluated here, not postponed: FastAPI reads them.

BESIDE = "beside"
"""What the field `file_as` says of a link that stands beside others of the same two images."""


def add_routes(app: FastAPI) -> None:
    """Add the routes of the forms to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/specimens/{id}/links", file, name="links.file")
    add_form_route(app, "/specimens/{id}/links/align", ask, name="links.align")
    add_form_route(app, "/specimens/{id}/links/{link}/withdraw", withdraw, name="links.withdraw")


def file(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Link the image `from` with the image `to`: by `pairs` of points, a line each, or by `link`, a link.json.

    `mirror` and `scale` let points tell a mirror image and a factor; `sigma` and `sigma_turn` tell how well two flat
    images are known to lie in one plane. `file_as` is empty, `beside`, or the identifier of the link it replaces.
    """
    reader, space = _reader_and_space(request_context, id)
    start, end = _image(space, fields, "from"), _image(space, fields, "to")

    def act() -> Link:
        with request_context.catalogue.reading() as connection:
            demand_both_ends(connection, reader, start.frame, end.frame)
        settings = read_known(fields)
        if fields.get("link", "").strip():
            link = link_of_text(fields["link"], start.frame, end.frame, settings)
        else:
            pairs = read_pairs(fields.get("pairs", ""), start, end)
            mirror, scale = bool(fields.get("mirror")), bool(fields.get("scale"))
            link = link_of_pairs(pairs, start.frame, end.frame, settings, mirror=mirror, scale=scale)
        replaces, beside = _replaced_link(fields)
        return file_link(request_context.catalogue, reader, link, replaces=replaces, beside=beside)

    filed = run_form_action(act)
    if wants_json(request_context.request):
        return JSONResponse(link_json(filed), 201)
    mirrored = ", found mirrored" if filed.mirrored else ""
    return _redirect_to_page(request_context, id, f"{filed.id}, version {filed.version}, is filed{mirrored}.")


def ask(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Ask for `from` to be aligned in `to`; a worker searches, and files the link where it is found.

    `near`: the two lie within 32° of each other with their middles together; `scale`: a pixel size may be wrong.
    """
    reader, space = _reader_and_space(request_context, id)
    start, end = _image(space, fields, "from"), _image(space, fields, "to")

    def act() -> int:
        settings = read_known(fields)
        if start.flat and end.flat and None in (settings.sigma_m, settings.sigma_rad):
            raise InputError(
                "two flat images do not tell how they lie out of their plane; say how well they are known to lie in "
                "one: a distance such as 20 um, and an angle such as 1 deg"
            )
        near, scale = bool(fields.get("near")), bool(fields.get("scale"))
        replaces, beside = _replaced_link(fields)
        return ask_to_align(
            request_context.catalogue, reader, start.frame, end.frame, near=near, scale=scale, known=settings,
            replaces=replaces, beside=beside,
        )  # fmt: skip

    number = run_form_action(act)
    if wants_json(request_context.request):
        address = request_context.link("specimen_links.json", {"id": id})
        return JSONResponse({"job": number, "address": address}, 202, headers={"Location": address})
    return _redirect_to_page(request_context, id, "A worker aligns them.", "asked")


def withdraw(request_context: CurrentRequest, id: str, link: str, fields: Fields) -> Response:
    """Withdraw a link for a `reason`: it stays with it, and no position rests on it any more."""
    reader, _ = _reader_and_space(request_context, id)

    def act() -> Link:
        with request_context.catalogue.reading() as connection:
            filed_link = demand_link(connection, reader, link)
            demand_both_ends(connection, reader, filed_link.from_frame, filed_link.to_frame)
        if filed_link.withdrawn:
            raise InputError(f"{filed_link.id} is withdrawn already: {filed_link.withdrawn}")
        return withdraw_link(request_context.catalogue, reader, link, fields.get("reason", ""))

    gone = run_form_action(act)
    if wants_json(request_context.request):
        return JSONResponse(link_json(gone))
    return _redirect_to_page(request_context, id, f"{gone.id}, version {gone.version}, is withdrawn.")


def _reader_and_space(request_context: RequestContext, id: str) -> tuple[Reader, Space]:
    reader = demand_scope(request_context.request, "write")
    with request_context.catalogue.reading() as connection:
        try:
            return reader, space_of(connection, reader, id)
        except InputError as problem:
            raise HTTPException(404, f"There is no specimen “{id[:80]}” in this catalogue.") from problem


def _image(space: Space, fields: Mapping[str, str], name: str) -> ImageFrame:
    frame = fields.get(name, "")
    image = space.image(frame)
    if image is None:
        raise HTTPException(
            422, f"There is no image “{frame[:120]}” of this specimen; choose one of the list for “{name}”."
        )
    return image


def _replaced_link(fields: Mapping[str, str]) -> tuple[str, bool]:
    """Return the link that is replaced, and whether it stands beside others."""
    text = fields.get("file_as", "").strip()
    return ("", True) if text == BESIDE else (text, False)


def _redirect_to_page(
    request_context: RequestContext, id: str, message: str, part: str = "links"
) -> Response:
    return RedirectResponse(
        f"{request_context.link('specimen_links', {'id': id})}?said={quote(message)}#{part}", 303
    )


DOOR = Door("links of images", add_routes)
