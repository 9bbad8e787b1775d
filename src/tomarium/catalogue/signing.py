"""Tokens signed with a key of the catalogue, such as the resumption tokens of OAI-PMH: nobody else can make them."""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue.tables import settings
from tomarium.errors import ParameterError

KEY: Final = "signing_key"
"""Row of `setting` that a migration makes; it is none of the settings that people see."""
_SIGNATURE_BYTES: Final = 16
_LONGEST: Final = 4000


def make_key(connection: Connection) -> None:
    """Make the key of a catalogue that has none; the connection may write."""
    if connection.execute(select(settings.c.key).where(settings.c.key == KEY)).first() is None:
        connection.execute(insert(settings).values(key=KEY, value=secrets.token_urlsafe(32)))


def forget_key(connection: Connection) -> None:
    """Forget the key: what was signed with it is none of this catalogue's any more; the connection may write."""
    connection.execute(delete(settings).where(settings.c.key == KEY))


def sign(connection: Connection, purpose: str, content: Any) -> str:
    """Write content as a token.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    purpose : str
        What it is for; a token of one purpose is none of another.
    content : Any
        JSON values.

    Returns
    -------
    str
        Letters, digits, "-", "_" and one ".".
    """
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return f"{_spell(text.encode())}.{_spell(_signature(connection, purpose, text))}"


def read_signed(connection: Connection, purpose: str, token: str) -> Any:
    """Read what a token holds.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    purpose : str
        As it was signed for.
    token : str
        Any text.

    Returns
    -------
    Any
        The content.

    Raises
    ------
    ParameterError
        This catalogue did not sign it for this purpose.
    """
    content, _, signature = token.partition(".")
    try:
        if len(token) > _LONGEST or not token.isascii():
            raise ValueError("no token")
        text = _read(content).decode()
        sound = hmac.compare_digest(_read(signature), _signature(connection, purpose, text))
    except ValueError:
        sound = False
    if not sound:
        raise ParameterError(f"{token[:40]!r} is no token of this catalogue")
    return json.loads(text)


def _signature(connection: Connection, purpose: str, text: str) -> bytes:
    key = connection.execute(select(settings.c.value).where(settings.c.key == KEY)).scalar_one()
    return hmac.digest(key.encode(), f"{purpose}\n{text}".encode(), "sha256")[:_SIGNATURE_BYTES]


def _spell(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _read(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
