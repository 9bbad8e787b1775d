"""Records that several catalogues tell: the same dataset, harvested twice, is found once, with all its sources named.

Two items are the same record where they tell the same DOI, or, without one, the same address of their page. A source
that tells several items under one of these does not tell which is which: then all are shown as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, select, update

from tomarium.catalogue.harvest_tables import harvest_sources, harvested
from tomarium.standards.identifiers import DOI

_AT_ONCE: Final = 200
_WHERE_IT_IS: Final = ("identifier", "kind", "content", "changed", "deleted")
"""Fields of an item that tell nothing of the record itself."""


def same_of(item: Mapping[str, Any]) -> str:
    """Return what two items have in common that are the same record.

    Parameters
    ----------
    item : Mapping
        Fields of a `harvested.Item`, as they are kept.

    Returns
    -------
    str
        Its DOI, or the address of its page, in one spelling; "" where it tells neither, or is no dataset.
    """
    if item.get("kind", "dataset") != "dataset":
        return ""
    address = str(item.get("address") or "")
    if doi := DOI.fullmatch(str(item.get("doi") or "")) or DOI.fullmatch(address):
        return f"doi:{doi[1].lower()}"
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    path = parts.path.rstrip("/")
    if parts.scheme not in ("https", "http") or not (path or parts.query):  # of a whole site
        return ""
    return f"{parts.netloc.lower()}{path}{'?' if parts.query else ''}{parts.query}"


def choose_shown(connection: Connection, same_keys: Iterable[str]) -> tuple[set[str], set[str]]:
    """Choose which item is shown of those that are the same record: the one that tells most, else the older source's.

    Parameters
    ----------
    connection : Connection
        That may write.
    same_keys : iterable of str
        What `same_of` returned of items that came, changed or went.

    Returns
    -------
    tuple of set of str and set of str
        Identifiers of the items that are to be shown now, or under other sources than before; and of those that are
        to be shown no more.
    """
    shown, hidden = set[str](), set[str]()
    keys = sorted({same for same in same_keys if same})
    of = harvested.c
    for start in range(0, len(keys), _AT_ONCE):
        query = select(of.id, of.source, of.same, of.shown_by)
        groups: dict[str, list[Any]] = {}
        for row in connection.execute(query.where(of.same.in_(keys[start : start + _AT_ONCE]))):
            groups.setdefault(row.same, []).append(row)
        for group in groups.values():
            chosen = _chosen(connection, group)
            for row in group:
                shown_by = "" if row.id == chosen or not chosen else chosen
                if shown_by != row.shown_by:
                    connection.execute(update(harvested).where(of.id == row.id).values(shown_by=shown_by))
                    (hidden if shown_by else shown).add(row.id)
                    shown |= {chosen} if chosen else set()
    return shown - hidden, hidden


def _chosen(connection: Connection, group: list[Any]) -> str:
    """Return the item that stands for a group; "" where each stands for itself."""
    if len(group) == 1 or len({row.source for row in group}) < len(group):
        return ""
    query = select(harvested.c.id, harvested.c.source, harvested.c.item)
    rows = connection.execute(query.where(harvested.c.id.in_([row.id for row in group])))
    return str(max(rows, key=lambda row: (_count_content(row.item), -row.source)).id)


def _count_content(item: Mapping[str, Any]) -> int:
    """Count what an item tells: its fields, names, words and parameters."""
    values = (value for key, value in item.items() if key not in _WHERE_IT_IS and value)
    return sum(len(value) if isinstance(value, (list, Mapping)) else 1 for value in values)


def same_as(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Return what `same_of` told of items, before they are taken away."""
    query = select(harvested.c.same).where(harvested.c.id.in_(list(ids)), harvested.c.same != "")
    return set(connection.execute(query).scalars())


@dataclass(frozen=True)
class HarvestedCopy:
    """What another source tells of a record that is shown as one source tells it.

    Attributes
    ----------
    source, address, access : str
        Title of the source, the address of the record's page there, and who may have its files, as of `Item`.
    fetched_utc : float
        Seconds since 1970 when the source told it last.
    """

    source: str
    address: str
    access: str
    fetched_utc: float


def copies_of(connection: Connection, id: str) -> tuple[HarvestedCopy, ...]:
    """Return what other sources tell of a record, by the identifier of the item that is shown."""
    query = (
        select(harvested.c.item, harvested.c.fetched_utc, harvest_sources.c.title)
        .join(harvest_sources, harvest_sources.c.number == harvested.c.source)
        .where(harvested.c.shown_by == id)
        .order_by(harvest_sources.c.title)
    )
    return tuple(
        HarvestedCopy(row.title, row.item.get("address", ""), row.item.get("access", ""), row.fetched_utc)
        for row in connection.execute(query)
    )


def other_titles(connection: Connection, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the titles of the other sources of items that are shown.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    ids : iterable of str
        Identifiers of items in this catalogue; any text.

    Returns
    -------
    dict of str to tuple of str
        Identifier → titles in alphabetical order; those that one source tells alone are left out.
    """
    shown_ids = [id for id in ids if id]
    if not shown_ids:
        return {}
    query = (
        select(harvested.c.shown_by, harvest_sources.c.title)
        .join(harvest_sources, harvest_sources.c.number == harvested.c.source)
        .where(harvested.c.shown_by.in_(shown_ids))
        .order_by(harvest_sources.c.title)
    )
    titles: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(query):
        titles[row.shown_by] = (*titles.get(row.shown_by, ()), row.title)
    return titles
