"""Uploads by tus 1.0 (https://tus.io/protocols/resumable-upload), and batches that become records.

Extensions: creation, creation-with-upload, termination, checksum, expiration. A browser sends these requests to other
hosts only after asking them, and this host never agrees; so no page of another site can upload in a reader's name.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.requests import ClientDisconnect

from tomarium.catalogue.appending import (
    Appending,
    Busy,
    NoUpload,
    TooLarge,
    UploadProblem,
    WrongChecksum,
    WrongOffset,
)
from tomarium.catalogue.find_jobs import job_of
from tomarium.catalogue.finish_upload import KIND, finish
from tomarium.catalogue.finish_upload import drop as drop_batch
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.upload_room import release_room, reserving_room
from tomarium.catalogue.uploads import Upload, Uploads
from tomarium.errors import FormatError, InputError, ParameterError, StorageFull
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, demand_known
from tomarium.portal.identity import demand_scope, may_upload
from tomarium.portal.pages.manage import FIELDS
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext

# Annotations are evaluated here, not postponed: FastAPI reads them.

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum,expiration"
CHECKSUMS: Final = ("sha256", "sha1", "md5")
CONTENT: Final = "application/offset+octet-stream"
STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (NoUpload, 404),
    (WrongOffset, 409),
    (Busy, 423),
    (WrongChecksum, 460),
    (TooLarge, 413),
    (StorageFull, 507),
    (UploadProblem, 400),
)
_LONGEST_METADATA: Final = 8000


def add_routes(app: FastAPI) -> None:
    """Add the routes of uploads to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    for path, methods, endpoint, name in (
        ("/uploads", ["OPTIONS"], capabilities, "uploads.capabilities"),
        ("/uploads", ["POST"], create, "uploads"),
        ("/uploads/batches", ["POST"], begin, "uploads.begin"),
        ("/uploads/batches/{batch}", ["GET"], show_batch, "uploads.batch"),
        ("/uploads/batches/{batch}/done", ["POST"], end, "uploads.done"),
        ("/uploads/batches/{batch}/drop", ["POST"], drop, "uploads.drop"),
        ("/uploads/jobs/{number}", ["GET"], show_job, "uploads.job"),
        ("/uploads/{id}", ["HEAD"], tell, "uploads.tell"),
        ("/uploads/{id}", ["PATCH"], append, "uploads.append"),
        ("/uploads/{id}", ["DELETE"], remove, "uploads.remove"),
    ):
        lines = (endpoint.__doc__ or "").strip().split("\n", 1)
        app.add_api_route(
            path,
            endpoint,
            methods=methods,
            name=name,
            operation_id=name,
            summary=lines[0],
            response_class=Response,
        )


def capabilities(request: Request) -> Response:
    """Tell what this server can: versions, extensions, the largest file."""
    uploads: Uploads = request.app.state.uploads
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(uploads.largest),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
    }
    return _answer(204, headers)


def begin(request_context: CurrentRequest, title: str = "", team: str = "") -> Response:
    """Begin a batch of uploads, which becomes a record.

    `title` is that of the record, where the files tell none; `team` is one of yours whose the record is to be too.
    """
    batch = _with_status(lambda: _uploads(request_context).begin(_member(request_context), title, team))
    place = request_context.link("uploads.batch", {"batch": batch})
    return JSONResponse({"batch": batch, "address": place}, 201, headers={"Location": place})


async def create(request_context: CurrentRequest, request: Request) -> Response:
    """Begin the upload of one file: `Upload-Length`, and `Upload-Metadata` with `filename` and `batch`."""
    _demand_version(request)
    reader, uploads = _member(request_context), _uploads(request_context)
    metadata = _metadata(request.headers.get("upload-metadata", ""))
    length = _number(request, "upload-length")

    def made() -> Upload:
        batch = metadata.get("batch") or uploads.begin(reader, metadata.get("title", ""))
        path = metadata.get("relativePath") or metadata.get("filename") or "file"
        sha256, modified = metadata.get("sha256", "").lower(), metadata.get("modified", "")
        with reserving_room(request_context.catalogue, reader, uploads, batch, path, length):
            return uploads.create(reader, batch, path, length, sha256, modified)

    upload = await run_in_threadpool(_with_status, made)
    if request.headers.get("content-type") == CONTENT:
        await _append(request_context, request, upload.id, 0)
    state = await run_in_threadpool(_with_status, lambda: uploads.state(reader, upload.id))
    place = request_context.link("uploads.tell", {"id": upload.id})
    return _answer(201, {"Location": place, "Upload-Offset": str(state.offset), **_expires(state)})


def tell(request_context: CurrentRequest, request: Request, id: str) -> Response:
    """Tell how many bytes of an upload are here."""
    _demand_version(request)
    upload = _with_status(lambda: _uploads(request_context).state(_member(request_context), id))
    filename = f"filename {base64.b64encode(upload.path.encode()).decode()}"
    return _answer(
        200,
        {
            "Upload-Offset": str(upload.offset),
            "Upload-Length": str(upload.length),
            "Upload-Metadata": filename,
            "Cache-Control": "no-store",
            **_expires(upload),
        },
    )


async def append(request_context: CurrentRequest, request: Request, id: str) -> Response:
    """Take the next bytes of an upload, from `Upload-Offset` on; what arrives is kept however the request ends."""
    _demand_version(request)
    if request.headers.get("content-type") != CONTENT:
        raise HTTPException(415, f"Send the bytes as {CONTENT}.")
    upload = await _append(request_context, request, id, _number(request, "upload-offset"))
    return _answer(204, {"Upload-Offset": str(upload.offset), **_expires(upload)})


def remove(request_context: CurrentRequest, request: Request, id: str) -> Response:
    """Remove an upload."""
    _demand_version(request)
    reader, uploads = _member(request_context), _uploads(request_context)
    upload = _with_status(lambda: uploads.state(reader, id))
    _with_status(lambda: uploads.remove(reader, id))
    release_room(request_context.catalogue, upload.batch, upload.length)
    return _answer(204, {})


def show_batch(request_context: CurrentRequest, batch: str) -> Response:
    """List the files of a batch and how far each is."""
    files = _with_status(lambda: _uploads(request_context).files(_member(request_context), batch))
    return JSONResponse(
        {
            "batch": batch,
            "files": [
                {
                    "path": file.path,
                    "bytes": file.length,
                    "offset": file.offset,
                    "modified": file.modified,
                    "upload": request_context.link("uploads.tell", {"id": file.id}),
                }
                for file in files
            ],
        },
        headers={"Cache-Control": "no-store"},
    )


def end(request_context: CurrentRequest, batch: str, fields: Fields) -> Response:
    """Make a batch a record: one with a crate at once, anything else by a worker, whose job is told.

    `title`, `description`, `creators`, `licence` … say what it is, as the form of a record does.
    """
    reader = _member(request_context)
    catalogue, uploads = request_context.catalogue, _uploads(request_context)
    demand_known(fields, FIELDS)
    finished = _with_status(
        lambda: finish(catalogue, reader, uploads, batch, catalogue.home / "records", fields)
    )
    if finished.record is not None:
        place = request_context.link("record", {"id": finished.record.id})
        return JSONResponse(
            {"record": finished.record.id, "address": place}, 201, headers={"Location": place}
        )
    place = request_context.link("uploads.job", {"number": str(finished.job)})
    return JSONResponse({"job": finished.job, "address": place}, 202, headers={"Location": place})


def drop(request_context: CurrentRequest, batch: str) -> Response:
    """Remove a batch of uploads, and all its bytes."""
    reader, uploads = _member(request_context), _uploads(request_context)
    _with_status(lambda: drop_batch(request_context.catalogue, reader, uploads, batch))
    if wants_json(request_context.request):
        return JSONResponse({"batch": batch, "said": "It is removed."})
    return RedirectResponse(request_context.link("upload"), 303)


def show_job(request_context: CurrentRequest, number: int) -> Response:
    """Tell how far the job of an upload is: `waiting`, `running`, `done` or `failed`, and what came of it."""
    reader = _member(request_context)
    with request_context.catalogue.reading() as connection:
        job = job_of(connection, reader, number) if number < 2**31 else None
    if job is None or job.kind != KIND:  # the scope of uploads shows nothing of other work
        raise HTTPException(404, f"There is no job {number} of an upload of yours.")
    records = [{"id": id, "address": request_context.link("record", {"id": id})} for id in job.made]
    return JSONResponse(
        {"job": job.number, "state": job.state, "told": job.told, "records": records},
        headers={"Cache-Control": "no-store"},
    )


async def _append(request_context: RequestContext, request: Request, id: str, offset: int) -> Upload:
    reader, uploads = _member(request_context), _uploads(request_context)
    checking, expected = _checksum(request.headers.get("upload-checksum", ""))

    def open_it() -> tuple[Any, Appending]:
        holder = uploads.appending(reader, id, offset)
        return holder, holder.__enter__()

    holder, taking = await run_in_threadpool(_with_status, open_it)
    problem: HTTPException | None = None
    try:
        async for chunk in request.stream():
            if checking is not None:
                checking.update(chunk)
            await run_in_threadpool(_with_status, partial(taking.write, chunk))
        if checking is not None and not hmac.compare_digest(checking.digest(), expected):
            await run_in_threadpool(taking.drop)
            problem = HTTPException(
                460, "The bytes are not those of Upload-Checksum; they were dropped. Send them again."
            )
    except ClientDisconnect:
        if checking is not None:  # a part of them has no checksum
            await run_in_threadpool(taking.drop)
    finally:
        await run_in_threadpool(holder.__exit__, None, None, None)
    if problem is not None:
        raise problem
    return await run_in_threadpool(_with_status, lambda: uploads.state(reader, id))


def _uploads(request_context: RequestContext) -> Uploads:
    uploads: Uploads = request_context.request.app.state.uploads
    return uploads


def _member(request_context: RequestContext) -> Reader:
    """Return who uploads; who has no account here, or only looks, may not."""
    reader = demand_scope(request_context.request, "upload")
    if not may_upload(request_context.request):
        raise HTTPException(403, "A visitor's account cannot upload; ask whoever runs this portal.")
    return reader


def _with_status(function: Callable[[], Any]) -> Any:
    """Ask, and answer a problem with its status."""
    try:
        return function()
    except (InputError, StorageFull) as problem:
        status = next((status for kind, status in STATUSES if isinstance(problem, kind)), None)
        if isinstance(problem, (FormatError, ParameterError)):
            status = 422
        if status is None:
            raise
        raise HTTPException(status, f"{problem}.", headers={"Tus-Resumable": VERSION}) from problem


def _answer(status: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers={"Tus-Resumable": VERSION, **headers})


def _expires(upload: Upload) -> dict[str, str]:
    is_complete = upload.offset == upload.length
    return {} if is_complete else {"Upload-Expires": formatdate(upload.until_utc, usegmt=True)}


def _demand_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise HTTPException(
            412, f"Send the header Tus-Resumable: {VERSION}.", headers={"Tus-Version": VERSION}
        )


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise HTTPException(400, f"{name}: give a whole number of bytes.", headers={"Tus-Resumable": VERSION})
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    values = {}
    try:
        if len(text) > _LONGEST_METADATA:
            raise ValueError("too long")
        for pair in filter(None, (part.strip() for part in text.split(","))):
            key, _, value = pair.partition(" ")
            values[key] = base64.b64decode(value, validate=True).decode()
    except (ValueError, binascii.Error) as problem:
        raise HTTPException(
            400, f"Upload-Metadata: {problem}; give keys with values in base64, filename c2Nhbi5oNQ==."
        ) from problem
    return values


def _checksum(text: str) -> tuple[Any, bytes]:
    if not text:
        return None, b""
    name, _, value = text.partition(" ")
    try:
        if name not in CHECKSUMS:
            raise ValueError(f"{name[:20]!r} is none of {', '.join(CHECKSUMS)}")
        return hashlib.new(name, usedforsecurity=False), base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as problem:
        raise HTTPException(
            400, f"Upload-Checksum: {problem}.", headers={"Tus-Resumable": VERSION}
        ) from problem


DOOR = Door("uploads", add_routes)
