"""Searches that somebody saved, to be told by mail of what is new among what they find."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from tomarium.catalogue import form_words
from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.asked import LONGEST, question_of, read_spelled
from tomarium.catalogue.audit import note
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.reader_tables import saved_searches
from tomarium.catalogue.tokens import DAY_S
from tomarium.errors import InputError, ParameterError
from tomarium.model.sentence import Sentence

EVERY: Final[Mapping[str, tuple[str, float]]] = {
    "at once": ("At once", 0.0),
    "daily": ("Once a day", DAY_S),
    "weekly": ("Once a week", 7 * DAY_S),
}
"""How often there is a mail → words for people, and seconds between two."""
MOST: Final = 50
"""Searches of one account."""
LONGEST_NAME: Final = 120


@dataclass(frozen=True)
class SavedSearch:
    """A search that somebody saved.

    Attributes
    ----------
    number : int
        In the catalogue.
    account, name : str
        Whose it is, and what it is called.
    asked : str
        What it asks for, as the query of an address.
    every : str
        A key of `EVERY`.
    paused : bool
        Whether no mail comes meanwhile.
    key : str
        What the link in its mails names it by, which ends them without signing in.
    since_utc, looked_utc : float
        Seconds since 1970: since when records are new to it, and when they were looked for last.
    """

    number: int
    account: str
    name: str
    asked: str
    every: str
    paused: bool
    key: str
    since_utc: float
    looked_utc: float


def save_search(connection: Connection, reader: Reader, asked: str, name: str, every: str) -> SavedSearch:
    """Save a search.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Holder of an account.
    asked : str
        The query of the address of a list of records.
    name : str
        What it is called; "" for what it asks for.
    every : str
        A key of `EVERY`.

    Returns
    -------
    SavedSearch
        The one that is there where the account has saved the same before, under its new name.

    Raises
    ------
    InputError
        It asks for what cannot be asked, the account has 50 already, or the reader has no account.
    """
    account_named(connection, reader.name)
    read = read_spelled(asked)
    if question_of(connection, reader, read) is None:
        raise ParameterError(Sentence(form_words.SIGNS_ONLY))
    spelled, title = read.spelled, _checked(name or read.title, every)
    if len(spelled) > LONGEST:
        raise ParameterError(Sentence(form_words.LONG_SEARCH, count=len(spelled), most=LONGEST))
    condition = saved_searches.c.account == reader.name
    same = condition & (saved_searches.c.asked == spelled)
    if (row := connection.execute(select(saved_searches).where(same)).first()) is not None:
        return change_search(connection, reader, row.number, name=title, every=every, paused=False)
    count = connection.execute(select(func.count()).select_from(saved_searches).where(condition)).scalar_one()
    if count >= MOST:
        raise InputError(Sentence(form_words.ENOUGH_SEARCHES, name=reader.name, most=MOST))
    moment = time.time()
    values = {"account": reader.name, "name": title, "asked": spelled, "every": every, "paused": 0}
    key = secrets.token_urlsafe(24)
    connection.execute(insert(saved_searches).values(**values, key=key, since_utc=moment, looked_utc=moment))
    note(connection, reader, "save search", told=title)
    saved_search = search_with_key(connection, key)
    assert saved_search is not None
    return saved_search


def searches_of(connection: Connection, account: str) -> list[SavedSearch]:
    """List the searches that an account has saved, the oldest first."""
    query = select(saved_searches).where(saved_searches.c.account == account)
    return [_search(row) for row in connection.execute(query.order_by(saved_searches.c.number)).all()]


def search_with_key(connection: Connection, key: str) -> SavedSearch | None:
    """Find the search that a link in a mail names; None where it was deleted, or there never was one."""
    row = connection.execute(select(saved_searches).where(saved_searches.c.key == key)).one_or_none()
    return _search(row) if row is not None else None


def search_numbered(connection: Connection, number: int) -> SavedSearch | None:
    """Find a search by its number; None where it was deleted."""
    row = connection.execute(select(saved_searches).where(saved_searches.c.number == number)).one_or_none()
    return _search(row) if row is not None else None


def change_search(
    connection: Connection,
    reader: Reader,
    number: int,
    *,
    name: str | None = None,
    every: str | None = None,
    paused: bool | None = None,
) -> SavedSearch:
    """Change a search of one's own.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Whose it is.
    number : int
        Of the search.
    name, every : str, optional
        As for `save_search`.
    paused : bool, optional
        Whether no mail comes; what is filed in the meantime is not told afterwards.

    Returns
    -------
    SavedSearch
        As it is now.

    Raises
    ------
    InputError
        The reader has no such search, or a value is none.
    """
    before = _own(connection, reader, number)
    values: dict[str, Any] = {
        "name": _checked(before.name if name is None else name, every or before.every),
        "every": every or before.every,
        "paused": int(before.paused if paused is None else paused),
    }
    if before.paused and not values["paused"]:
        values["since_utc"] = values["looked_utc"] = time.time()
    connection.execute(update(saved_searches).where(saved_searches.c.number == number).values(**values))
    return _own(connection, reader, number)


def delete_search(connection: Connection, reader: Reader, number: int) -> None:
    """Delete a search of one's own; raises InputError where the reader has no such search."""
    _own(connection, reader, number)
    connection.execute(delete(saved_searches).where(saved_searches.c.number == number))
    note(connection, reader, "delete search", told=number)


def unsubscribe(connection: Connection, key: str) -> SavedSearch | None:
    """End the mails of a search, by the link in them; it stays, paused. None where there is none of this key."""
    saved_search = search_with_key(connection, key)
    if saved_search is None:
        return None
    connection.execute(update(saved_searches).where(saved_searches.c.key == key).values(paused=1))
    return search_with_key(connection, key)


def _own(connection: Connection, reader: Reader, number: int) -> SavedSearch:
    saved_search = search_numbered(connection, number)
    if saved_search is None or not reader.name or saved_search.account != reader.name:
        raise InputError(Sentence(form_words.NO_SAVED_SEARCH, number=number))
    return saved_search


def _checked(name: str, every: str) -> str:
    if every not in EVERY:
        raise ParameterError(f"{every[:40]!r}: give one of {', '.join(EVERY)}")
    line = " ".join(name.split())
    if not line or not line.isprintable():
        raise ParameterError(Sentence(form_words.SEARCH_WITHOUT_NAME))
    return line[:LONGEST_NAME]


def _search(row: Row[Any]) -> SavedSearch:
    return SavedSearch(
        *(row.number, row.account, row.name, row.asked, row.every, bool(row.paused)),
        *(row.key, row.since_utc, row.looked_utc),
    )
