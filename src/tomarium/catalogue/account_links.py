"""Links by which somebody sets the password of their account: each works once, until it ends."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue.accounts import account_named, change_password
from tomarium.catalogue.audit import note
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.tables import account_links, accounts
from tomarium.catalogue.tokens import DAY_S, digest_of
from tomarium.errors import InputError

LONGEST_DAYS: Final = 30


@dataclass(frozen=True)
class AccountLink:
    """A link as it is listed; nobody can read its secret again.

    Attributes
    ----------
    digest : str
        SHA-256 of the secret.
    account, made_by : str
        Whose password it sets, and who made it.
    made_utc, until_utc : float
        Seconds since 1970.
    """

    digest: str
    account: str
    made_by: str
    made_utc: float
    until_utc: float


def make_link(connection: Connection, by: Reader, account: str, days: float) -> str:
    """Make a link by which the holder of an account sets its password; a link made before opens nothing any more.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    account : str
        Its name. Its password, where it has one, holds until the link is used.
    days : float
        How long the link works, at most 30.

    Returns
    -------
    str
        The secret; it cannot be read again.

    Raises
    ------
    InputError
        There is no such account, it is closed, or the days are too many.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="invite to an account")
    if account_named(connection, account).closed:
        raise InputError(f"the account {account} is closed; open it first")
    if not 0 < days <= LONGEST_DAYS:
        raise InputError(f"a link cannot be for {days:g} days; give 1 to {LONGEST_DAYS}")
    now = time.time()
    old = (account_links.c.account == account) | (account_links.c.until_utc < now)
    connection.execute(delete(account_links).where(old))
    secret = secrets.token_urlsafe(32)
    connection.execute(
        insert(account_links).values(
            digest=digest_of(secret),
            account=account,
            made_by=by.name,
            made_utc=now,
            until_utc=now + days * DAY_S,
        )
    )
    note(connection, by, "invite to account", account=account, days=days)
    return secret


def link_of(connection: Connection, secret: str, now: float | None = None) -> AccountLink | None:
    """Find whose password a link sets.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    secret : str
        Any text.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    AccountLink or None
        None where there is no such link, it has ended or was used, or its account is closed.
    """
    moment = time.time() if now is None else now
    query = (
        select(account_links)
        .join(accounts, accounts.c.name == account_links.c.account)
        .where(account_links.c.digest == digest_of(secret), account_links.c.until_utc > moment)
        .where(accounts.c.closed == 0)
    )
    row = connection.execute(query).first()
    return None if row is None else AccountLink(**row._mapping)


def open_links(connection: Connection, now: float | None = None) -> dict[str, AccountLink]:
    """Return the links that were not used yet.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    dict of str to AccountLink
        By the name of their account, which has one at most.
    """
    moment = time.time() if now is None else now
    rows = connection.execute(select(account_links).where(account_links.c.until_utc > moment))
    return {row.account: AccountLink(**row._mapping) for row in rows}


def use_link(connection: Connection, secret: str, password: str) -> str:
    """Set the password of an account by a link, which opens nothing afterwards.

    Parameters
    ----------
    connection : Connection
        That may write; where the password is too weak nothing is written, and the link stays.
    secret : str
        Any text.
    password : str
        The new one.

    Returns
    -------
    str
        Name of the account.

    Raises
    ------
    InputError
        The link opens nothing, or the password is too weak.
    """
    link = link_of(connection, secret)
    if link is None:
        raise InputError("this link opens nothing: it was used, has ended, or a letter is missing")
    holder = account_named(connection, link.account).reader
    change_password(connection, holder, link.account, password)
    connection.execute(delete(account_links).where(account_links.c.account == link.account))
    note(connection, holder, "use invitation to account", account=link.account)
    return link.account


def revoke_link(connection: Connection, by: Reader, account: str) -> None:
    """Revoke the link of an account.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    account : str
        Its name.

    Raises
    ------
    InputError
        It has no link.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="withdraw an invitation to an account")
    if not connection.execute(delete(account_links).where(account_links.c.account == account)).rowcount:
        raise InputError(f"{account[:60]} has no link that could be withdrawn; it was used or has ended")
    note(connection, by, "withdraw invitation to account", account=account)
