"""How often published records were seen and taken, by record and month; who did is not kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, case, func, insert, select, update

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import Reader, may_see
from tomarium.catalogue.reader_tables import record_use
from tomarium.catalogue.tables import records

KINDS: Final = ("view", "download")
METHODS: Final = ("regular", "machine")
"""How: by a person with a browser, or by a program that is no robot."""


@dataclass(frozen=True)
class Counted:
    """What is counted together.

    Attributes
    ----------
    record, month : str
        Identifier of the record; "2026-11", UTC.
    kind, method : str
        One of `KINDS` and of `METHODS`.
    """

    record: str
    month: str
    kind: str
    method: str


@dataclass(frozen=True)
class Use:
    """How often something was seen and taken.

    Attributes
    ----------
    views, downloads : int
        How often.
    visitors, takers : int
        The same with each visitor counted once a day.
    by_machines : int
        How many of the views and downloads were by programs.
    """

    views: int = 0
    downloads: int = 0
    visitors: int = 0
    takers: int = 0
    by_machines: int = 0


def add_use(catalogue: Catalogue, counts: Mapping[Counted, tuple[int, int]]) -> None:
    """Add to the counts, in one transaction.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    counts : Mapping of Counted to (int, int)
        How often, and by how many visitors that were not counted that day.
    """
    of = record_use.c
    with catalogue.writing() as connection:
        for key, (total, unique) in sorted(counts.items(), key=lambda item: str(item[0])):
            values = {"record": key.record, "month": key.month, "kind": key.kind, "method": key.method}
            here = (of.record == key.record) & (of.month == key.month) & (of.kind == key.kind)
            more = {"total": of.total + total, "unique_total": of.unique_total + unique}
            if not connection.execute(
                update(record_use).where(here, of.method == key.method).values(**more)
            ).rowcount:
                connection.execute(insert(record_use).values(**values, total=total, unique_total=unique))


def use_of(connection: Connection, record: str) -> tuple[Use, dict[str, Use]]:
    """Tell how often a record was seen and taken.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    record : str
        Identifier of a record that the reader may see.

    Returns
    -------
    tuple of Use, and dict of str to Use
        Since it was counted; and by month, the last one first.
    """
    query = select(*_summed(), record_use.c.month).where(record_use.c.record == record)
    rows = connection.execute(query.group_by(record_use.c.month).order_by(record_use.c.month.desc())).all()
    months = {row.month: _use(row) for row in rows}
    return added(months.values()), months


def use_by_month(connection: Connection, reader: Reader) -> dict[str, Use]:
    """Tell how often all records that a reader may see were seen and taken, by month, the first one first."""
    query = select(*_summed(), record_use.c.month).where(_of_visible(reader))
    rows = connection.execute(query.group_by(record_use.c.month).order_by(record_use.c.month)).all()
    return {row.month: _use(row) for row in rows}


def use_by_record(
    connection: Connection, reader: Reader, first: str = "", last: str = "", most: int = 10_000
) -> list[tuple[str, str, Use]]:
    """Tell how often each record was seen and taken: those that were taken most come first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks; only records that this reader may see are told.
    first, last : str
        Months, both included; "" for no limit.
    most : int
        How many records at most.

    Returns
    -------
    list of (str, str, Use)
        Identifier, title and use.
    """
    summed = _summed()
    query = (
        select(*summed, records.c.id, records.c.title)
        .join(records, records.c.id == record_use.c.record)
        .where(may_see(reader), *_between(first, last))
        .group_by(records.c.id, records.c.title)
        .order_by(summed[1].desc(), summed[0].desc(), records.c.id)
        .limit(most)
    )
    return [(row.id, row.title, _use(row)) for row in connection.execute(query).all()]


def counts_of(
    connection: Connection, reader: Reader, first: str = "", last: str = ""
) -> list[tuple[Counted, int, int]]:
    """List all counts of records that a reader may see, by record and month."""
    query = select(record_use).where(_of_visible(reader), *_between(first, last))
    order = (record_use.c.record, record_use.c.month, record_use.c.kind, record_use.c.method)
    return [
        (Counted(row.record, row.month, row.kind, row.method), row.total, row.unique_total)
        for row in connection.execute(query.order_by(*order)).all()
    ]


def added(uses: Iterable[Use]) -> Use:
    """Add up what was counted apart."""
    every = list(uses)
    names = ("views", "downloads", "visitors", "takers", "by_machines")
    return Use(*(sum(getattr(use, name) for use in every) for name in names))


def _of_visible(reader: Reader) -> Any:
    return record_use.c.record.in_(select(records.c.id).where(may_see(reader)))


def _between(first: str, last: str) -> list[Any]:
    conditions = [record_use.c.month >= first] if first else []
    return [*conditions, record_use.c.month <= last] if last else conditions


def _summed() -> list[Any]:
    of = record_use.c

    def those(condition: Any, column: Any) -> Any:
        return func.sum(case((condition, column), else_=0))

    return [
        those(of.kind == "view", of.total).label("views"),
        those(of.kind == "download", of.total).label("downloads"),
        those(of.kind == "view", of.unique_total).label("visitors"),
        those(of.kind == "download", of.unique_total).label("takers"),
        those(of.method == "machine", of.total).label("by_machines"),
    ]


def _use(row: Any) -> Use:
    return Use(
        *(int(getattr(row, name)) for name in ("views", "downloads", "visitors", "takers", "by_machines"))
    )
