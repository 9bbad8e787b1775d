"""A second factor beside a password: codes that an app counts out of a secret and the time, and codes for its loss.

Source: RFC 6238 (TOTP: HMAC-SHA-1, steps of 30 s, six digits, as the apps take them), RFC 4226 section 5.3 (which four
bytes of the HMAC make the digits), RFC 4648 section 6 (base32); the address of the QR code is that of the wiki of
google-authenticator, "Key URI Format".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, delete, func, insert, select, update

from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.sealing import SEALED, add_key, drop_old_keys, is_sealed, seal, unseal
from tomarium.catalogue.second_factor_tables import recovery_codes, second_factors
from tomarium.catalogue.tables import settings
from tomarium.errors import InputError

STEP_S: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
AWAY: Final = (-1, 0, 1)
"""Steps by which the clock of an app may be wrong."""
CODES: Final = 10
CODE_BYTES: Final = 15
"""120 random bits, so that a quick hash protects them as well as a slow one."""
SETTING: Final = "second_factor"
DEMANDED: Final = ("curator", "administrator")
"""Roles that count as "member" without a second factor, where the setting is "curators"."""


@dataclass(frozen=True)
class SecondFactor:
    """What is known of the second factor of an account.

    Attributes
    ----------
    on : bool
        Whether signing in asks for a code.
    codes : int
        Recovery codes that are left.
    """

    on: bool
    codes: int


def code_at(secret: str, step: int) -> str:
    """Count the code of a step.

    Parameters
    ----------
    secret : str
        Base32.
    step : int
        Of 30 s, from 1970.

    Returns
    -------
    str
        Six digits.
    """
    key = base64.b32decode(secret)
    digest = hmac.digest(key, step.to_bytes(8, "big"), "sha1")
    place = digest[-1] & 15
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def app_address(secret: str, portal: str, name: str) -> str:
    """Write what an app reads of a QR code.

    Parameters
    ----------
    secret : str
        Base32.
    portal, name : str
        Of this catalogue and of the account.

    Returns
    -------
    str
        An address otpauth://totp/…
    """
    issuer = portal.replace(":", " ")
    query = urlencode({"secret": secret, "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(f'{issuer}:{name}')}?{query}"


def factor_of(connection: Connection, name: str) -> SecondFactor:
    """Tell whether an account has a second factor.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    name : str
        Of the account.

    Returns
    -------
    SecondFactor
        Off for a name that is none.
    """
    query = select(second_factors.c.since_utc).where(second_factors.c.account == name)
    on = connection.execute(query).scalar() is not None
    statement = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.account == name)
    return SecondFactor(on, connection.execute(statement).scalar_one() if on else 0)


def any_factor(connection: Connection) -> bool:
    """Tell whether any account has one, so that signing in has a field for it.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    bool
        One account is enough.
    """
    query = select(second_factors.c.account).where(second_factors.c.since_utc.is_not(None)).limit(1)
    return connection.execute(query).first() is not None


def lacks_factor(connection: Connection, name: str, role: str) -> bool:
    """Tell whether an account that signs in with a password must have a second factor and has none.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    name, role : str
        Of the account.

    Returns
    -------
    bool
        As the setting `second_factor` says.
    """
    if role not in DEMANDED:
        return False
    demanded = connection.execute(select(settings.c.value).where(settings.c.key == SETTING)).scalar()
    return demanded == "curators" and not factor_of(connection, name).on


def begin_factor(connection: Connection, home: Path, by: Reader) -> str:
    """Make the secret of a second factor; signing in asks for no code before `confirm_factor`.

    Parameters
    ----------
    connection : Connection
        That may write.
    home : Path
        Of the catalogue, where the key lies that seals secrets.
    by : Reader
        Who has the account.

    Returns
    -------
    str
        The secret, base32, which the app must have. One that was shown before and never used is forgotten.

    Raises
    ------
    InputError
        The account has a second factor.
    KeyUnusable
        Secrets are sealed with a key that cannot be read; none is made in its place.
    """
    if factor_of(connection, by.name).on:
        raise InputError("a second factor is on already; switch it off before you set up another app")
    secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()
    connection.execute(delete(second_factors).where(second_factors.c.account == by.name))
    sealed = _sealed(connection, home, secret)
    connection.execute(insert(second_factors).values(account=by.name, secret=sealed, last_step=0))
    return secret


def pending_secret(connection: Connection, home: Path, name: str) -> str:
    """Return the secret that was shown to the holder of an account and not used yet.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    home : Path
        Of the catalogue, where the key lies that seals secrets.
    name : str
        Of the account.

    Returns
    -------
    str
        Base32; "" where there is none.

    Raises
    ------
    KeyUnusable
        The key cannot be read.
    """
    condition = (second_factors.c.account == name) & second_factors.c.since_utc.is_(None)
    secret = connection.execute(select(second_factors.c.secret).where(condition)).scalar()
    return unseal(home, secret) if secret else ""


def confirm_factor(
    connection: Connection, home: Path, by: Reader, code: str, now: float | None = None
) -> tuple[str, ...]:
    """Switch a second factor on, with the first code of the app.

    Parameters
    ----------
    connection : Connection
        That may write.
    home : Path
        Of the catalogue, where the key lies that seals secrets.
    by : Reader
        Who has the account.
    code : str
        As it was typed.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    tuple of str
        Ten recovery codes; they are told this once. None where the code was wrong: ().

    Raises
    ------
    KeyUnusable
        The key cannot be read.
    """
    moment = time.time() if now is None else now
    if not _uses_app(connection, home, by.name, code, moment, on=False):
        return ()
    condition = second_factors.c.account == by.name
    connection.execute(update(second_factors).where(condition).values(since_utc=moment))
    note(connection, by, "switch second factor on", account=by.name)
    return _make_codes(connection, by.name)


def make_codes(connection: Connection, by: Reader) -> tuple[str, ...]:
    """Make recovery codes anew; those before open nothing any more.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        Who has the account.

    Returns
    -------
    tuple of str
        Ten; they are told this once.
    """
    note(connection, by, "make recovery codes", account=by.name)
    return _make_codes(connection, by.name)


def passes(connection: Connection, home: Path, name: str, code: str, now: float | None = None) -> bool:
    """Tell whether a code opens an account, beside its password; a code opens it once.

    Parameters
    ----------
    connection : Connection
        That may write.
    home : Path
        Of the catalogue, where the key lies that seals secrets.
    name : str
        Of the account.
    code : str
        Of the app or a recovery code, as it was typed.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    bool
        True, too, where the account has no second factor.

    Raises
    ------
    KeyUnusable
        It is a code of an app, and the key cannot be read; recovery codes need none.
    """
    if not factor_of(connection, name).on:
        return True
    if _uses_app(connection, home, name, code, time.time() if now is None else now, on=True):
        return True
    condition = (recovery_codes.c.digest == _digest(name, code)) & (recovery_codes.c.account == name)
    return bool(connection.execute(delete(recovery_codes).where(condition)).rowcount)


def end_factor(connection: Connection, by: Reader, name: str) -> None:
    """Switch the second factor of an account off.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        Its holder, or an administrator.
    name : str
        Of the account.

    Raises
    ------
    InputError
        It has none.
    NotAllowed
        `by` is somebody else.
    """
    if by.name != name:
        demand_role(by, to="switch off the second factor of another")
    if not factor_of(connection, name).on:
        raise InputError(f"{name} has no second factor; signing in asks for the password alone")
    connection.execute(delete(second_factors).where(second_factors.c.account == name))
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account == name))
    note(connection, by, "switch second factor off", account=name)


def seal_anew(catalogue: Catalogue, by: Reader) -> int:
    """Seal the secrets of all accounts with a new key, and forget the one before.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    by : Reader
        An administrator.

    Returns
    -------
    int
        How many there are. Where it is stopped, the file holds both keys, and all secrets are read still.

    Raises
    ------
    KeyUnusable
        One of them cannot be read; nothing is changed then.
    """
    demand_role(by, to="seal the second factors of others")
    home = catalogue.home
    with catalogue.writing() as connection:
        rows = connection.execute(select(second_factors.c.account, second_factors.c.secret)).all()
        secrets_by_account = {row.account: unseal(home, row.secret) for row in rows}
        add_key(home)
        for name, secret in secrets_by_account.items():
            condition = second_factors.c.account == name
            connection.execute(update(second_factors).where(condition).values(secret=seal(home, secret)))
        note(connection, by, "seal second factors anew", accounts=len(secrets_by_account))
    drop_old_keys(home)
    return len(secrets_by_account)


def demand_key(connection: Connection, home: Path) -> None:
    """Refuse a key that is gone or another one, where an account has a second factor.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    home : Path
        Of the catalogue.

    Raises
    ------
    KeyUnusable
        The codes of apps cannot be checked; the message says what to do.
    """
    for secret in connection.execute(select(second_factors.c.secret)).scalars():
        unseal(home, secret)


def _sealed(connection: Connection, home: Path, secret: str) -> str:
    """Seal a secret with the key that seals the others; the first of all makes it."""
    query = select(second_factors.c.secret).where(second_factors.c.secret.startswith(SEALED)).limit(1)
    sealed_secret = connection.execute(query).scalar()
    if sealed_secret is not None:
        unseal(home, sealed_secret)  # which refuses another key
    return seal(home, secret, makes_key=sealed_secret is None)


def _uses_app(connection: Connection, home: Path, name: str, code: str, now: float, *, on: bool) -> bool:
    """Take a code of the app where it is right and newer than the last one; two at once cannot take the same."""
    state = second_factors.c.since_utc.is_not(None) if on else second_factors.c.since_utc.is_(None)
    condition = (second_factors.c.account == name) & state
    sealed_secret = connection.execute(select(second_factors.c.secret).where(condition)).scalar()
    typed = re.sub(r"\s", "", code)
    if sealed_secret is None or not re.fullmatch(rf"[0-9]{{{DIGITS}}}", typed):
        return False
    secret = unseal(home, sealed_secret)
    for away in AWAY:
        step = int(now // STEP_S) + away
        if hmac.compare_digest(code_at(secret, step), typed):
            newer = condition & (second_factors.c.last_step < step)
            if not is_sealed(sealed_secret):
                sealed_secret = _sealed(connection, home, secret)
            used = {"last_step": step, "secret": sealed_secret}
            return bool(connection.execute(update(second_factors).where(newer).values(used)).rowcount)
    return False


def _make_codes(connection: Connection, name: str) -> tuple[str, ...]:
    texts = [base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode() for _ in range(CODES)]
    codes = tuple("-".join(text[at : at + 4] for at in range(0, len(text), 4)) for text in texts)
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account == name))
    connection.execute(
        insert(recovery_codes), [{"digest": _digest(name, code), "account": name} for code in codes]
    )
    return codes


def _digest(name: str, code: str) -> str:
    plain = re.sub(r"[\s-]", "", code).upper()
    return hashlib.sha256(f"{name} {plain}".encode()).hexdigest()
