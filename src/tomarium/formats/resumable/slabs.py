"""Copy a volume slab by slab, but what is there already."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Volume


class SlabWriter(Protocol):
    """A volume that is being written slab by slab."""

    @property
    def slab_rows(self) -> int:
        """Slices of a slab; the last one may have fewer."""

    def done(self) -> tuple[int, ...]:
        """List the slabs that are complete, by their first slice."""

    def write(self, z0: int, block: NDArray[Any], /) -> None:
        """Write the slab that begins at slice `z0`."""


def fill(
    writer: SlabWriter, volume: Volume | NDArray[Any], voxel_bytes: int, on_progress: OnProgress | None = None
) -> None:
    """Copy a volume slab by slab, one of them in memory at a time; slabs that are done are left as they are."""
    done, (slices, rows, columns) = set(writer.done()), volume.shape
    for start in range(0, slices, writer.slab_rows):
        stop = min(start + writer.slab_rows, slices)
        if start not in done:
            writer.write(start, np.asarray(volume[start:stop]))
        if on_progress is not None:
            on_progress(stop * rows * columns * voxel_bytes, slices * rows * columns * voxel_bytes)
