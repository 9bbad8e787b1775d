"""What lies in a folder of a record, down to the pieces of its volume."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from fastapi import HTTPException

from tomarium.portal.files import find_file
from tomarium.portal.hdf5 import is_hdf5_name
from tomarium.portal.page import Page
from tomarium.portal.request_context import CurrentRequest

SHOWN = 1000


@dataclass(frozen=True)
class Entry:
    """A file or a folder.

    Attributes
    ----------
    name : str
        A folder's ends in "/".
    bytes : int or None
        Size; None for a folder.
    address : str
        Where it is.
    inside : str
        Address of the page that shows its inside; "" where there is none.
    """

    name: str
    bytes: int | None
    address: str
    inside: str = ""


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
    left_out : int
        Entries beyond that.
    """

    title: str
    id: str
    path: str
    record: str
    above: tuple[Entry, ...]
    entries: tuple[Entry, ...]
    left_out: int


def content(request_context: CurrentRequest, id: str, path: str) -> FolderPage:
    """List a folder of a record."""
    record, folder = request_context.record(id)
    path = path.rstrip("/")
    found = find_file(record, folder, path)
    if found is None or not found.is_dir():
        raise HTTPException(404, f"The record {id} has no folder “{path[:200]}”.")
    inside = [item for item in found.iterdir() if not item.is_symlink()]
    inside.sort(key=lambda item: (item.is_file(), item.name))
    entries = []
    for item in inside[:SHOWN]:
        is_file = item.is_file()
        address = request_context.link(
            "file" if is_file else "folder", {"id": id, "path": f"{path}/{item.name}"}
        )
        size = item.stat().st_size if is_file else None
        looked = ""
        if is_file and is_hdf5_name(item.name):
            looked = request_context.link("hdf5", {"id": id, "path": f"{path}/{item.name}"})
        entries.append(Entry(item.name if is_file else f"{item.name}/", size, address, looked))
    above = list(accumulate(path.split("/")[:-1], lambda whole, part: f"{whole}/{part}"))
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
        left_out=max(0, len(inside) - SHOWN),
    )


FOLDER = Page(
    name="folder",
    path="/records/{id}/folders/{path:path}",
    json_path="/records/{id}/folders/{path:path}.json",
    template="folder.html",
    content=content,
)
