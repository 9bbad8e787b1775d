"""An HDF5 file of a record: its groups, datasets and attributes, a picture or a table, and H5Web where it is built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

from fastapi import HTTPException

from tomarium.formats.hdf5.node_types import words_of
from tomarium.portal.built import built
from tomarium.portal.hdf5 import ask_file
from tomarium.portal.hdf5_answers import middle
from tomarium.portal.hdf5_browser import Hdf5Browser, hdf5_browser
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext

# H5Web compiles functions while it runs, and its style sheet sets sizes in attributes.
POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
SHOWN: Final = 1_000


@dataclass(frozen=True)
class Member:
    """A member of a group.

    Attributes
    ----------
    name, kind, shape, type : str
        Its name; "group", "dataset", "soft_link" …; "2048 × 2048" and "uint16" of a dataset, else "".
    address : str
        Where it is shown; "" of a link that leads nowhere.
    """

    name: str
    kind: str
    shape: str
    type: str
    address: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Place:
    """A group on the way to what is shown.

    Attributes
    ----------
    name, address : str
        Its name, and where it is shown.
    """

    name: str
    address: str


@dataclass(frozen=True)
class Hdf5Page:
    """Content of the page.

    Attributes
    ----------
    title : str
        Path of the file.
    id, path, at : str
        Of the record; of the file in it; of the group or dataset in the file.
    kind, shape, type : str
        Of what is shown, as in `Member`.
    attributes : Mapping of str to any
        Name → value.
    members : tuple of Member
        Of a group; at most 1000.
    left_out : int
        Members beyond that.
    table : tuple of tuple of str
        The first values of a dataset of at most two axes.
    more : bool
        Whether there are more values than the table has.
    picture : str
        Address of a picture of it; "" where it is none.
    picture_alt : str
        Which slice the picture shows.
    earlier, later : str
        Addresses of the slices before and after; "" where there is none.
    trouble : str
        Why nothing can be shown; "" else.
    record, file_address, data_at : str
        Addresses of the record's page, of the file itself, and below which H5Web asks.
    above : tuple of Place
        The groups above, from the root.
    script, style : str
        Addresses of H5Web; "" where it is not built.
    as_files : bool
        Whether the page becomes a file, so that nothing answers H5Web.
    hdf5 : Hdf5Browser or None
        What lets the browser itself read the file there; None on a portal, or where it is not built.
    bytes : int
        Size of the file there.
    """

    title: str
    id: str
    path: str
    at: str
    kind: str
    shape: str
    type: str
    attributes: Mapping[str, Any]
    members: tuple[Member, ...]
    left_out: int
    table: tuple[tuple[str, ...], ...]
    more: bool
    picture: str
    picture_alt: str = field(metadata=FOR_PEOPLE)
    earlier: str = field(metadata=FOR_PEOPLE)
    later: str = field(metadata=FOR_PEOPLE)
    trouble: str
    record: str = field(metadata=FOR_PEOPLE)
    file_address: str = field(metadata=FOR_PEOPLE)
    data_at: str = field(metadata=FOR_PEOPLE)
    above: tuple[Place, ...] = field(metadata=FOR_PEOPLE)
    script: str = field(metadata=FOR_PEOPLE)
    style: str = field(metadata=FOR_PEOPLE)
    as_files: bool = field(metadata=FOR_PEOPLE)
    hdf5: Hdf5Browser | None = field(metadata=FOR_PEOPLE)
    bytes: int = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, id: str, path: str, at: str = "/", slice: int = -1) -> Hdf5Page:
    """Show the inside of an HDF5 file: `at` names a group or dataset in it, `slice` a picture of a stack."""
    at = "/" + "/".join(part for part in at.split("/") if part)
    answer = ask_file(request_context, id, path, "page", {"path": at})
    if answer.status == 404:
        raise HTTPException(404, f"The file {path[:200]} has no group or dataset “{at[:200]}”.")
    node = json.loads(answer.content)
    trouble = node.get("message", "") if answer.status != 200 else ""
    node = {} if trouble else node

    def address_at(place: str, **query: str) -> str:
        return request_context.link("hdf5", {"id": id, "path": path}, {"at": place, **query})

    dims: Any = node.get("shape")
    shown = node.get("children", [])
    table = tuple(tuple(row) for row in node.get("table", ()))
    picture, alt, earlier, later = "", "", "", ""
    if node.get("picture"):
        index = slice if 0 <= slice < dims[0] else dims[0] // 2
        stack = len(dims) > 2
        part = middle(dims) if not stack else f"{index},{middle(dims[1:])}"
        query = {"file": path, "path": at, "selection": part}
        picture = request_context.link("h5", {"id": id, "endpoint": "picture"}, query)
        alt = f"Slice {index} of {dims[0]}" if stack else "The whole dataset"
        earlier = address_at(at, slice=str(index - 1)) if stack and index > 0 else ""
        later = address_at(at, slice=str(index + 1)) if stack and index + 1 < dims[0] else ""
    as_files = bool(request_context.request.app.state.as_files)
    script = "" if as_files else built("hdf5")
    parts = (
        list(accumulate(at.strip("/").split("/"), lambda parent, part: f"{parent}/{part}"))
        if at != "/"
        else []
    )
    return Hdf5Page(
        title=path,
        id=id,
        path=path,
        at=at,
        kind=node.get("kind", ""),
        shape=_shape(dims),
        type=words_of(node["type"]) if "type" in node else "",
        attributes=node.get("values", {}),
        members=tuple(_member(member, at, address_at) for member in shown[:SHOWN]),
        left_out=max(0, len(shown) - SHOWN),
        table=table,
        more=bool(table) and [len(table), len(table[0])][: len(dims)] != list(dims),
        picture=picture,
        picture_alt=alt,
        earlier=earlier,
        later=later,
        trouble=trouble,
        record=request_context.link("record", {"id": id}),
        file_address=request_context.link("file", {"id": id, "path": path}),
        data_at=request_context.link("h5", {"id": id, "endpoint": "meta"}).removesuffix("/meta"),
        above=(
            Place(path, address_at("/")),
            *(Place(part.split("/")[-1], address_at(f"/{part}")) for part in parts),
        ),
        script=request_context.link("static", {"path": script}) if script else "",
        style=request_context.link("static", {"path": "built/hdf5.css"}) if script else "",
        as_files=as_files,
        hdf5=hdf5_browser(request_context) if as_files else None,
        bytes=_bytes(request_context, id, path) if as_files else 0,
    )


def _member(member: Mapping[str, Any], at: str, address_at: Any) -> Member:
    leads = member["kind"] in ("group", "dataset")
    return Member(
        name=member["name"],
        kind=member["kind"],
        shape=_shape(member.get("shape")) if member["kind"] == "dataset" else "",
        type=words_of(member["type"]) if "type" in member else "",
        address=address_at(f"{at.rstrip('/')}/{member['name']}") if leads else "",
    )


def _bytes(request_context: RequestContext, id: str, path: str) -> int:
    record, _ = request_context.record(id)
    return next((entry.bytes for entry in record.files if entry.path == path), 0)


def _shape(dims: Any) -> str:
    if dims is None:
        return ""
    return " × ".join(map(str, dims)) if dims else "single value"


HDF5 = Page(
    name="hdf5",
    path="/records/{id}/hdf5/{path:path}",
    json_path="/records/{id}/hdf5/{path:path}.json",
    template="hdf5.html",
    content=content,
    policy=POLICY,
)
