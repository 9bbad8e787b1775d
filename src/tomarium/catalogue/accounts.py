"""Accounts: who there is, in which role and teams."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from tomarium.catalogue import form_words, passwords
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import LOCAL_OWNER, ROLES, Reader, Role, demand_role
from tomarium.catalogue.tables import account_instruments, account_links, accounts, teams, tokens
from tomarium.errors import InputError
from tomarium.model.person import is_orcid
from tomarium.model.sentence import Sentence

NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")
LONGEST_NAME: Final = 40


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in.

    Attributes
    ----------
    name : str
        By which they sign in, and as which they own records.
    role : str
        One of `ROLES`.
    teams : tuple of str
        Groups they belong to.
    orcid : str
        ORCID iD, "" where it is not known.
    subject : str
        "issuer subject" of OpenID Connect, "" where there is none.
    has_password : bool
        Whether they may sign in with one.
    closed : bool
        Whether nobody may use it any more; what it did and owns stays.
    made_utc : float
        Seconds since 1970.
    instruments : tuple of str
        Those assigned to it, which count for an instrument scientist.
    """

    name: str
    role: Role
    teams: tuple[str, ...]
    orcid: str
    subject: str
    has_password: bool
    closed: bool
    made_utc: float
    instruments: tuple[str, ...] = ()

    @property
    def reader(self) -> Reader:
        """The same person, as the catalogue is asked."""
        return Reader(self.name, self.role, self.teams, instruments=self.instruments)


def any_account(connection: Connection) -> bool:
    """Tell whether the catalogue has accounts, closed ones among them.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    bool
        From the first account on, nobody is taken for the owner without signing in.
    """
    return connection.execute(select(accounts.c.name).limit(1)).first() is not None


def all_accounts(connection: Connection) -> list[Account]:
    """Return all accounts.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    list of Account
        By name; closed ones among them.
    """
    return _accounts(connection, select(accounts).order_by(accounts.c.name))


def account_named(connection: Connection, name: str) -> Account:
    """Return an account.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    name : str
        Its name.

    Returns
    -------
    Account
        It may be closed.

    Raises
    ------
    InputError
        There is none of this name.
    """
    matches = _accounts(connection, select(accounts).where(accounts.c.name == name))
    if not matches:
        names = ", ".join(
            connection.execute(select(accounts.c.name).order_by(accounts.c.name).limit(9)).scalars()
        )
        raise InputError(
            f"there is no account {name[:60]!r} (accounts: {names or 'none yet'}); see: tomarium user list"
        )
    return matches[0]


def make_account(
    connection: Connection,
    by: Reader,
    name: str,
    role: str = "member",
    *,
    password: str = "",
    subject: str = "",
    orcid: str = "",
) -> Account:
    """Make an account.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    name : str
        Lower-case letters and digits, with single dots, hyphens or underscores between.
    role : str
        One of `ROLES`; the first account is an administrator's.
    password : str
        "" where there is none: they then sign in through an identity provider.
    subject : str
        "issuer subject" of OpenID Connect.
    orcid : str
        ORCID iD.

    Returns
    -------
    Account
        As it was made.

    Raises
    ------
    InputError
        The name is none or is taken, the role does not exist, the password is too weak or the ORCID iD wrong.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="make accounts")
    _demand_name(connection, name)
    demand_known_role(role)
    if not any_account(connection) and role != "administrator":
        raise InputError(
            f"the first account must be an administrator's, for from then on nobody else may change anything; make it "
            f"with: tomarium user add {name} --role administrator"
        )
    if orcid and not is_orcid(orcid):
        raise InputError(Sentence(form_words.NO_ORCID, text=repr(orcid[:40])))
    if password:
        passwords.demand_good(password, name)
    connection.execute(
        insert(accounts).values(
            name=name,
            role=role,
            password=passwords.hashed(password) if password else "",
            subject=subject,
            orcid=orcid,
            made_utc=time.time(),
            closed=0,
        )
    )
    note(connection, by, "make account", account=name, role=role)
    return account_named(connection, name)


def change_role(connection: Connection, by: Reader, name: str, role: str) -> None:
    """Give an account another role; it holds from the next request on.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    name : str
        Of the account.
    role : str
        One of `ROLES`.

    Raises
    ------
    InputError
        There is no such account or role, or it is the last administrator.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="change roles")
    demand_known_role(role)
    account = account_named(connection, name)
    if role != "administrator":
        _demand_another_administrator(connection, account)
    connection.execute(update(accounts).where(accounts.c.name == name).values(role=role))
    note(connection, by, "change role", account=name, before=account.role, role=role)


def change_password(connection: Connection, by: Reader, name: str, password: str) -> None:
    """Give an account another password, and end its sessions; its tokens stay.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        Its holder, or an administrator.
    name : str
        Of the account.
    password : str
        The new one.

    Raises
    ------
    InputError
        There is no such account, or the password is too weak.
    NotAllowed
        `by` is somebody else.
    """
    if by.name != name:
        demand_role(by, to="change the password of another")
    account_named(connection, name)
    passwords.demand_good(password, name)
    password_hash = passwords.hashed(password)
    connection.execute(update(accounts).where(accounts.c.name == name).values(password=password_hash))
    connection.execute(delete(tokens).where(tokens.c.account == name, tokens.c.kind == "session"))
    note(connection, by, "change password", account=name)


def close_account(connection: Connection, by: Reader, name: str) -> None:
    """Close an account: its sessions end, its tokens are revoked, and nobody signs in to it; what it owns stays.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    name : str
        Of the account.

    Raises
    ------
    InputError
        There is no such account, or it is the last administrator.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="close accounts")
    _demand_another_administrator(connection, account_named(connection, name))
    connection.execute(update(accounts).where(accounts.c.name == name).values(closed=1))
    connection.execute(delete(tokens).where(tokens.c.account == name))
    connection.execute(delete(account_links).where(account_links.c.account == name))
    note(connection, by, "close account", account=name)


def reopen_account(connection: Connection, by: Reader, name: str) -> None:
    """Open a closed account again; it has its password, but no tokens.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    name : str
        Of the account.

    Raises
    ------
    InputError
        There is no such account.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="open accounts")
    account_named(connection, name)
    connection.execute(update(accounts).where(accounts.c.name == name).values(closed=0))
    note(connection, by, "reopen account", account=name)


def change_teams(
    connection: Connection, by: Reader, name: str, *, join: tuple[str, ...] = (), leave: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Change the teams of an account; a team is there as long as it has somebody.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    name : str
        Of the account.
    join, leave : tuple of str
        Names of teams, of the same characters as those of accounts.

    Returns
    -------
    tuple of str
        The teams it belongs to now.

    Raises
    ------
    InputError
        There is no such account, it is not in a team it should leave, or a name is none.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="change teams")
    account = account_named(connection, name)
    for team in join:
        _demand_spelling(team, "a team")
        if team not in account.teams:
            connection.execute(insert(teams).values(name=team, account=name))
            note(connection, by, "join team", account=name, team=team)
    for team in leave:
        if team not in account.teams:
            raise InputError(
                f"{name} is not in the team {team[:60]!r} (teams: {', '.join(account.teams) or 'none'})"
            )
        connection.execute(delete(teams).where(teams.c.name == team, teams.c.account == name))
        note(connection, by, "leave team", account=name, team=team)
    return account_named(connection, name).teams


def check_password(catalogue: Catalogue, name: str, password: str) -> Account | None:
    """Find the account that a name and a password open; it takes as long where there is none.

    Parameters
    ----------
    catalogue : Catalogue
        Open. A hash made with older parameters is made anew.
    name, password : str
        As they were given; any text.

    Returns
    -------
    Account or None
        None where the name is unknown, the account is closed, or the password is wrong.
    """
    with catalogue.reading() as connection:
        query = select(accounts.c.password).where(accounts.c.name == name, accounts.c.closed == 0)
        password_hash = connection.execute(query).scalar_one_or_none() or ""
    if not passwords.fits(password_hash, password):
        return None
    if passwords.is_outdated(password_hash):
        renewed = passwords.hashed(password)
        with catalogue.writing() as connection:
            condition = (accounts.c.name == name) & (accounts.c.password == password_hash)
            connection.execute(update(accounts).where(condition).values(password=renewed))
    with catalogue.reading() as connection:
        return account_named(connection, name)


def demand_known_role(role: str) -> None:
    """Refuse a role that does not exist.

    Parameters
    ----------
    role : str
        Any text.

    Raises
    ------
    InputError
        It is none of `ROLES`.
    """
    if role not in ROLES:
        raise InputError(Sentence(form_words.NO_ROLE, text=repr(role[:40]), names=", ".join(ROLES)))


def _accounts(connection: Connection, query: Select[Any]) -> list[Account]:
    rows = connection.execute(query).all()
    of: dict[str, list[str]] = {}
    for team, name in connection.execute(select(teams.c.name, teams.c.account).order_by(teams.c.name)):
        of.setdefault(name, []).append(team)
    keeps: dict[str, list[str]] = {}
    assigned = select(account_instruments).order_by(account_instruments.c.instrument)
    for name, instrument in connection.execute(assigned):
        keeps.setdefault(name, []).append(instrument)
    return [_account(row, tuple(of.get(row.name, ())), tuple(keeps.get(row.name, ()))) for row in rows]


def _account(row: Row[Any], of: tuple[str, ...], keeps: tuple[str, ...]) -> Account:
    return Account(
        name=row.name,
        role=cast(Role, row.role),
        teams=of,
        orcid=row.orcid,
        subject=row.subject,
        has_password=bool(row.password),
        closed=bool(row.closed),
        made_utc=row.made_utc,
        instruments=keeps,
    )


def _demand_spelling(name: str, of: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InputError(
            Sentence(form_words.NAME_OF_ACCOUNT, text=repr(name[:60]), what=Sentence(of), most=LONGEST_NAME)
        )


def _demand_name(connection: Connection, name: str) -> None:
    _demand_spelling(name, form_words.AN_ACCOUNT)
    if name == LOCAL_OWNER.name:
        raise InputError(Sentence(form_words.NAME_OF_COMMAND_LINE, name=repr(name)))
    if connection.execute(select(accounts.c.name).where(accounts.c.name == name)).first():
        raise InputError(Sentence(form_words.ACCOUNT_TAKEN, name=repr(name)))


def _demand_another_administrator(connection: Connection, account: Account) -> None:
    if account.role != "administrator" or account.closed:
        return
    query = select(accounts).where(
        accounts.c.role == "administrator", accounts.c.closed == 0, accounts.c.name != account.name
    )
    admins = connection.execute(query).all()
    if not admins:
        raise InputError(Sentence(form_words.LAST_ADMINISTRATOR, name=account.name))
    # Who was invited and has not set a password yet lets nobody in.
    if _can_sign_in(account) and not any(map(_can_sign_in, admins)):
        raise InputError(
            f"{account.name} is the last administrator who can sign in ({', '.join(row.name for row in admins)} has no "
            f"password yet); first let another set one: tomarium user password {admins[0].name}"
        )


def _can_sign_in(account: Account | Row[Any]) -> bool:
    password = account.has_password if isinstance(account, Account) else account.password
    return bool(password or account.subject or account.orcid)
