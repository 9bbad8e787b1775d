"""Harvesting a repository by OAI-PMH 2.0: what was changed since the last time, gone on with where it was interrupted.

Each part of a list is kept in one transaction with the token of the next, so that a harvest can be killed whenever it
is. The next one asks for what was changed since the repository's own clock said that the last one began, and a little
before: what was being written then is told again, and keeping it twice changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

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
from tomarium.catalogue.harvested import HarvestCounts, Item, forget_unlisted, keep
from tomarium.errors import FormatError, InputError, Interrupted, TomariumError
from tomarium.portal.client import Limits, Portal, web_address, with_retries, words
from tomarium.portal.harvests.harvester import Harvest, Harvester, Tell
from tomarium.portal.harvests.oai_items import PREFIXES, read_item
from tomarium.portal.harvests.oai_reply import Reply, read_reply
from tomarium.portal.peer_check import public_net_only

LIMITS: Final = Limits(silent_s=30.0, whole_s=600.0, bytes=64 << 20)
TRIES: Final = 5
SILENCES: Final = 3
"""How often a part is asked for that brings no answer: a repository that says nothing costs a minute and a half."""
WITHIN_S: Final = 1200.0
"""How long a part is asked for in all, with the waits that the repository asks for."""
EXAMPLE: Final = "https://data.example.org/oai"
LONGEST_WAIT_S: Final = 600.0
"""Longest wait that a repository may ask for by Retry-After."""
OVERLAP: Final = timedelta(minutes=1)
"""How much before the last harvest the next one begins, at least: a long transaction may come to its end after it."""
Ask = Callable[[dict[str, str]], Reply]


@dataclass(frozen=True)
class _Place:
    """Where a listing that was interrupted goes on: the repository's token, and when the listing was begun there."""

    token: str
    moment: str
    whole: bool

    def __str__(self) -> str:
        return json.dumps([self.token, self.moment, self.whole])


def harvest(
    catalogue: Catalogue, source: Source, *, again: bool = False, tell: Tell | None = None
) -> Harvest:
    """Harvest a repository; parameters, result and errors as of `Harvesting`."""
    try:
        outcome = _harvest(catalogue, source, again=again, tell=tell or _no_progress)
    except TomariumError as problem:
        with catalogue.writing() as connection:
            note(connection, source.number, error=str(problem))
        raise
    return outcome


def known_source(
    catalogue: Catalogue, address: str, selection: str = "", *, title: str = "", every_s: float | None = None
) -> Source:
    """Return a repository as it is known, or enter it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    address, selection : str
        Where it answers, or the name of a file; and the set that is taken, "" for all.
    title : str
        What it is called here; what it is called already, or calls itself, where it is "".
    every_s : float, optional
        How often it is harvested, s; 0 for when somebody asks. As before by default.

    Returns
    -------
    Source
        With all of this.

    Raises
    ------
    Interrupted
        It is new, has no title, and does not answer.
    InputError
        The address is none of a repository, or the title is another source's.
    """
    with catalogue.reading() as connection:
        everyone = all_sources(connection)
    source = next(
        (
            source
            for source in everyone
            if (source.kind, source.address, source.selection) == ("oai", address, selection)
        ),
        None,
    )
    every_s = (source.every_s if source else 0.0) if every_s is None else every_s
    title = title or (
        source.title if source else _own_title(address, selection, {source.title for source in everyone})
    )
    with catalogue.writing() as connection:
        return add_source(connection, "oai", address, title, selection, every_s)


def _own_title(address: str, selection: str, titles: set[str]) -> str:
    """Make a title of what a repository calls itself."""
    if "://" not in address:
        return address[:LONGEST_TITLE]
    host = web_address(address, EXAMPLE).netloc
    reply = _ask_at(address)({"verb": "Identify"})
    name = f"{reply.name or host}{f': {selection}' if selection else ''}"[:LONGEST_TITLE]
    return f"{name[: LONGEST_TITLE - len(host) - 3]} ({host})" if name in titles else name


def harvest_file(catalogue: Catalogue, path: Path, *, title: str = "") -> tuple[Source, Harvest]:
    """Keep the records of an answer that was saved in a file.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    path : Path
        An answer to ListRecords or GetRecord; its name is the address of the source.
    title : str
        What the source is called here; the file's name by default.

    Returns
    -------
    tuple of Source and Harvest
        As what it was kept, and what came of it. The file may be one part of a list: what it does not hold stays.

    Raises
    ------
    InputError
        It is no such answer, or tells an error; nothing is kept then.
    """
    if path.stat().st_size > LIMITS.bytes:
        raise InputError(
            f"{path}: is larger than {LIMITS.bytes >> 20} MiB; save the list in parts, as OAI-PMH gives it"
        )
    reply = read_reply(path.read_bytes(), str(path))
    if reply.code:
        raise InputError(
            f"{path}: tells the error {reply.code} ({reply.message}); save an answer to ListRecords"
        )
    items, problems = _items(reply)
    source = known_source(catalogue, path.name, title=title)
    with catalogue.writing() as connection:
        begin_listing(connection, source.number)
        counts = keep(connection, source.number, items)
        end_listing(connection, source.number, reply.moment)
    notes: tuple[str, ...] = ()
    if reply.token:
        notes = (
            f"the list goes on after this file (resumptionToken {reply.token[:60]}); give its other parts too",
        )
    return source, Harvest(replace(counts, problems=(*counts.problems, *problems)), notes=notes)


def _harvest(catalogue: Catalogue, source: Source, *, again: bool, tell: Tell) -> Harvest:
    ask = _ask_at(source.address)
    identity = ask({"verb": "Identify"})
    if identity.code:
        raise InputError(f"{source.address}: refused Identify: {identity.code} ({identity.message})")
    notes = [] if identity.deletions == "persistent" else [_deletions_note(identity.deletions)]
    with catalogue.writing() as connection:
        if again:
            note(connection, source.number, token="")
        source = begin_listing(connection, source.number)
    since = "" if again else _since(source.response_date, identity.granularity)
    first = {"verb": "ListRecords", "metadataPrefix": _prefix(ask, source.address)}
    first |= ({"set": source.selection} if source.selection else {}) | ({"from": since} if since else {})
    start = _Place("", "", whole=not since)
    place = _read_place(source.token)
    if place is not None:
        notes.append("it went on where the last harvest was interrupted")
        try:
            return replace(_read_list(catalogue, source, ask, first, place, tell), notes=tuple(notes))
        except _Forgotten:
            notes[-1] = "the repository forgot where its list was interrupted, and it was read again"
    try:
        return replace(_read_list(catalogue, source, ask, first, start, tell), notes=tuple(notes))
    except _Forgotten:
        notes.append("the repository forgot in the middle where its list was, and it was begun again")
    try:
        return replace(_read_list(catalogue, source, ask, first, start, tell), notes=tuple(notes))
    except _Forgotten as problem:
        raise InputError(
            f"{source.address}: forgets where its list goes on ({problem}); ask its keeper"
        ) from None


class _Forgotten(Exception):
    """The repository does not know its own token any more."""


def _read_list(
    catalogue: Catalogue, source: Source, ask: Ask, first: dict[str, str], place: _Place, tell: Tell
) -> Harvest:
    """Keep a list from a place on to its end, a part at a time."""
    counts, read_count = HarvestCounts(), 0
    while True:
        reply = ask({"verb": "ListRecords", "resumptionToken": place.token} if place.token else first)
        if reply.code == "badResumptionToken" and place.token:
            raise _Forgotten(reply.message)
        if reply.code not in ("", "noRecordsMatch"):
            raise InputError(f"{source.address}: refused the list: {reply.code} ({reply.message})")
        if reply.token and reply.token == place.token:
            raise InputError(
                f"{source.address}: its list does not go on: it gave one resumptionToken twice; ask its keeper"
            )
        items, problems = _items(reply)
        read_count += len(reply.records)
        place = _Place(reply.token, place.moment or reply.moment, place.whole)
        with catalogue.writing() as connection:
            counts_of_part = keep(connection, source.number, items)
            counts += replace(counts_of_part, problems=(*counts_of_part.problems, *problems))
            note(connection, source.number, token=str(place) if place.token else "")
            if not place.token:
                if place.whole:
                    counts += HarvestCounts(deleted=forget_unlisted(connection, source.number))
                end_listing(connection, source.number, place.moment)
        tell("records", read_count, max(reply.total, read_count))
        if not place.token:
            return Harvest(counts, place.whole)


def _ask_at(address: str) -> Ask:
    """Return what asks a repository, and asks again after errors that pass."""
    web_address(address, EXAMPLE)
    agent = {
        "User-Agent": f"tomarium/{__version__} (OAI-PMH harvester)",
        "Accept": "text/xml, application/xml",
    }
    portal = Portal(address, headers=agent, limits=LIMITS, peer=public_net_only())

    def ask(arguments: dict[str, str]) -> Reply:
        separator = "&" if "?" in portal.address else "?"
        place = f"{portal.address}{separator}{urlencode(arguments)}"
        try:
            answer = with_retries(
                lambda: portal.get(place), TRIES, LONGEST_WAIT_S, silences=SILENCES, within_s=WITHIN_S
            )
        except Interrupted as problem:
            raise Interrupted(f"{portal.address}: {problem}") from problem
        if answer.status != 200:
            raise InputError(f"{portal.address}: {words(answer)}; check the address, or ask its keeper")
        return read_reply(answer.content, portal.address)

    return ask


def _prefix(ask: Ask, address: str) -> str:
    offered = ask({"verb": "ListMetadataFormats"}).prefixes
    for prefix in PREFIXES:
        if prefix in offered:
            return prefix
    raise InputError(
        f"{address}: gives its records as {', '.join(offered)[:200] or 'nothing'}; what is read here is "
        f"{' or '.join(PREFIXES)}"
    )


def _items(reply: Reply) -> tuple[list[Item], tuple[str, ...]]:
    items, problems = [], []
    for record in reply.records:
        try:
            items.append(read_item(record))
        except FormatError as problem:
            problems.append(str(problem))
    return items, tuple(problems)


def _since(moment: str, granularity: str) -> str:
    """Return from when on changes are asked for; "" for all."""
    try:
        last = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return ""
    last = last if last.tzinfo else last.replace(tzinfo=UTC)
    if "T" in granularity:
        return (last - OVERLAP).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (last - timedelta(days=1)).astimezone(UTC).strftime("%Y-%m-%d")


def _read_place(text: str) -> _Place | None:
    try:
        token, moment, is_whole = json.loads(text)
        return _Place(str(token), str(moment), bool(is_whole))
    except (ValueError, TypeError):
        return None


def _deletions_note(deletions: str) -> str:
    reason = {"transient": "keeps what it deleted in mind for a while only"}.get(
        deletions, "does not tell what it deleted"
    )
    return f"this repository {reason}; read all of it from time to time, with --again, so that this goes here too"


def _no_progress(_word: str, _done: int, _total: int) -> None:
    """Report no progress."""


OAI = Harvester("oai", harvest)
