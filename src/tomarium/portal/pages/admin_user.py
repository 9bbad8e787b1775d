"""One account as administrators see it: its role, teams, instruments, links and what it takes of the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import HTTPException, Query

from tomarium.catalogue.account_links import open_links
from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.assigned_instruments import known_instruments
from tomarium.catalogue.disk_use import Use, use_of
from tomarium.catalogue.reader import ROLES
from tomarium.catalogue.second_factor import factor_of
from tomarium.errors import InputError
from tomarium.portal.administration import Tab, demand_section, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.admin_users import means
from tomarium.portal.request_context import CurrentRequest, RequestContext


@dataclass(frozen=True)
class UserPage:
    """Content of the page.

    Attributes
    ----------
    title, name, role, orcid : str
        Of the account.
    teams, instruments : tuple of str
        Groups it belongs to, and instruments assigned to it.
    means : str
        How they sign in.
    closed : bool
        Whether nobody may use it.
    made : str
        When, as an ISO date.
    use : Use
        What its records take of the disk.
    second_factor : bool
        Whether signing in asks for a code, too.
    invited : bool
        Whether a link to set the password works.
    said : str
        What was just done.
    secret : str
        Address of a link that was just made; it is shown this once.
    roles, known : tuple of str
        Roles to choose from, and instruments that records name.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    name: str
    role: str
    orcid: str
    teams: tuple[str, ...]
    instruments: tuple[str, ...]
    means: str
    closed: bool
    made: str
    use: Use
    second_factor: bool
    invited: bool
    said: str = field(metadata=FOR_PEOPLE)
    secret: str = field(metadata=FOR_PEOPLE)
    roles: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    known: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    name: str,
    said: Annotated[str, Query(max_length=1000, include_in_schema=False)] = "",
) -> UserPage:
    """Show an account: its role, teams and instruments, and how its holder signs in."""
    return content_of(request_context, name, said)


def content_of(context: RequestContext, name: str, said: str = "", *, secret: str = "") -> UserPage:
    """Tell what an administrator may know of an account.

    Parameters
    ----------
    context : RequestContext
        Of the request.
    name : str
        Of the account; any text.
    said, secret : str
        As `UserPage` has them.

    Returns
    -------
    UserPage
        For the template.

    Raises
    ------
    HTTPException
        404: there is none.
    """
    reader = demand_section(context, "users")
    with context.catalogue.reading() as connection:
        try:
            account = account_named(connection, name)
        except InputError as problem:
            raise HTTPException(
                404, f"There is no account “{name[:60]}”. See the list of users."
            ) from problem
        link, use = open_links(connection).get(name), use_of(connection, "owner", name)
        instruments = tuple(known_instruments(connection))
        on = factor_of(connection, name).on
    until = datetime.fromtimestamp(link.until_utc, UTC).date().isoformat() if link else ""
    return UserPage(
        title=account.name,
        name=account.name,
        role=account.role,
        orcid=account.orcid,
        teams=account.teams,
        instruments=account.instruments,
        means=means(account, until),
        closed=account.closed,
        made=datetime.fromtimestamp(account.made_utc, UTC).date().isoformat(),
        use=use,
        second_factor=on,
        invited=link is not None,
        said=said[:300],
        secret=secret,
        roles=ROLES,
        known=instruments,
        tabs=tabs(context, reader, "users"),
    )


USER = Page(
    name="admin.user",
    path="/admin/users/{name}",
    json_path="/admin/users/{name}.json",
    template="admin_user.html",
    content=content,
)
