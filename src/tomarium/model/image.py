"""An n-dimensional array with named axes; a volume is one with three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium import units
from tomarium.errors import InputError
from tomarium.model.account import in_lines, rows_of_image


class Sliceable(Protocol):
    """What an image needs of its data: NumPy, h5py, zarr and memory-mapped arrays all have it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> DTypeLike:
        """Type of an element."""
        ...

    def __getitem__(self, key: Any) -> Any:
        """Return part of the array."""
        ...


@dataclass(frozen=True)
class Axis:
    """One axis of an image: coordinate of element i = offset + scale · i, or `coordinates[i]`, in `unit`.

    Attributes
    ----------
    name : str
        "z", "y", "x", "energy" …
    scale : float
        Distance of two neighbours in `unit`.
    offset : float
        Coordinate of the first element in `unit`.
    unit : str
        "m", "keV", "px" … ; "px" where the image has no calibration, "" where it has one without a unit.
    coordinates : tuple of float
        Coordinate of each element in `unit`, where they are not equally spaced; `scale` is then their mean
        distance and `offset` the first. Empty otherwise.
    """

    name: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = "px"
    coordinates: tuple[float, ...] = ()


@dataclass(frozen=True, repr=False)
class Image:
    """Any array with named axes.

    Attributes
    ----------
    data : array
        Lazy or in memory; anything that slices like NumPy.
    axes : tuple of Axis
        One for each dimension, in the order of the data.
    unit : str
        Unit of the values: "1/cm", "1/px", "counts" …
    name : str
        Short name, for titles.
    path : Path or None
        Where it was read from.
    metadata : Mapping
        What is known besides, JSON-ready.
    """

    data: Sliceable
    axes: tuple[Axis, ...]
    unit: str = ""
    name: str = ""
    path: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element."""
        return np.dtype(self.data.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.axes)

    @property
    def holds_labels(self) -> bool:
        """Whether its file says that its values are labels: numbers of objects, between which nothing lies."""
        return self.metadata.get("labels") is True and self.dtype.kind in "iub"

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        return self.data[key]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        array = np.asarray(self.data[...], dtype=dtype)
        return array.copy() if copy and array is self.data else array

    def __repr__(self) -> str:
        return in_lines(f"{type(self).__name__} {self.name}", rows_of_image(self))

    def _repr_html_(self) -> str:
        """Give a notebook a table, and of a volume its middle slice; what draws it lies above this floor."""
        return str(import_module("tomarium.notebook").image_html(self))

    def to_dask(self, level: int = 0) -> Any:
        """Give a dask array, of which nothing is read yet; see `tomarium.other_libraries.to_dask`."""
        return import_module("tomarium.other_libraries").to_dask(self, level)

    def to_xarray(self, level: int = 0) -> Any:
        """Give an xarray.DataArray with coordinates and units; see `tomarium.other_libraries.to_xarray`."""
        return import_module("tomarium.other_libraries").to_xarray(self, level)

    def to_napari(self, viewer: Any = None) -> Any:
        """Show it in napari at its true scale; see `tomarium.other_libraries.to_napari`."""
        return import_module("tomarium.other_libraries").to_napari(self, viewer)


@dataclass(frozen=True, repr=False)
class Volume(Image):
    """An image with the axes (z, y, x): slices like a NumPy array, `volume[40]`, `volume[:, 10, 5:9]`.

    Attributes
    ----------
    levels : tuple of arrays
        The multiscale pyramid, finest first; `levels[0]` is `data`. Empty where there is none.
    level_axes : tuple of tuple of Axis
        The axes of each level, where the file tells where they lie; empty where it does not: levels are then means of
        whole blocks of voxels.
    """

    levels: tuple[Sliceable, ...] = ()
    level_axes: tuple[tuple[Axis, ...], ...] = ()

    @property
    def voxel_m(self) -> tuple[float, float, float] | None:
        """Voxel size (z, y, x) in m, or None where the volume is not calibrated."""
        if any(axis.unit != "m" for axis in self.axes):
            return None
        z, y, x = self.axes
        return z.scale, y.scale, x.scale

    def demand_cubes(self, by: str) -> None:
        """Refuse voxels that are no cubes, for what counts distances in voxels.

        Parameters
        ----------
        by : str
            What refuses them, the beginning of a sentence.

        Raises
        ------
        InputError
            The voxel size is known, and its three lengths differ.
        """
        voxel = self.voxel_m
        if voxel is not None and max(voxel) > min(voxel) * (1 + 1e-6):
            sizes = " × ".join(units.show(size, "m") for size in voxel)
            raise InputError(
                f"{self.path or self.name}: {by} counts distances in voxels, as of cubes, but these are {sizes} "
                f"(z, y, x); make cubes of them with `tomarium convert VOLUME OUT --cubes finest`, or reconstruct the "
                f"scan with as many rows as columns binned"
            )


def metadata_without_run(metadata: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """Return the metadata of an image that hold for another one made of it.

    Parameters
    ----------
    metadata : Mapping
        Of the image.
    more : str
        Names that are left out besides those of the run and of the file that it wrote.

    Returns
    -------
    dict
        What is left.
    """
    return {name: value for name, value in metadata.items() if name not in ("provenance", "shards", *more)}


def voxel_factors(whole: Sequence[int], shape: Sequence[int]) -> tuple[float, ...]:
    """Tell how much wider the voxels of a level are than those of the finest one.

    Parameters
    ----------
    whole, shape : sequence of int
        Voxels along each axis of the finest level, and of the other.

    Returns
    -------
    tuple of float
        The same power of two for all axes where the level may come from halving, whose last voxel may reach beyond
        the volume; else the ratio of the lengths, of each axis by itself.

    Examples
    --------
    >>> voxel_factors((5, 130, 67), (2, 33, 17))
    (4.0, 4.0, 4.0)
    >>> voxel_factors((30, 90, 90), (30, 30, 30))
    (1.0, 3.0, 3.0)
    """
    for factor in (2**power for power in range(24)):
        lengths = [
            (long // factor, -(-long // factor), short) for long, short in zip(whole, shape, strict=True)
        ]
        if all(short in (floor, ceil) for floor, ceil, short in lengths):
            return (float(factor),) * len(lengths)
    return tuple(long / short if short else 1.0 for long, short in zip(whole, shape, strict=True))


def axes_of_level(image: Image, level: int, shape: Sequence[int]) -> Sequence[Axis]:
    """Give the axes of a level: as its file tells them, else of means of finer pixels, which lie in their middle.

    Levels of labels are told by their file: a mean of labels is none, so every second one is kept, which stays where it
    was.

    Parameters
    ----------
    image : Image
        An image, or a volume with levels.
    level : int
        Its number; 0 is the finest.
    shape : sequence of int
        Of the level.

    Returns
    -------
    sequence of Axis
        Its scale and the place of its first pixel, in the unit of the image's axes.
    """
    if level_axes := getattr(image, "level_axes", ()):
        # The finest level keeps what a user told of it when it was opened.
        axes: Sequence[Axis] = (
            image.axes if level == 0 else _placed_axes(image.axes, level_axes[0], level_axes[level])
        )
        return axes
    factors = voxel_factors(image.shape, shape)
    return [
        replace(axis, scale=axis.scale * factor, offset=axis.offset + axis.scale * (factor - 1) / 2)
        for axis, factor in zip(image.axes, factors, strict=True)
    ]


def _placed_axes(own: Sequence[Axis], finest: Sequence[Axis], wanted: Sequence[Axis]) -> list[Axis]:
    """Place a level among axes that may have another scale, or another first voxel, than those of the file."""
    return [
        replace(
            axis,
            scale=axis.scale * level.scale / fine.scale,
            offset=axis.offset + axis.scale * (level.offset - fine.offset) / fine.scale,
        )
        for axis, fine, level in zip(own, finest, wanted, strict=True)
    ]
