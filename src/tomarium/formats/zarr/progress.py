"""What a volume that is being written will be, and how far it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.resumable.slabs import done_slabs

# Folder of what is kept only until the volume is finished.
PARTIAL: Final = ".partial"
# The pyramid ends where its longest axis fits a screen's thumbnail.
SMALLEST: Final = 256
VERSIONS: Final = ("0.5", "0.4")


@dataclass(frozen=True)
class Plan:
    """What an unfinished volume will be."""

    shape: tuple[int, int, int]  # z, y, x
    dtype: str  # NumPy's name of the type
    voxel_m: float | None  # edge of a voxel, m; None where it is not known
    slab_rows: int  # slices written at once
    unit: str  # unit of the values
    name: str
    origin_m: tuple[float, float, float]  # where the centre of the first voxel lies, z, y, x, m
    attributes: Mapping[str, Any]  # what else is kept with the volume, JSON-ready
    version: str = "0.5"  # of OME-NGFF: "0.5" (Zarr v3, shards) or "0.4" (Zarr v2, a file for each chunk)
    origin: str = ""  # where the content comes from, as `origins.origin_of` says; "" where that is not told
    # whether voxels are numbers of objects, which have no mean: coarser levels then hold every second voxel
    labels: bool = False

    @property
    def levels(self) -> int:
        """Number of levels: halved until the longest axis is at most 256 or a slab cannot be halved."""
        count = 1
        while max(self.level_shape(count - 1)) > SMALLEST and self.slab_rows % 2**count == 0:
            count += 1
        return count

    def level_shape(self, level: int) -> tuple[int, int, int]:
        """Return the shape of a level: each axis halved and rounded up, `level` times."""
        z, y, x = (-(-length // 2**level) for length in self.shape)
        return z, y, x


@dataclass(frozen=True)
class Progress:
    """The plan of an unfinished volume and which slabs are complete."""

    path: Path  # folder of the volume
    plan: Plan  # what it will be

    @staticmethod
    def is_there(path: Path) -> bool:
        """Tell whether a folder holds an unfinished volume."""
        return (path / PARTIAL / "plan.json").is_file()

    @staticmethod
    def load(path: Path) -> Progress:
        """Read the plan of an unfinished volume; raises FormatError where it is damaged."""
        file = path / PARTIAL / "plan.json"
        try:
            found = json.loads(file.read_text("utf-8"))
            found["shape"], found["origin_m"] = tuple(found["shape"]), tuple(found["origin_m"])
            plan = Plan(**found)
            np.dtype(plan.dtype)
            if len(plan.shape) != 3 or plan.slab_rows < 1 or plan.version not in VERSIONS:
                raise ValueError(f"shape {plan.shape}, slabs of {plan.slab_rows}, version {plan.version}")
        except (OSError, ValueError, TypeError, KeyError) as problem:
            raise FormatError(
                f"{file}: the plan of this unfinished volume is damaged ({problem}); "
                f"delete {path} and run again"
            ) from problem
        return Progress(path, plan)

    @property
    def count(self) -> int:
        """Number of slabs."""
        return -(-self.plan.shape[0] // self.plan.slab_rows)

    def done(self) -> tuple[int, ...]:
        """List the first slices of the slabs that are complete."""
        return done_slabs(file.name for file in (self.path / PARTIAL).glob("slab-*"))

    def mark(self, z0: int) -> None:
        """Note that a slab is complete."""
        (self.path / PARTIAL / f"slab-{z0:06d}").touch()
