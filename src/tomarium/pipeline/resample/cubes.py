"""A volume whose voxels are no cubes, written in voxels that are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.conversion.convert import Converted, convert
from tomarium.errors import InputError, ParameterError
from tomarium.model import Axis, Volume
from tomarium.model.image import metadata_without_run
from tomarium.pipeline.segment.field import stated_field
from tomarium.pipeline.segment.label_volume import Tell, write_labels
from tomarium.pipeline.segment.slabs import slab_height, slabs

MOST_VOXELS: Final = 1 << 40
"""Voxels that are not written by mistake, as where nanometres were meant and picometres given."""

Taps = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Places and weights, shape (new voxel, tap), by which a new voxel is a sum of old ones along an axis."""


@dataclass(frozen=True)
class Cubes:
    """The values of a volume in other voxels, worked out when they are read.

    Attributes
    ----------
    volume : Volume
        Its own values.
    taps : tuple of Taps
        For z, y and x.
    """

    volume: Volume
    taps: tuple[Taps, Taps, Taps]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        return tuple(len(places) for places, _ in self.taps)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel, that of the volume."""
        return self.volume.dtype

    def __getitem__(self, key: Any) -> Any:
        rows, *further = key if isinstance(key, tuple) else (key,)
        if isinstance(rows, int | np.integer):
            number = range(self.shape[0])[int(rows)]
            return self._read(np.array([number]))[0][tuple(further)]
        numbers = np.arange(self.shape[0])[slice(None) if rows is Ellipsis else rows]
        return self._read(numbers)[(slice(None), *further)]

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        if not len(numbers):
            return np.zeros((0, *self.shape[1:]), self.dtype)
        places, weights = self.taps[0]
        low, high = int(places[numbers].min()), int(places[numbers].max()) + 1
        block = np.asarray(self.volume[low:high])
        block = _along(block, 0, (places[numbers] - low, weights[numbers]))
        for axis in (1, 2):
            block = _along(block, axis, self.taps[axis])
        if block.dtype != self.dtype:
            block = np.rint(block) if self.dtype.kind in "iu" else block
            block = block.astype(self.dtype)
        return block


def _along(block: NDArray[Any], axis: int, taps: Taps) -> NDArray[Any]:
    """Take the weighted sum along an axis; of one tap, the voxel itself in its own type."""
    places, weights = taps
    if places.shape[1] == 1:
        return np.take(block, places[:, 0], axis)
    shape = [1, 1, 1]
    shape[axis] = -1
    parts = (
        np.take(block, places[:, k], axis) * weights[:, k].reshape(shape) for k in range(places.shape[1])
    )
    total: NDArray[Any] = next(parts)
    for part in parts:
        total = total + part
    return total


def taps_of(length: int, old: float, new: float, *, nearest: bool = False) -> Taps:
    """Tell how voxels of a new length along an axis are had from the old ones.

    The outer faces of the first voxels lie together. Between the middles of old voxels values are linear; where the
    new voxels are longer, their value is the mean of these lines over a new voxel, so that finer detail does not fold.

    Parameters
    ----------
    length : int
        Old voxels.
    old, new : float
        Their lengths, in one unit.
    nearest : bool
        Whether a new voxel takes the one old voxel that its middle lies in, as labels must.

    Returns
    -------
    Taps
        Weights of a new voxel add up to 1. The new axis is as long as the old one, to half a new voxel.
    """
    factor = new / old
    count = max(1, round(length / factor))
    middle = (np.arange(count) + 0.5) * factor - 0.5
    if nearest or abs(factor - 1) < 1e-6:
        # A middle on a face of two voxels goes to the later one, whatever rounding does.
        places = np.floor(middle + 0.5 + 1e-9).astype(np.int64)
        return np.clip(places, 0, length - 1)[:, None], np.ones((count, 1), np.float32)
    reach = max(1.0, (factor + 2) / 2)
    first = np.floor(middle - reach).astype(np.int64) + 1
    places = first[:, None] + np.arange(int(np.ceil(2 * reach)))
    away = middle[:, None] - places
    if factor <= 1:
        weights = np.maximum(0.0, 1 - np.abs(away))
    else:
        weights = (_area_of_tent(away + factor / 2) - _area_of_tent(away - factor / 2)) / factor
    places = np.clip(places, 0, length - 1)
    # A voxel without weight is not read: it may hold NaN.
    best = np.take_along_axis(places, weights.argmax(1)[:, None], 1)
    return np.where(weights > 0, places, best), weights.astype(np.float32)


def _area_of_tent(end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrate the tent 1 - |t| from its beginning at -1 to an end."""
    end = np.clip(end, -1, 1)
    return np.asarray(0.5 + end - np.sign(end) * end * end / 2)


def edge_of(volume: Volume, text: str) -> float:
    """Read the edge of the cubes that are asked for.

    Parameters
    ----------
    volume : Volume
        With a voxel size.
    text : str
        "finest" or "coarsest", the shortest or longest length of its voxels; or a length with its unit.

    Returns
    -------
    float
        m.

    Raises
    ------
    InputError
        The volume has no voxel size.
    ParameterError
        The length is not above 0.
    UnitError
        It is no length.
    """
    voxel = volume.voxel_m
    if voxel is None:
        raise InputError(
            f"{volume.path or volume.name}: has no voxel size, so that nobody knows what cubes would be; give it when "
            f"the volume is made, as --pixel and --slice of `tomarium align-slices` do"
        )
    if text in ("finest", "coarsest"):
        return min(voxel) if text == "finest" else max(voxel)
    edge = units.parse(text, "m")
    if not (np.isfinite(edge) and edge > 0):
        raise ParameterError(f"--cubes {text!r}: give a length above 0, such as '10 nm', finest or coarsest")
    return edge


def in_cubes(volume: Volume, edge_m: float, *, labels: bool = False) -> Volume:
    """Give a volume in voxels that are cubes; nothing is computed before it is read.

    Parameters
    ----------
    volume : Volume
        With a voxel size.
    edge_m : float
        Edge of a cube, m.
    labels : bool
        Whether its values are labels, between which nothing lies: each cube gets the label at its middle.

    Returns
    -------
    Volume
        Of the same type; whole numbers are rounded. It lies where the old one does, and tells how it was made.

    Raises
    ------
    InputError
        It has no voxel size.
    ParameterError
        There would be more than 2⁴⁰ voxels.
    """
    voxel = volume.voxel_m
    if voxel is None:
        raise InputError(f"{volume.path or volume.name}: has no voxel size, which cubes need")
    count = float(np.prod([n * size / edge_m for n, size in zip(volume.shape, voxel, strict=True)]))
    if not count < MOST_VOXELS:
        raise ParameterError(
            f"cubes of {units.show(edge_m, 'm')} would be {count:.3g} voxels, of a volume with voxels of "
            f"{' × '.join(units.show(size, 'm') for size in voxel)}; give a longer edge"
        )
    z, y, x = (
        taps_of(length, size, edge_m, nearest=labels)
        for length, size in zip(volume.shape, voxel, strict=True)
    )
    axes = tuple(
        Axis(axis.name, edge_m, axis.offset + (edge_m - axis.scale) / 2, "m") for axis in volume.axes
    )
    field = stated_field(volume)[0]
    account = {
        "voxel_m": list(voxel),
        "edge_m": edge_m,
        "method": "nearest" if labels else "linear",
        **({"field": field} if field else {}),
    }
    return replace(
        volume,
        data=Cubes(volume, (z, y, x)),
        axes=axes,
        levels=(),
        level_axes=(),
        metadata={**metadata_without_run(volume.metadata), "resampled": account},
    )


def write_cubes(
    volume: Volume,
    target: Path,
    edge_m: float,
    *,
    labels: bool = False,
    to: str | None = None,
    overwrite: bool = False,
    tell: Tell | None = None,
) -> Converted:
    """Write a volume in voxels that are cubes.

    Parameters
    ----------
    volume : Volume
        With a voxel size.
    target : Path
        Where to; its ending decides the format. Labels in .zarr become an OME-Zarr label image.
    edge_m : float
        Edge of a cube, m.
    labels : bool
        Whether its values are labels; those of a file that says so are taken for labels without it.
    to : str or None
        Name of the format, where the ending does not tell it.
    overwrite : bool
        Whether a target that is there may be replaced.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Converted
        What became of the volume's parts.

    Raises
    ------
    InputError
        It has no voxel size, labels that are no whole numbers; or the target is there already.
    ParameterError
        There would be more than 2⁴⁰ voxels.
    """
    say = tell or (lambda stage, done, total: None)
    labels = labels or volume.holds_labels
    if labels and volume.dtype.kind not in "iub":
        raise InputError(
            f"{volume.path}: holds {volume.dtype}, and labels are whole numbers; leave out --labels"
        )
    cubes = in_cubes(volume, edge_m, labels=labels)
    if labels and to is None and target.suffix == ".zarr":
        segmented = volume.metadata.get("segmentation")
        account = {
            **(segmented if isinstance(segmented, dict) else {}),
            "resampled": cubes.metadata["resampled"],
        }
        write_labels(
            target, cubes, _blocks(cubes), _zarr_type(volume.dtype), account, overwrite=overwrite, tell=say
        )
        return Converted(volume.path or Path(), target, "ome-zarr", (), ())
    return convert(
        cubes,
        target,
        to=to,
        overwrite=overwrite,
        on_progress=lambda done, total: say("write MB", done // 1_000_000, total // 1_000_000),
    )


def _zarr_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype


def _blocks(cubes: Volume) -> Iterator[NDArray[Any]]:
    for start, stop in slabs(cubes.shape[0], slab_height(cubes.shape, 16)):
        yield np.asarray(cubes[start:stop])
