"""What is not a page: files of a record, pictures of its viewers, its metadata in other standards."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, Response

from tomarium.catalogue.checksums import MANIFEST, read_manifest
from tomarium.catalogue.file_table import table_of
from tomarium.catalogue.store import ObjectPath
from tomarium.errors import FormatError
from tomarium.model import FileEntry, Record
from tomarium.pipeline.run.folders import NOWHERE, without_folders
from tomarium.portal import child_pictures, webp
from tomarium.portal.byte_answer import ByteAnswer, FileAnswer, wanted_range
from tomarium.portal.counting import note_download, note_view
from tomarium.portal.door import Door
from tomarium.portal.request_context import CurrentRequest, without_content
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED
from tomarium.portal.signposting import back_to
from tomarium.registry import collect
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.standards.standard import Standard
from tomarium.viewers.place import place_of
from tomarium.viewers.viewer import Viewer

# What a browser may show at its own address; all else is saved, for a record may hold anything.
SHOWN: Final = {"image/png", "image/jpeg", "image/webp", "application/json", "application/ld+json"}
TEXTS: Final = {"application/yaml", "text/plain"}


# Texts in which tomarium once told where a scan lay on the machine that reconstructed it.
TELLING: Final = {
    ".json": "application/json",
    **dict.fromkeys((".yaml", ".txt", ".log"), "text/plain; charset=utf-8"),
}
LONGEST_TEXT_BYTES: Final = 64 << 20

FOREVER: Final = "private, max-age=31536000, immutable"


class Picture(Response):
    """A PNG, or what else a viewer makes of a record."""

    media_type = "image/png"


MADE: Final = {
    ".png": "image/png",
    ".tif": "image/tiff",
    ".json": "application/json",
    ".u8": "application/octet-stream",
}
"""Ending of a picture's name → what it is."""


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/records/{id}/files/{path:path}", read_file, name="file", kind=FileResponse)
    add_get_route(app, "/records/{id}/pictures/{viewer}/{name}", draw_picture, name="picture", kind=Picture)
    add_get_route(app, "/records/{id}/metadata/{standard}", export_metadata, name="metadata", kind=Response)
    add_get_route(app, "/assets/{name}", read_asset, name="asset", kind=Response, in_schema=False)


def find_file(record: Record, folder: Path, path: str) -> Path | None:
    """Find a file of a record, and nothing else.

    Parameters
    ----------
    record : Record
        Only what it lists is found: its files, what lies in its folders, and its crate.
    folder : Path
        Its folder.
    path : str
        From the address; any text.

    Returns
    -------
    Path or None
        A regular file or a folder below `folder`, on the way to which there is no link; else None.
    """
    path = path.removesuffix("/")
    listed = any(path == entry.path.removesuffix("/") for entry in record.files) or path == FILENAME
    part = any(path.startswith(entry.path) for entry in record.files if entry.path.endswith("/"))
    return place_of(folder, path) if listed or part else None


def read_file(request_context: CurrentRequest, request: Request, id: str, path: str) -> Response:
    """Give a file of a record, or ranges of it (RFC 9110, section 14).

    A file that the record lists has its SHA-256 as ETag; one inside the volume has its size and time. Both have it as
    Repr-Digest (RFC 9530). One range can be asked for at once. Where a text tells a folder of the machine it was
    written on, that is left out. A page's browser that takes WebP gets the thumbnail as such, where that is smaller.
    """
    record, place = request_context.opened(id)
    folder = place.folder
    if not path.startswith("previews/"):
        note_download(request, id, place, path)
    file = find_file(record, folder, path)
    if file is None or not file.is_file() or path.endswith("/"):
        raise HTTPException(404, f"The record {id} has no file “{path[:200]}”.")
    state = file.stat()
    if path == FILENAME and place.stale:  # it tells what was taken back
        return _cleared(file, export(record))
    text = cleared_text(file, request_context.folders_told(folder), state.st_size)
    if text is not None:
        return _cleared(file, text)
    entry = next((entry for entry in record.files if entry.path == path), None)
    # The checksum names the content only as long as the file has the size that was filed.
    same_size = entry is not None and entry.bytes == state.st_size
    tag = f'"{entry.sha256}"' if entry and same_size else f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Content-Security-Policy": LOCKED}
    headers["Link"] = back_to(request_context, "collection", id)
    if path == webp.THUMBNAIL:
        headers["Vary"] = "Accept"
        if webp.is_wanted(path, request.headers) and (
            small := child_pictures.smaller(request_context, file, state.st_mtime_ns, state.st_size)
        ):
            return _small(request, small, headers)
    if digest := _sha256(record, folder, path, entry if same_size else None):
        headers["Repr-Digest"] = f"sha-256=:{b64encode(bytes.fromhex(digest)).decode()}:"
    if _has(request.headers, tag):
        return Response(status_code=304, headers=headers)
    span = wanted_range(request, state.st_size, tag)  # refuses several ranges, and what lies beyond the end
    media_type = entry.media_type if entry else _media_type(file.name)
    headers["Content-Disposition"] = _disposition(file.name, media_type)
    if media_type in TEXTS:
        media_type = "text/plain; charset=utf-8"
    if isinstance(file, ObjectPath):
        return ByteAnswer(file.blocks, state.st_size, span, headers, media_type)
    return FileAnswer(file, state.st_size, span, headers, media_type)


def _small(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    """Give a thumbnail as WebP, which is another representation with a tag and a digest of its own."""
    digest = sha256(content)
    headers |= {
        "ETag": f'"{digest.hexdigest()}"',
        "Repr-Digest": f"sha-256=:{b64encode(digest.digest()).decode()}:",
        "Content-Disposition": _disposition("thumbnail.webp", webp.MEDIA_TYPE),
    }
    if _has(request.headers, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=webp.MEDIA_TYPE)


def draw_picture(
    request_context: CurrentRequest, request: Request, id: str, viewer: str, name: str
) -> Response:
    """Draw a picture, such as the slice `z-120.png` of the viewer `slices`, in the greys `low` to `high`.

    The name's ending says what it is: PNG, a TIFF of grey values, JSON, or the bytes of a small volume (`.u8`). It has
    an ETag, the checksum of its content.
    """
    record, folder = request_context.record(id)
    chosen_viewer = collect("viewers", Viewer).get(viewer)
    if chosen_viewer is None or chosen_viewer.picture is None or not chosen_viewer.shows(record):
        raise HTTPException(404, f"The record {id} has no pictures of the kind “{viewer[:80]}”.")
    question = child_pictures.PictureQuestion(viewer, record, folder, name, dict(request.query_params))
    content = child_pictures.draw(request_context, question)
    # An address with the volume's checksum in it ("v") will always give this very picture.
    caching = FOREVER if request.query_params.get("v") else "private, no-cache"
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"Cache-Control": caching, "ETag": tag, "Content-Security-Policy": LOCKED}
    if _has(request.headers, tag):
        return Response(status_code=304, headers=headers)
    media_type = MADE.get(Path(name).suffix, "application/octet-stream")
    if media_type == "image/tiff":
        headers["Content-Disposition"] = _disposition(f"{id}-{name}", media_type)
    if media_type == "application/octet-stream" and "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, 4, mtime=0)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding", "ETag": f"W/{tag}"}
    return Picture(content, headers=headers, media_type=media_type)


def export_metadata(request_context: CurrentRequest, id: str, standard: str) -> Response:
    """Write the metadata of a record in a standard, such as `ro-crate`."""
    record, place = request_context.seen(id)
    note_view(request_context.request, id, place)
    record = record if place.open else without_content(record)
    chosen_standard = collect("standards", Standard).get(standard)
    if chosen_standard is None:
        raise HTTPException(404, f"There is no metadata standard “{standard[:80]}” here.")
    headers = {
        "Content-Disposition": f'inline; filename="{chosen_standard.filename}"',
        "Content-Security-Policy": LOCKED,
        "Link": back_to(request_context, "describes", id),
    }
    address = request_context.address("record", {"id": id})
    content = chosen_standard.export_from(request_context.settings["name"], record, address)
    return Response(content, media_type=chosen_standard.media_type, headers=headers)


def read_asset(name: str) -> Response:
    """Give a script of a viewer.

    Parameters
    ----------
    name : str
        File name of the script.

    Returns
    -------
    Response
        The script.

    Raises
    ------
    HTTPException
        404: no viewer has a script of that name.
    """
    scripts = {
        viewer.script.name: viewer.script for viewer in collect("viewers", Viewer).values() if viewer.script
    }
    if name not in scripts:
        raise HTTPException(404, f"There is no script “{name[:80]}”.")
    return FileResponse(scripts[name], media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def cleared_text(file: Path, folders: re.Pattern[str], size: int) -> str | None:
    """Read a text without the folders it tells.

    Parameters
    ----------
    file : Path
        A file of a record.
    folders : re.Pattern
        As `RequestContext.folders_told` gives them.
    size : int
        Of the file, bytes.

    Returns
    -------
    str or None
        What others are told; None where the file tells no folder, as all that is written today, or is no text.
    """
    if folders is NOWHERE or file.suffix not in TELLING or size > LONGEST_TEXT_BYTES:
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        return json.dumps(without_folders(json.loads(text), folders), indent=1, ensure_ascii=False)
    except ValueError:  # no JSON
        return str(without_folders(text, folders))


def _cleared(file: Path, text: str) -> Response:
    media_type = TELLING[file.suffix]
    headers = {"Cache-Control": "private, no-cache", "Content-Security-Policy": LOCKED}
    headers["Content-Disposition"] = _disposition(file.name, media_type.split(";")[0])
    return Response(text, headers=headers, media_type=media_type)


def _sha256(record: Record, folder: Path, path: str, entry: FileEntry | None) -> str:
    """Return the checksum that a record lists for a file, or one inside its volume; "" where there is none."""
    if entry:
        return entry.sha256
    if (table := table_of(folder, record)) is not None:
        row = table.find(path)
        return row.sha256 if row else ""
    try:
        state = (folder / MANIFEST).stat()
        return _manifest(folder, state.st_mtime_ns, state.st_size).get(path, "")
    except (OSError, FormatError):
        return ""


@lru_cache(maxsize=4)
def _manifest(folder: Path, _changed_ns: int, _bytes: int) -> dict[str, str]:
    return read_manifest(folder / MANIFEST)


def _has(headers: Mapping[str, str], tag: str) -> bool:
    entity_tags = [
        entity_tag.strip().removeprefix("W/") for entity_tag in headers.get("if-none-match", "").split(",")
    ]
    return tag in entity_tags or entity_tags == ["*"]


def _media_type(name: str) -> str:
    return "application/json" if name.endswith(".json") else "application/octet-stream"


def _disposition(name: str, media_type: str) -> str:
    """Name a file for saving (RFC 6266), and say whether it may be shown."""
    kind = "inline" if media_type in SHOWN | TEXTS else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(name, safe='')}"


DOOR = Door("files", add_routes)
