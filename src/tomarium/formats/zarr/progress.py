"""What a volume that is being written will be, and how far it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.atomic_files import replacing, write_json
from tomarium.errors import FormatError, InputError

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


@dataclass(frozen=True)
class Slabs:
    """The plan of an unfinished volume and which slabs are complete; several processes and computers may mark them."""

    path: Path  # the volume
    plan: Plan

    @property
    def folder(self) -> Path:
        """Where the plan lies, and a file for each slab that is complete."""
        return self.path / PARTIAL

    @property
    def count(self) -> int:
        """Number of slabs."""
        return -(-self.plan.shape[0] // self.plan.slab_rows)

    def begin(self) -> None:
        """Keep the plan."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "plan.json", asdict(self.plan))

    def done(self) -> tuple[int, ...]:
        """List the first slices of the slabs that are complete, sorted."""
        numbers = (file.name.removeprefix("slab-") for file in self.folder.glob("slab-*"))
        return tuple(sorted(int(number) for number in numbers if number.isdigit()))

    def mark(self, z0: int) -> None:
        """Note that a slab is complete."""
        with replacing(self.folder / f"slab-{z0:06d}") as draft:
            draft.touch()

    def check_slab(self, z0: int, block: tuple[int, ...]) -> None:
        """Refuse a block of some shape at slice `z0` that is no slab."""
        slices, *plane = self.plan.shape
        depth = min(self.plan.slab_rows, slices - z0)
        if z0 % self.plan.slab_rows or z0 < 0 or block != (depth, *plane):
            raise InputError(
                f"{self.path}: a block {block} at slice {z0} is no slab of this volume; slabs begin at multiples of "
                f"{self.plan.slab_rows} and are {(depth, *plane)} there"
            )

    def check_complete(self) -> None:
        """Refuse to end the volume before every slab is written."""
        missing = sorted(set(range(0, self.plan.shape[0], self.plan.slab_rows)) - set(self.done()))
        if missing:
            raise InputError(
                f"{self.path}: {len(missing)} of {self.count} slabs are not written, the first at slice "
                f"{missing[0]}; write them, then finish"
            )

    def end(self) -> None:
        """Remove the plan, and then what else is kept until the volume is finished."""
        (self.folder / "plan.json").unlink(missing_ok=True)
        clear_marks(self.path)


def clear_marks(path: Path) -> None:
    """Remove what a process that was killed as it finished a volume left of what was kept until then."""
    if (path / PARTIAL).is_dir():
        shutil.rmtree(path / PARTIAL)


def is_unfinished(path: Path) -> bool:
    """Tell whether a folder holds an unfinished volume."""
    return (path / PARTIAL / "plan.json").is_file()


def load_progress(path: Path) -> Slabs:
    """Read the plan of an unfinished volume; raises FormatError where it is damaged."""
    file = path / PARTIAL / "plan.json"
    try:
        stored = json.loads(file.read_text("utf-8"))
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
        }
        plan = Plan(**fields)
        np.dtype(plan.dtype)
        if len(plan.shape) != 3 or plan.slab_rows < 1:
            raise ValueError(f"shape {plan.shape}, slabs of {plan.slab_rows}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise FormatError(
            f"{file}: the plan of this unfinished volume is damaged ({problem}); remove {file.parent} and what is "
            f"written of {path.name}, and write it again"
        ) from problem
    if plan.version not in VERSIONS:
        raise FormatError(f"{path}: this unfinished volume is of version {plan.version}; write it again")
    return Slabs(path, plan)
