"""Scans that appear in folders while the experiment runs: which of them are finished, and how fast they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tomarium.beamtime.copy_listing import Listing, list_scan
from tomarium.errors import InputError

LOOK_BACK_S: Final = 3600.0
"""Seconds over which the rate of arriving data is taken."""

_LEAST_S: Final = 60.0


class Arrivals:
    """Scans in folders: an entry each; one is finished when its files stood still for a while."""

    def __init__(self, folders: Sequence[Path], still_s: float) -> None:
        self._folders = folders
        self._still_s = still_s
        self._seen: dict[Path, tuple[object, float]] = {}
        self._taken: dict[Path, object] = {}

    def look(self, now_s: float) -> tuple[list[Listing], list[Listing]]:
        """Look which scans are there.

        Parameters
        ----------
        now_s : float
            Seconds on a clock that only goes forward; that of the file server is not asked.

        Returns
        -------
        list of Listing, list of Listing
            Those that are finished and were not taken as they are now, and those that are still written.
        """
        ready: list[Listing] = []
        growing: list[Listing] = []
        for listing in listings_in(self._folders):
            path, signature = listing.source, listing.signature
            if self._taken.get(path) == signature:
                continue
            entry = self._seen.get(path)
            if entry is None or entry[0] != signature:
                self._seen[path] = entry = (signature, now_s)
            (ready if signature and now_s - entry[1] >= self._still_s else growing).append(listing)
        return ready, growing

    def taken(self, listing: Listing) -> None:
        """Remember a scan as it was copied; it comes again when it changes.

        Parameters
        ----------
        listing : Listing
            What was copied.
        """
        self._taken[listing.source] = listing.signature


def listings_in(folders: Iterable[Path]) -> list[Listing]:
    """List the scans in folders: each entry is one, but for hidden ones.

    Parameters
    ----------
    folders : iterable of Path
        Folders of scans.

    Returns
    -------
    list of Listing
        In the order of their names; an entry that vanishes meanwhile is left out.

    Raises
    ------
    InputError
        One is no folder.
    """
    listings = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: is no folder; a folder with a scan in each entry was expected")
        for entry in sorted(folder.iterdir()):
            if not entry.name.startswith("."):
                try:
                    listings.append(list_scan(entry))
                except (FileNotFoundError, InputError):
                    continue
    return listings


def arriving_bytes_s(listings: Iterable[Listing], now_s: float) -> float | None:
    """Tell how fast data arrived in the last hour, by the times of the files.

    Parameters
    ----------
    listings : iterable of Listing
        Scans.
    now_s : float
        Seconds since 1970.

    Returns
    -------
    float or None
        Bytes a second; None where less than two files came, or all within a minute.
    """
    times = [
        (file.mtime_ns * 1e-9, file.bytes)
        for listing in listings
        for file in listing.files
        if file.same_as is None
    ]
    recent = [(when, size) for when, size in times if now_s - LOOK_BACK_S <= when <= now_s]
    if len(recent) < 2:
        return None
    span = now_s - min(when for when, _ in recent)
    return sum(size for _, size in recent) / span if span >= _LEAST_S else None
