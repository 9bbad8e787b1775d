"""The whole catalogue in one file for programs: its published records as Parquet."""

from email.utils import formatdate
from typing import Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

from tomarium.catalogue.dump import MEDIA_TYPE
from tomarium.catalogue.kept_dump import KeptDump, kept_dump
from tomarium.portal.byte_answer import FileAnswer, wanted_range
from tomarium.portal.feeds import alike
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import give

# Annotations are evaluated here, not postponed: FastAPI reads them.

WAIT_S: Final = 60


def give_catalogue_files(app: FastAPI) -> None:
    """Let an application give these files.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    give(app, "/catalogue.parquet", parquet, name="catalogue.parquet", kind=Response)


def parquet(request_context: CurrentRequest, request: Request) -> Response:
    """Give every published record as a row of one Parquet file, the same for everybody.

    It has an ETag, and ranges of it can be asked for. A file of a large catalogue is made by a worker: meanwhile the
    last one is given, and Last-Modified says when that was made.
    """
    kept = dump_of(request_context)
    tag = f'"{kept.sha256}"'
    headers = {
        "ETag": tag,
        "Last-Modified": formatdate(kept.made, usegmt=True),
        "Cache-Control": "public, max-age=300",
        "Content-Disposition": 'attachment; filename="catalogue.parquet"',
    }
    held = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in held or held == ["*"]:
        return Response(status_code=304, headers=headers)
    return FileAnswer(kept.path, kept.bytes, wanted_range(request, kept.bytes, tag), headers, MEDIA_TYPE)


def dump_of(request_context: RequestContext) -> KeptDump:
    """Return the file of the catalogue; HTTPException 503 while a worker makes the first one."""
    home = request_context.address("home").rstrip("/")
    kept = kept_dump(request_context.catalogue, home, alike(request_context))
    if kept is None:
        raise HTTPException(
            503,
            "The file of the whole catalogue is being made by a worker. Ask again in a minute; searches answer "
            "meanwhile.",
            {"Retry-After": str(WAIT_S)},
        )
    return kept
