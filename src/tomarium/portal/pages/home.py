"""The first page: what this is, the search, and the newest records."""

from __future__ import annotations

from dataclasses import dataclass

from tomarium.catalogue import search
from tomarium.portal.desk import AtDesk
from tomarium.portal.found import FoundRecord, found_records
from tomarium.portal.page import Page

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


def content(desk: AtDesk) -> HomePage:
    """Show the newest records."""
    found = search(desk.catalogue, limit=NEWEST)
    return HomePage("A herbarium for tomograms", found.total, found_records(desk, found.hits))


HOME = Page(name="home", path="/", twin="/index.json", template="home.html", content=content)
