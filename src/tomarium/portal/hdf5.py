"""The contents of a record's HDF5 files: what H5Web asks for, as h5grove answers it, but over the reader that is safe.

The router of h5grove itself gives what external links, virtual datasets and external raw storage point to, wherever
that lies, and has no limit; it is not used. Here a file is walked through before it is opened, links are followed by
hand and only to other files of the same record, and all of it happens in a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

from tomarium.catalogue.child_reader import SETTING, ChildReaders, ReaderDied, ReadersBusy
from tomarium.confinement import CannotConfine
from tomarium.portal.door import Door
from tomarium.portal.files import find_file
from tomarium.portal.hdf5_answers import Answer, Question, answer_in_child
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED

SUFFIXES: Final = (".h5", ".hdf5", ".hdf", ".he5", ".nx", ".nxs", ".nexus", ".nx5", ".cxi", ".h5ext")
ENDPOINTS: Final = ("meta", "attr", "data", "paths", "picture")


def is_hdf5_name(path: str) -> bool:
    """Tell by its name whether a file may be HDF5.

    Parameters
    ----------
    path : str
        Of a file.

    Returns
    -------
    bool
        It ends as HDF5 and NeXus files do.
    """
    return path.lower().endswith(SUFFIXES)


@cache
def readers() -> ChildReaders:
    """Return the processes that read HDF5 files for this portal.

    Returns
    -------
    ChildReaders
        Two, which begin when they are first asked.
    """
    return ChildReaders(answer_in_child)


def ask_file(
    request_context: RequestContext, id: str, file: str, endpoint: str, query: Mapping[str, str]
) -> Answer:
    """Ask something of an HDF5 file of a record.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    id, file : str
        Of the record; path of the file in it.
    endpoint : str
        "meta", "attr", "data", "paths", "picture" or "page".
    query : Mapping of str to str
        path, selection and format.

    Returns
    -------
    Answer
        Of a file that is damaged, or of a part that is too large, a message.

    Raises
    ------
    HTTPException
        404: there is no such record or file. 403: its files are not open. 503: too much is being read.
    """
    record, folder = request_context.record(id)
    file_path = find_file(record, folder, file)
    if file_path is None or not file_path.is_file() or file.endswith("/"):
        raise HTTPException(404, f"The record {id} has no file “{file[:200]}”.")
    listed = tuple(entry.path for entry in record.files)
    try:
        question = Question(folder, listed, file, endpoint, dict(query))
        unconfined = request_context.settings[SETTING] == "yes"
        return Answer(*readers().ask(question, readable=[folder], unconfined=unconfined))
    except ReadersBusy as problem:
        raise HTTPException(503, f"{str(problem).capitalize()}.", {"Retry-After": "2"}) from problem
    except ReaderDied as problem:
        message = f"{file}: {problem}"
        return Answer(422, "application/json", b'{"message": %s}' % _quoted(message))
    except CannotConfine as problem:
        return Answer(501, "application/json", b'{"message": %s}' % _quoted(str(problem)))


def _quoted(text: str) -> bytes:
    import json

    return json.dumps(text).encode()


def add_routes(app: FastAPI) -> None:
    """Add the routes of the contents of HDF5 files to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/records/{id}/h5/{endpoint}", read_hdf5, name="h5", kind=Response)


def read_hdf5(
    request_context: CurrentRequest, request: Request, id: str, endpoint: str, file: str
) -> Response:
    """Give a part of an HDF5 file: `meta`, `attr`, `data`, `paths` or a `picture`, of a `path` in it.

    As h5grove 4 answers, so that H5Web reads it. `data` takes a `selection` such as `3,:,10:20` and a `format`: json,
    bin (C order, little-endian) or npy; more than 128 MiB at once is refused with 413.
    """
    if endpoint not in ENDPOINTS:
        request_context.record(id)
        raise HTTPException(404, f"“{endpoint[:40]}” is not given; ask for {', '.join(ENDPOINTS)}.")
    query = {key: request.query_params.get(key, "") for key in ("path", "selection", "format")}
    answer = ask_file(request_context, id, file, endpoint, query)
    headers = {"Cache-Control": "private, no-cache", "Content-Security-Policy": LOCKED}
    return Response(answer.content, answer.status, headers=headers, media_type=answer.media_type)


DOOR = Door("hdf5", add_routes)
