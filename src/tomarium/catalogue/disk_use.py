"""How much of the disk the records of an owner or a team take, and how much they may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from sqlalchemy import Connection, delete, func, insert, select

from tomarium.catalogue import form_words
from tomarium.catalogue.audit import note
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.tables import quotas, records
from tomarium.errors import InputError
from tomarium.model.sentence import Sentence

Kind = Literal["owner", "team"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
MOST_BYTES: Final = 10**18
"""An exabyte: a larger quota is a slip of the pen."""


@dataclass(frozen=True)
class Use:
    """What an owner or a team takes of the disk.

    Attributes
    ----------
    kind : str
        "owner" or "team".
    name : str
        Of the account or the team.
    records, bytes : int
        How many records, and their size as their manifests tell it.
    quota : int or None
        How many bytes they may take; None: not limited.
    """

    kind: str
    name: str
    records: int
    bytes: int
    quota: int | None

    @property
    def over(self) -> bool:
        """Whether it is more than it may be."""
        return self.quota is not None and self.bytes > self.quota


def disk_use(connection: Connection) -> list[Use]:
    """Sum the sizes of all records by owner and by team.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    list of Use
        Owners first, then teams, each from the largest to the smallest; those with a quota and nothing yet too.
    """
    limits = {(row.kind, row.name): int(row.bytes) for row in connection.execute(select(quotas))}
    all_uses: list[Use] = []
    for kind in KINDS:
        column = records.c[kind]
        sums = (
            select(column, func.count(), func.coalesce(func.sum(records.c.bytes), 0))
            .where(column != "")
            .group_by(column)
        )
        sums_by_name = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(sums)}
        names = {*sums_by_name, *(name for of, name in limits if of == kind)}
        uses = [Use(kind, name, *sums_by_name.get(name, (0, 0)), limits.get((kind, name))) for name in names]
        all_uses += sorted(uses, key=lambda use: (-use.bytes, use.name))
    return all_uses


def use_of(connection: Connection, kind: Kind, name: str) -> Use:
    """Sum the sizes of the records of one owner or team.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    kind : str
        "owner" or "team".
    name : str
        Of the account or the team.

    Returns
    -------
    Use
        Of nothing where it has no records.
    """
    uses = [use for use in disk_use(connection) if (use.kind, use.name) == (kind, name)]
    return uses[0] if uses else Use(kind, name, 0, 0, None)


def change_quota(connection: Connection, by: Reader, kind: str, name: str, size: int | None) -> None:
    """Say how much of the disk the records of an owner or a team may take.

    Parameters
    ----------
    connection : Connection
        That may write.
    by : Reader
        An administrator.
    kind : str
        "owner" or "team".
    name : str
        Of the account or the team.
    size : int or None
        Bytes; None takes the quota away.

    Raises
    ------
    InputError
        The kind is none, the name is none, or the size is absurd.
    NotAllowed
        `by` is no administrator.
    """
    demand_role(by, to="change quotas")
    if kind not in KINDS or not name or len(name) > 40:
        raise InputError(
            Sentence(form_words.NO_OWNER, kind=repr(kind[:20]), name=repr(name[:60]), names=", ".join(KINDS))
        )
    if size is not None and not 0 <= size <= MOST_BYTES:
        raise InputError(f"a quota cannot be {size:.3g} bytes; give 0 B to 1 EB")
    connection.execute(delete(quotas).where(quotas.c.kind == kind, quotas.c.name == name))
    if size is not None:
        connection.execute(insert(quotas).values(kind=kind, name=name, bytes=size))
    note(connection, by, "change quota", kind=kind, name=name, bytes=size)
