"""Write an OME-Zarr volume slab by slab with its pyramid; a killed run redoes only what lacks.

On disk: level k is the array `<path>/<k>` whose shards are slab_rows / 2^k slices high, so no shard is shared
by two slabs. While the volume is written, `<path>/.partial` holds the plan and one empty file for each slab
that is complete; the group's own `zarr.json` (`.zattrs` of version 0.4) comes last, so nothing takes it for a
finished one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium import __version__
from tomarium.atomic_files import write_json
from tomarium.errors import FormatError, InputError
from tomarium.formats.resumable.full_disk import raising_storage_full
from tomarium.formats.zarr.chunk_writer import remove_left_over, write_block
from tomarium.formats.zarr.levels import chunk_grid, create_level, group_metadata, halved, height
from tomarium.formats.zarr.progress import (
    SMALLEST,
    VERSIONS,
    Plan,
    Slabs,
    clear_marks,
    is_unfinished,
    load_progress,
)


class VolumeWriter:
    """A volume that is being written; different slabs may be written by different threads or processes."""

    def __init__(self, progress: Slabs) -> None:
        self.path = progress.path
        self._progress = progress
        self._plan = progress.plan
        self._kept = threading.local()
        self._grids = [chunk_grid(self.path, self._plan, level) for level in range(self._plan.levels)]

    def __reduce__(self) -> Any:
        return open_writer, (self.path,)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns: z, y, x."""
        return self._plan.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        return np.dtype(self._plan.dtype)

    @property
    def slab_rows(self) -> int:
        """Slices of a slab; the last one may have fewer."""
        return self._plan.slab_rows

    @property
    def levels(self) -> int:
        """Number of levels of the pyramid."""
        return len(self._grids)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What `create` was given to keep with the volume."""
        return self._plan.attributes

    def files(self, z0: int) -> tuple[str, ...]:
        """List the files of a slab at all levels, by their paths below the volume's folder; some may be left out."""
        names = []
        for level, grid in enumerate(self._grids):
            _, rows, columns = self._plan.level_shape(level)
            tall, wide = (
                -(-length // size) for length, size in zip((rows, columns), grid.files[1:], strict=True)
            )
            places = ((z0 // self.slab_rows, y, x) for y in range(tall) for x in range(wide))
            names += [grid.file(place).relative_to(self.path).as_posix() for place in places]
        return tuple(names)

    def done(self) -> tuple[int, ...]:
        """List the slabs that are complete, by their first slice.

        Result: multiples of `slab_rows`, sorted.
        """
        return self._progress.done()

    def write(self, z0: int, block: NDArray[Any]) -> None:
        """Write one slab at all levels; it counts as done when all of it is on disk.

        `z0`: its first slice, a multiple of `slab_rows`. `block`: the slab, whole: `slab_rows` slices, or
        what is left at the end. Cast to the volume's type.
        """
        self._progress.check_slab(z0, block.shape)
        level_block = np.asarray(block, dtype=self.dtype)
        with raising_storage_full(self.path, self._kept_slabs):
            for level, grid in enumerate(self._grids):
                if level:
                    level_block = (
                        np.ascontiguousarray(level_block[::2, ::2, ::2])
                        if self._plan.labels
                        else halved(level_block, self._empty)
                    )
                write_block(grid, z0 >> level, level_block)
            self._progress.mark(z0)

    def finish(self, attributes: Mapping[str, Any] | None = None) -> Path:
        """Write the group's metadata, which makes the folder an OME-Zarr image.

        `attributes`: what is known now that all is done, JSON-ready; kept beside what `create` was given.
        """
        self._progress.check_complete()
        for level in range(self.levels):
            remove_left_over(self.path / str(level))
        own_metadata = {
            "unit": self._plan.unit,
            "writer": f"tomarium {__version__}",
            # Zarr stores no shard of zeros and reads an absent one as zeros: the count tells them apart.
            "shards": [count_shards(self.path / str(level)) for level in range(self.levels)],
            **self._plan.attributes,
            **(attributes or {}),
        }
        with raising_storage_full(self.path, self._kept_slabs):
            for name, content in group_metadata(self._plan, own_metadata).items():
                write_json(self.path / name, content)
        self._progress.end()
        return self.path

    def _empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of a level, the same for every slab of a thread."""
        arrays: dict[Any, NDArray[Any]] = self._kept.__dict__
        key = str(shape)
        if key not in arrays:
            arrays[key] = np.empty(shape, dtype)
        return arrays[key]

    def _kept_slabs(self) -> str:
        return (
            f"{len(self.done())} of {self._progress.count} slabs are kept; free some space and resume the run"
        )


def create(
    path: Path,
    shape: tuple[int, int, int],
    dtype: DTypeLike,
    *,
    voxel_m: tuple[float, float, float] | float | None,
    slab_rows: int,
    unit: str,
    name: str,
    origin_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    attributes: Mapping[str, Any] | None = None,
    version: str = "0.5",
    origin: str = "",
    labels: bool = False,
) -> VolumeWriter:
    """Begin a volume.

    `path`: folder to make; it must not exist, or be empty. `dtype`: type of a voxel: integers, float16,
    float32 or float64. `voxel_m`: voxel size z, y, x, or the edge of a cube, m. None writes a scale of 1
    and no unit. `slab_rows`: slices written at once, and the height of a shard. The pyramid has one level
    more for each time it can be halved, so a power of two is best. A volume lower than this becomes one
    slab. `origin_m`: where the centre of the first voxel lies, z, y, x, m. `attributes`: what else to
    keep with the volume, JSON-ready; it lies under `tomarium` in the group's attributes. `version`: of
    OME-NGFF: "0.5", Zarr v3 with shards, or "0.4", Zarr v2 with a file for each chunk, for programs that
    do not read the other. `origin`: where the content comes from, as `origins.origin_of` says. `labels`:
    whether voxels are numbers of objects: the group is then a label image (OME-NGFF, "image-label"), and
    coarser levels hold every second voxel.
    """
    kind = np.dtype(dtype)
    if kind.kind not in "iuf" or kind.itemsize > 8 or min(shape) < 1 or slab_rows < 1:
        raise InputError(
            f"{path}: a volume of shape {shape}, type {kind} and slabs of {slab_rows} cannot be written; all "
            f"lengths must be above zero and the type an integer or a float of at most 64 bits"
        )
    if version not in VERSIONS:
        raise InputError(f"{path}: OME-Zarr {version} cannot be written; choose {' or '.join(VERSIONS)}")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        remedy = "resume it" if is_unfinished(path) else "remove it or choose another path"
        raise FormatError(f"{path}: exists already; {remedy}")
    plan = Plan(shape, kind.name, voxel_m, min(slab_rows, height(shape[0], slab_rows)), unit, name, origin_m,
                dict(attributes or {}), version, origin, labels, SMALLEST)  # fmt: skip
    with raising_storage_full(path, "free some space and run again"):
        for level in range(plan.levels):
            create_level(path, plan, level)
        progress = Slabs(path, plan)
        progress.begin()
    return VolumeWriter(progress)


def is_finished(path: Path) -> bool:
    """Tell whether a volume has come to its end.

    Result: True where the group's metadata is there, and the plan is removed, which is done last.
    """
    return not is_unfinished(path) and any((path / name).is_file() for name in ("zarr.json", ".zattrs"))


def end_finished(path: Path) -> bool:
    """Tell whether a volume has come to its end, and remove what a process that was killed there left beside it.

    Result: as `is_finished`.
    """
    if not is_finished(path):
        return False
    clear_marks(path)
    return True


def open_writer(path: Path) -> VolumeWriter:
    """Go on with a volume that is unfinished.

    Result: its `done()` lists what need not be written again.
    """
    if not is_unfinished(path):
        state = "is finished already" if is_finished(path) else "holds no volume tomarium began to write"
        raise FormatError(f"{path}: {state}; there is nothing to resume")
    return VolumeWriter(load_progress(path))


def count_again(path: Path) -> None:
    """Let a volume of OME-Zarr 0.5 tell of as many files as it has now, after slabs were replaced."""
    content = json.loads((path / "zarr.json").read_text("utf-8"))
    own_metadata = content["attributes"]["tomarium"]
    own_metadata["shards"] = [count_shards(path / str(level)) for level in range(len(own_metadata["shards"]))]
    write_json(path / "zarr.json", content)


def count_shards(array: Path) -> int:
    """Count the shards of an array that hold something, or its chunks where it has no shards.

    `array`: folder of a Zarr array; the chunks of v3 lie below its folder `c`, those of v2 below itself.
    Result: files that are not empty and not left over from an interrupted write.
    """
    below = array if (array / ".zarray").is_file() else array / "c"
    files = (file for file in below.rglob("*") if file.name.isdigit() and file.is_file())
    return sum(file.stat().st_size > 0 for file in files)
