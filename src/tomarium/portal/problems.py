"""What a reader sees when something does not work: a page or JSON, never a trace."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from tomarium.errors import DatabaseUnavailable, FormatError, InputError, StoreUnavailable
from tomarium.model.sentence import Sentence, joined
from tomarium.portal import refusals
from tomarium.portal.rendering import answer_json, fill, wants_json
from tomarium.portal.request_context import context_of

TITLES: Final = {
    400: "This cannot be shown",
    401: "Who are you?",
    403: "This is not open",
    404: "There is nothing here",
    405: "This address only gives",
    413: "This is too large",
    415: "This cannot be read",
    429: "Too many tries",
    500: "Something broke here",
    501: "This is not done here",
    503: "This cannot be read now",
}
NO_DATABASE: Final = (
    "The catalogue's database does not answer now, or somebody else holds it. What you asked for was not confirmed: "
    "look whether it was done, and ask again in a moment."
)
WAIT_S: Final = 10
_OF_ADDRESS: Final = {
    "less_than_equal": refusals.AT_MOST,
    "greater_than_equal": refusals.AT_LEAST,
    "less_than": refusals.BELOW,
    "int_parsing": refusals.A_WHOLE_NUMBER,
    "int_from_float": refusals.A_WHOLE_NUMBER,
    "float_parsing": refusals.A_NUMBER,
    "literal_error": refusals.ONE_OF,
    "bool_parsing": refusals.YES_OR_NO,
    "string_too_long": refusals.SHORTER,
    "missing": refusals.MISSING,
}
"""Pydantic's name of what is wrong → the words for it."""
_READS: Final = ("GET", "HEAD")
NOWHERE: Final = (
    "There is no page at this address. Perhaps a letter is missing; the search finds every record."
)


@dataclass(frozen=True)
class Problem:
    """What went wrong.

    Attributes
    ----------
    status : int
        HTTP status.
    title, message : str
        For people.
    """

    status: int
    title: str
    message: str


def explain(app: FastAPI) -> None:
    """Make an application explain what goes wrong.

    Parameters
    ----------
    app : FastAPI
        Gets its handlers.
    """
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(InputError, _input)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(DatabaseUnavailable, _no_database)
    app.add_exception_handler(Exception, _unexpected)


def _http(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    has_detail = problem.detail != _phrase(problem.status_code)
    message = (
        problem.detail if has_detail else NOWHERE if problem.status_code == 404 else f"{problem.detail}."
    )
    if problem.status_code == 405:
        message = Sentence(refusals.METHOD, method=request.method[:20])
    return _answer(request, problem.status_code, message, dict(problem.headers or {}))


def _phrase(status: int) -> str:
    """Return what HTTP calls a status; tus has one, 460, of its own."""
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "This cannot be taken"


def _validation(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    first = problem.errors()[0]
    told = _OF_ADDRESS.get(first["type"])
    value = next(iter((first.get("ctx") or {}).values()), "")
    name = next((name for name in ("bound", "expected") if f"%({name})s" in (told or "")), None)
    what = first["msg"] if told is None else Sentence(told, **({name: value} if name else {}))
    return _answer(request, 400, Sentence(refusals.IN_ADDRESS, name=first["loc"][-1], told=what))


def _input(request: Request, problem: Exception) -> Response:
    if isinstance(problem, FormatError):
        logging.getLogger(__name__).error("%s: %s", request.url.path, problem)
        return _answer(request, 503, refusals.DAMAGED)
    told = problem.args[0] if problem.args else ""
    if isinstance(told, Sentence):
        return _answer(request, 400, joined((told, ""), "."))
    return _answer(request, 400, f"{problem}."[:1].upper() + f"{problem}."[1:])


def _unavailable(request: Request, problem: Exception) -> Response:
    # Names of buckets and the endpoint are for who runs the catalogue.
    logging.getLogger(__name__).error("%s: %s", request.url.path, problem)
    return _answer(request, 503, refusals.STORE_AWAY, {"Retry-After": "60"})


def _no_database(request: Request, problem: Exception) -> Response:
    logging.getLogger(__name__).error("%s: %s", request.url.path, problem)
    return _answer(request, 503, NO_DATABASE, {"Retry-After": str(WAIT_S)})


def _unexpected(request: Request, _problem: Exception) -> Response:
    # Starlette logs the trace itself; the reader gets no detail of the machine.
    return _answer(request, 500, refusals.BROKEN)


def _by_people(request: Request) -> bool:
    """Tell whether who asks reads HTML: a browser says so, and whoever asks for a page without saying gets it too."""
    if wants_json(request) or request.url.path.endswith(".json"):
        return False
    if "text/html" in request.headers.get("accept", ""):
        return True
    route = request.scope.get("route")
    page = route is None or getattr(route, "response_class", None) is HTMLResponse
    return page and request.method in _READS


def _answer(request: Request, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    problem = Problem(status, TITLES.get(status) or _phrase(status), message)
    if not _by_people(request):
        # RFC 9457; "error" is what was answered before it.
        content = {
            "type": "about:blank",
            "title": problem.title,
            "status": status,
            "detail": message,
            "error": problem,
        }
        response = answer_json(content, status)
        response.headers["Content-Type"] = "application/problem+json"
    else:
        response = HTMLResponse(_page(request, problem), status)
    response.headers.update(headers or {})
    return response


def _page(request: Request, problem: Problem) -> str:
    """Fill the page of a problem; a plain one where the database cannot tell the settings."""
    content = {"here": "", "json_path": None, "title": problem.title, "problem": problem}
    try:
        return fill(context_of(request), "problem.html", content)
    except DatabaseUnavailable:
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(problem.title)}</title><h1>{escape(problem.title)}</h1><p>{escape(problem.message)}</p></html>"
        )
