"""The volume of a record, opened to be looked at: planes at the resolution that is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.zarr import reader as ome_zarr
from tomarium.model import Record, Volume
from tomarium.model.image import Axis, Sliceable, voxel_factors
from tomarium.viewers.picture import robust_window

Plane = Literal["z", "y", "x"]
PLANES: Final[tuple[Plane, ...]] = ("z", "y", "x")
_METADATA: Final = ("zarr.json", ".zattrs", ".zgroup")
ENOUGH_VOXELS: Final = 2_000_000  # for percentiles: their error is then far below a grey level

OPENER: Final[ContextVar[Callable[[Path], Volume] | None]] = ContextVar("opener", default=None)
"""What opens volumes instead of this process, as long as a portal answers a request; None reads them here."""


def volume_path(record: Record) -> str | None:
    """Return the path of a record's volume below its folder.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str or None
        "volume.ome.zarr", without a slash at its end; None where there is no OME-Zarr volume.
    """
    paths = [entry.path.rstrip("/") for entry in record.files if entry.role == "volume"]
    return next((path for path in paths if path.endswith(".zarr")), None)


def open_volume(path: Path) -> Volume:
    """Open the volume of a record.

    Parameters
    ----------
    path : Path
        Folder of an OME-Zarr image.

    Returns
    -------
    Volume
        With the axes z, y, x and at least one level; only its header is read, in a process of its own where a portal
        asks.

    Raises
    ------
    FormatError
        The folder is no such image, is unfinished or damaged.
    """
    opener = OPENER.get()
    return open_here(path) if opener is None else opener(path)


def open_here(path: Path) -> Volume:
    """Open the volume of a record in this process.

    Parameters
    ----------
    path : Path
        Folder of an OME-Zarr image.

    Returns
    -------
    Volume
        As for `open_volume`.

    Raises
    ------
    FormatError
        As for `open_volume`.
    """
    if path.is_symlink():
        raise FormatError(f"{path.name}: is a link, which could lead out of the record; put the volume there")
    match = ome_zarr.detect(path)
    if match is None or not match.score:
        raise FormatError(
            f"{path.name}: {match.why if match else 'is no Zarr group'}; the volume of a record is an "
            f"OME-Zarr image, so take it from a backup or resume the run"
        )
    volume = ome_zarr.read(path, match)
    if not isinstance(volume, Volume) or not volume.levels or 0 in volume.shape:
        raise FormatError(f"{path.name}: holds no volume with three axes (z, y, x)")
    return volume


def volume_header(path: Path) -> tuple[tuple[Axis, ...], str]:
    """Tell the axes of a record's volume and the name of its finest level, which a page needs each time it is shown.

    Parameters
    ----------
    path : Path
        Folder of an OME-Zarr image; it is read once for as long as neither it nor its metadata are changed.

    Returns
    -------
    tuple of tuple of Axis, and str
        (z, y, x), and "0" by custom.

    Raises
    ------
    FormatError
        As `open_volume`.
    """
    if path.is_symlink():
        open_volume(path)  # which refuses it
    return _header(path, tuple(_changed_ns(path / name) for name in ("", *_METADATA)))


@lru_cache(maxsize=256)
def _header(path: Path, _changed: tuple[int, ...]) -> tuple[tuple[Axis, ...], str]:
    volume = open_volume(path)
    return volume.axes, Path(str(getattr(volume.levels[0], "path", "0"))).name


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def read_plane(levels: Sequence[Sliceable], plane: Plane, index: int, pixels: int) -> NDArray[Any]:
    """Read one plane, no finer than a screen can show it.

    Parameters
    ----------
    levels : sequence of arrays, shape (z, y, x)
        Finest first.
    plane : {"z", "y", "x"}
        Axis that is held.
    index : int
        Index along that axis in the finest level.
    pixels : int
        The finest level whose plane is at most that wide and high is taken, else the coarsest; of one that is
        still more than twice as wide or high only every n-th value is kept.

    Returns
    -------
    array, two axes in the order of the volume
        Of the type that is stored.
    """
    axis = PLANES.index(plane)
    level = next(
        (level for level in levels if max(_without(axis, level.shape)) <= pixels),
        levels[-1],
    )
    factor = voxel_factors(levels[0].shape, level.shape)[axis]
    at = min(int(index / factor), level.shape[axis] - 1)
    step = math.ceil(max(_without(axis, level.shape)) / (2 * pixels))
    key: list[slice | int] = [slice(None, None, step)] * 3
    key[axis] = at
    return np.asarray(level[tuple(key)])


def volume_window(record: Record, folder: Path) -> tuple[float, float]:
    """Return the two grey values between which a record's volume shows well.

    Parameters
    ----------
    record : Record
        Its `volume["window"]` is taken where it is there.
    folder : Path
        The record's folder; else the coarsest level with enough voxels is read once.

    Returns
    -------
    low, high : float
        In the unit of the volume.
    """
    stored = record.volume.get("window")
    if isinstance(stored, Sequence) and len(stored) == 2:
        return float(stored[0]), float(stored[1])
    path = folder / (volume_path(record) or "")
    return _window(path, (path / "zarr.json").stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _window(path: Path, _changed_ns: int) -> tuple[float, float]:
    levels = open_volume(path).levels
    enough = [level for level in levels if np.prod(level.shape) >= ENOUGH_VOXELS]
    level = enough[-1] if enough else levels[0]
    step = max(1, int(np.prod(level.shape) // (8 * ENOUGH_VOXELS)))  # a volume without a pyramid
    return robust_window(np.asarray(level[::step]))


def _without(axis: int, shape: Sequence[int]) -> list[int]:
    return [length for number, length in enumerate(shape) if number != axis]
