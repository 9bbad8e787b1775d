"""One record: what it is, its slices, parameters, histogram, how it was made, its files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tomarium.errors import FormatError
from tomarium.model import Person, Record, parameter
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext, closed, without_content
from tomarium.registry import collect
from tomarium.standards import record_json
from tomarium.standards.standard import Standard
from tomarium.viewers.viewer import Piece, View, Viewer

FACTS = ("energy_kev", "sample_name", "instrument", "beamline")


@dataclass(frozen=True)
class Shown:
    """What a viewer says.

    Attributes
    ----------
    title : str
        Heading.
    data : Mapping
        For machines.
    html : Markup
        For people.
    """

    title: str
    data: Mapping[str, Any]
    html: Markup = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Export:
    """The record's metadata in a standard.

    Attributes
    ----------
    title, address, media_type : str
        Name of the standard, where it is, and what it is.
    """

    title: str
    address: str
    media_type: str


@dataclass(frozen=True)
class RecordPage:
    """Content of a record's page.

    Attributes
    ----------
    title, id, created, description, creators, keywords, licence
        As in `model.Record`; `created` is ISO 8601.
    shape : tuple of int
        Voxels (z, y, x); empty where there is no volume.
    voxel_m : list of float, float or None
        Voxel size in m, (z, y, x) or the same along all axes.
    unit : str
        Of the grey values.
    bytes : int
        Size of all files.
    parameters : Mapping
        Key → `value`, `unit`, `origin`, `source`.
    facts : tuple of tuple of str
        Label and value of what people look for first.
    viewers : Mapping of str to Shown
        What each viewer that suits the record says, in the order of the page.
    exports : tuple of Export
        Its metadata in other standards.
    scripts : tuple of str
        Addresses of scripts that enrich the page.
    thumbnail : str
        Address of a small picture, "" where there is none.
    open : bool
        Whether its files may be had.
    closed : str
        Why not, "" where they may.
    people : tuple of Person
        The creators with what is known of them.
    publication : Mapping or None
        As in `model.Record`; None of a draft.
    """

    title: str
    id: str
    created: str
    description: str
    creators: tuple[str, ...]
    keywords: tuple[str, ...]
    licence: str
    shape: tuple[int, ...]
    voxel_m: Any
    unit: str
    bytes: int
    parameters: Mapping[str, Mapping[str, Any]]
    facts: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    viewers: Mapping[str, Shown]
    exports: tuple[Export, ...]
    scripts: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    thumbnail: str
    open: bool = True
    closed: str = ""
    people: tuple[Person, ...] = ()
    publication: Mapping[str, Any] | None = None


def content(request_context: CurrentRequest, id: str) -> RecordPage:
    """Show a record; each viewer reads its own choices, such as the slice z = 120, from the address."""
    record, place = request_context.seen(id)
    folder = place.folder
    record = record if place.open else without_content(record)
    suitable = [
        viewer
        for viewer in collect("viewers", Viewer).values()
        if viewer.suits(record) and (place.open or viewer.metadata_only)
    ]
    suitable.sort(key=lambda viewer: viewer.order)
    scripts = dict.fromkeys(viewer.script.name for viewer in suitable if viewer.script)
    thumbnail = next((e.path for e in record.files if e.path == "previews/thumbnail.png"), None)
    if not place.open:
        thumbnail = None
    return RecordPage(
        title=record.title,
        id=record.id,
        created=record.created.isoformat(),
        description=record.description,
        creators=tuple(person.name for person in record.creators),
        keywords=record.keywords,
        licence=record.licence,
        shape=tuple(record.volume.get("shape") or ()),
        voxel_m=record.volume.get("voxel_m"),
        unit=str(record.volume.get("unit") or ""),
        bytes=sum(entry.bytes for entry in record.files),
        parameters={
            key: {
                "value": value.value,
                "unit": parameter.unit(key),
                "origin": value.origin,
                "source": value.source,
            }
            for key, value in record.parameters.items()
        },
        facts=tuple(_facts(record)),
        viewers={viewer.name: _show(viewer, record, folder, request_context) for viewer in suitable},
        exports=tuple(
            Export(
                known.title,
                request_context.link("metadata", {"id": id, "standard": known.name}),
                known.media_type,
            )
            for known in collect("standards", Standard).values()
        ),
        scripts=tuple(request_context.link("asset", {"name": name}) for name in scripts),
        thumbnail=request_context.link("file", {"id": id, "path": thumbnail}) if thumbnail else "",
        open=place.open,
        closed="" if place.open else closed(record),
        people=record.creators,
        publication=record_json.details(record).get("publication"),
    )


def _show(viewer: Viewer, record: Record, folder: Path, request_context: RequestContext) -> Shown:
    try:
        piece = viewer.render(record, _view(viewer, record, folder, request_context))
    except (FormatError, OSError) as problem:
        # One damaged file must not hide the rest of the record.
        logging.getLogger(__name__).error("record %s, viewer %s: %s", record.id, viewer.name, problem)
        told = "This part of the record is damaged or missing, so it cannot be shown."
        piece = Piece({"problem": told}, Markup('<p class="damaged">{}</p>').format(told))
    return Shown(viewer.title, piece.data, piece.html)


def _view(viewer: Viewer, record: Record, folder: Path, request_context: RequestContext) -> View:
    choices = dict(request_context.request.query_params)

    def page(changes: Mapping[str, str | None]) -> str:
        changed = {**choices, **changes}
        return request_context.link(
            "record", {"id": record.id}, {key: text for key, text in changed.items() if text}
        )

    def file(path: str) -> str:
        name = "folder" if path.endswith("/") else "file"
        return request_context.link(name, {"id": record.id, "path": path.rstrip("/")})

    def picture(name: str, query: Mapping[str, str]) -> str:
        return request_context.link("picture", {"id": record.id, "viewer": viewer.name, "name": name}, query)

    origin = str(request_context.request.base_url.replace(path="")).rstrip("/")
    return View(folder, choices, page, file, picture, origin)


def _facts(record: Record) -> list[tuple[str, str]]:
    facts = []
    voxel, shape = record.volume.get("voxel_m"), record.volume.get("shape")
    if voxel:
        sizes = [voxel] if isinstance(voxel, (int, float)) else list(dict.fromkeys(voxel))[::-1]
        facts.append(("Voxel", " × ".join(parameter.show("voxel_m", size) for size in sizes)))
    if shape:
        facts.append(("Volume", " × ".join(str(length) for length in shape[::-1])))
    for key in FACTS:
        if key in record.parameters and record.parameters[key].value is not None:
            facts.append((parameter.label(key), parameter.show(key, record.parameters[key].value)))
    return facts


RECORD = Page(
    name="record",
    path="/records/{id}",
    json_path="/records/{id}.json",
    template="record.html",
    content=content,
)
