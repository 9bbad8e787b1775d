"""What a watch knows, as the file `live.json` that people, the page and the next start of the watch read."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import write_json
from tomarium.errors import FormatError

NAME: Final = "live.json"
PICTURES: Final = "slices"

SILENT_S: Final = 15.0
"""Age of the heartbeat from which the watcher is said not to run."""

AGE_BASIS: Final = "the time at which the scan was last seen to be written to, by the clock of the watcher"


@dataclass
class LiveState:
    """The content of `live.json`.

    Attributes
    ----------
    spool, protocol, row : str
        What is watched, by which protocol, and which row is reconstructed.
    started, heartbeat : str
        When the watch was started and when it last wrote this, ISO 8601 in UTC.
    state : str
        "running" or "stopped".
    running : str
        Scan that is being worked on; "" for none.
    problem : str
        Why the folder cannot be looked at now; "" as a rule.
    queue : list of dict
        `scan`, `arrived_at`, `why` ("being written", "waiting" or "checks to come"), newest first.
    slices : list of dict
        One for each scan, newest first: `scan`, `row`, `picture`, `width`, `height`, `finished_at`, `arrived_at`,
        `views`, `covered_deg`, `complete`, `axis_column`, `confidence`, `axis_of`, `axis_sought`, `station`,
        `protocol`, `warnings`, `notes`, `checked`, `seconds`, `stamp`; where scans are filed, `draft`, the identifier
        of its record, or `not_filed`, why there is none.
    skipped : list of dict
        Scans without a slice that are gone: `scan`, `reason`, `at`.
    failed : list of dict
        Scans that could not be reconstructed: `scan`, `reason`, `at`, `arrived_at`, `stamp`, `tries`.
    age_basis : str
        What `arrived_at` means.
    process : int
        Number of the process.
    """

    spool: str = ""
    protocol: str = ""
    row: str = "middle"
    started: str = ""
    heartbeat: str = ""
    state: str = "stopped"
    running: str = ""
    problem: str = ""
    queue: list[dict[str, Any]] = field(default_factory=list)
    slices: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    age_basis: str = AGE_BASIS
    process: int = 0

    def __post_init__(self) -> None:
        """Begin without an index: it is no field, and is not written."""
        self._indexed: dict[str, tuple[list[dict[str, Any]], int, dict[str, dict[str, Any]]]] = {}

    def slice_of(self, scan: str) -> dict[str, Any] | None:
        """Return the slice of a scan."""
        return self._by_scan("slices", self.slices).get(scan)

    def failure_of(self, scan: str) -> dict[str, Any] | None:
        """Return why a scan could not be reconstructed."""
        return self._by_scan("failed", self.failed).get(scan)

    def _by_scan(self, name: str, entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Index a list by its scans, once for each change of it: a watch asks for every scan at every look."""
        index = self._indexed.get(name)
        if index is None or index[0] is not entries or index[1] != len(entries):
            index = (entries, len(entries), {entry["scan"]: entry for entry in reversed(entries)})
            self._indexed[name] = index
        return index[2]

    def put_slice(self, entry: dict[str, Any]) -> None:
        """Take a slice in the place of an older one of the same scan; newest first."""
        self.slices = [other for other in self.slices if other["scan"] != entry["scan"]]
        place = next(
            (
                number
                for number, other in enumerate(self.slices)
                if other["arrived_at"] <= entry["arrived_at"]
            ),
            len(self.slices),
        )
        self.slices.insert(place, entry)
        self.failed = [other for other in self.failed if other["scan"] != entry["scan"]]
        self.skipped = [other for other in self.skipped if other["scan"] != entry["scan"]]

    def put_failure(self, entry: dict[str, Any]) -> None:
        """Take a failure in the place of an older one of the same scan; newest first."""
        self.failed = [entry, *(other for other in self.failed if other["scan"] != entry["scan"])]


def read_live(folder: Path) -> LiveState | None:
    """Read the state of a watch.

    Parameters
    ----------
    folder : Path
        The folder that the watch writes.

    Returns
    -------
    LiveState or None
        None where there is no watch yet.

    Raises
    ------
    FormatError
        `live.json` is there, and is none.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise FormatError(
            f"{path}: cannot be read ({problem}); move it away to begin a new watch"
        ) from problem
    names = {field.name for field in fields(LiveState)}
    if (
        not isinstance(content, dict)
        or not {"spool", "slices", "failed"} <= content.keys()
        or not _are_scans(content)
    ):
        raise FormatError(f"{path}: is not what a watch writes; choose another folder with --output")
    return LiveState(**{name: value for name, value in content.items() if name in names})


def _are_scans(content: dict[str, Any]) -> bool:
    """Tell whether the lists of scans hold entries that name one each, and when it arrived where that is shown."""
    keys = {"queue": {"scan"}, "slices": {"scan", "arrived_at"}, "skipped": {"scan"}, "failed": {"scan"}}
    lists = [(content.get(name, []), required) for name, required in keys.items()]
    return all(
        isinstance(entries, list)
        and all(isinstance(entry, dict) and required <= entry.keys() for entry in entries)
        for entries, required in lists
    )


def write_live(folder: Path, state: LiveState) -> None:
    """Write the state, whole or not at all, with the time as its heartbeat."""
    state.heartbeat = moment(time.time())
    state.process = os.getpid()
    write_json(folder / NAME, {field.name: getattr(state, field.name) for field in fields(state)})


def moment(seconds: float) -> str:
    """Write seconds since 1970 as ISO 8601 in UTC, to a ten-thousandth of a second."""
    return datetime.fromtimestamp(round(seconds, 4), UTC).isoformat()


def seconds_of(text: str) -> float:
    """Read what `moment` writes; 0 where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def runs(state: LiveState, now: float) -> bool:
    """Tell whether the watcher runs, by its heartbeat.

    Parameters
    ----------
    state : LiveState
        As it was read.
    now : float
        Seconds since 1970.

    Returns
    -------
    bool
        It said so less than 15 s ago.
    """
    return state.state == "running" and now - seconds_of(state.heartbeat) < SILENT_S


def picture_name(scan: str) -> str:
    """Return the name of the file of a scan's picture: letters, digits, and a mark that keeps names apart."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", scan).strip("._") or "scan"
    if plain == scan:
        return f"{plain}.png"
    from zlib import crc32

    return f"{plain[:150]}-{crc32(scan.encode(errors='surrogateescape')):08x}.png"


def slice_text(entry: dict[str, Any]) -> str:
    """Say what was made of a scan, in a line for a terminal."""
    column = entry["axis_column"]
    axis = "" if column is None else f", axis {column:.2f} ({entry['confidence']})"
    first, last = entry["covered_deg"]
    part = "" if entry["complete"] else f", incomplete: {first:.4g}° to {last:.4g}°"
    late = seconds_of(entry["finished_at"]) - seconds_of(entry["arrived_at"])
    warnings = "".join(
        f"\n! {entry['scan']}: {warning['title']}: {warning['text']}" for warning in entry["warnings"]
    )
    return (
        f"{entry['scan']}: row {entry['row']}{axis}, {entry['views']} views{part}, {late:.1f} s old{warnings}"
    )
