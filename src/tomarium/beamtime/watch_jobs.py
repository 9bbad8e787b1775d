"""What the threads of a watch are given to do, and what they return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tomarium.beamtime.arrivals import Arrival
from tomarium.beamtime.look_at_scan import Look
from tomarium.beamtime.scan_warnings import ScanWarning

Kind = Literal["slice", "checks", "file"]

KINDS: Final[tuple[Kind, ...]] = ("slice", "checks", "file")
"""Each has a thread of its own."""


@dataclass(frozen=True)
class Job:
    """What a thread does; `quick`: the slice is made about the last axis; of checks: it was, and is made anew."""

    kind: Kind
    arrival: Arrival
    growing: bool = False
    quick: bool = False


@dataclass(frozen=True)
class Result:
    """What came of a job; `draft`: the record that a scan became in the catalogue."""

    job: Job
    look: Look | None = None
    found: tuple[ScanWarning, ...] = ()
    problem: str = ""
    seconds: float = 0.0
    draft: str = ""
