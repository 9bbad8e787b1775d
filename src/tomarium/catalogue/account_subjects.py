"""How accounts are tied to people whom an identity provider knows."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select, update

from tomarium.catalogue.accounts import LONGEST_NAME, NAME, Account, all_accounts
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.tables import accounts


def account_of_subject(connection: Connection, subject: str) -> Account | None:
    """Return the account of somebody whom an identity provider knows.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    subject : str
        "issuer subject".

    Returns
    -------
    Account or None
        It may be closed.
    """
    return next((account for account in all_accounts(connection) if account.subject == subject), None)


def account_of_orcid(connection: Connection, orcid: str) -> Account | None:
    """Return the one account with an ORCID iD that no identity provider has been tied to.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    orcid : str
        As ORCID itself vouches for it.

    Returns
    -------
    Account or None
        None where there is none, or more than one.
    """
    matches = [
        account for account in all_accounts(connection) if account.orcid == orcid and not account.subject
    ]
    return matches[0] if len(matches) == 1 else None


def tie_subject(connection: Connection, name: str, subject: str) -> None:
    """Tie an account to a person of an identity provider, who signs in to it from then on.

    Parameters
    ----------
    connection : Connection
        That may write.
    name : str
        Of the account.
    subject : str
        "issuer subject".
    """
    connection.execute(update(accounts).where(accounts.c.name == name).values(subject=subject))


def free_name(connection: Connection, wish: str) -> str:
    """Make the name of a new account from how somebody is called elsewhere.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    wish : str
        Any text.

    Returns
    -------
    str
        A name that may be had and is not taken.
    """
    stem = ".".join(re.findall(r"[a-z0-9]+", wish.lower()))[: LONGEST_NAME - 6].rstrip(".")
    if not NAME.fullmatch(stem):
        stem = f"u.{stem}".rstrip(".")
    names_in_use = set(connection.execute(select(accounts.c.name)).scalars()) | {LOCAL_OWNER.name}
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(names_in_use) + 2))
    return next(name for name in names if name not in names_in_use)
