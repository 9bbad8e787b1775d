"""All addresses, for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tomarium.portal.page import Page
from tomarium.portal.request_context import CurrentRequest


@dataclass(frozen=True)
class Setting:
    """A parameter of an address.

    Attributes
    ----------
    name, place, description : str
        Its name, "path" or "query", and what it does.
    """

    name: str
    place: str
    description: str


@dataclass(frozen=True)
class Address:
    """One address.

    Attributes
    ----------
    path, summary, media_type : str
        With its parameters in braces; what it gives; as what.
    settings : tuple of Setting
        Its parameters.
    """

    path: str
    summary: str
    media_type: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class ApiPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    addresses : tuple of Address
        All that can be asked for but the HTML pages, whose twins in JSON are here.
    openapi : str
        Address of the OpenAPI document.
    origin : str
        Scheme, host and port, for examples that are copied.
    """

    title: str
    addresses: tuple[Address, ...]
    openapi: str
    origin: str


def content(request_context: CurrentRequest) -> ApiPage:
    """List all addresses for programs; the OpenAPI document says more, and names the HTML pages too."""
    document: dict[str, Any] = request_context.request.app.openapi()
    addresses = tuple(
        address
        for path, methods in document["paths"].items()
        if "get" in methods and (address := _address(path, methods["get"])).media_type != "text/html"
    )
    return ApiPage(
        title="API",
        addresses=addresses,
        openapi=request_context.link("openapi"),
        origin=request_context.origin,
    )


def _address(path: str, operation: dict[str, Any]) -> Address:
    kinds = list(operation["responses"].get("200", {}).get("content") or ["any"])
    settings = tuple(
        Setting(parameter["name"], parameter["in"], parameter.get("description", ""))
        for parameter in operation.get("parameters", [])
    )
    return Address(path, operation.get("summary", ""), kinds[0], settings)


API = Page(
    name="api",
    path="/api",
    json_path="/api.json",
    template="api.html",
    content=content,
)
