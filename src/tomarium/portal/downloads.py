"""Whole records and parts of them as one archive, and lists for programs that fetch many files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import Response

from tomarium.catalogue import Catalogue, read_record
from tomarium.catalogue.archive import Archive, Kind, make_archive
from tomarium.catalogue.byte_table import ByteTable
from tomarium.catalogue.checksums import MANIFEST
from tomarium.catalogue.contents import (
    MOST_PATHS,
    ChangedFile,
    Content,
    choose,
    crc_of,
    list_contents,
    published_contents,
    read_content,
)
from tomarium.catalogue.crc_store import CrcStore
from tomarium.catalogue.download_lists import LISTS, holey_bag
from tomarium.catalogue.log_book import entries_of
from tomarium.catalogue.log_export import LogMember, crc_of_member, log_members, read_member
from tomarium.catalogue.queries import Place
from tomarium.catalogue.record_folder import folders_told
from tomarium.catalogue.volume_part import PartKind, make_part
from tomarium.errors import CannotFit, FormatError
from tomarium.model import Record
from tomarium.pipeline.run.folders import NOWHERE
from tomarium.portal.byte_answer import ByteAnswer, wanted_range
from tomarium.portal.counting import note_download
from tomarium.portal.door import Door
from tomarium.portal.files import cleared_text
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.viewers.volume import volume_path

MEDIA_TYPES: Final = {
    "zip": "application/zip",
    "tar": "application/x-tar",
    "npy": "application/octet-stream",
    "tiff": "image/tiff",
    "zarr.zip": "application/zip",
}

Paths = Annotated[
    Sequence[str],
    Query(
        description="A file or folder to take, such as volume.ome.zarr/1/; may be repeated; all by default"
    ),
]
Level = Annotated[int, Query(ge=0, le=64, description="Level of the volume; 0 is the finest")]
Region = Annotated[
    str, Query(description="Voxels of that level from the first to before the last, 10:20; all by default")
]


def _read_part(
    level: Level = 0, z: Region = "", y: Region = "", x: Region = ""
) -> tuple[int, tuple[str, str, str]]:
    return level, (z, y, x)


RequestedPart = Annotated[tuple[int, tuple[str, str, str]], Depends(_read_part)]
"""A level of the volume, and a region of it, from the address."""


def crc_store_of(catalogue: Catalogue) -> CrcStore:
    """Make a store of CRC-32 beside a catalogue."""
    return CrcStore(None if catalogue.name == "memory" else Path(f"{catalogue.name}.crc32"))


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/records/{id}/download.zip", download_zip, name="download.zip", kind=Response)
    add_get_route(app, "/records/{id}/download.tar", download_tar, name="download.tar", kind=Response)
    add_get_route(app, "/records/{id}/manifest.{kind}", list_files, name="manifest", kind=Response)
    add_get_route(app, "/records/{id}/volume.npy", volume_npy, name="volume.npy", kind=Response)
    add_get_route(app, "/records/{id}/volume.tiff", volume_tiff, name="volume.tiff", kind=Response)
    add_get_route(app, "/records/{id}/volume.zarr.zip", volume_zarr, name="volume.zarr.zip", kind=Response)


def download_zip(request_context: CurrentRequest, request: Request, id: str, path: Paths = ()) -> Response:
    """Give a record, or files and folders of it, as one zip that can be resumed.

    Files are stored as they are, below a folder of the record's name. The size is known before the first byte, and any
    range can be asked for; a download that was cut off goes on where it stopped (curl -C -).
    """
    return _download(request_context, request, id, path, "zip")


def download_tar(request_context: CurrentRequest, request: Request, id: str, path: Paths = ()) -> Response:
    """Give a record, or files and folders of it, as one tar that can be resumed.

    As the zip; a tar can be unpacked while it comes (curl … | tar x).
    """
    return _download(request_context, request, id, path, "tar")


def _download(
    request_context: RequestContext, request: Request, id: str, paths: Sequence[str], kind: Kind
) -> Response:
    listing, place = _listing(request_context, id)
    note_download(request, id, place, f"{kind} {' '.join(paths)}")
    crc_store: CrcStore = request.app.state.crc_store
    try:
        if not paths and (log := _log_of(request_context, id)):
            archive = _with_log(listing, log, kind, crc_store)
        else:
            archive = _archive(listing, tuple(paths), kind, crc_store)
    except KeyError as problem:
        raise HTTPException(
            404,
            f"The record {id} has no file or folder “{problem.args[0][:200]}”; its files are on its page.",
        ) from problem
    except ValueError as problem:
        raise HTTPException(
            400,
            f"{problem} paths were asked for; at most {MOST_PATHS} go into one archive. Ask for a folder, or "
            f"fetch single files by the list manifest.aria2",
        ) from problem
    name = f"{id}.{kind}" if not paths else f"{id}_part.{kind}"
    return _answer(request, archive.table, archive.tag, name, kind, crc_store)


def _answer(
    request: Request, table: ByteTable, tag: str, name: str, kind: str, crc_store: CrcStore | None = None
) -> Response:
    tag = f'"{tag}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": LOCKED,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
    }
    entity_tags = [
        entity_tag.strip().removeprefix("W/")
        for entity_tag in request.headers.get("if-none-match", "").split(",")
    ]
    if tag in entity_tags or entity_tags == ["*"]:
        return Response(status_code=304, headers=headers)

    def make(first: int, stop: int) -> Iterator[bytes]:
        try:
            yield from table.read(first, stop)
        except ChangedFile:
            _list_folder.cache_clear()  # what is known of the files is no longer so
            _archive.cache_clear()
            raise
        finally:
            if crc_store:
                crc_store.flush()

    return ByteAnswer(make, table.size, wanted_range(request, table.size, tag), headers, MEDIA_TYPES[kind])


@dataclass(frozen=True, eq=False)
class _Listing:
    record: Record
    folder: Path
    contents: tuple[Content, ...]


def _listing(request_context: RequestContext, id: str, *, names_only: bool = False) -> tuple[_Listing, Place]:
    record, place = request_context.opened(id)
    folder = place.folder
    try:
        states = [(folder / name).stat() for name in (FILENAME, MANIFEST)]
        crate, manifest = ((state.st_mtime_ns, state.st_size) for state in states)
        # A crate that is stale tells what was taken back.
        crate_text = export(record) if place.stale else None
        return _list_folder(folder, crate, manifest, names_only, crate_text), place
    except (OSError, FormatError) as problem:
        reason = str(problem) if isinstance(problem, FormatError) else f"{MANIFEST} cannot be read"
        raise HTTPException(
            503, f"The record {record.id} is not whole, so it is not given as a whole: {reason[:300]}."
        ) from problem


@lru_cache(maxsize=4)
def _list_folder(
    folder: Path, _crate: tuple[int, int], _manifest: tuple[int, int], names_only: bool, crate: str | None
) -> _Listing:
    record = read_record(folder)
    cleared_folders = folders_told(folder)
    if (
        crate is None
        and names_only
        and cleared_folders is NOWHERE
        and (contents := published_contents(record, folder)) is not None
    ):
        return _Listing(record, folder, contents)

    def clear(path: Path, size: int) -> bytes | None:
        text = crate if crate and path == folder / FILENAME else cleared_text(path, cleared_folders, size)
        return None if text is None else text.encode()

    return _Listing(
        record,
        folder,
        list_contents(record, folder, None if cleared_folders is NOWHERE and crate is None else clear),
    )


@lru_cache(maxsize=4)
def _archive(listing: _Listing, paths: tuple[str, ...], kind: Kind, crc_store: CrcStore) -> Archive:
    chosen = choose(listing.contents, paths)

    def read(number: int, first: int, stop: int) -> Iterator[bytes]:
        return read_content(listing.folder, chosen[number], first, stop, crc_store)

    def crc(number: int) -> int:
        return crc_of(listing.folder, chosen[number], crc_store)

    names = [f"{listing.record.id}/{content.path}" for content in chosen]
    return make_archive(kind, names, chosen, listing.record.created, read, crc)


def _log_of(request_context: RequestContext, id: str) -> Mapping[str, LogMember]:
    """Lay out the log book of a record for its archive; nothing where only programs wrote into it."""
    with request_context.catalogue.reading() as connection:
        entries = entries_of(connection, request_context.reader, f"records/{id}", linked=False)
    if all(entry.machine for entry in entries):
        return {}
    home, origin = request_context.catalogue.home, request_context.address("home").rstrip("/")
    return log_members(home, entries, origin, f"records/{id}")


def _with_log(listing: _Listing, log: Mapping[str, LogMember], kind: Kind, crc_store: CrcStore) -> Archive:
    """Make an archive of a whole record with its log book beside its files, in the folder `logbook`."""
    contents, members = listing.contents, list(log.values())
    count = len(contents)

    def read(number: int, first: int, stop: int) -> Iterator[bytes]:
        if number < count:
            return read_content(listing.folder, contents[number], first, stop, crc_store)
        return read_member(members[number - count], first, stop)

    def crc(number: int) -> int:
        if number < count:
            return crc_of(listing.folder, contents[number], crc_store)
        return crc_of_member(members[number - count])

    home = listing.record.id
    names = [f"{home}/{content.path}" for content in contents] + [f"{home}/logbook/{path}" for path in log]
    return make_archive(kind, names, [*contents, *members], listing.record.created, read, crc)


def list_files(request_context: CurrentRequest, request: Request, id: str, kind: str) -> Response:
    """List the files of a record for programs that fetch many: `manifest.aria2`, and others.

    `sha256`: for sha256sum -c. `aria2`: for aria2c -i. `metalink`: Metalink 4 (RFC 5854). `bagit`: a bag whose
    fetch.txt names what is to be fetched (RFC 8493). `json`: path, bytes and SHA-256, for other programs.
    """
    listing, _ = _listing(request_context, id, names_only=True)
    place = request_context.address("file", {"id": id, "path": "*"}).removesuffix("*")
    if kind == "bagit":
        archive = holey_bag(listing.record, listing.contents, place)
        return _answer(request, archive.table, archive.tag, f"{id}_bag.zip", "zip")
    file_list = LISTS.get(kind)
    if file_list is None:
        raise HTTPException(
            404, f"There is no list “{kind[:80]}” of files; there are {', '.join([*LISTS, 'bagit'])}."
        )
    text = file_list.write(listing.record, listing.contents, place)
    name = quote(file_list.filename.format(id=id), safe="")
    headers = {
        "Content-Disposition": f"inline; filename*=UTF-8''{name}",
        "Content-Security-Policy": LOCKED,
        "Cache-Control": "private, no-cache",
    }
    return Response(text, headers=headers, media_type=file_list.media_type)


def volume_npy(
    request_context: CurrentRequest, request: Request, id: str, requested_part: RequestedPart
) -> Response:
    """Give a part of a record's volume as NumPy array: a level, and a region of it (z=10:20)."""
    return _part(request_context, request, id, "npy", requested_part)


def volume_tiff(
    request_context: CurrentRequest, request: Request, id: str, requested_part: RequestedPart
) -> Response:
    """Give a part of a record's volume as TIFF of many pages with its voxel size, as ImageJ reads it."""
    return _part(request_context, request, id, "tiff", requested_part)


def volume_zarr(
    request_context: CurrentRequest, request: Request, id: str, requested_part: RequestedPart
) -> Response:
    """Give a part of a record's volume as OME-Zarr 0.5 in a zip, with its voxel size and its place in the whole."""
    return _part(request_context, request, id, "zarr.zip", requested_part)


def _part(
    request_context: RequestContext,
    request: Request,
    id: str,
    kind: PartKind,
    requested_part: tuple[int, tuple[str, str, str]],
) -> Response:
    record, place = request_context.opened(id)
    note_download(request, id, place, f"{request.url.path}?{request.url.query}")
    folder = place.folder
    if volume_path(record) is None:
        raise HTTPException(404, f"The record {id} has no volume; its files are on its page.")
    try:
        part = make_part(record, folder, kind, *requested_part)
    except CannotFit as problem:
        raise HTTPException(413, f"{problem}.") from problem
    return _answer(request, part.table, part.tag, part.name, kind)


DOOR = Door("downloads", add_routes)
