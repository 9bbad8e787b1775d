"""Specimens of records at one scale: which are asked for, and the picture of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import Response

from tomarium.errors import InputError
from tomarium.model import Record
from tomarium.portal.door import Door
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route
from tomarium.portal.volume_view import split_ids
from tomarium.viewers import slices
from tomarium.viewers.silhouette import MOST, Silhouette, in_a_row, silhouette

Records = Annotated[
    list[str] | None,
    Query(description="Identifiers of records with volumes, at most six; commas may stand between"),
]


class Png(Response):
    """A PNG, for the description of the API."""

    media_type = "image/png"


def add_routes(app: FastAPI) -> None:
    """Add the route of the picture to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the route.
    """
    add_get_route(app, "/compare/sizes.png", draw_sizes, name="sizes.picture", kind=Png)


def chosen(
    request_context: RequestContext, records: list[str] | None
) -> list[tuple[Record, Path, Silhouette]]:
    """Find the records that are asked for, with their silhouettes.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    records : list of str or None
        Identifiers, each of which may be several with commas between.

    Returns
    -------
    list of (Record, Path, Silhouette)
        In the order asked, with their folders.

    Raises
    ------
    HTTPException
        404: there is no such record, or it has no volume. 403: its files are not open.
    InputError
        There are more than six, one has no known voxel size, or nothing stands out in it.
    """
    ids = list(dict.fromkeys(id for text in records or () for id in split_ids(text)))
    if len(ids) > MOST:
        raise InputError(f"records: {len(ids)} are named; at most {MOST} are drawn in a row")
    outlined = []
    for id in ids:
        record, folder = request_context.record(id)
        if not slices.SLICES.shows(record):
            raise HTTPException(
                404, f"The record {id[:80]} has no volume (OME-Zarr) to be drawn; leave it out."
            )
        outlined.append((record, folder, silhouette(record, folder)))
    return outlined


def draw_sizes(request_context: CurrentRequest, records: Records = None) -> Response:
    """Draw the specimens of `records`, at most six, seen from the front at one scale, with a scale bar in mm."""
    outlined = chosen(request_context, records)
    if not outlined:
        raise InputError("records: none is named; give identifiers, as in ?records=tooth,femur")
    png, _, _ = in_a_row([outline for _, _, outline in outlined])
    return Png(png, headers={"Cache-Control": "private, no-cache"})


DOOR = Door("sizes", add_routes)
