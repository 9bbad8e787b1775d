"""Make your own slice: the projections of one slice of a record, put back one after the other in the browser."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from fastapi import HTTPException
from markupsafe import Markup

from tomarium.portal.built import built
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.view_of_record import view_of
from tomarium.viewers import make_a_slice

COMPUTED: Final = (
    "The projections are computed from the slice of this record; they are not the measured ones."
)


@dataclass(frozen=True)
class MakeASlice:
    """Content of the page.

    Attributes
    ----------
    title, id : str
        Of the record.
    index, count : int
        Number of the slice along z, and of all slices.
    source : str
        Where the projections come from, a sentence.
    views, columns : int
        Number of projections, and of values in each.
    pictures : dict of str to str
        Addresses of the slice, of its projections, and of the slices of few and many of them.
    told : Markup
        The projections, JSON for the script.
    html : Markup
        The slices of few and many projections, drawn by the portal.
    record, script : str
        Addresses of the record's page, and of the script; "" where it is not built.
    """

    title: str
    id: str
    index: int
    count: int
    source: str
    views: int
    columns: int
    pictures: dict[str, str]
    told: Markup = field(metadata=FOR_PEOPLE)
    html: Markup = field(metadata=FOR_PEOPLE)
    record: str = field(metadata=FOR_PEOPLE)
    script: str = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, id: str) -> MakeASlice:
    """Show how the middle slice of a volume comes from its projections, which are computed from that slice."""
    record, folder = request_context.record(id)
    viewer = make_a_slice.MAKE_A_SLICE
    if not viewer.shows(record):
        raise HTTPException(
            404,
            f"The record {id} has no volume whose slices can be projected: that takes an OME-Zarr volume with "
            f"square pixels, at least {make_a_slice.FEWEST_PIXELS} along y and x.",
        )
    piece = viewer.render(record, view_of(viewer, record, folder, request_context))
    data = make_a_slice.for_script(record, folder)
    script = built("make-a-slice")
    return MakeASlice(
        title=record.title,
        id=record.id,
        index=piece.data["index"],
        count=record.volume["shape"][0],
        source=COMPUTED,
        views=piece.data["views"],
        columns=data["columns"],
        pictures=dict(piece.data["pictures"]),
        told=Markup(json.dumps(data).replace("<", "\\u003c")),
        html=piece.html,
        record=request_context.link("record", {"id": id}),
        script=request_context.link("static", {"path": script}) if script else "",
    )


MAKE_A_SLICE = Page(
    name="make_a_slice",
    path="/records/{id}/make-a-slice",
    json_path="/records/{id}/make-a-slice.json",
    template="make_a_slice.html",
    content=content,
)
