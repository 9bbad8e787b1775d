"""The PaNOSC search API: datasets, documents and instruments for the federated search of photon and neutron sources."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import FastAPI, Path, Query
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from tomarium.catalogue import panosc
from tomarium.catalogue.harvest_sources import all_sources
from tomarium.catalogue.panosc_filter import (
    LARGEST,
    LONGEST,
    USUAL,
    Filter,
    Group,
    filter_of,
    read_json,
    read_where,
)
from tomarium.catalogue.panosc_rows import EVERY, OWN, Question
from tomarium.errors import ParameterError
from tomarium.portal.door import Door
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route

# Annotations are evaluated here, not postponed: FastAPI reads them.

ADDRESS: Final = "/panosc/api"
MODELS: Final = {"Datasets": "Dataset", "Documents": "Document", "Instruments": "Instrument"}
_BRACKETS: Final = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST: Final = 16

FilterText = Annotated[
    str,
    Query(
        alias="filter",
        description="LoopBack filter as JSON: where, include, limit, skip, order, fields, query; also in brackets, "
        f"filter[limit]=5. {USUAL} are told where no limit is given, {LARGEST} at most",
    ),
]
Where = Annotated[str, Query(description="Conditions as JSON, as `where` of a filter")]
Scored = Annotated[
    str, Query(description="Words by which the answers are scored, from 0 to 1, the best first")
]
Provider = Annotated[
    str,
    Query(description="own: of this catalogue alone; all; or the title of a catalogue that was harvested"),
]
Pid = Annotated[str, Path(description="Its identifier; signs such as / are encoded")]


T = TypeVar("T")


class NotFound(Exception):
    """There is nothing of this identifier; says so in the words of the reference implementation."""


def add_routes(app: FastAPI) -> None:
    """Add the routes of the PaNOSC search API to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    for plural, model in MODELS.items():
        name = f"panosc.{plural.lower()}"
        path = f"{ADDRESS}/{plural}"
        add_get_route(app, path, _list(model), name=name, kind=JSONResponse)
        add_get_route(app, f"{path}/count", _count(model), name=f"{name}.count", kind=JSONResponse)
        if model == "Dataset":
            add_get_route(
                app,
                f"{path}/{{pid:path}}/files/count",
                count_files,
                name=f"{name}.files.count",
                kind=JSONResponse,
            )
            add_get_route(
                app, f"{path}/{{pid:path}}/files", list_files, name=f"{name}.files", kind=JSONResponse
            )
        add_get_route(
            app, f"{path}/{{pid:path}}", _by_identifier(model), name=f"{name}.one", kind=JSONResponse
        )


def _list(model: str) -> Callable[..., Response]:
    def answer(
        request_context: CurrentRequest,
        filter_text: FilterText = "",
        query: Scored = "",
        provider: Provider = EVERY,
    ) -> Response:
        def find(question: Question) -> list[dict[str, Any]]:
            conditions = _filter(request_context, model, filter_text, query)
            return panosc.find(question, model, conditions)

        return _answer(request_context, provider, find)

    answer.__doc__ = f"Find {model.lower()}s by a LoopBack filter, as the PaNOSC search API does."
    return answer


def _count(model: str) -> Callable[..., Response]:
    def answer(request_context: CurrentRequest, where: Where = "", provider: Provider = EVERY) -> Response:
        def find(question: Question) -> dict[str, int]:
            return {"count": panosc.count(question, model, _where(request_context, model, where))}

        return _answer(request_context, provider, find)

    answer.__doc__ = f"Count {model.lower()}s that meet conditions."
    return answer


def _by_identifier(model: str) -> Callable[..., Response]:
    def answer(
        request_context: CurrentRequest,
        pid: Pid,
        filter_text: FilterText = "",
        provider: Provider = EVERY,
    ) -> Response:
        def find(question: Question) -> dict[str, Any]:
            entity = panosc.one_of(question, model, pid, _filter(request_context, model, filter_text, ""))
            return _demand_found(entity, model, pid)

        return _answer(request_context, provider, find)

    answer.__doc__ = f"Tell one {model.lower()} by its identifier."
    return answer


def list_files(
    request_context: CurrentRequest, pid: Pid, filter_text: FilterText = "", provider: Provider = EVERY
) -> Response:
    """List the names of the files of a dataset; a folder of very many files is one of them."""

    def find(question: Question) -> list[dict[str, Any]]:
        return _demand_found(
            panosc.files_of(question, pid, _filter(request_context, "File", filter_text, "")), "Dataset", pid
        )

    return _answer(request_context, provider, find)


def count_files(
    request_context: CurrentRequest, pid: Pid, where: Where = "", provider: Provider = EVERY
) -> Response:
    """Count the files that a dataset tells of."""

    def find(question: Question) -> dict[str, int]:
        conditions = Filter(_where(request_context, "File", where), limit=LARGEST)
        return {"count": len(_demand_found(panosc.files_of(question, pid, conditions), "Dataset", pid))}

    return _answer(request_context, provider, find)


def _demand_found(value: T | None, model: str, pid: str) -> T:
    if value is None:
        raise NotFound(f'Unknown "{model}" id "{pid[:200]}".')
    return value


def _answer(request_context: RequestContext, provider: str, find: Callable[[Question], Any]) -> Response:
    """Answer, or say what is wrong in the form of LoopBack."""
    name = request_context.settings["name"]
    records = request_context.address("record", {"id": "x"})[:-1]
    try:
        with request_context.catalogue.reading() as connection:
            _demand_known(connection, provider)
            content = find(Question(connection, request_context.reader, provider, name, records))
    except NotFound as problem:
        return _error(404, str(problem), "MODEL_NOT_FOUND")
    except ParameterError as problem:
        return _error(400, f"{problem}.")
    return JSONResponse(content, headers={"Cache-Control": "private, no-cache"})


def _demand_known(connection: Connection, provider: str) -> None:
    if provider not in (OWN, EVERY):
        titles = [source.title for source in all_sources(connection)]
        if provider not in titles:
            names = ", ".join((OWN, EVERY, *titles))
            raise ParameterError(f"{provider[:80]!r} is no provider here; there are {names}")


def _error(status: int, message: str, code: str = "") -> Response:
    error: dict[str, Any] = {"statusCode": status, "name": "Error", "message": message}
    return JSONResponse({"error": error | ({"code": code} if code else {})}, status)


def _filter(request_context: RequestContext, model: str, text: str, query: str) -> Filter:
    value = read_json(text) if text.strip() else _bracketed(request_context, "filter")
    if query and isinstance(value, dict) and not value.get("query"):
        value = {**value, "query": query}
    return filter_of(model, value)


def _where(request_context: RequestContext, model: str, text: str) -> Group:
    if text.strip():
        return read_where(model, text)
    return filter_of(model, {"where": _bracketed(request_context, "where")}).where


def _bracketed(request_context: RequestContext, name: str) -> dict[str, Any]:
    """Read what stands in brackets: `filter[where][title][like]=bone` is an object in an object."""
    value: dict[str, Any] = {}
    for key, text in request_context.request.query_params.multi_items():
        if not key.startswith(f"{name}["):
            continue
        steps = _BRACKETS.findall(key[len(name) :])
        if len(key) > LONGEST or len(steps) > _DEEPEST:
            raise ParameterError(f"{key[:60]!r} is too deep; give the filter as JSON")
        branch = value
        for step in steps[:-1]:
            inner = branch.setdefault(step, {})
            if not isinstance(inner, dict):
                raise ParameterError(f"{key[:60]!r} is told twice; give the filter as JSON")
            branch = inner
        last = steps[-1] if steps and steps[-1] else str(len(branch))
        branch[last] = text
    return value


DOOR = Door("panosc", add_routes)
