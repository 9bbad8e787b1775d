"""Views of a volume that were saved: where one looked from, at what contrast, for links that show exactly that."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b32encode
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from tomarium.catalogue.reader import Reader
from tomarium.catalogue.tables import saved_views
from tomarium.errors import InputError

MOST_OF_RECORD: Final = 2_000
MOST_OF_VISITORS: Final = 1_000
"""Views that those without an account save of a record: they cannot take the room of all others."""
LONGEST_BYTES: Final = 48 << 10


def save_view(connection: Connection, by: Reader, record: str, state: Mapping[str, Any]) -> str:
    """Keep a view; whoever may open the record's files may see it.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        Who saves it; the caller has asked whether the record's files are open to them.
    record : str
        Identifier.
    state : Mapping
        Of the viewer, JSON, already checked.

    Returns
    -------
    str
        A short token; the same for the same view.

    Raises
    ------
    InputError
        The record has 2000 saved views already, or 1000 of visitors and another visitor saves one, or this one is
        longer than 48 KiB.
    """
    text = json.dumps(state, sort_keys=True, separators=(",", ":"))
    if len(text) > LONGEST_BYTES:
        raise InputError(
            f"the view takes {len(text)} bytes, more than {LONGEST_BYTES}; remove layers or shaders"
        )
    digest = hashlib.sha256(f"{record}\n{text}".encode()).digest()
    token = b32encode(digest[:10]).decode().lower()
    if find_view(connection, record, token) is not None:
        return token
    count = select(func.count()).select_from(saved_views).where(saved_views.c.record == record)
    if connection.execute(count).scalar_one() >= MOST_OF_RECORD:
        raise InputError(f"{record} has {MOST_OF_RECORD} saved views, and takes no more; use one of them")
    if (
        not by.name
        and connection.execute(count.where(saved_views.c.made_by == "")).scalar_one() >= MOST_OF_VISITORS
    ):
        raise InputError(
            f"{record} has {MOST_OF_VISITORS} views of visitors, and takes no more of them; sign in to save this one"
        )
    values = {"token": token, "record": record, "state": dict(state)}
    connection.execute(insert(saved_views).values(**values, made_by=by.name, made_utc=time.time()))
    return token


def find_view(connection: Connection, record: str, token: str) -> Mapping[str, Any] | None:
    """Find a saved view of a record.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    record, token : str
        Identifier of the record; what `save_view` gave, or any text.

    Returns
    -------
    Mapping or None
        State of the viewer; None where the record has no such view.
    """
    query = select(saved_views.c.state).where(saved_views.c.token == token, saved_views.c.record == record)
    state: Mapping[str, Any] | None = connection.scalar(query)
    return state
