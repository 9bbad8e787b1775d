"""A volume of any size in Neuroglancer: four panels, contrast, labels, rendering, and links that show the same view."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request

from tomarium.portal.built import built
from tomarium.portal.counting import note_view
from tomarium.portal.languages import root_of
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.volume_view import has_client, poster, sources, split_ids, state_of


@dataclass(frozen=True)
class Layer:
    """A volume that is shown.

    Attributes
    ----------
    id, title, address : str
        Of its record; where that is.
    """

    id: str
    title: str
    address: str


@dataclass(frozen=True)
class VolumePage:
    """Content of the page.

    Attributes
    ----------
    title, id : str
        Of the record.
    layers : tuple of Layer
        The volumes, the record's own first.
    view : str
        Token of the saved view that is shown; "" of the first one.
    state : object
        What Neuroglancer is told, JSON; addresses are without host.
    record : str
        Address of the record's page.
    frame : str
        Address of the document in which Neuroglancer runs; "" where it is not in this installation.
    keep : str
        Address that keeps a view.
    script : str
        Address of the script of this page; "" where it is not built.
    other : str
        Address of the same view with the rendering on, or off.
    rendering : bool
        Whether the volume is rendered in the fourth panel.
    picture : str
        Address of the middle slice, for who has no WebGL.
    root : str
        What stands before the paths of this portal.
    """

    title: str
    id: str
    layers: tuple[Layer, ...]
    view: str
    state: object
    record: str = field(metadata=FOR_PEOPLE)
    frame: str = field(metadata=FOR_PEOPLE)
    keep: str = field(metadata=FOR_PEOPLE)
    script: str = field(metadata=FOR_PEOPLE)
    other: str = field(metadata=FOR_PEOPLE)
    rendering: bool = field(metadata=FOR_PEOPLE)
    picture: str = field(metadata=FOR_PEOPLE)
    root: str = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    request: Request,
    id: str,
    view: str = "",
    rendering: bool = False,
    specimen: str = "",
) -> VolumePage:
    """Show a volume in Neuroglancer; `with` names records to lay over it, `view` a view that was saved.

    With `specimen`, the links of that specimen say where the others lie in the first, and not their own coordinates.
    """
    other_ids = split_ids(request.query_params.get("with", ""))
    volumes = sources(request_context, id, other_ids, specimen)
    record, place = request_context.opened(id)
    folder = place.folder
    note_view(request, id, place)
    laid = {"with": ",".join(other_ids), "specimen": specimen}
    query = {"view": view, **laid, "rendering": "true" if rendering else ""}
    script = built("volume-page")
    return VolumePage(
        title=record.title,
        id=id,
        layers=tuple(
            Layer(
                source.record.id,
                source.record.title,
                request_context.link("record", {"id": source.record.id}),
            )
            for source in volumes
        ),
        view=view,
        state=state_of(request_context, id, view, other_ids, rendering, specimen),
        record=request_context.link("record", {"id": id}),
        frame=request_context.link("volume.client", {"id": id, "client": "now"}, query)
        if has_client()
        else "",
        keep=request_context.link("volume.keep", {"id": id}),
        script=request_context.link("static", {"path": script}) if script else "",
        other=request_context.link(
            "volume",
            {"id": id},
            {**laid, "rendering": "" if rendering else "true"},
        ),
        rendering=rendering,
        picture=poster(folder, request_context, id, volumes[0].shape[0] // 2),
        root=root_of(request),
    )


VOLUME = Page(
    name="volume",
    path="/records/{id}/volume",
    json_path="/records/{id}/volume.json",
    template="volume.html",
    content=content,
)
