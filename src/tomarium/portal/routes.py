"""How an address is put into the application, for GET, and HEAD, which asks without the content; and built again."""

from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, NoMatchFound


def add_get_route(
    app: FastAPI,
    path: str,
    endpoint: Callable[..., Response],
    *,
    name: str,
    kind: type[Response],
    in_schema: bool = True,
) -> None:
    """Add a route for GET and HEAD to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the route.
    path : str
        With its parameters in braces.
    endpoint : callable
        Gives the answer; its docstring's first line is the summary in the API's description.
    name : str
        What addresses are built by.
    kind : type of Response
        What it answers with.
    in_schema : bool
        Whether the API's description names it.
    """
    lines = (endpoint.__doc__ or "").strip().split("\n", 1)
    app.add_api_route(
        path,
        endpoint,
        name=name,
        operation_id=name,
        summary=lines[0],
        description=lines[1].strip() if len(lines) > 1 else None,
        response_class=kind,
        include_in_schema=in_schema,
    )
    app.add_api_route(path, endpoint, methods=["HEAD"], response_class=kind, include_in_schema=False)


def path_of(app: FastAPI, name: str, parts: Mapping[str, str]) -> str:
    """Build the path of a route by its name.

    Starlette asks all routes one after the other, some 200, and a page has up to 100 links.

    Parameters
    ----------
    app : FastAPI
        Has the route.
    name : str
        Name of the route.
    parts : Mapping of str to str
        Parameters in the path.

    Returns
    -------
    str
        Path without the application's own, percent-encoded.

    Raises
    ------
    NoMatchFound
        No route has this name and these parameters.
    """
    for route in _named(app).get(name, ()):
        try:
            return _quoted(str(route.url_path_for(name, **parts)))
        except NoMatchFound:
            continue
    return _quoted(str(app.url_path_for(name, **parts)))  # a name within a mounted application, or none


def _quoted(path: str) -> str:
    """Write a path as an address does (RFC 3986): files may have any name, and Starlette leaves it as it is."""
    return quote(path, safe="/:@!$&'()*+,;=~")


def is_for_people(app: FastAPI, name: str) -> bool:
    """Tell whether a route gives a page, also as JSON, or takes a form, which are there in each language.

    Parameters
    ----------
    app : FastAPI
        Has the route.
    name : str
        Name of the route.

    Returns
    -------
    bool
        False for files, pictures, metadata and feeds.
    """
    return name.endswith(".json") or any(
        getattr(route, "response_class", None) is HTMLResponse
        or "POST" in (getattr(route, "methods", None) or ())
        for route in _named(app).get(name, ())
    )


def _named(app: FastAPI) -> dict[str, list[BaseRoute]]:
    """Sort the routes by name, and anew when some were added."""
    count, named = getattr(app.state, "named_routes", (0, {}))
    if count != len(app.routes):
        sorted_by_name: dict[str, list[BaseRoute]] = {}
        for route in app.routes:
            sorted_by_name.setdefault(getattr(route, "name", ""), []).append(route)
        count, named = app.state.named_routes = len(app.routes), sorted_by_name
    return cast("dict[str, list[BaseRoute]]", named)
