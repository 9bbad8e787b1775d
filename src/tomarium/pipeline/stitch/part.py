"""One of the volumes that are stitched: its values, where they are trusted, and coarse versions of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.metrics import noise
from tomarium.model import Image, Volume
from tomarium.model.image import voxel_factors

READ_BYTES: Final = 64 << 20
"""Voxels as float32 that are read at once where they are averaged."""

NOISE_SLICES: Final = 24

Region = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Part:
    """A volume that is stitched.

    Attributes
    ----------
    volume : Volume
        Of floats, of integers, or cast between stated limits.
    circle : bool
        Whether only the inscribed circle of its slices is trusted, as where they are square.
    """

    volume: Volume
    circle: bool

    @property
    def name(self) -> str:
        """Its file or folder, for messages."""
        return str(self.volume.path or self.volume.name)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns."""
        z, y, x = self.volume.shape
        return z, y, x

    @property
    def middle(self) -> tuple[float, float]:
        """Middle of its slices, (y, x), voxels."""
        return (self.shape[1] - 1) / 2, (self.shape[2] - 1) / 2

    @property
    def unit(self) -> str:
        """Unit of its values, as they were before a cast."""
        return str(self._range.get("unit", self.volume.unit))

    @property
    def _range(self) -> dict[str, Any]:
        return dict(self.volume.metadata.get("grey_range") or {})

    def read(self, region: Region, level: int = 0) -> NDArray[np.float32]:
        """Return values of a region, in the unit of before a cast."""
        source = self.volume.data if level == 0 else self.volume.levels[level]
        values = np.asarray(source[region])
        if not self._range or values.dtype.kind == "f":
            return np.ascontiguousarray(values, np.float32)
        low, high = float(self._range["low"]), float(self._range["high"])
        step = (high - low) / np.iinfo(values.dtype).max
        return np.asarray(values * np.float32(step) + np.float32(low), np.float32)

    def seen(self, y: NDArray[Any], x: NDArray[Any], margin: float = 0.0) -> NDArray[np.float64]:
        """Return by how many voxels places of a slice lie inside the field that is trusted; negative outside."""
        rows, columns = self.shape[1:]
        if self.circle:
            radius = np.hypot(y - self.middle[0], x - self.middle[1])
            return np.asarray(min(rows, columns) / 2 - radius - margin)
        return np.asarray(np.minimum.reduce([y + 0.5, rows - 0.5 - y, x + 0.5, columns - 0.5 - x]) - margin)

    def coarse(self, region: Region, factors: tuple[int, int, int]) -> NDArray[np.float32]:
        """Average blocks of voxels.

        Parameters
        ----------
        region : tuple of slice
            Voxels of the coarse volume, within `coarse_shape`.
        factors : tuple of int
            Powers of two: voxels that make one, along z, y, x.

        Returns
        -------
        array of float32, shape (z, y, x)
            Means; NaN where one of them is.
        """
        level, done = self._level(min(factors))
        remaining_factors = [factor // done for factor in factors]
        starts = [part.start * factor for part, factor in zip(region, remaining_factors, strict=True)]
        counts = [part.stop - part.start for part in region]
        averaged = np.empty(counts, np.float32)
        plane = counts[1] * counts[2] * remaining_factors[1] * remaining_factors[2] * 4 * remaining_factors[0]
        together = max(1, READ_BYTES // max(1, plane))
        wide = [
            slice(start, start + n * f) for start, n, f in zip(starts, counts, remaining_factors, strict=True)
        ]
        for first in range(0, counts[0], together):
            last = min(first + together, counts[0])
            rows = slice(starts[0] + first * remaining_factors[0], starts[0] + last * remaining_factors[0])
            block = self.read((rows, wide[1], wide[2]), level)
            split = block.reshape(
                last - first,
                remaining_factors[0],
                counts[1],
                remaining_factors[1],
                counts[2],
                remaining_factors[2],
            )
            averaged[first:last] = split.mean(axis=(1, 3, 5), dtype=np.float32)
        return averaged

    def coarse_shape(self, factors: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the lengths of a coarse volume; what is left over at the ends is not in it."""
        z, y, x = (length // factor for length, factor in zip(self.shape, factors, strict=True))
        return z, y, x

    def _level(self, factor: int) -> tuple[int, int]:
        """Return the coarsest level of the pyramid that a factor is a multiple of, and its own factor."""
        best = (0, 1)
        for number, level in enumerate(self.volume.levels):
            factors = voxel_factors(self.shape, level.shape)
            own = int(factors[0])
            if factors == (own, own, own) and best[1] < own <= factor and factor % own == 0:
                best = (number, own)
        return best

    @cached_property
    def noise_of_slices(self) -> NDArray[np.float64]:
        """Standard deviation of the noise of each slice, measured in some of them and interpolated."""
        planes = np.unique(np.linspace(0, self.shape[0] - 1, NOISE_SLICES).round().astype(int))
        _, rows, columns = self.shape
        inner = slice(rows // 5, rows - rows // 5), slice(columns // 5, columns - columns // 5)
        noises = np.array([noise(np.nan_to_num(self.read((slice(z, z + 1), *inner))[0])) for z in planes])
        typical = float(np.median(noises))
        if not typical > 0:
            return np.ones(self.shape[0])
        # A slice that is empty, or broken, must not get all the weight.
        bounded = np.clip(noises, typical / 4, typical * 4)
        return np.asarray(np.interp(np.arange(self.shape[0]), planes, bounded))


def demand_alike(parts: list[Part]) -> None:
    """Refuse volumes that differ in voxel size or unit, or cannot be read in three dimensions.

    Parameters
    ----------
    parts : list of Part
        At least two.

    Raises
    ------
    InputError
        They are not of one kind.
    """
    first = parts[0]
    for part in parts:
        z, y, x = (axis.scale for axis in part.volume.axes)
        if not np.allclose([z, x], y, rtol=1e-4, atol=0):
            raise InputError(
                f"{part.name}: its voxels are {z:g} × {y:g} × {x:g}; volumes that are stitched have cubic ones"
            )
        if (part.volume.voxel_m is None) != (first.volume.voxel_m is None):
            without, other = (part, first) if part.volume.voxel_m is None else (first, part)
            raise InputError(
                f"{without.name}: tells no voxel size, and {other.name} does; give volumes that all tell it, or "
                f"none that does"
            )
        a, b = first.volume.axes[0].scale, z
        if not np.isclose(a, b, rtol=1e-4, atol=0):
            unit = part.volume.axes[0].unit
            raise InputError(
                f"{part.name}: a voxel is {b:g} {unit}, and {a:g} {unit} in {first.name}; volumes of other voxels are "
                f"not stitched: reconstruct them with one pixel size"
            )
        if part.unit != first.unit:
            raise InputError(
                f"{part.name}: its values are in {part.unit or 'no unit'}, those of {first.name} in "
                f"{first.unit or 'no unit'}; give volumes of one unit"
            )
        if min(part.shape) < 16:
            raise InputError(
                f"{part.name}: is {part.shape}; volumes that are stitched have 16 voxels along each axis"
            )


def demand_volume(opened: object, path: Path) -> Volume:
    """Return what was opened where it is a volume of grey values.

    Parameters
    ----------
    opened : Scan or Image
        What was opened.
    path : Path
        Its file.

    Returns
    -------
    Volume
        The same.

    Raises
    ------
    InputError
        It is a scan, another image, or labels.
    """
    if not isinstance(opened, Volume):
        kind = f"an image of {opened.ndim} axes" if isinstance(opened, Image) else "a scan"
        raise InputError(
            f"{path}: holds {kind}, no volume (z, y, x); raw scans are stitched by `tomarium run --step stitch`"
        )
    return opened
