"""What lies in a folder of a record, down to the pieces of its volume."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated

from fastapi import HTTPException, Query

from tomarium.catalogue.folder_listing import AT_ONCE, list_folder
from tomarium.portal.files import find_file
from tomarium.portal.hdf5 import is_hdf5_name
from tomarium.portal.page import Page
from tomarium.portal.request_context import CurrentRequest

First = Annotated[int, Query(ge=0, lt=2**31, description="Files and folders to pass over; a page has 1000")]


@dataclass(frozen=True)
class Entry:
    """A file or a folder.

    Attributes
    ----------
    name : str
        A folder's ends in "/".
    bytes : int or None
        Size; of a folder that of all below it, None where the record is a draft.
    address : str
        Where it is.
    inside : str
        Address of the page that shows its inside; "" where there is none.
    files : int or None
        How many files are below a folder; None where the record is a draft, and of a file.
    """

    name: str
    bytes: int | None
    address: str
    inside: str = ""
    files: int | None = None


@dataclass(frozen=True)
class FolderPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Path of the folder.
    id, path : str
        Of the record; of the folder in it.
    record : str
        Address of the record's page.
    above : tuple of Entry
        The folders above, from the outermost.
    entries : tuple of Entry
        Folders first, by name; at most 1000.
    total, first : int
        How many there are in all, and how many stand on the pages before this one.
    left_out : int
        How many stand on the pages after it.
    next, previous : str
        Addresses of the pages beside it; "" where there is none.
    """

    title: str
    id: str
    path: str
    record: str
    above: tuple[Entry, ...]
    entries: tuple[Entry, ...]
    total: int
    first: int
    left_out: int
    next: str
    previous: str


def content(request_context: CurrentRequest, id: str, path: str, first: First = 0) -> FolderPage:
    """List a folder of a record, 1000 files and folders at a time."""
    record, folder = request_context.record(id)
    path = path.rstrip("/")
    place = find_file(record, folder, path)
    if place is None or not place.is_dir():
        raise HTTPException(404, f"The record {id} has no folder “{path[:200]}”.")
    items, total = list_folder(record, folder, path, first)
    entries = []
    for item in items:
        at = {"id": id, "path": f"{path}/{item.name.rstrip('/')}"}
        address = request_context.link("folder" if item.is_folder else "file", at)
        hdf5_address = (
            "" if item.is_folder or not is_hdf5_name(item.name) else request_context.link("hdf5", at)
        )
        entries.append(Entry(item.name, item.bytes, address, hdf5_address, item.files))
    arguments = {"id": id, "path": path}
    before = {"first": str(first - AT_ONCE) if first > AT_ONCE else ""}
    beyond = {"first": str(first + AT_ONCE)}
    left_out = max(0, total - first - len(items))
    above = list(accumulate(path.split("/")[:-1], lambda parent, part: f"{parent}/{part}"))
    return FolderPage(
        title=f"{path}/",
        id=id,
        path=f"{path}/",
        record=request_context.link("record", {"id": id}),
        above=tuple(
            Entry(name.split("/")[-1], None, request_context.link("folder", {"id": id, "path": name}))
            for name in above
        ),
        entries=tuple(entries),
        total=total,
        first=first,
        left_out=left_out,
        next=request_context.link("folder", arguments, beyond) if left_out else "",
        previous=request_context.link("folder", arguments, before) if first else "",
    )


FOLDER = Page(
    name="folder",
    path="/records/{id}/folders/{path:path}",
    json_path="/records/{id}/folders/{path:path}.json",
    template="folder.html",
    content=content,
)
