"""Harvesting a PaNOSC search API: datasets, documents and instruments, page by page, in the order of their identifiers.

Each page is kept in one transaction with the place of the next, so that a harvest can be killed whenever it is. What
the source does not list any more is taken away once all of it was listed, as many as it counts itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from tomarium import __version__
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.harvest_sources import (
    LONGEST_TITLE,
    Source,
    add_source,
    all_sources,
    begin_listing,
    end_listing,
    note,
)
from tomarium.catalogue.harvested import AT_ONCE, HarvestCounts, forget_unlisted, keep
from tomarium.errors import InputError, Interrupted, TomariumError
from tomarium.portal.client import Limits, Portal, web_address, with_retries, words
from tomarium.portal.harvests.harvester import Harvest, Harvester, Tell
from tomarium.portal.harvests.panosc_items import KINDS, item_of, read_file
from tomarium.portal.peer_check import public_net_only

LIMITS: Final = Limits(silent_s=5.0, whole_s=60.0, bytes=64 << 20)
TRIES: Final = 3
LONGEST_WAIT_S: Final = 60.0
PAGE: Final = 100
EXAMPLE: Final = "https://data.example.org/panosc/api"
_NAME: Final = "panosc"
_INCLUDES: Final = {
    "Instruments": (),
    "Documents": ("datasets", "parameters", "members"),
    "Datasets": ("parameters", "samples", "techniques", "instrument", "files"),
}
_PEOPLE: Final = {
    "relation": "members",
    "scope": {"include": [{"relation": "person"}, {"relation": "affiliation"}]},
}


def harvest(
    catalogue: Catalogue, source: Source, *, again: bool = False, tell: Tell | None = None
) -> Harvest:
    """Harvest a provider; parameters, result and errors as of `Harvesting`."""
    try:
        if "://" not in source.address:
            raise InputError(f"{source.title} came from the file {source.address}; give that file again")
        with catalogue.writing() as connection:
            if again:
                note(connection, source.number, token="")
            begun = begin_listing(connection, source.number)
        counts = HarvestCounts()
        for name, skip in _lists_left(begun.token):
            counts += _list(catalogue, begun, name, skip, tell)
        return Harvest(counts + _end(catalogue, begun), whole=True)
    except TomariumError as problem:
        with catalogue.writing() as connection:
            note(connection, source.number, error=str(problem))
        raise


def known_source(
    catalogue: Catalogue, address: str, *, title: str = "", every_s: float | None = None
) -> Source:
    """Return a provider as it is known, or enter it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    address : str
        Where it answers, or the name of a file.
    title : str
        What it is called here; what it is called already, its host or its file's name, where it is "".
    every_s : float, optional
        How often it is harvested, s; 0 for when somebody asks. As before by default.

    Returns
    -------
    Source
        With all of this.

    Raises
    ------
    InputError
        The address is none of the web, or the title is another source's.
    """
    address = address.rstrip("/")
    if "://" in address:
        web_address(address, EXAMPLE)
    with catalogue.writing() as connection:
        source = next(
            (
                source
                for source in all_sources(connection)
                if (source.kind, source.address) == (_NAME, address)
            ),
            None,
        )
        title = title or (source.title if source else (urlsplit(address).netloc or address)[:LONGEST_TITLE])
        every_s = (source.every_s if source else 0.0) if every_s is None else every_s
        return add_source(connection, _NAME, address, title, every_s=every_s)


def harvest_file(
    catalogue: Catalogue, file: Path, *, title: str = "", tell: Tell | None = None
) -> tuple[Source, Harvest]:
    """Keep what a file of PaNOSC entities tells, and take away what it tells no longer.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    file : Path
        As `panosc_items.read_file` reads it; its name is the address of the source.
    title : str
        What the source is called here; the file's name by default.
    tell : callable, optional
        Told of progress.

    Returns
    -------
    tuple of Source and Harvest
        As what it was kept, and what came of it.

    Raises
    ------
    FormatError
        The file cannot be read; nothing is changed then.
    """
    items = read_file(file)
    source = known_source(catalogue, file.name, title=title)
    with catalogue.writing() as connection:
        note(connection, source.number, token="")
        source = begin_listing(connection, source.number)
    counts = HarvestCounts()
    for start in range(0, len(items), AT_ONCE):
        with catalogue.writing() as connection:
            counts += keep(connection, source.number, items[start : start + AT_ONCE])
        if tell:
            tell("keep items", min(start + AT_ONCE, len(items)), len(items))
    return source, Harvest(counts + _end(catalogue, source), whole=True)


def _lists_left(token: str) -> Iterator[tuple[str, int]]:
    """Tell what is still to be listed, from where a listing was interrupted."""
    name, _, number = token.partition(" ")
    names = list(KINDS)
    for text in names[names.index(name) if name in names else 0 :]:
        yield text, int(number) if text == name and number.isdecimal() else 0


def _list(catalogue: Catalogue, source: Source, name: str, skip: int, tell: Tell | None) -> HarvestCounts:
    """Keep all datasets, documents or instruments from a place on, a page at a time."""
    counts, total, before = HarvestCounts(), _count(source.address, name), frozenset[str]()
    while page := _page(source.address, name, skip):
        pids = frozenset(str(entity.get("pid")) for entity in page)
        if pids == before:
            raise InputError(
                f"{source.address}: answers the same {name} again, whatever is skipped; ask its keeper"
            )
        before, skip = pids, skip + len(page)
        items = [item for entity in page if (item := item_of(KINDS[name], entity)) is not None]
        with catalogue.writing() as connection:
            counts += keep(connection, source.number, items)
            note(connection, source.number, token=f"{name} {skip}")
        if tell:
            tell(f"list {name}", skip, max(total, skip))
    if skip < total:
        raise InputError(
            f"{source.address}: counts {total} {name} and listed only {skip}, so nothing was taken away; ask its keeper"
        )
    return counts


def _end(catalogue: Catalogue, source: Source) -> HarvestCounts:
    with catalogue.writing() as connection:
        gone = forget_unlisted(connection, source.number)
        end_listing(connection, source.number)
    return HarvestCounts(deleted=gone)


def _count(address: str, name: str) -> int:
    """Ask how many there are; 0 where it does not tell."""
    value = _ask(address, f"{name}/count", {})
    number = value.get("count") if isinstance(value, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else 0


def _page(address: str, name: str, skip: int) -> list[dict[str, Any]]:
    """Ask for one page, with all that belongs to its entries."""
    includes = [{"relation": text} for text in _INCLUDES[name]]
    page = _ask_for_entities(
        address, name, {"include": includes, "limit": PAGE, "skip": skip, "order": "pid ASC"}
    )
    with_members = [
        entity["pid"] for entity in page if entity.get("members") and isinstance(entity.get("pid"), str)
    ]
    if with_members:  # asked apart: a scope would leave out those that have none
        where = {"pid": {"inq": with_members}}
        with_people = _ask_for_entities(address, name, {"where": where, "include": [_PEOPLE], "limit": PAGE})
        people = {entity.get("pid"): entity.get("members") for entity in with_people}
        page = [
            entity | {"members": people.get(entity.get("pid")) or entity.get("members")} for entity in page
        ]
    return page


def _ask_for_entities(address: str, name: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    value = _ask(address, name, {"filter": json.dumps(query)})
    if not isinstance(value, list) or not all(isinstance(entity, dict) for entity in value):
        raise InputError(
            f"{address}/{name}: answers something else than a list of objects; is it such an API?"
        )
    return value


def _ask(address: str, path: str, query: Mapping[str, str]) -> Any:
    agent = {"User-Agent": f"tomarium/{__version__} (PaNOSC harvester)", "Accept": "application/json"}
    portal = Portal(address, headers=agent, limits=LIMITS, peer=public_net_only())
    # What it has harvested itself is taken from where that comes from, and not twice.
    place = f"{portal.address}/{path}?{urlencode({'provider': 'own', **query})}"
    try:
        answer = with_retries(lambda: portal.get(place), TRIES, LONGEST_WAIT_S)
    except Interrupted as problem:
        raise Interrupted(f"{address}: {problem}") from problem
    if answer.status != 200:
        raise InputError(f"{address}/{path}: {words(answer)}; check the address, or ask its keeper")
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as problem:
        raise InputError(
            f"{address}/{path}: answers no JSON ({problem}); is it a PaNOSC search API?"
        ) from problem


PANOSC = Harvester(_NAME, harvest)
