"""One record: its label, how to cite it, its slices, parameters, how it was made, its files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from tomarium import units
from tomarium.errors import FormatError
from tomarium.model import Record, parameter
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.record_facts import Slip, label_rows, slips
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.registry import collect
from tomarium.standards.standard import Standard
from tomarium.viewers.viewer import Piece, View, Viewer
from tomarium.viewers.volume import volume_path

TAKEN: Final = {
    "volume": ("Volume", "Its files; programs open it where it lies"),
    "protocol": ("Protocol", "The steps, to be run again on the raw scan"),
    "provenance": ("Provenance", "What the run did, and with what"),
    "manifest": ("Checksums", "SHA-256 of every file"),
}
"""Role of a file → its label in the menu of downloads, and a line of help."""


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
class Download:
    """An entry of the menu of downloads.

    Attributes
    ----------
    label, address, size, help : str
        What it is, where it is, how large ("" where that is not known), and a line of help.
    """

    label: str
    address: str
    size: str
    help: str


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
        Rows of the label: what people look for first.
    viewers : Mapping of str to Shown
        What each viewer that suits the record says, in the order of the page.
    exports : tuple of Export
        Its metadata in other standards.
    scripts : tuple of str
        Addresses of scripts that enrich the page.
    thumbnail : str
        Address of a small picture, "" where there is none.
    address : str
        Where this page is, with scheme and host.
    downloads : tuple of Download
        Entries of the menu.
    exports_and_json : tuple of Export
        `exports` and the page as JSON.
    slips : tuple of Slip
        What happened to the record, the newest first.
    opens : bool
        Whether the page says how to open the volume.
    provenance_known : bool
        Whether it is told how the record was made.
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
    address: str = field(metadata=FOR_PEOPLE)
    downloads: tuple[Download, ...] = field(metadata=FOR_PEOPLE)
    exports_and_json: tuple[Export, ...] = field(metadata=FOR_PEOPLE)
    slips: tuple[Slip, ...] = field(metadata=FOR_PEOPLE)
    opens: bool = field(metadata=FOR_PEOPLE)
    provenance_known: bool = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, id: str) -> RecordPage:
    """Show a record; each viewer reads its own choices, such as the slice z = 120, from the address."""
    record, folder = request_context.record(id)
    suitable = [viewer for viewer in collect("viewers", Viewer).values() if viewer.suits(record)]
    suitable.sort(key=lambda viewer: viewer.order)
    scripts = dict.fromkeys(viewer.script.name for viewer in suitable if viewer.script)
    exports = tuple(
        Export(
            known.title,
            request_context.link("metadata", {"id": id, "standard": known.name}),
            known.media_type,
        )
        for known in collect("standards", Standard).values()
    )
    as_json = Export("JSON", request_context.link("record.json", {"id": id}), "application/json")
    thumbnail = next((e.path for e in record.files if e.path == "previews/thumbnail.png"), None)
    return RecordPage(
        title=record.title,
        id=record.id,
        created=record.created.isoformat(),
        description=record.description,
        creators=record.creators,
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
        facts=label_rows(record),
        viewers={viewer.name: _show(viewer, record, folder, request_context) for viewer in suitable},
        exports=exports,
        scripts=tuple(request_context.link("asset", {"name": name}) for name in scripts),
        thumbnail=request_context.link("file", {"id": id, "path": thumbnail}) if thumbnail else "",
        address=_origin(request_context) + request_context.link("record", {"id": id}),
        downloads=tuple(_downloads(record, request_context)),
        exports_and_json=(*exports, as_json),
        slips=slips(record),
        opens=volume_path(record) is not None,
        provenance_known=bool(record.provenance),
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

    return View(folder, choices, page, file, picture, _origin(request_context))


def _origin(request_context: RequestContext) -> str:
    return str(request_context.request.base_url.replace(path="")).rstrip("/")


def _downloads(record: Record, request_context: RequestContext) -> Iterator[Download]:
    """List what a reader may want to take: the volume, what made it, the checksums, and the metadata."""
    for entry in sorted(record.files, key=lambda entry: entry.role != "volume"):
        if entry.role not in TAKEN:
            continue
        label, help = TAKEN[entry.role]
        folder = entry.path.endswith("/")
        address = request_context.link(
            "folder" if folder else "file", {"id": record.id, "path": entry.path.rstrip("/")}
        )
        yield Download(label, address, units.show(entry.bytes, "B", digits=3), help)
    for known in collect("standards", Standard).values():
        address = request_context.link("metadata", {"id": record.id, "standard": known.name})
        yield Download(f"Metadata, {known.title}", address, "", "")


RECORD = Page(
    name="record",
    path="/records/{id}",
    json_path="/records/{id}.json",
    template="record.html",
    content=content,
)
