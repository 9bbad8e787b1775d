"""Raw scans of a watch as drafts of a catalogue: which are to be filed, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tomarium.beamtime.arrivals import Arrival
from tomarium.beamtime.live_file import LiveState
from tomarium.beamtime.watch_jobs import Result

RETRIES_S: Final = (60.0, 600.0)
"""Times after which what could not be filed is tried again; then the next start of the watch does it."""


def lacks_draft(entry: Mapping[str, Any] | None, arrival: Arrival, now: float, at_rest_s: float) -> bool:
    """Tell whether a scan is to be filed now.

    Parameters
    ----------
    entry : mapping or None
        Its slice; a scan without one is not whole, or cannot be read.
    arrival : Arrival
        As it is now.
    now : float
        Seconds since 1970.
    at_rest_s : float
        How long nothing must have been written to it.

    Returns
    -------
    bool
        True for a whole, checked scan that is no draft and was not tried in vain a moment ago.
    """
    if entry is None or not entry["complete"] or not entry["checked"] or entry.get("draft"):
        return False
    if entry["stamp"] != list(arrival.stamp) or arrival.at_rest_s(now) < at_rest_s:
        return False
    tries = int(entry.get("file_tries", 0))
    return not tries or (tries <= len(RETRIES_S) and now - entry["file_tried_utc"] > RETRIES_S[tries - 1])


def put_filed(state: LiveState, result: Result, now: float, tell: Callable[[str], object]) -> None:
    """Keep what came of filing a scan; one that was replaced since is another, and is filed anew.

    Parameters
    ----------
    state : LiveState
        Of the watch.
    result : Result
        The draft, or why there is none.
    now : float
        Seconds since 1970.
    tell : callable
        `tell(sentence)`.
    """
    arrival = result.job.arrival
    entry = state.slice_of(arrival.name)
    if entry is None or entry["stamp"] != list(arrival.stamp):
        return
    if result.draft:
        entry["draft"] = result.draft
        for key in ("not_filed", "file_tries", "file_tried_utc"):
            entry.pop(key, None)
        tell(f"{arrival.name}: raw scan filed as the draft {result.draft}")
        return
    if entry.get("not_filed") != result.problem:
        tell(f"! {arrival.name}: raw scan not filed: {result.problem}; it is tried again")
    entry["not_filed"] = result.problem
    entry["file_tries"] = int(entry.get("file_tries", 0)) + 1
    entry["file_tried_utc"] = now


def try_again(state: LiveState) -> None:
    """Let a watch that starts try at once what an earlier one could not file."""
    for entry in state.slices:
        entry.pop("file_tries", None)
