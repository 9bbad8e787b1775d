"""The first page: what this is, the search, and the newest records."""

from __future__ import annotations

from dataclasses import dataclass

from tomarium.catalogue import search
from tomarium.portal.page import Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.result_card import FoundRecord, found_records

NEWEST = 9


@dataclass(frozen=True)
class HomePage:
    """Content of the first page.

    Attributes
    ----------
    title : str
        Of the page.
    total : int
        Records in the catalogue.
    hits : tuple of FoundRecord
        The newest.
    """

    title: str
    total: int
    hits: tuple[FoundRecord, ...]


def content(request_context: CurrentRequest) -> HomePage:
    """Show the newest records."""
    found = search(request_context.catalogue, request_context.reader, limit=NEWEST)
    return HomePage("A herbarium for tomograms", found.total, found_records(request_context, found.hits))


HOME = Page(name="home", path="/", json_path="/index.json", template="home.html", content=content)
