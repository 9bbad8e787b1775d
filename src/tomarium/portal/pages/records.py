"""All records, or those that hold some words, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from tomarium.catalogue import search
from tomarium.portal.page import Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.result_card import FoundRecord, found_records


@dataclass(frozen=True)
class RecordsPage:
    """Content of a list of records.

    Attributes
    ----------
    title : str
        Of the page.
    q : str
        What was asked for.
    total : int
        Records found.
    more : bool
        There are more than `total`.
    first, last : int
        Numbers of the first and the last hit on this page, from 1; 0 where there is none.
    hits : tuple of FoundRecord
        The most relevant first; the newest first where nothing was asked.
    previous, next : str or None
        Addresses of the pages beside this one.
    """

    title: str
    q: str
    total: int
    more: bool
    first: int
    last: int
    hits: tuple[FoundRecord, ...]
    previous: str | None
    next: str | None


def content(
    request_context: CurrentRequest,
    q: Annotated[str, Query(description="Words that must all occur; “in quotes”: side by side")] = "",
    limit: Annotated[int, Query(ge=1, le=200, description="Records on a page")] = 24,
    offset: Annotated[int, Query(ge=0, lt=2**31, description="Records to pass over")] = 0,
) -> RecordsPage:
    """List records, or find them by words in title, description, names and parameters."""
    found = search(request_context.catalogue, request_context.reader, q, limit=limit, offset=offset)
    chosen = {"q": q, "limit": str(limit) if limit != 24 else ""}

    def beside(start: int) -> str:
        return request_context.link("records", query={**chosen, "offset": str(start) if start else ""})

    return RecordsPage(
        title=f"Search for “{q}”" if q.strip() else "All records",
        q=q,
        total=found.total,
        more=found.more,
        first=offset + 1 if found.hits else 0,
        last=offset + len(found.hits) if found.hits else 0,
        hits=found_records(request_context, found.hits),
        previous=beside(max(0, offset - limit)) if offset else None,
        next=beside(offset + limit) if offset + limit < found.total else None,
    )


RECORDS = Page(
    name="records",
    path="/records",
    json_path="/records.json",
    template="records.html",
    content=content,
    menu="Records",
    order=10,
)
