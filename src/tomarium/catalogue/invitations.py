"""Links for reviewers: each opens one record to whoever has it, until it ends, and asks nobody who they are."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue import form_words
from tomarium.catalogue.audit import note
from tomarium.catalogue.edit import place_for
from tomarium.catalogue.reader import NotAllowed, Reader, may_open, owns
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.tables import invitations, records
from tomarium.catalogue.tokens import DAY_S, digest_of
from tomarium.catalogue.withheld_values import exposed
from tomarium.errors import InputError
from tomarium.model.sentence import Sentence

LONGEST_DAYS: Final = 730


@dataclass(frozen=True)
class Invitation:
    """A link as it is listed; nobody can read its secret again.

    Attributes
    ----------
    digest : str
        SHA-256 of the secret; its first letters name it.
    record : str
        Identifier of the record that it opens.
    made_by : str
        Who made it.
    made_utc, until_utc : float
        Seconds since 1970.
    """

    digest: str
    record: str
    made_by: str
    made_utc: float
    until_utc: float


def make_invitation(connection: Connection, by: Reader, record: str, days: float) -> str:
    """Make a link for reviewers.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        The owner of the record, one of its team, a curator or an administrator.
    record : str
        Identifier.
    days : float
        How long it opens the record, at most two years.

    Returns
    -------
    str
        The secret; it cannot be read again.

    Raises
    ------
    InputError
        There is no such record that `by` may see, it tells what may be private, or the days are too many.
    NotAllowed
        `by` may see the record, but it is not theirs.
    """
    _demand_own(connection, by, record)
    if private := exposed(read_record(place_for(connection, by, record))):
        raise InputError(
            f"{record}: {', '.join(private)} may be private, and who has the link sees it; withhold it first, or "
            f"declare it public (tomarium edit {record} --withhold {private[0]})"
        )
    if not 0 < days <= LONGEST_DAYS:
        raise InputError(Sentence(form_words.DAYS_OF_LINK, days=f"{days:g}", most=LONGEST_DAYS))
    now = time.time()
    connection.execute(delete(invitations).where(invitations.c.until_utc < now))
    secret = secrets.token_urlsafe(32)
    connection.execute(
        insert(invitations).values(
            digest=digest_of(secret),
            record=record,
            made_by=by.name,
            made_utc=now,
            until_utc=now + days * DAY_S,
        )
    )
    note(connection, by, "invite", record, days=days, link=digest_of(secret)[:12])
    return secret


def invited_to(connection: Connection, secret: str, now: float | None = None) -> Invitation | None:
    """Find what a link opens.

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
    Invitation or None
        None where there is no such link, or it has ended.
    """
    moment = time.time() if now is None else now
    query = select(invitations).where(
        invitations.c.digest == digest_of(secret), invitations.c.until_utc > moment
    )
    row = connection.execute(query).first()
    return None if row is None else Invitation(**row._mapping)


def invitations_of(
    connection: Connection, by: Reader, record: str, now: float | None = None
) -> list[Invitation]:
    """Return the links that open a record.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    by : Reader
        As for `make_invitation`.
    record : str
        Identifier.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    list of Invitation
        Those that have not ended, the oldest first.
    """
    _demand_own(connection, by, record)
    moment = time.time() if now is None else now
    query = (
        select(invitations)
        .where(invitations.c.record == record, invitations.c.until_utc > moment)
        .order_by(invitations.c.made_utc)
    )
    return [Invitation(**row._mapping) for row in connection.execute(query)]


def revoke_invitation(connection: Connection, by: Reader, record: str, link: str = "") -> int:
    """Revoke a link at once.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        As for `make_invitation`.
    record : str
        Identifier.
    link : str
        First letters of its digest, at least 8; "" for all links of the record.

    Returns
    -------
    int
        How many there were.

    Raises
    ------
    InputError
        There is no such link.
    """
    _demand_own(connection, by, record)
    if link and len(link) < 8:
        raise InputError(
            f"{link!r}: give at least the first 8 letters of the link's name, as --list shows it"
        )
    condition = (invitations.c.record == record) & invitations.c.digest.startswith(link, autoescape=True)
    count = connection.execute(delete(invitations).where(condition)).rowcount
    if not count:
        raise InputError(
            f"{record} has no reviewer's link{f' {link[:64]}' if link else ''}; see: tomarium invite --list"
        )
    note(connection, by, "revoke invitation", record, link=link or "all", count=count)
    return count


def _demand_own(connection: Connection, by: Reader, record: str) -> None:
    query = select(owns(by).label("own")).where(records.c.id == record, may_open(by))
    row = connection.execute(query).first()
    if row is None:
        raise InputError(
            f"there is no record {record[:80]!r} that {by.name or 'a visitor'} may see; search for it"
        )
    if not row.own:
        raise NotAllowed(f"{by.name or 'a visitor'} may not invite to {record}; ask its owner or a curator")
