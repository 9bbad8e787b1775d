"""Who asks, and which records they may see: the one predicate that every door uses."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import Column, ColumnElement, Float, and_, false, literal, or_, select, true
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from tomarium.catalogue.facets import AS_MEASURED, EMBARGO, OPEN
from tomarium.catalogue.tables import facets, records
from tomarium.errors import InputError

Columns = ReadOnlyColumnCollection[str, Column[Any]]
Moment = float | ColumnElement[float]
Role = Literal["visitor", "member", "editor", "curator", "instrument scientist", "administrator"]
ROLES: Final[tuple[str, ...]] = get_args(Role)
HARVESTED: Final = "harvested"
"""State of a row that was harvested from another catalogue: it is found by a search, and behind no other door."""
STATES: Final = ("draft", "review", "published", "withdrawn", HARVESTED)
"""States of rows of the index."""
SEES_ALL: Final = frozenset({"curator", "administrator"})
"""Roles that see every record."""
MEMBERS: Final[tuple[Role, ...]] = ("member", "editor", "instrument scientist", "curator")
"""Roles that bring data of their own, beside administrators."""


@dataclass(frozen=True)
class Reader:
    """Somebody who asks the catalogue for something.

    Attributes
    ----------
    name : str
        Name of the account; "" for who has none.
    role : str
        One of `ROLES`.
    teams : tuple of str
        Groups of people whose drafts are open to this reader.
    invited : tuple of str
        Identifiers of records that a reviewer's link has opened.
    instruments : tuple of str
        Names of the instruments that are assigned to an instrument scientist; they count in this role alone.
    open_only : bool
        Whether records whose files are not open are unknown to this reader, as to one who makes a copy for others.
    """

    name: str = ""
    role: Role = "visitor"
    teams: tuple[str, ...] = ()
    invited: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    open_only: bool = False

    @property
    def sees_all(self) -> bool:
        """Whether drafts and embargoed files of everybody are open to this reader."""
        return self.role in SEES_ALL

    def owns(self, owner: str, team: str) -> bool:
        """Tell whether what has this owner and team is the reader's own, as `owns` tells of rows."""
        return self.sees_all or (bool(self.name) and (owner == self.name or team in self.teams))


ANYBODY: Final = Reader()
"""A reader without an account."""
OPEN_ONLY: Final = Reader(open_only=True)
"""A reader without an account, who knows of nothing under embargo and of nothing withdrawn."""
LOCAL_OWNER: Final = Reader("owner", "administrator")
"""Who runs tomarium on this machine, at the command line or at a portal that only this machine hears."""


def present() -> float:
    """Return the moment of which readers are told what they may see: seconds since 1970."""
    return time.time()


def may_see(reader: Reader, now: Moment | None = None, of: Columns = records.c) -> ColumnElement[bool]:
    """Return the condition on `record` that a reader may know of it: find it, count it, read its metadata.

    Parameters
    ----------
    reader : Reader
        Who asks.
    now : float or ColumnElement of float, optional
        Seconds since 1970; the present moment by default.
    of : columns, optional
        Those of `record`, or of `record_total`, by which a reader is counted for whom `is_counted_by_totals`.

    Returns
    -------
    ColumnElement of bool
        True for what is published, and for drafts of the reader, the reader's teams, instruments and invitations. It
        is computed when it is asked: nothing has to run when something becomes public. False for what was harvested
        from other catalogues, which is no record of this one: see `may_find`.
    """
    return _condition(reader, of.open_from if reader.open_only else of.public_from, now, of)


def may_find(reader: Reader, now: Moment | None = None, of: Columns = records.c) -> ColumnElement[bool]:
    """Return the condition on `record` that a search among all catalogues finds it for a reader.

    Parameters
    ----------
    reader : Reader
        Who asks.
    now : float or ColumnElement of float, optional
        Seconds since 1970; the present moment by default.
    of : columns, optional
        As in `may_see`.

    Returns
    -------
    ColumnElement of bool
        True for what the reader may see, and for what was harvested from other catalogues: that is public, or it would
        not be here. A copy for others has none of it.
    """
    if reader.open_only:
        return may_see(reader, now, of)
    return true() if reader.sees_all else or_(may_see(reader, now, of), of.state == HARVESTED)


def is_counted_by_totals(reader: Reader) -> bool:
    """Tell whether rows of `record_total` tell what a reader may see: not of single records, nor of embargoes.

    Parameters
    ----------
    reader : Reader
        Who asks.

    Returns
    -------
    bool
        Whether `may_see` can be asked of them.
    """
    return not (reader.invited or reader.open_only)


def may_open(reader: Reader, now: Moment | None = None, of: Columns = records.c) -> ColumnElement[bool]:
    """Return the condition on `record` that a reader may have its files and pictures.

    Parameters
    ----------
    reader : Reader
        Who asks.
    now : float or ColumnElement of float, optional
        Seconds since 1970; the present moment by default.
    of : columns, optional
        Those of `record`.

    Returns
    -------
    ColumnElement of bool
        As `may_see`, but of what is published only once its embargo has ended, and not when it was withdrawn.
    """
    return _condition(reader, of.open_from, now, of)


def has_access(
    values: Iterable[str], now: Moment | None = None, of: Columns = records.c
) -> ColumnElement[bool]:
    """Return the condition on `record` that it has one of some values of the facet "access".

    Parameters
    ----------
    values : iterable of str
        "open": anybody may have its files; "embargo": anybody may from a later moment on. No record has another.
    now : float or ColumnElement of float, optional
        Seconds since 1970; the present moment by default.
    of : columns, optional
        Those of `record`.

    Returns
    -------
    ColumnElement of bool
        Whoever asks: who may have the files already is told the same. Nothing has both values at one moment.
    """
    chosen = set(values)
    moment = _moment(now)
    since = of.open_from
    return or_(
        and_(since.is_not(None), since <= moment) if OPEN in chosen else false(),
        and_(since.is_not(None), since > moment) if EMBARGO in chosen else false(),
    )


def _moment(now: Moment | None) -> ColumnElement[float]:
    """Return a moment as a query compares it; the present one where none is given."""
    return now if isinstance(now, ColumnElement) else literal(present() if now is None else now, Float)


def _condition(
    reader: Reader, since: ColumnElement[float], now: Moment | None, of: Columns = records.c
) -> ColumnElement[bool]:
    if reader.sees_all:
        return of.state != HARVESTED
    moment = _moment(now)
    return or_(
        and_(since.is_not(None), since <= moment),  # never NULL, which is neither
        owns(reader, of),
        keeps_instrument(reader, of),
        of.id.in_(reader.invited) if reader.invited else false(),
    )


def may_change(reader: Reader) -> ColumnElement[bool]:
    """Return the condition on `record` that a reader may change what it says, remark on it and hand it in.

    Parameters
    ----------
    reader : Reader
        Who asks.

    Returns
    -------
    ColumnElement of bool
        True for what is the reader's own, and for drafts of the reader's instruments.
    """
    return or_(owns(reader), keeps_instrument(reader))


def owns(reader: Reader, of: Columns = records.c) -> ColumnElement[bool]:
    """Return the condition on `record`, or on another table with an owner and a team, that it is a reader's own.

    Parameters
    ----------
    reader : Reader
        Who asks.
    of : columns, optional
        As in `may_see`, or those of `entity` or `parcel`.

    Returns
    -------
    ColumnElement of bool
        True for the owner, its team, curators and administrators.
    """
    if reader.sees_all:
        return true()
    return or_(
        of.owner == reader.name if reader.name else false(),
        of.team.in_(reader.teams) if reader.teams else false(),
    )


def keeps_instrument(reader: Reader, of: Columns = records.c) -> ColumnElement[bool]:
    """Return the condition on `record` that it is a draft, or in review, of an instrument scientist's instrument.

    Parameters
    ----------
    reader : Reader
        Who asks.
    of : columns, optional
        As in `may_see`.

    Returns
    -------
    ColumnElement of bool
        The instrument is the one that the record is filtered by, and the one of its parameter `instrument`, else
        `beamline`. What was published is to an instrument scientist as to anybody.
    """
    if reader.role != "instrument scientist" or not reader.instruments:
        return false()
    sets = select(facets.c.facets).where(
        facets.c.name.in_(("instrument", AS_MEASURED)), facets.c.value.in_(reader.instruments)
    )
    return and_(of.state.in_(("draft", "review")), of.facets.in_(sets))


def demand_role(reader: Reader, *roles: Role, to: str) -> None:
    """Refuse who may not do something.

    Parameters
    ----------
    reader : Reader
        Who asks.
    *roles : str
        Who may; an administrator may always.
    to : str
        What is to be done: "publish a record".

    Raises
    ------
    NotAllowed
        The reader has none of these roles.
    """
    if reader.role not in (*roles, "administrator"):
        raise NotAllowed(
            f"{reader.name or 'a visitor'} ({reader.role}) may not {to}; ask a {' or '.join((*roles, 'administrator'))}"
        )


class NotAllowed(InputError):
    """Somebody asked for what is not theirs to do."""
