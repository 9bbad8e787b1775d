"""Accounts as administrators see them: a list to search in, and a form for a new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Query

from tomarium.catalogue.account_links import open_links
from tomarium.catalogue.accounts import Account, all_accounts
from tomarium.catalogue.reader import ROLES
from tomarium.portal.administration import Tab, demand_section, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext

SHOWN: Final = 500


@dataclass(frozen=True)
class UserRow:
    """An account.

    Attributes
    ----------
    name, role : str
        Of the account.
    teams, instruments : tuple of str
        Groups it belongs to, and instruments assigned to it.
    means : str
        How they sign in: "password", "identity provider", "invited until 2027-01-01", "not at all".
    closed : bool
        Whether nobody may use it.
    page : str
        Address of its page.
    """

    name: str
    role: str
    teams: tuple[str, ...]
    instruments: tuple[str, ...]
    means: str
    closed: bool
    page: str


@dataclass(frozen=True)
class UsersPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    q : str
        What was searched for, in names, roles, teams and instruments.
    users : tuple of UserRow
        By name; at most 500.
    total : int
        How many there are.
    roles : tuple of str
        To choose from.
    first : bool
        Whether there is no account yet.
    said : str
        What was just done.
    secret_of, secret : str
        Whose link was just made, and its address; it is shown this once.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    q: str
    users: tuple[UserRow, ...]
    total: int
    roles: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    first: bool = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)
    secret_of: str = field(metadata=FOR_PEOPLE)
    secret: str = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    q: Annotated[str, Query(max_length=200, description="Words of a name, role, team or instrument")] = "",
    said: Annotated[str, Query(max_length=1000, include_in_schema=False)] = "",
) -> UsersPage:
    """List the accounts, their roles, teams and instruments."""
    return content_of(request_context, q, said)


def content_of(
    context: RequestContext, q: str = "", said: str = "", *, secret_of: str = "", secret: str = ""
) -> UsersPage:
    """List accounts.

    Parameters
    ----------
    context : RequestContext
        Of the request.
    q : str
        Words that must all occur.
    said, secret_of, secret : str
        As `UsersPage` has them.

    Returns
    -------
    UsersPage
        For the template.
    """
    reader = demand_section(context, "users")
    with context.catalogue.reading() as connection:
        every_account, links = all_accounts(connection), open_links(connection)
    accounts = [account for account in every_account if _fits(account, q)]
    rows = []
    for account in accounts[:SHOWN]:
        link = links.get(account.name)
        until = datetime.fromtimestamp(link.until_utc, UTC).date().isoformat() if link else ""
        page = context.link("admin.user", {"name": account.name})
        rows.append(
            UserRow(
                account.name,
                account.role,
                account.teams,
                account.instruments,
                means(account, until),
                account.closed,
                page,
            )
        )
    return UsersPage(
        title="Users",
        q=q,
        users=tuple(rows),
        total=len(accounts),
        roles=ROLES,
        first=not every_account,
        said=said[:300],
        secret_of=secret_of,
        secret=secret,
        tabs=tabs(context, reader, "users"),
    )


def means(account: Account, invited_until: str) -> str:
    """Say how somebody signs in.

    Parameters
    ----------
    account : Account
        Theirs.
    invited_until : str
        Day on which the link by which they set a password ends; "" where there is none.

    Returns
    -------
    str
        For people.
    """
    ways = [
        *(["password"] if account.has_password else []),
        *(["identity provider"] if account.subject or account.orcid else []),
        *([f"invited until {invited_until}"] if invited_until else []),
    ]
    return ", ".join(ways) or "not at all"


def _fits(account: Account, q: str) -> bool:
    text = " ".join((account.name, account.role, *account.teams, *account.instruments)).casefold()
    return all(word in text for word in q.casefold().split())


USERS = Page(
    name="admin.users",
    path="/admin/users",
    json_path="/admin/users.json",
    template="admin_users.html",
    content=content,
)
