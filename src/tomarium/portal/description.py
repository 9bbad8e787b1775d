"""The API's description (OpenAPI): what each address may be sent and answers with, errors among it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tomarium.portal.forms import is_form, takes_files

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong and what to do (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "minLength": 1},
    },
}
LOOPBACK: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong, in the form of LoopBack.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["statusCode", "name", "message"],
            "properties": {
                "statusCode": {"type": "integer"},
                "name": {"type": "string"},
                "message": {"type": "string"},
            },
        }
    },
}
WITH_FILES: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
    "additionalProperties": {"type": "string"},
}
MADE: Final = {"201": "Made", "303": "Done; a browser is led on"}
SUCCESSES: Final[dict[str, dict[str, str]]] = {
    "file": {"200": "The file", "206": "The bytes that were asked for", "304": "As it was"},
    "review": {"303": "Led to the record"},
    "uploads.capabilities": {"204": "Told in headers"},
    "uploads.begin": {"201": "Made"},
    "uploads": {"201": "Made"},
    "uploads.done": {"201": "The record is made", "202": "A worker makes it"},
    "uploads.append": {"204": "Taken"},
    "uploads.remove": {"204": "Removed"},
    "account.tokens": {"201": "Made"},
    "oai.post": {"200": "As it is"},
    "log.write": MADE,
    "log.write.json": {"201": "Written"},
    "admin.users.add": MADE,
    "admin.user.link": {"201": "Made"},
    "record.invite": {"201": "Made"},
}
"""Name of a route → the statuses of success, where they are not those of `_successes`."""


def describe(app: FastAPI) -> None:
    """Complete the description of an application: statuses, media types and bodies of all its addresses.

    Parameters
    ----------
    app : FastAPI
        Has all its routes.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
            for name in ("HTTPValidationError", "ValidationError"):  # errors are told as problems
                document["components"]["schemas"].pop(name, None)
            forms = {getattr(route, "path_format", "") for route in app.routes if is_form(route)}
            with_files = {getattr(route, "path_format", "") for route in app.routes if takes_files(route)}
            for path, method, operation in _operations(document):
                _complete(operation, changes=method == "post", form=method == "post" and path in forms)
                if method == "post" and path in with_files:
                    operation["requestBody"]["content"]["multipart/form-data"] = {"schema": WITH_FILES}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _complete(operation: dict[str, Any], *, changes: bool, form: bool) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    content = answers.get("200", {}).get("content", {})
    if "text/html" in content:
        content = {"text/html": {"schema": {"type": "string"}}, "application/json": {}}
        answers["200"]["content"] = content
    responses = SUCCESSES.get(operation["operationId"], _successes(operation, changes))
    for status, words in responses.items():
        answers.setdefault(status, {"description": words, **({"content": content} if content else {})})
    if "200" not in responses:
        answers.pop("200", None)
    problem: dict[str, Any] = {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        "text/html": {"schema": {"type": "string"}},
    }
    if operation["operationId"].startswith("panosc."):
        problem["application/json"] = {"schema": LOOPBACK}
    for status, words in (("4XX", "What was asked cannot be done"), ("5XX", "It cannot be done now")):
        answers[status] = {"description": f"{words}; the answer tells why", "content": problem}
    if form:
        fields = {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}
        operation["requestBody"] = {
            "content": {"application/x-www-form-urlencoded": fields, "application/json": fields}
        }


def _successes(operation: dict[str, Any], changes: bool) -> dict[str, str]:
    if changes:
        return {"200": "Done", "303": "Done; a browser is led on"}
    if "/" in next(iter(operation["responses"].get("200", {}).get("content", {})), ""):
        return {"200": "As it is"}
    return {"200": "As it is", "206": "The bytes that were asked for", "304": "As it was"}
