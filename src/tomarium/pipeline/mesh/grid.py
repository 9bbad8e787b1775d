"""The grid on which a surface is sought: a level of the pyramid, or the mean of blocks of its last one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.array import available_memory
from tomarium.errors import CannotFit
from tomarium.model import Volume
from tomarium.model.image import Sliceable, axes_of_level, voxel_factors

BYTES_A_VOXEL: Final = 48
"""Of all arrays that finding a surface and its thin places needs at a time; measured: 44."""
SHARE: Final = 0.6
"""Part of the available memory that is taken unless the user says otherwise."""
SMALLEST_SIDE: Final = 16
READ_BYTES: Final = 64 << 20

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Grid:
    """A level of a volume, or the mean of blocks of it.

    Attributes
    ----------
    number : int
        0 for the volume as it is, 1 for voxels twice as wide, and so on.
    data : array, shape (z, y, x)
        The stored level that is read.
    block : int
        Edge of the blocks of it that are averaged, voxels.
    shape : tuple of int
        Voxels (z, y, x).
    factor : tuple of float
        Size of a voxel (z, y, x) over that of the volume.
    first : tuple of float
        Middle of the first voxel (z, y, x), in voxels of the volume from the middle of its first one: of means of
        blocks half a block away, of labels, of which one of each block is kept, 0.
    """

    number: int
    data: Sliceable
    block: int
    shape: tuple[int, ...]
    factor: tuple[float, ...]
    first: tuple[float, ...]

    @property
    def bytes(self) -> int:
        """Memory that finding a surface in it takes."""
        return BYTES_A_VOXEL * int(np.prod([length + 2 for length in self.shape]))

    @property
    def words(self) -> str:
        """What it is, for people."""
        size = " × ".join(str(length) for length in self.shape[::-1])
        grid_name = "the volume as it is" if self.number == 0 else f"level {self.number} of the volume"
        return f"{grid_name}, {size} voxels" + (
            f", means of {self.block}³ stored voxels" if self.block > 1 else ""
        )


def grids_of(volume: Volume) -> tuple[Grid, ...]:
    """List the grids of a volume: the levels of its pyramid, then blocks of the last one.

    Parameters
    ----------
    volume : Volume
        Its levels are taken as they are.

    Returns
    -------
    tuple of Grid
        The finest first; the last has a side of at most 32 voxels.
    """
    levels = volume.levels or (volume.data,)
    grids = []
    for number, data in enumerate(levels):
        shape = tuple(int(n) for n in data.shape)
        places = list(zip(axes_of_level(volume, number, shape), volume.axes, strict=True))
        first = tuple((level.offset - own.offset) / own.scale for level, own in places)
        grids.append(Grid(number, data, 1, shape, voxel_factors(volume.shape, shape), first))
    last, block = grids[-1], 2
    while min(length // block for length in last.shape) >= SMALLEST_SIDE:
        shape = tuple(length // block for length in last.shape)
        factor = tuple(block * value for value in last.factor)
        first = tuple(
            place + (block - 1) / 2 * value for place, value in zip(last.first, last.factor, strict=True)
        )
        grids.append(Grid(grids[-1].number + 1, last.data, block, shape, factor, first))
        block *= 2
    return tuple(grids)


def choose_grid(
    grids: tuple[Grid, ...], level: int | None = None, memory: int | None = None, coarsest: float = 1.0
) -> Grid:
    """Choose the grid to work on.

    Parameters
    ----------
    grids : tuple of Grid
        As `grids_of` gives them.
    level : int, optional
        The one that the user asks for.
    memory : int, optional
        Bytes that may be used; 60 % of what is available by default.
    coarsest : float
        Voxels may be so many times as wide as the volume's without any loss; of the grids that fit, the coarsest of
        those is taken.

    Returns
    -------
    Grid
        By default the finest that fits.

    Raises
    ------
    CannotFit
        The level that is asked for, or every one, needs more memory; the message names the finest that fits.
    """
    limit = memory if memory is not None else int(SHARE * available_memory())
    fitting = [grid for grid in grids if grid.bytes <= limit]
    allowed = units.show(limit, "B", digits=3)
    if level is not None:
        if not 0 <= level < len(grids):
            raise CannotFit(
                f"there is no level {level}; this volume can be taken at the levels 0 to {len(grids) - 1}"
            )
        if grids[level] in fitting:
            return grids[level]
        next_best = f"take --level {fitting[0].number}, the finest that fits" if fitting else "none fits"
        raise CannotFit(
            f"{grids[level].words}: needs {units.show(grids[level].bytes, 'B', digits=3)} of memory, and {allowed} "
            f"may be used; {next_best}, or allow more with --memory"
        )
    if not fitting:
        needs = units.show(grids[-1].bytes, "B", digits=3)
        raise CannotFit(
            f"even level {grids[-1].number} needs {needs} of memory, and {allowed} may be used; "
            f"allow more with --memory"
        )
    enough = [grid for grid in fitting if max(grid.factor) <= coarsest]
    return enough[-1] if enough else fitting[0]


def read_grid(grid: Grid, label: int | None = None, tell: Tell | None = None) -> NDArray[np.float32]:
    """Read a grid into memory, some slices at a time.

    Parameters
    ----------
    grid : Grid
        What is read.
    label : int, optional
        Of a label volume: the label whose share of each voxel is wanted, 0 to 1.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    array of float32, shape (z, y, x)
        In the unit of the volume; values that are not finite are those of the darkest voxel.
    """
    block, (depth, rows, columns) = grid.block, grid.shape
    result = np.empty(grid.shape, np.float32)
    step = max(1, READ_BYTES // max(1, 4 * block**3 * rows * columns))
    for start in range(0, depth, step):
        stop = min(start + step, depth)
        part: NDArray[Any] = np.asarray(grid.data[start * block : stop * block])
        values = (part == label).astype(np.float32) if label is not None else part.astype(np.float32)
        values = values[:, : rows * block, : columns * block]
        if block > 1:
            values = values.reshape(stop - start, block, rows, block, columns, block).mean(axis=(1, 3, 5))
        result[start:stop] = values
        if tell is not None:
            tell("read", stop, depth)
    finite = np.isfinite(result)
    if not finite.all():
        np.copyto(result, result[finite].min() if finite.any() else np.float32(0), where=~finite)
    return result
