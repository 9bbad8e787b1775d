"""Good subjects, and how each fault is put into one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.doctor import Subject
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Axis, Scan, Value, Volume
from tomarium.model.scan import Reference
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate, simulated

SMALL = SimulationConfig(
    columns=96, rows=32, views=152, flats=8, darks=8, photons=10_000, dead_pixels=0, hot_pixels=0
)


@cache
def good_scan(config: SimulationConfig = SMALL) -> Scan:
    """A simulated scan with all its frames in memory."""
    scan = simulated(config)
    assert scan.flats is not None
    assert scan.darks is not None
    everything = slice(None)
    return replace(
        scan,
        projections=ArrayFrames(scan.projections.read(everything, everything)),
        flats=Reference(ArrayFrames(scan.flats.frames.read(everything, everything)), scan.flats.position),
        darks=Reference(ArrayFrames(scan.darks.frames.read(everything, everything)), scan.darks.position),
    )


def subject(scan: Scan) -> Subject:
    return Subject("scan", scan=scan)


def with_frames(change: Callable[[dict[str, NDArray[Any]]], None], **others: Any) -> Subject:
    """The good scan, its frames changed in place: `projections`, `flats` (8 before, 8 after), `darks`."""
    scan = good_scan()
    assert scan.flats is not None
    assert scan.darks is not None
    held = {"projections": scan.projections, "flats": scan.flats.frames, "darks": scan.darks.frames}
    frames = {name: one.read(slice(None), slice(None)) for name, one in held.items()}
    change(frames)
    return subject(
        replace(
            scan,
            projections=ArrayFrames(frames["projections"]),
            flats=replace(scan.flats, frames=ArrayFrames(frames["flats"])),
            darks=replace(scan.darks, frames=ArrayFrames(frames["darks"])),
            **others,
        )
    )


def with_angles(angles: NDArray[np.float64], origin: Any = "read") -> Subject:
    return subject(good_scan().with_geometry(angles_deg=Value(angles, origin, "test")))


def with_metadata(**told: Any) -> Subject:
    values = {name: Value(value, "read", name) for name, value in told.items()}
    return subject(replace(good_scan(), metadata={**good_scan().metadata, **values}))


def with_facts(**told: Any) -> Subject:
    """Facts alone, as a table gives them."""
    from tomarium.doctor.core.table import Table

    return Subject("table", table=Table({name: Value(value, "read", name) for name, value in told.items()}))


@cache
def ball() -> NDArray[np.float32]:
    """A ball in air with noise and texture, shape (z, y, x)."""
    draw = np.random.default_rng(1)
    z, y, x = np.mgrid[-1:1:48j, -1:1:64j, -1:1:64j]
    inside = z**2 + y**2 + x**2 < 0.7
    texture = 0.2 * np.sin(9 * x) * np.cos(7 * y + 3 * z)
    return np.asarray(np.where(inside, 1 + texture, 0) + draw.normal(0, 0.05, inside.shape), np.float32)


def volume(array: NDArray[Any], voxel_m: float | None = 1e-6) -> Subject:
    unit = "m" if voxel_m else "px"
    axes = tuple(Axis(name, voxel_m or 1.0, 0.0, unit) for name in "zyx")
    return Subject("volume", image=Volume(array, axes, name="volume"))


def changed_volume(change: Callable[[NDArray[Any]], None]) -> Subject:
    array = ball().copy()
    change(array)
    return volume(array)


def written(path: Path, to: str, change: Callable[[h5py.File], None] | None = None) -> Path:
    """A small scan in a file, changed afterwards."""
    simulate(path, replace(SMALL, rows=8), to=to)
    if change is not None:
        with h5py.File(path, "r+") as file:
            change(file)
    return path
