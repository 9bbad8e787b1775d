"""How an address is put into the application: for GET, and for HEAD, which asks without the content."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import Response


def give(
    app: FastAPI,
    path: str,
    endpoint: Callable[..., Response],
    *,
    name: str,
    kind: type[Response],
    told: bool = True,
) -> None:
    """Let an address give something.

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
    told : bool
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
        include_in_schema=told,
    )
    app.add_api_route(path, endpoint, methods=["HEAD"], response_class=kind, include_in_schema=False)
