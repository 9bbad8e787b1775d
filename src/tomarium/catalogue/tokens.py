"""Secrets that open an account: API tokens for programs, sessions for people who signed in."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, replace
from typing import Final, Literal

from sqlalchemy import Connection, delete, insert, select, update

from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.audit import note
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.second_factor import lacks_factor
from tomarium.catalogue.tables import tokens
from tomarium.errors import InputError

Scope = Literal["read", "write", "log", "upload", "review", "admin"]
SCOPES: Final[dict[str, str]] = {
    "read": "see and take what its holder may",
    "write": "change records",
    "log": "write into log books",
    "upload": "bring new data",
    "review": "comment, send back and publish",
    "admin": "accounts and settings",
}
PREFIX: Final = "tom_"
"""What every token begins with, so that it is found where it should not lie."""
DAY_S: Final = 86400.0
SESSION_IDLE_S: Final = 14 * DAY_S
SESSION_LONGEST_S: Final = 90 * DAY_S
LONGEST_DAYS: Final = 3660


@dataclass(frozen=True)
class Grant:
    """What a secret opens.

    Attributes
    ----------
    reader : Reader
        Whose it is.
    scopes : frozenset of str
        What may be done with it; all of `SCOPES` for a session.
    digest : str
        SHA-256 of the secret, by which it is revoked.
    until_utc : float
        Seconds since 1970 until when it opens anything.
    """

    reader: Reader
    scopes: frozenset[str]
    digest: str
    until_utc: float


@dataclass(frozen=True)
class Token:
    """A token as it is listed; nobody can read its secret again.

    Attributes
    ----------
    digest : str
        SHA-256 of the secret.
    account, name : str
        Whose it is, and what for.
    scopes : tuple of str
        What may be done with it.
    made_utc, until_utc : float
        Seconds since 1970.
    """

    digest: str
    account: str
    name: str
    scopes: tuple[str, ...]
    made_utc: float
    until_utc: float


def digest_of(secret: str) -> str:
    """Return what is kept of a secret.

    Parameters
    ----------
    secret : str
        256 random bits; a slow hash would protect them no better.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def make_token(
    connection: Connection, by: Reader, account: str, name: str, scopes: tuple[str, ...], days: float
) -> str:
    """Make a token.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        Its holder, or an administrator.
    account : str
        Whose it is; it never may more than its holder.
    name : str
        What it is for; no other token of the account has it.
    scopes : tuple of str
        Some of `SCOPES`.
    days : float
        How long it opens anything, at most ten years.

    Returns
    -------
    str
        "tom_…"; it cannot be read again.

    Raises
    ------
    InputError
        There is no such account or scope, the account is closed, or the name is taken.
    NotAllowed
        `by` is somebody else.
    """
    if by.name != account:
        demand_role(by, to="make a token of another")
    holder = account_named(connection, account)
    if holder.closed:
        raise InputError(
            f"the account {account} is closed; open it with: tomarium user close {account} --reopen"
        )
    _demand_scopes(scopes)
    if not name.strip() or len(name) > 80 or not name.isprintable():
        raise InputError("say what the token is for in 1 to 80 characters, such as: beamline upload")
    if not 0 < days <= LONGEST_DAYS:
        raise InputError(f"a token cannot be for {days:g} days; give 1 to {LONGEST_DAYS}")
    if any(token.name == name for token in tokens_of(connection, account)):
        raise InputError(
            f"{account} has a token named {name!r} already; give another name, or revoke that one first"
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    _keep(connection, secret, "token", account, name, " ".join(scopes), time.time() + days * DAY_S)
    note(connection, by, "make token", account=account, name=name, scopes=list(scopes), days=days)
    return secret


def tokens_of(connection: Connection, account: str = "") -> list[Token]:
    """Return the tokens of an account, or all.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    account : str
        "" for all accounts.

    Returns
    -------
    list of Token
        The oldest first, ended ones among them; sessions are none.
    """
    query = select(tokens).where(tokens.c.kind == "token").order_by(tokens.c.made_utc)
    if account:
        query = query.where(tokens.c.account == account)
    return [
        Token(row.digest, row.account, row.name, tuple(row.scopes.split()), row.made_utc, row.until_utc)
        for row in connection.execute(query)
    ]


def revoke_token(connection: Connection, by: Reader, account: str, name: str) -> None:
    """Revoke a token.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        Its holder, or an administrator.
    account, name : str
        Whose it is, and its name.

    Raises
    ------
    InputError
        There is no such token.
    NotAllowed
        `by` is somebody else.
    """
    if by.name != account:
        demand_role(by, to="revoke a token of another")
    condition = (tokens.c.kind == "token") & (tokens.c.account == account) & (tokens.c.name == name)
    if not connection.execute(delete(tokens).where(condition)).rowcount:
        names = ", ".join(repr(token.name) for token in tokens_of(connection, account)) or "none"
        raise InputError(
            f"{account[:60]} has no token named {name[:80]!r} (tokens: {names}); see: tomarium token list"
        )
    note(connection, by, "revoke token", account=account, name=name)


def open_session(connection: Connection, account: str, now: float | None = None) -> str:
    """Begin a session of somebody who signed in, and forget sessions and tokens that ended long ago.

    Parameters
    ----------
    connection : Connection
        That may write.
    account : str
        Whose.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    str
        The secret, for a cookie.
    """
    moment = time.time() if now is None else now
    connection.execute(delete(tokens).where(tokens.c.kind == "session", tokens.c.until_utc < moment))
    secret = secrets.token_urlsafe(32)
    _keep(connection, secret, "session", account, "", " ".join(SCOPES), moment + SESSION_IDLE_S, moment)
    return secret


def close_session(connection: Connection, secret: str) -> None:
    """End a session.

    Parameters
    ----------
    connection : Connection
        That may write.
    secret : str
        As `open_session` returned it; any text.
    """
    condition = (tokens.c.kind == "session") & (tokens.c.digest == digest_of(secret))
    connection.execute(delete(tokens).where(condition))


def end_sessions(connection: Connection, by: Reader, account: str) -> int:
    """End all sessions of an account, on whatever machine they were begun; its tokens stay.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        Its holder, or an administrator.
    account : str
        Whose.

    Returns
    -------
    int
        How many there were, ended ones that were not forgotten yet among them.

    Raises
    ------
    NotAllowed
        `by` is somebody else.
    """
    if by.name != account:
        demand_role(by, to="end the sessions of another")
    condition = (tokens.c.kind == "session") & (tokens.c.account == account)
    count = connection.execute(delete(tokens).where(condition)).rowcount
    note(connection, by, "sign out everywhere", account=account, sessions=count)
    return count


def grant_of(
    connection: Connection, secret: str, kind: Literal["token", "session"], now: float | None = None
) -> Grant | None:
    """Find what a secret opens.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    secret : str
        Any text.
    kind : str
        Where it came from: "token" for the header Authorization, "session" for the cookie.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    Grant or None
        None where there is no such secret, it has ended, or its account is closed. A session of an account that must
        have a second factor and has none acts as a member.
    """
    moment = time.time() if now is None else now
    query = select(tokens).where(
        tokens.c.digest == digest_of(secret), tokens.c.kind == kind, tokens.c.until_utc > moment
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    account = account_named(connection, row.account)
    if account.closed:
        return None
    reader = account.reader
    if kind == "session" and account.has_password and lacks_factor(connection, account.name, account.role):
        reader = replace(reader, role="member")
    return Grant(reader, frozenset(row.scopes.split()), row.digest, row.until_utc)


def must_renew(grant: Grant, now: float | None = None) -> bool:
    """Tell whether the end of a session is to be moved on, which is done once a day of use.

    Parameters
    ----------
    grant : Grant
        Of a session.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    bool
        Whether `renew_session` is due.
    """
    return grant.until_utc < (time.time() if now is None else now) + SESSION_IDLE_S - DAY_S


def renew_session(connection: Connection, grant: Grant, now: float | None = None) -> None:
    """Extend a session that is in use, 14 days from now and 90 days from the sign-in at most.

    Parameters
    ----------
    connection : Connection
        That may write.
    grant : Grant
        Of a session.
    now : float, optional
        Seconds since 1970; the present moment by default.
    """
    moment = time.time() if now is None else now
    condition = (tokens.c.digest == grant.digest) & (tokens.c.kind == "session")
    begun = connection.execute(select(tokens.c.made_utc).where(condition)).scalar_one_or_none()
    if begun is not None:
        until = min(moment + SESSION_IDLE_S, begun + SESSION_LONGEST_S)
        connection.execute(update(tokens).where(condition).values(until_utc=until))


def _keep(
    connection: Connection,
    secret: str,
    kind: str,
    account: str,
    name: str,
    scopes: str,
    until: float,
    made: float | None = None,
) -> None:
    connection.execute(
        insert(tokens).values(
            digest=digest_of(secret),
            kind=kind,
            account=account,
            name=name,
            scopes=scopes,
            made_utc=time.time() if made is None else made,
            until_utc=until,
        )
    )


def _demand_scopes(scopes: tuple[str, ...]) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        reason = (
            f"there is no scope {unknown[0][:40]!r}" if unknown else "a token without a scope opens nothing"
        )
        raise InputError(f"{reason}; give some of: {', '.join(SCOPES)}")
