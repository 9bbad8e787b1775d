"""A volume of 2048³ voxels as the writer lays it out, of which the coarse levels alone hold values: 100 MB on disk."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import zarr

from tomarium.formats.zarr.levels import create_level, group_metadata
from tomarium.formats.zarr.progress import SMALLEST, Plan

VOXEL_M = 1e-6


def write_large(path: Path, size: int = 2048, filled: int = 256) -> Plan:
    """Write a bright ball in noise, the levels above `filled` voxels as files without content: none is to be read."""
    plan = Plan((size,) * 3, "float32", VOXEL_M, 64, "1/cm", "large", (0, 0, 0), {}, smallest=SMALLEST)
    shutil.rmtree(path, ignore_errors=True)
    draw = np.random.default_rng(0)
    for level in range(plan.levels):
        create_level(path, plan, level)
        shape = plan.level_shape(level)
        array = zarr.open_array(path / str(level), mode="r+")
        if max(shape) > filled:
            counts = [-(-length // shard) for length, shard in zip(shape, array.shards or (), strict=True)]
            for z, y, x in product(*map(range, counts)):
                shard = path / str(level) / "c" / str(z) / str(y) / str(x)
                shard.parent.mkdir(parents=True, exist_ok=True)
                shard.touch()
            continue
        z, y, x = np.ogrid[-1:1:shape[0] * 1j, -1:1:shape[1] * 1j, -1:1:shape[2] * 1j]  # fmt: skip
        noise = np.resize(draw.standard_normal((64, 64, 64), np.float32) * np.float32(0.1), shape)
        array[:] = noise + (z * z + y * y + x * x < 0.5)
    for name, content in group_metadata(plan, {}).items():
        (path / name).write_text(json.dumps(content))
    return plan
