"""Which scan is on which disk: the ledger of copies, scans with on one volume only first."""

from __future__ import annotations

from dataclasses import dataclass, field

from tomarium.beamtime.beamtime_folder import ledger_file
from tomarium.beamtime.copies_known import PlaceState, ScanState, places_known, scans_known
from tomarium.beamtime.copy_ledger import open_ledger
from tomarium.portal.administration import Tab, demand_section, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest


@dataclass(frozen=True)
class DisksPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    total, few : int
        How many scans there are, and how many have fewer than two whole copies.
    scans : tuple of ScanState
        Those with the fewest copies first.
    places : tuple of PlaceState
        Disks, servers and remotes, also those that are not plugged in.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    total: int
    few: int
    scans: tuple[ScanState, ...]
    places: tuple[PlaceState, ...]
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> DisksPage:
    """Tell which scan is on which disk, from the ledger of the beamtime in which the portal was started."""
    reader = demand_section(request_context, "copies")
    place = ledger_file()
    scans: tuple[ScanState, ...] = ()
    places: tuple[PlaceState, ...] = ()
    if place.is_file():
        with open_ledger(place, make=False) as ledger:
            scans, places = tuple(scans_known(ledger)), tuple(places_known(ledger))
    on_one_disk = sum(scan.places < 2 for scan in scans)
    return DisksPage(
        "Copies", len(scans), on_one_disk, scans, places, tabs(request_context, reader, "copies")
    )


DISKS = Page(name="disks", path="/disks", json_path="/disks.json", template="disks.html", content=content)
