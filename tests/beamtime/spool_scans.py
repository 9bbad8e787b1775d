"""Scans as a detector writes them into a spool: small, in three layouts, with faults where they are asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tomarium import scan_of_arrays
from tomarium.model import Scan
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate, simulated

SMALL = SimulationConfig(
    columns=128, rows=16, views=120, flats=6, darks=4, subrays=1, zingers=0.0, axis_column=65.4, seed=3
)


@cache
def frames_of(config: SimulationConfig) -> Scan:
    """A simulated scan in memory."""
    scan = simulated(config)
    assert scan.flats is not None
    assert scan.darks is not None
    whole = slice(None)
    return scan_of_arrays(
        scan.projections.read(whole, whole),
        scan.angles_deg.value,
        flats=scan.flats.frames.read(whole, whole),
        darks=scan.darks.frames.read(whole, whole),
    )


def written(path: Path, *, to: str = "data-exchange", **changes: Any) -> Path:
    """A simulated scan in a file that is there whole or not at all."""
    draft = path.with_suffix(".part")
    simulate(draft, replace(SMALL, **changes), to=to)
    draft.rename(path)
    return path
