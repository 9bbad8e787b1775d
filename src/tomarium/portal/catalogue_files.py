"""The whole catalogue for programs: its published records as Parquet, what is in that file, and as DCAT."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import Response

from tomarium.catalogue.dump import MEDIA_TYPE
from tomarium.catalogue.dump_columns import COLUMNS
from tomarium.catalogue.kept_dump import KeptDump, kept_dump
from tomarium.catalogue.search import search
from tomarium.catalogue.settings import publisher
from tomarium.portal.byte_answer import FileAnswer, wanted_range
from tomarium.portal.door import Door
from tomarium.portal.request_context import CurrentRequest, RequestContext, without_content
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED
from tomarium.standards import croissant, dcat
from tomarium.standards.record_json import to_json

# Annotations are evaluated here, not postponed: FastAPI reads them.

WAIT_S: Final = 60
PER_PAGE: Final = 100
CROISSANT_TYPES: Final = {
    "text": "sc:Text",
    "texts": "sc:Text",
    "whole": "sc:Integer",
    "wholes": "sc:Integer",
    "number": "sc:Float",
    "numbers": "sc:Float",
    "moment": "sc:DateTime",
}
"""Kind of a column of the Parquet file → type in Croissant; people, which have parts, are left out."""


def add_routes(app: FastAPI) -> None:
    """Add the routes of these files to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/catalogue.parquet", parquet, name="catalogue.parquet", kind=Response)
    add_get_route(app, "/catalogue.dcat.json", dcat_of_catalogue, name="catalogue.dcat", kind=Response)
    add_get_route(
        app, "/catalogue.croissant.json", croissant_of_catalogue, name="catalogue.croissant", kind=Response
    )


def parquet(request_context: CurrentRequest, request: Request) -> Response:
    """Give every published record as a row of one Parquet file, the same for everybody.

    It has an ETag, and ranges of it can be asked for. A file of a large catalogue is made by a worker: meanwhile the
    last one is given, and Last-Modified says when that was made.
    """
    dump = dump_of(request_context)
    tag = f'"{dump.sha256}"'
    headers = {
        "ETag": tag,
        "Last-Modified": formatdate(dump.made, usegmt=True),
        "Cache-Control": "public, max-age=300",
        "Content-Disposition": 'attachment; filename="catalogue.parquet"',
    }
    entity_tags = [
        entity_tag.strip().removeprefix("W/")
        for entity_tag in request.headers.get("if-none-match", "").split(",")
    ]
    if tag in entity_tags or entity_tags == ["*"]:
        return Response(status_code=304, headers=headers)
    return FileAnswer(dump.path, dump.bytes, wanted_range(request, dump.bytes, tag), headers, MEDIA_TYPE)


def croissant_of_catalogue(request_context: CurrentRequest) -> Response:
    """Describe the Parquet file of the catalogue as a data set in Croissant 1.1: its columns, types and units."""
    dump = dump_of(request_context)
    settings = request_context.settings
    address = request_context.address("catalogue.parquet")
    columns = [
        (
            column.name,
            CROISSANT_TYPES[column.kind],
            f"{column.told}, {column.unit}." if column.unit else f"{column.told}.",
        )
        for column in COLUMNS
        if column.kind in CROISSANT_TYPES
    ]
    lists = [column.name for column in COLUMNS if column.kind.endswith("s")]
    description = {
        "@context": croissant.context(),
        "@type": "sc:Dataset",
        "conformsTo": croissant.CONFORMS_TO,
        "name": f"{settings['name']}: catalogue",
        "description": "Every published record of this catalogue, a row each, as it was when the file was made.",
        "url": request_context.address("home"),
        "creator": {"@type": "Organization", "name": publisher(settings) or settings["name"]},
        "datePublished": datetime.fromtimestamp(int(dump.made), UTC).isoformat(),
        "version": "1.0.0",
        "isLiveDataset": True,
        "distribution": [
            croissant.file_object("catalogue.parquet", address, dump.bytes, MEDIA_TYPE, dump.sha256)
        ],
        "recordSet": [croissant.table("records", "Published records.", "catalogue.parquet", columns, lists)],
    }
    return Response(
        to_json(description, indent=1),
        media_type="application/ld+json",
        headers={"Cache-Control": "public, max-age=300", "Content-Security-Policy": LOCKED},
    )


def dcat_of_catalogue(
    request_context: CurrentRequest,
    after: Annotated[str, Query(max_length=200, description="Of hydra:next of another page")] = "",
) -> Response:
    """Describe the catalogue and 100 of its published records as DCAT-AP 3; hydra:next leads to the next 100.

    The newest come first. It is the same for everybody, and nothing is passed over or told twice while records are
    added.
    """
    reader, settings = request_context.anybody, request_context.settings
    results = search(request_context.catalogue, reader, limit=PER_PAGE, after=after)
    address, home = request_context.address("catalogue.dcat"), request_context.address("home")
    everybody = replace(request_context, reader=reader)
    datasets = []
    for hit in results.hits:
        try:
            record, place = everybody.seen(hit.id)
        except HTTPException as problem:  # one damaged folder must not hide the others
            logging.getLogger(__name__).error("DCAT: %s: %s", hit.id, problem.detail)
            continue
        shown = record if place.open else without_content(record)
        datasets.append(dcat.dataset(shown, request_context.address("record", {"id": hit.id})))
    pages = {
        "first": address,
        "next": f"{address}?{urlencode({'after': results.next})}" if results.next else "",
    }
    view: dict[str, Any] = {"@id": f"{address}?{urlencode({'after': after})}" if after else address}
    view |= {f"hydra:{name}": {"@id": page} for name, page in pages.items() if page}
    text = dcat.catalogue(
        settings["name"],
        f"Published records of {publisher(settings) or settings['name']}: X-ray tomography and related imaging.",
        home,
        publisher(settings) or settings["name"],
        datasets,
        view,
    )
    headers = {"Cache-Control": "public, max-age=300", "Content-Security-Policy": LOCKED}
    return Response(text, media_type="application/ld+json", headers=headers)


def dump_of(request_context: RequestContext) -> KeptDump:
    """Return the file of the catalogue; HTTPException 503 while a worker makes the first one."""
    home = request_context.address("home").rstrip("/")
    dump = kept_dump(request_context.catalogue, home, request_context.anybody)
    if dump is None:
        raise HTTPException(
            503,
            "The file of the whole catalogue is being made by a worker. Ask again in a minute; searches answer "
            "meanwhile.",
            {"Retry-After": str(WAIT_S)},
        )
    return dump


DOOR = Door("catalogue files", add_routes)
