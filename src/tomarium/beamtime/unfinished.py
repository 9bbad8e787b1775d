"""Scans that are still being written: told once, and named where they do not end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tomarium.beamtime.arrivals import Arrival, Stamp
from tomarium.beamtime.log_events import FAILED_S
from tomarium.beamtime.scan_warnings import ScanWarning

UNENDED_S: Final = 600.0
"""Time after which a scan is named that is still written to and cannot be read, or is not whole and rests."""

NOT_WHOLE: Final = "Not whole"


@dataclass
class Unfinished:
    """What a watch knows of scans that cannot be read yet, because they are being written.

    Attributes
    ----------
    since : dict of str to float
        Scan → when it was first found so, seconds since 1970.
    tried : dict of str to tuple of int
        Scan → what it was when it was tried last.
    named : set of str
        Those of which it was told that they do not end.
    """

    since: dict[str, float] = field(default_factory=dict)
    tried: dict[str, Stamp] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def waits(self, arrival: Arrival, now: float) -> bool:
        """Tell whether a scan was tried as it is, and may still be written to."""
        return self.tried.get(arrival.name) == arrival.stamp and arrival.at_rest_s(now) < FAILED_S

    def take(self, arrival: Arrival, reason: str, now: float) -> str | None:
        """Take a scan that could not be read.

        Parameters
        ----------
        arrival : Arrival
            The scan.
        reason : str
            Why it cannot be read.
        now : float
            Seconds since 1970.

        Returns
        -------
        str or None
            What is to be told, "" for nothing; None where it rests and has failed.
        """
        name = arrival.name
        if arrival.problem or arrival.at_rest_s(now) >= FAILED_S:
            self.since.pop(name, None)
            return None
        self.tried[name] = arrival.stamp
        if name not in self.since:
            self.since[name] = now
            return f"{name}: is being written and cannot be read yet, so it is waited for ({reason})"
        if now - self.since[name] < UNENDED_S or name in self.named:
            return ""
        self.named.add(name)
        return (
            f"! {name}: has been written to for {UNENDED_S / 60:.0f} min and still cannot be read ({reason}); see "
            f"whether what writes it is at work, and whether it writes so that others can read (SWMR)"
        )


def not_whole(
    slices: Iterable[dict[str, Any]], arrivals: Mapping[str, Arrival], now: float
) -> Iterable[tuple[dict[str, Any], ScanWarning]]:
    """Find scans that are not whole and to which nothing was written for long.

    Parameters
    ----------
    slices : iterable of dict
        Entries of `live.json`.
    arrivals : mapping of str to Arrival
        The scans that are there.
    now : float
        Seconds since 1970.

    Yields
    ------
    tuple of dict and ScanWarning
        The entry, and what it lacks; none that has the warning already.
    """
    for entry in slices:
        arrival = arrivals.get(entry["scan"])
        if entry["complete"] or arrival is None or entry["stamp"] != list(arrival.stamp):
            continue
        if arrival.at_rest_s(now) < UNENDED_S or any(one["title"] == NOT_WHOLE for one in entry["warnings"]):
            continue
        first, last = entry["covered_deg"]
        yield (
            entry,
            ScanWarning(
                "frames",
                NOT_WHOLE,
                f"{entry['views']} views from {first:.4g}° to {last:.4g}°, and nothing was written to it for "
                f"{UNENDED_S / 60:.0f} min; see whether the scan was stopped",
            ),
        )
