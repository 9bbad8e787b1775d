"""Signing in and out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from tomarium.catalogue.accounts import account_named, any_account
from tomarium.catalogue.second_factor import any_factor, factor_of, lacks_factor
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tokens import SCOPES, tokens_of
from tomarium.portal.forms import own_path
from tomarium.portal.identity import identify
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext


@dataclass(frozen=True)
class TokenRow:
    """A token.

    Attributes
    ----------
    name : str
        What it is for.
    scopes : tuple of str
        What may be done with it.
    until : str
        When it ends, or ended, as an ISO date.
    """

    name: str
    scopes: tuple[str, ...]
    until: str


@dataclass(frozen=True)
class SignInPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    way : str
        How who asks is known: "nobody", "owner", "session" or "token".
    name, role : str
        Who asks.
    teams, scopes : tuple of str
        Groups of who asks, and what may be done.
    accounts : bool
        Whether there is any account to sign in to.
    provider : str
        What the identity provider is called; "" where there is none.
    back : str
        Where to go afterwards.
    given : str
        The name that was given.
    problem, told : str
        What went wrong, or was done.
    secret : str
        A token that was just made; it is shown this once.
    has_password, has_factor : bool
        Whether who asks has a password, and a second factor.
    lacks_factor : bool
        Whether who asks counts as a member until they have one.
    asks_code : bool
        Whether anybody has one, so that there is a field for its code.
    tokens : tuple of TokenRow
        Those of who asks, to who signed in.
    choices : dict of str to str
        Scopes a token can have, and what each allows.
    """

    title: str
    way: str
    name: str
    role: str
    teams: tuple[str, ...]
    scopes: tuple[str, ...]
    accounts: bool
    provider: str
    back: str = field(metadata=FOR_PEOPLE)
    given: str = field(default="", metadata=FOR_PEOPLE)
    problem: str = field(default="", metadata=FOR_PEOPLE)
    told: str = field(default="", metadata=FOR_PEOPLE)
    secret: str = field(default="", metadata=FOR_PEOPLE)
    has_password: bool = False
    has_factor: bool = False
    lacks_factor: bool = False
    asks_code: bool = field(default=False, metadata=FOR_PEOPLE)
    tokens: tuple[TokenRow, ...] = ()
    choices: dict[str, str] = field(default_factory=dict, metadata=FOR_PEOPLE)


def content_of(
    context: RequestContext,
    back: str,
    given: str = "",
    *,
    problem: str = "",
    told: str = "",
    secret: str = "",
) -> SignInPage:
    """Tell who asks, and how to sign in.

    Parameters
    ----------
    context : RequestContext
        Of the request.
    back : str
        Where to go afterwards; any text.
    given : str
        The name that was given.
    problem, told, secret : str
        As `SignInPage` has them.

    Returns
    -------
    SignInPage
        For the template.
    """
    identity = identify(context.request)
    with context.catalogue.reading() as connection:
        settings = all_settings(connection)
        accounts = any_account(connection)
        own_account = account_named(connection, identity.reader.name) if identity.way == "session" else None
        tokens = tokens_of(connection, own_account.name) if own_account else []
        has_factor = own_account is not None and factor_of(connection, own_account.name).on
        lacking = (
            own_account is not None
            and own_account.has_password
            and lacks_factor(connection, own_account.name, own_account.role)
        )
        asks_code = own_account is None and any_factor(connection)
    signed_in = identity.way != "nobody"
    return SignInPage(
        title=f"Signed in as {identity.reader.name}" if signed_in else "Sign in",
        way=identity.way,
        name=identity.reader.name,
        role=identity.reader.role,
        teams=identity.reader.teams,
        scopes=tuple(sorted(identity.scopes)),
        accounts=accounts,
        provider=settings["oidc_label"] or settings["oidc_issuer"] if settings["oidc_client_id"] else "",
        back=own_path(back),
        given=given[:80],
        problem=problem,
        told=told,
        secret=secret,
        has_password=own_account is not None and own_account.has_password,
        has_factor=has_factor,
        lacks_factor=lacking,
        asks_code=asks_code,
        tokens=tuple(
            TokenRow(
                token.name, token.scopes, datetime.fromtimestamp(token.until_utc, UTC).date().isoformat()
            )
            for token in tokens
        ),
        choices=dict(SCOPES),
    )


def content(
    request_context: CurrentRequest, back: Annotated[str, Query(max_length=2000)] = "/"
) -> SignInPage:
    """Tell who asks, in which role, and how to sign in."""
    return content_of(request_context, back)


SIGN_IN = Page(
    name="sign-in",
    path="/sign-in",
    json_path="/sign-in.json",
    template="sign_in.html",
    content=content,
    menu="Account",
    order=40,
    own=True,
)
