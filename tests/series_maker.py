"""A series as `tomarium series` leaves it, made without a reconstruction: a ball that gets darker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import zarr

from tomarium.catalogue import file_record

START = datetime(2026, 11, 20, 21, tzinfo=UTC)
SECONDS = 40


def save_series(
    folder: Path, greys: Sequence[float], *, finished: Sequence[int] | None = None, size: int = 24
) -> Path:
    """Write a series whose ball has a grey value of its own at each moment, and 0.1 about it."""
    names = [f"scan_{k:03d}" for k in range(len(greys))]
    there = range(len(greys)) if finished is None else finished
    z, y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j, -1 : 1 : size * 1j]
    inside = x**2 + y**2 + z**2 < 0.5
    for k in there:
        place = folder / names[k]
        root = zarr.open_group(place / "volume.ome.zarr", mode="w", zarr_format=3)
        level = root.create_array("0", shape=inside.shape, chunks=(size, size, size), dtype="float32")
        level[...] = np.where(inside, greys[k], 0.1).astype(np.float32)
        scale = [{"type": "scale", "scale": [2.0, 2.0, 2.0]}]
        axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
        multiscale = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
        root.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
        file_record(place, title=f"Foam, scan {k:03d}", id=f"foam-{k}", created=START)
    entries = [
        {
            "record": names[k],
            "number": k,
            "source": "foam.h5",
            "entry": None,
            "first_projection": None,
            "first_angle_deg": 0.0,
            "start_time": (START + timedelta(seconds=SECONDS * k)).isoformat(),
        }
        for k in there
    ]
    request = {"moments": [[name, "foam.h5", None, None, None, None] for name in names], "each_axis": False}
    told = {"request": request, "axis_column": None, "moments": entries}
    (folder / "series.json").write_text(json.dumps(told))
    return folder
