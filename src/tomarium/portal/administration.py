"""Who may see which page of the administration, and who may change something there: the one place that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import HTTPException, Request

from tomarium.catalogue.page_texts import EDITORS
from tomarium.catalogue.reader import Reader, Role
from tomarium.portal.identity import demand_scope, identify
from tomarium.portal.request_context import RequestContext

KEEPERS: Final[tuple[Role, ...]] = ("curator", "administrator")
ADMINISTRATORS: Final[tuple[Role, ...]] = ("administrator",)


def is_keeper(request: Request) -> bool:
    """Tell whether who asks finds the administration in the menu.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    bool
        Curators and administrators.
    """
    return identify(request).reader.role in KEEPERS


def is_editor(request: Request) -> bool:
    """Tell whether who asks finds the texts of the portal in the menu, for they see nothing else of the administration.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    bool
        Editors; curators and administrators come there by the administration.
    """
    return identify(request).reader.role == "editor"


@dataclass(frozen=True)
class Section:
    """A part of the administration.

    Attributes
    ----------
    title : str
        Its word in the list of sections.
    page : str
        Name of its page.
    sees, changes : tuple of str
        Roles that see it, and that change something there.
    """

    title: str
    page: str
    sees: tuple[Role, ...]
    changes: tuple[Role, ...]


SECTIONS: Final[Mapping[str, Section]] = {
    "overview": Section("Overview", "admin", KEEPERS, ADMINISTRATORS),
    "users": Section("Users", "admin.users", ADMINISTRATORS, ADMINISTRATORS),
    "settings": Section("Settings", "admin.settings", ADMINISTRATORS, ADMINISTRATORS),
    "texts": Section("Pages", "texts", EDITORS, EDITORS),
    "work": Section("Jobs, DOIs and mails", "admin.work", KEEPERS, KEEPERS),
    "sources": Section("Other catalogues", "admin.sources", KEEPERS, ADMINISTRATORS),
    "disk": Section("Disk", "admin.disk", KEEPERS, ADMINISTRATORS),
    "alarms": Section("Alarms", "admin.alarms", KEEPERS, ADMINISTRATORS),
    "copies": Section("Copies", "disks", KEEPERS, ADMINISTRATORS),
    "log": Section("Audit log", "admin.log", KEEPERS, ADMINISTRATORS),
}


@dataclass(frozen=True)
class Tab:
    """An entry of the list of sections.

    Attributes
    ----------
    title, address : str
        Its word, and where it leads.
    here : bool
        Whether it is the one that is shown.
    """

    title: str
    address: str
    here: bool


def demand_section(context: RequestContext, name: str, *, change: bool = False) -> Reader:
    """Return who asks for a section of the administration, where their role allows it.

    Parameters
    ----------
    context : RequestContext
        Of the request; a token must have the scope "admin".
    name : str
        One of `SECTIONS`.
    change : bool
        Whether something is to be changed there.

    Returns
    -------
    Reader
        Who asks.

    Raises
    ------
    HTTPException
        401: nobody is signed in. 403: the role does not allow it, or the token was not made for it.
    """
    reader = demand_scope(context.request, "admin")
    section = SECTIONS[name]
    roles = section.changes if change else section.sees
    if reader.role not in roles:
        raise HTTPException(
            403,
            f"“{section.title}” is for {' and '.join(f'{role}s' for role in roles)}, and {reader.name} is a "
            f"{reader.role}. Ask an administrator.",
        )
    return reader


def tabs(context: RequestContext, reader: Reader, shown: str) -> tuple[Tab, ...]:
    """List the sections that a reader sees.

    Parameters
    ----------
    context : RequestContext
        For the addresses.
    reader : Reader
        Who asks.
    shown : str
        The section that is shown.

    Returns
    -------
    tuple of Tab
        In their order.
    """
    return tuple(
        Tab(section.title, context.link(section.page), name == shown)
        for name, section in SECTIONS.items()
        if reader.role in section.sees
    )
