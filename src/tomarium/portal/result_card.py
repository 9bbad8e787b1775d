"""A record that was found, with its addresses: one card of a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tomarium.catalogue import Hit
from tomarium.portal.request_context import RequestContext


@dataclass(frozen=True)
class FoundRecord:
    """One card.

    Attributes
    ----------
    id, title, created, snippet, score, bytes, shape, voxel_m
        As in `catalogue.Hit`.
    page, thumbnail : str
        Address of its page, and of its small picture ("" where there is none).
    state, licence : str
        As in `catalogue.Hit`.
    opens : str
        When its files open, ISO 8601; "" where they are open, or nobody knows.
    withheld : str
        Why no picture is shown.
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


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _withheld(hit: Hit) -> str:
    if hit.thumbnail:
        return ""
    if hit.state == "withdrawn":
        return "Withdrawn"
    return "No picture" if hit.open else "Under embargo"


def found_records(request_context: RequestContext, hits: Iterable[Hit]) -> tuple[FoundRecord, ...]:
    """Give hits their addresses.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    hits : iterable of Hit
        What was found.

    Returns
    -------
    tuple of FoundRecord
        In the same order.
    """
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
            page=request_context.link("record", {"id": hit.id}),
            thumbnail=request_context.link("file", {"id": hit.id, "path": hit.thumbnail})
            if hit.thumbnail
            else "",
            state=hit.state,
            licence=hit.licence,
            opens="" if hit.open or hit.open_from is None else _moment(hit.open_from),
            withheld=_withheld(hit),
        )
        for hit in hits
    )
