"""What a volume that is being written will be, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tomarium.errors import FormatError
from tomarium.formats.resumable.progress import Slabs, has_plan, load_slabs

# Folder of what is kept only until the volume is finished.
PARTIAL: Final = ".partial"
# The pyramid ends where all of it is one mebibyte of float32, which a line of 10 Mbit/s carries in a second: a viewer
# shows that first.
SMALLEST: Final = 64
VERSIONS: Final = ("0.5", "0.4")


@dataclass(frozen=True)
class Plan:
    """What an unfinished volume will be."""

    shape: tuple[int, int, int]  # z, y, x
    dtype: str  # NumPy's name of the type
    # voxel size z, y, x, m, or the edge of a cube; None where it is not known
    voxel_m: tuple[float, float, float] | float | None
    slab_rows: int  # slices written at once
    unit: str  # unit of the values
    name: str
    origin_m: tuple[float, float, float]  # where the centre of the first voxel lies, z, y, x, m
    attributes: Mapping[str, Any]  # what else is kept with the volume, JSON-ready
    version: str = "0.5"  # of OME-NGFF: "0.5" (Zarr v3, shards) or "0.4" (Zarr v2, a file for each chunk)
    origin: str = ""  # where the content comes from, as `origins.origin_of` says; "" where that is not told
    # whether voxels are numbers of objects, which have no mean: coarser levels then hold every second voxel
    labels: bool = False
    smallest: int = 256  # the longest axis from which on there is no coarser level; 256 in plans of before

    @property
    def levels(self) -> int:
        """Number of levels: halved until the longest axis is at most `smallest`, or a slab cannot be halved."""
        count = 1
        while max(self.level_shape(count - 1)) > self.smallest and self.slab_rows % 2**count == 0:
            count += 1
        return count

    def level_shape(self, level: int) -> tuple[int, int, int]:
        """Return the shape of a level: each axis halved and rounded up, `level` times."""
        z, y, x = (-(-length // 2**level) for length in self.shape)
        return z, y, x


def is_unfinished(path: Path) -> bool:
    """Tell whether a folder holds an unfinished volume."""
    return has_plan(path / PARTIAL)


def load_progress(path: Path) -> Slabs[Plan]:
    """Read the plan of an unfinished volume; raises FormatError where it is damaged."""
    progress = load_slabs(path, path / PARTIAL, Plan)
    if progress.plan.version not in VERSIONS:
        raise FormatError(
            f"{path}: this unfinished volume is of version {progress.plan.version}; write it again"
        )
    return progress
