"""A record that was found, with its addresses: one card of a list."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fastapi import HTTPException

from tomarium.catalogue import Hit
from tomarium.model.level import DEFAULT
from tomarium.portal.languages import translations
from tomarium.portal.request_context import RequestContext
from tomarium.viewers.plain_facts import plain_size


@dataclass(frozen=True)
class FoundRecord:
    """One card.

    Attributes
    ----------
    id, title, created, snippet, score, bytes, shape, voxel_m, creators, energy_kev
        As in `catalogue.Hit`; for pupils and students the title is that of its card in plain words, where it has one,
        and for pupils `snippet` is what the card says it is.
    page, thumbnail : str
        Address of its page, and of its small picture ("" where there is none).
    state, licence : str
        As in `catalogue.Hit`.
    opens : str
        When its files open to anybody, ISO 8601; "" where they are open, or nobody knows.
    open : bool
        Whether anybody may have its files now; False of what another catalogue holds.
    withheld : str
        Why no picture is shown.
    level : str
        For whom it is told: "pupil", "student" or "scientist".
    source, fetched : str
        Title of the catalogue that it was harvested from, and when last (ISO 8601); "" of a record of this one.
    also : tuple of str
        Titles of other catalogues that tell the same record.
    mesh : bool
        Whether it holds a mesh, which its page shows in three dimensions.
    plain_size : str
        How large it is beside a known thing; "" for scientists, and where it is not known.
    """

    id: str
    title: str
    created: str
    snippet: str
    score: float | None
    bytes: int
    shape: tuple[int, ...]
    voxel_m: float | None
    page: str
    thumbnail: str
    state: str
    licence: str
    opens: str
    withheld: str
    level: str = DEFAULT
    plain_size: str = ""
    source: str = ""
    fetched: str = ""
    also: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    energy_kev: float | None = None
    open: bool = False
    mesh: bool = False


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _opens(hit: Hit) -> str:
    if hit.source:  # a day that has passed since the harvest is told no more
        return hit.opens if hit.opens > datetime.now(UTC).date().isoformat() else ""
    # Who may have them already is told, too, since others may not.
    until = hit.open_from if hit.open_from is not None and hit.open_from > time.time() else None
    return "" if until is None or hit.state == "withdrawn" else _moment(until)


def _withheld(hit: Hit) -> str:
    if hit.thumbnail:
        return ""
    if hit.source:
        return "Another catalogue"
    if hit.state == "withdrawn":
        return "Withdrawn"
    return "No picture" if hit.open else "Under embargo"


def found_records(
    request_context: RequestContext, hits: Iterable[Hit], level: str = DEFAULT
) -> tuple[FoundRecord, ...]:
    """Give hits their addresses.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    hits : iterable of Hit
        What was found.
    level : str
        For whom they are told, a key of `model.level.LEVELS`.

    Returns
    -------
    tuple of FoundRecord
        In the same order.
    """
    cards = _cards_of(request_context, hits)
    return (
        cards if level == DEFAULT else tuple(_card_for_level(request_context, card, level) for card in cards)
    )


def _card_for_level(request_context: RequestContext, card: FoundRecord, level: str) -> FoundRecord:
    """Tell a card for pupils or students, by what the record itself says in plain words."""
    if card.source:
        return replace(card, level=level)
    try:
        record, _ = request_context.seen(card.id)
    except HTTPException:  # its folder is gone or damaged, which its own page says
        return replace(card, level=level)
    title = record.card.title or card.title
    words = translations(request_context.language)
    level_card = replace(card, level=level, title=title, plain_size=plain_size(record, words))
    return replace(level_card, snippet=" ".join(record.card.what.split())) if level == "pupil" else level_card


def _cards_of(request_context: RequestContext, hits: Iterable[Hit]) -> tuple[FoundRecord, ...]:
    return tuple(
        FoundRecord(
            id=hit.id,
            title=hit.title,
            created=hit.created,
            snippet=hit.snippet,
            score=hit.score,
            bytes=hit.bytes,
            shape=hit.shape,
            voxel_m=hit.voxel_m,
            page=request_context.link("harvested" if hit.source else "record", {"id": hit.id}),
            thumbnail=request_context.link("file", {"id": hit.id, "path": hit.thumbnail})
            if hit.thumbnail
            else "",
            state=hit.state,
            licence=hit.licence,
            opens=_opens(hit),
            withheld=_withheld(hit),
            source=hit.source,
            fetched="" if hit.fetched is None else _moment(hit.fetched),
            also=hit.also,
            creators=hit.creators,
            energy_kev=hit.energy_kev,
            mesh=hit.mesh,
            open=hit.state == "published" and hit.open_from is not None and hit.open_from <= time.time(),
        )
        for hit in hits
    )
