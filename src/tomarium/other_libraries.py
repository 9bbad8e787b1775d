"""An image as an array of dask or xarray, or as a layer of napari: lazy, with its coordinates and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.model.image import axes_of_level
from tomarium.optional_packages import optional_import

if TYPE_CHECKING:
    from tomarium.model import Image
    from tomarium.model.image import Axis, Sliceable

EXTRA: Final = "arrays"


@dataclass(frozen=True, eq=False)
class _Source:
    """What dask asks of an array, for one that has a shape, a type and slices."""

    data: Sliceable
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self.data[key])


def to_dask(image: Image, level: int = 0) -> Any:
    """Give an image as a dask array; nothing is read.

    Parameters
    ----------
    image : Image
        An image, or a volume with levels.
    level : int
        Which level of a volume; 0 is the finest.

    Returns
    -------
    dask.array.Array
        Its blocks are made of whole chunks of the file, about 128 MiB each.

    Raises
    ------
    EngineUnavailable
        dask is not installed.
    ParameterError
        There is no such level.
    """
    array = optional_import("dask.array", EXTRA)
    data = _level(image, level)
    if isinstance(data, np.ndarray):
        return array.from_array(data, chunks="auto")
    shape = tuple(int(n) for n in data.shape)
    chunks = getattr(data, "shards", None) or getattr(data, "chunks", None)
    whole = tuple(map(int, chunks)) if isinstance(chunks, Sequence) and len(chunks) == len(shape) else None
    source = _Source(data, shape, np.dtype(data.dtype), whole)
    # Zarr reads from several threads at once; files of others are read by one at a time.
    lock = type(data).__module__.partition(".")[0] != "zarr"
    return array.from_array(source, chunks="auto", lock=lock, asarray=True, name=False)


def to_xarray(image: Image, level: int = 0) -> Any:
    """Give an image as an xarray.DataArray with the coordinates of its axes.

    Parameters
    ----------
    image : Image
        An image, or a volume with levels.
    level : int
        Which level of a volume; 0 is the finest.

    Returns
    -------
    xarray.DataArray
        Of a dask array. Coordinates are in the axes' units, m for calibrated ones, and say so in their `units`.

    Raises
    ------
    EngineUnavailable
        xarray or dask is not installed.
    ParameterError
        There is no such level.
    """
    xarray = optional_import("xarray", EXTRA)
    data = to_dask(image, level)
    axes = axes_of_level(image, level, data.shape)
    coordinates = {
        axis.name: (axis.name, _coordinates(axis, length), {"units": axis.unit})
        for axis, length in zip(axes, data.shape, strict=True)
    }
    attributes = {"units": image.unit} if image.unit else {}
    return xarray.DataArray(
        data, dims=[axis.name for axis in axes], coords=coordinates, name=image.name or None, attrs=attributes
    )


def to_napari(image: Image, viewer: Any = None) -> Any:
    """Show an image in napari: all levels of a volume, at its true scale.

    Parameters
    ----------
    image : Image
        An image or a volume.
    viewer : napari.Viewer, optional
        Where the layer is added; a new window by default.

    Returns
    -------
    napari.Viewer
        With the layer.

    Raises
    ------
    EngineUnavailable
        napari or dask is not installed.
    """
    if viewer is None:
        viewer = optional_import("napari", "napari").Viewer()
    count = max(1, len(getattr(image, "levels", ())))
    levels = [to_dask(image, level) for level in range(count)]
    metres = all(axis.unit == "m" for axis in image.axes)
    factor = 1e6 if metres else 1.0  # napari writes its scale bar in micrometres
    viewer.add_image(
        levels if count > 1 else levels[0],
        multiscale=count > 1,
        name=image.name or "image",
        scale=[axis.scale * factor for axis in image.axes],
        translate=[axis.offset * factor for axis in image.axes],
        units=["um" if metres else "px"] * image.ndim,
        contrast_limits=_window(levels[-1]),
    )
    return viewer


def _level(image: Image, level: int) -> Sliceable:
    levels = getattr(image, "levels", ()) or (image.data,)
    if not 0 <= level < len(levels):
        raise ParameterError(
            f"level {level} of {image.name or 'the image'} was asked for; it has the levels 0 to {len(levels) - 1}"
        )
    data: Sliceable = levels[level]
    return data


def _coordinates(axis: Axis, length: int) -> NDArray[np.float64]:
    if len(axis.coordinates) == length:
        return np.asarray(axis.coordinates, np.float64)
    return np.asarray(axis.offset + axis.scale * np.arange(length), np.float64)


def _window(coarsest: Any) -> tuple[float, float]:
    from tomarium.viewers.picture import robust_window

    step = max(1, round((coarsest.size / 4e6) ** (1 / max(1, coarsest.ndim))))
    return robust_window(np.asarray(coarsest[(slice(None, None, step),) * coarsest.ndim]))
