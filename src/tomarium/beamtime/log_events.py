"""What programs note in the log book of a beamtime: scan started, reconstructed, failed, warning, copied.

Each function tells all events of a state again, however often it is asked; `MachineLog` writes each key once. So
nothing is lost or written twice where a program is killed between its result and the note of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

from tomarium import units
from tomarium.beamtime.arrivals import Arrival
from tomarium.beamtime.batch_files import Row
from tomarium.beamtime.copy_listing import Listing
from tomarium.beamtime.copy_scans import ScanCopied
from tomarium.beamtime.live_file import LiveState, seconds_of

FAILED_S: Final = 10.0
"""A scan that cannot be read and did not change for so long has failed; before, it may still be written."""

Event = tuple[str, str]
"""Key, and text for people."""


def of_watch(
    state: LiveState, arrivals: Iterable[Arrival], now: float, still_s: float = FAILED_S
) -> Iterator[Event]:
    """Tell what a watch has seen.

    Parameters
    ----------
    state : LiveState
        As it is written to `live.json`.
    arrivals : iterable of Arrival
        The scans that are there.
    now : float
        Seconds since 1970.
    still_s : float
        A scan that failed is told when it did not change for so long.

    Yields
    ------
    tuple of str
        Key and text. A scan that was replaced by another file of its name is another one.
    """
    for arrival in arrivals:
        yield f"{arrival.name} {arrival.stamp[0]} started", f"{arrival.name}: started"
    for slice_entry in state.slices:
        if not slice_entry["complete"] or not slice_entry["stamp"]:
            continue
        name, mark = slice_entry["scan"], f"{slice_entry['scan']} {slice_entry['stamp'][0]}"
        axis = (
            ""
            if slice_entry["axis_column"] is None
            else f", axis {slice_entry['axis_column']:.2f} ({slice_entry['confidence']})"
        )
        yield (
            f"{mark} reconstructed",
            f"{name}: reconstructed, row {slice_entry['row']}, {slice_entry['views']} views{axis}",
        )
        for one_warning in slice_entry["warnings"]:
            title = one_warning["title"]
            yield f"{mark} warning {title}", f"{name}: warning: {title}: {one_warning['text']}"
        if slice_entry.get("draft"):
            yield (
                f"{mark} filed {slice_entry['draft']}",
                f"{name}: raw scan filed as the draft {slice_entry['draft']}",
            )
        if slice_entry.get("not_filed"):
            reason = slice_entry["not_filed"]
            yield f"{mark} not filed {_digest(reason)}", f"{name}: raw scan not filed: {reason}"
    for failure in state.failed:
        if now - seconds_of(failure["arrived_at"]) >= still_s:
            yield (
                f"{failure['scan']} {failure['stamp'][0]} failed",
                f"{failure['scan']}: failed: {failure['reason']}",
            )
    for skipped in state.skipped:
        yield f"{skipped['scan']} {skipped['at']} gone", f"{skipped['scan']}: failed: {skipped['reason']}"


def of_batch(name: str, rows: Iterable[Row]) -> Iterator[Event]:
    """Yield an event for each scan of a batch.

    Parameters
    ----------
    name : str
        Of the batch.
    rows : iterable of Row
        Its table; what is not done yet is left out.

    Yields
    ------
    tuple of str
        Key and text. A result that is made anew is another event.
    """
    for row in rows:
        mark = f"batch {name} {row.name}"
        if row.state == "failed":
            yield f"{mark} failed {_digest(row.error)}", f"{row.name}: failed in batch {name}: {row.error}"
        elif row.state in ("finished", "warnings"):
            axis = "" if row.axis_column is None else f", axis {row.axis_column:.2f}"
            sure = f" ({row.confidence})" if row.confidence else ""
            text = f"{row.name}: reconstructed in batch {name}{axis}{sure}"
            warned = f"; warnings: {'; '.join(row.warnings)}" if row.warnings else ""
            yield f"{mark} reconstructed {row.seconds}", text + warned
        if row.draft:
            yield f"{mark} filed {row.seconds} {row.draft}", f"{row.name}: filed as the draft {row.draft}"
        if row.not_filed:
            yield f"{mark} not filed {_digest(row.not_filed)}", f"{row.name}: not filed: {row.not_filed}"


def of_copy(scan: ScanCopied, listing: Listing, target: str, volume: str) -> Event:
    """Return the event of a scan's copy.

    Parameters
    ----------
    scan : ScanCopied
        What came of it.
    listing : Listing
        What was copied.
    target : str
        Where to, in words.
    volume : str
        Which disk that is, whatever its place now.

    Returns
    -------
    tuple of str
        Key and text. The copy of a scan that was changed since is another event.
    """
    mark = f"copy {scan.scan} {volume} {target} {_digest(repr(listing.signature))}"
    if scan.state == "whole" and not scan.problems:
        size = units.show_bytes(scan.bytes)
        files = f"{scan.files} {'file' if scan.files == 1 else 'files'}"
        return f"{mark} whole", f"{scan.scan}: copied to {target}, read back; {files}, {size}"
    problems = "; ".join(scan.problems)
    return (
        f"{mark} {_digest(problems)}",
        f"{scan.scan}: warning: its copy on {target} is not whole: {problems}",
    )


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="replace"), digest_size=6).hexdigest()
