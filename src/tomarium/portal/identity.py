"""Who a request is from: the owner of this machine, somebody with a session or a token, a reviewer, or anybody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from fastapi import HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader
from tomarium.catalogue.accounts import any_account
from tomarium.catalogue.invitations import invited_to
from tomarium.catalogue.tokens import (
    SCOPES,
    SESSION_LONGEST_S,
    Grant,
    Scope,
    grant_of,
    must_renew,
    renew_session,
)
from tomarium.portal import refusals

SESSION: Final = "tomarium-session"
REVIEW: Final = "tomarium-review"
MOST_LINKS: Final = 8
"""Reviewers' links that one browser keeps at once."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PROXY_HEADERS: Final = (
    "forwarded",
    "via",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
)
"""A request that carries one of these came through a proxy, and so perhaps from another machine."""


@dataclass(frozen=True)
class Identity:
    """Who a request is from, and how that is known.

    Attributes
    ----------
    reader : Reader
        Who it is, invitations among it.
    way : str
        "nobody", "owner" (of this machine), "session" or "token".
    scopes : frozenset of str
        What may be done; of a token what it was made for, of others all.
    problem : str
        Why the token that was sent opens nothing; "" else.
    """

    reader: Reader = ANYBODY
    way: Literal["nobody", "owner", "session", "token"] = "nobody"
    scopes: frozenset[str] = frozenset()
    problem: str = ""


def identify(request: Request) -> Identity:
    """Find who a request is from.

    Parameters
    ----------
    request : Request
        Its header Authorization is asked first, then its cookies, then whether only this machine is heard.

    Returns
    -------
    Identity
        Found once for a request.
    """
    if not hasattr(request.state, "identity"):
        request.state.identity = _identify(request)
    identity: Identity = request.state.identity
    return identity


def reader_of(request: Request) -> Reader:
    """Return as whom a request asks the catalogue.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    Reader
        With a token: its holder where the token has the scope "read" and the request changes nothing, else anybody.
        What changes something asks `demand_scope` for whom it acts, so that no scope is ever forgotten.
    """
    identity = identify(request)
    if identity.way == "token" and not (request.method in SAFE and "read" in identity.scopes):
        return ANYBODY
    return identity.reader


def demand_valid(request: Request) -> None:
    """Refuse a request with a token that opens nothing, rather than to answer it as anybody's.

    Parameters
    ----------
    request : Request
        As it came.

    Raises
    ------
    HTTPException
        401.
    """
    problem = identify(request).problem
    if problem:
        raise HTTPException(401, problem, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def demand_scope(request: Request, scope: Scope) -> Reader:
    """Return for whom a request may do something; what their role allows is asked by the catalogue.

    Parameters
    ----------
    request : Request
        As it came.
    scope : str
        What a token must have been made for: "read", "write", "log", "upload", "review" or "admin".

    Returns
    -------
    Reader
        Who acts.

    Raises
    ------
    HTTPException
        401: nobody is signed in. 403: the token was not made for this.
    """
    demand_valid(request)
    identity = identify(request)
    if identity.way == "nobody":
        raise HTTPException(401, refusals.NEEDS_ACCOUNT, {"WWW-Authenticate": "Bearer"})
    if scope not in identity.scopes:
        raise HTTPException(
            403,
            f"This token has not the scope “{scope}” ({SCOPES[scope]}). Make one with: tomarium token make.",
            {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        )
    return identity.reader


def demand_log_scope(request: Request) -> Reader:
    """Return for whom a request may write into log books: a token needs the scope "log", or "write", which is more.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    Reader
        Who acts; raises HTTPException as `demand_scope` does.
    """
    return demand_scope(request, "write" if "write" in identify(request).scopes else "log")


def may_upload(request: Request) -> bool:
    """Tell whether who asks may bring new data.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    bool
        Members and those who may more; of programs those whose token has the scope "upload".
    """
    identity = identify(request)
    return "upload" in identity.scopes and identity.reader.role != "visitor"


def is_secure(request: Request) -> bool:
    """Tell whether the browser speaks TLS, to this portal or to the proxy before it.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    bool
        The scheme is https; or a page of https sent it, which a browser says in Origin.
    """
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")


def set_cookie(request: Request, response: Response, name: str, secret: str, seconds: float) -> None:
    """Set a cookie that scripts cannot read and other sites cannot make a browser send with a form.

    Parameters
    ----------
    request : Request
        Over https the cookie is Secure, and its name begins with "__Host-": no other host may set it.
    response : Response
        Gets the cookie.
    name : str
        `SESSION`, `REVIEW` …
    secret : str
        Its value.
    seconds : float
        How long it is kept; 0 takes it away.
    """
    secure = is_secure(request)
    response.set_cookie(
        f"__Host-{name}" if secure else name,
        secret,
        max_age=int(seconds),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def forget_session(request: Request, response: Response) -> None:
    """Take the cookie of a session from a browser, and what the browser kept of pages that were for one person."""
    set_cookie(request, response, SESSION, "", 0)
    response.headers["Clear-Site-Data"] = '"cache"'  # drafts that were looked at stay in no browser


def cookie_of(request: Request, name: str) -> str:
    """Return a cookie that `set_cookie` set.

    Parameters
    ----------
    request : Request
        As it came.
    name : str
        As `set_cookie` had it.

    Returns
    -------
    str
        "" where there is none. Over https only the one with "__Host-" counts.
    """
    secure_cookie = request.cookies.get(f"__Host-{name}", "")
    return secure_cookie or ("" if request.url.scheme == "https" else request.cookies.get(name, ""))


def session_seconds() -> float:
    """Return how long a browser keeps the cookie of a session; the catalogue ends an idle one before."""
    return SESSION_LONGEST_S


def _identify(request: Request) -> Identity:
    catalogue: Catalogue = request.app.state.catalogue
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip() if kind.lower() == "bearer" else ""
    session, links = cookie_of(request, SESSION), cookie_of(request, REVIEW)
    local = request.app.state.local and not any(name in request.headers for name in PROXY_HEADERS)
    if not (token or session or links or local):
        return Identity()
    grant = None
    with catalogue.reading() as connection:
        if token:
            identity = _of_token(connection, token)
            if not identity.problem:
                request.app.state.rates.remember(token)
            return identity
        if session:
            grant = grant_of(connection, session, "session")
        owner = local and grant is None and not any_account(connection)
        invited = _invited(connection, links) if links and not owner else ()
    if owner:
        return Identity(LOCAL_OWNER, "owner", frozenset(SCOPES))
    if grant is None:
        return Identity(Reader(invited=invited))
    request.app.state.rates.remember(session)
    _renew(catalogue, grant)
    return Identity(replace(grant.reader, invited=invited), "session", grant.scopes)


def _of_token(connection: Connection, token: str) -> Identity:
    grant = grant_of(connection, token, "token")
    if grant is None:
        return Identity(
            way="token", problem="This token opens nothing: it is mistyped, has ended or was revoked."
        )
    return Identity(grant.reader, "token", grant.scopes)


def _invited(connection: Connection, links: str) -> tuple[str, ...]:
    invitations = [invited_to(connection, secret) for secret in links.split(".")[:MOST_LINKS]]
    return tuple(dict.fromkeys(invitation.record for invitation in invitations if invitation is not None))


def _renew(catalogue: Catalogue, grant: Grant) -> None:
    if must_renew(grant):
        with catalogue.writing() as connection:
            renew_session(connection, grant)
