"""What a page is: an address, a function that gives its content, and a template that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from fastapi import Request


def for_all(_request: Request) -> bool:
    """Tell that a page stands in everybody's menu.

    Parameters
    ----------
    _request : Request
        As it came.

    Returns
    -------
    bool
        True.
    """
    return True


@dataclass(frozen=True)
class Page:
    """One page; a module of `tomarium.portal.pages` makes itself known by holding one.

    Attributes
    ----------
    name : str
        Name its address is built by: "record".
    path : str
        Address with its parameters: "/records/{id}". The same content as JSON is at `json_path`.
    json_path : str
        "/records/{id}.json".
    template : str
        File in `portal/templates`, or "package:file.html" in the folder `templates` of another package; the
        content's fields are its names.
    content : callable
        A FastAPI dependency: its signature says what the page takes from the address. It returns a frozen
        dataclass with a field `title`; fields that are made for people only are marked by `FOR_PEOPLE`.
    menu : str
        Word in the menu; "" keeps it out.
    order : int
        Place in the menu.
    shown : callable
        `shown(request) -> bool`: whether the menu of who asks has it; by default everybody's.
    policy : str
        Its Content-Security-Policy, where its viewer needs more than the strict one; "" for the strict one.
    levels : bool
        Whether it shows something else to pupils, students and scientists; its content then has the fields `level` and
        `levels` of `portal.levels`.
    links : callable or None
        `links(request_context, content) -> str`: what else its header Link says, for programs.
    own : bool
        Whether its word stands below "You" in the menu, with what is for those who are signed in.
    """

    name: str
    path: str
    json_path: str
    template: str
    content: Callable[..., Any]
    menu: str = ""
    order: int = 0
    shown: Callable[[Request], bool] = for_all
    policy: str = ""
    levels: bool = False
    links: Callable[[Any, Any], str] | None = None
    own: bool = False


FOR_PEOPLE = {"people only": True}
"""Metadata of a dataclass field that JSON leaves out."""


def names(content: Any) -> dict[str, Any]:
    """Give the fields of a page's content to its template.

    Parameters
    ----------
    content : dataclass
        What a page's `content` returned.

    Returns
    -------
    dict of str to any
        Field → value, not copied.
    """
    return {field.name: getattr(content, field.name) for field in fields(content)}


def machine(content: Any) -> Any:
    """Turn a page's content into what JSON holds: the same facts, without what is for people only.

    Parameters
    ----------
    content : any
        Dataclasses, mappings, sequences and JSON values.

    Returns
    -------
    any JSON value
        Dataclasses are objects of their fields.
    """
    if is_dataclass(content) and not isinstance(content, type):
        shown = [field.name for field in fields(content) if field.metadata != FOR_PEOPLE]
        return {name: machine(getattr(content, name)) for name in shown}
    if isinstance(content, Mapping):
        return {str(key): machine(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [machine(value) for value in content]
    return content
