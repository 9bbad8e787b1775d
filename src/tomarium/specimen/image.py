"""An image of a specimen as it is laid on another: its values, its voxel size and its place, in metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, MissingData
from tomarium.formats import open as open_file
from tomarium.model import Axis, Volume
from tomarium.model import Image as AnyImage

MOST_VOXELS: Final = 1 << 26
"""Voxels that are taken into memory; larger volumes are averaged."""

# Names of the axes of length, as files write them → x, y or z.
_SPATIAL: Final = {
    "x": "x", "column": "x", "width": "x", "y": "y", "row": "y", "height": "y", "z": "z", "depth": "z",
}  # fmt: skip

Handedness = Literal["right", "left", "unknown"]


@dataclass(frozen=True, eq=False)
class Image:
    """An image in its own frame: metres, (x, y, z).

    Attributes
    ----------
    array : array of float32, shape (z, y, x)
        Values; a section or a map has one slice. What is not finite counts as not measured.
    voxel_m : tuple of float
        Distance of neighbours (z, y, x), m, all above 0; of one slice its thickness, which nothing depends on.
    first_m : tuple of float
        Centre of the first voxel, (x, y, z), m.
    handedness : {"right", "left", "unknown"}
        Whether x, y, z of the specimen are right-handed in this image as its file tells; what a file does not say is
        taken for right-handed, and mirror images are tried.
    name : str
        Short name, for messages.
    notes : tuple of str
        What was done to the file's values on the way.
    """

    array: NDArray[np.float32]
    voxel_m: tuple[float, float, float]
    first_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    handedness: Handedness = "unknown"
    name: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise InputError(
                f"{self.name or 'image'}: has the shape {self.array.shape}; an image that is aligned has three axes "
                f"(z, y, x), and one slice where it is flat: use image_of_array"
            )
        if not all(math.isfinite(size) and size > 0 for size in self.voxel_m):
            raise InputError(
                f"{self.name or 'image'}: the voxel size is {self.voxel_m} m; give three lengths above 0"
            )

    @property
    def is_flat(self) -> bool:
        """Whether it has one slice only."""
        return len(self.array) == 1

    @property
    def centre_m(self) -> tuple[float, float, float]:
        """Middle of the image, (x, y, z), m."""
        x, y, z = (
            first + 0.5 * (n - 1) * step
            for first, n, step in zip(self.first_m, self.array.shape[::-1], self.voxel_m[::-1], strict=True)
        )
        return x, y, z


def image_of_array(
    array: NDArray[Any],
    voxel_m: float | Sequence[float],
    first_m: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    handedness: Handedness = "unknown",
    name: str = "",
    notes: tuple[str, ...] = (),
) -> Image:
    """Make an image of an array of two or three axes.

    Parameters
    ----------
    array : array, shape (y, x) or (z, y, x)
        Values.
    voxel_m : float or sequence of float
        One size for all axes, or one for each, in their order, m.
    first_m : sequence of float
        Centre of the first voxel, (x, y, z), m.
    handedness : {"right", "left", "unknown"}
        As of `Image`.
    name : str
        Short name.
    notes : tuple of str
        What was done to the values.

    Returns
    -------
    Image
        float32.

    Raises
    ------
    InputError
        It has another number of axes, or sizes that cannot be.
    """
    sizes = [float(voxel_m)] * array.ndim if np.ndim(voxel_m) == 0 else [float(s) for s in voxel_m]  # type: ignore[arg-type,union-attr]
    if array.ndim not in (2, 3) or len(sizes) != array.ndim:
        raise InputError(
            f"{name or 'image'}: has the shape {array.shape} and {len(sizes)} voxel sizes; give (y, x) or (z, y, x) "
            f"and a size for each"
        )
    if array.ndim == 2:
        array, sizes = array[None], [min(sizes), *sizes]
    x, y, z = (float(at) for at in first_m)
    return Image(
        np.asarray(array, np.float32), (sizes[0], sizes[1], sizes[2]), (x, y, z), handedness, name, notes
    )


def read_image(path: str | Path, *, pixel_m: float | str | None = None, entry: str | None = None) -> Image:
    """Read an image from a file, or from the folder of a record.

    Parameters
    ----------
    path : path
        A volume, a map or a picture in any format that `tomarium.open` reads, or a record's folder.
    pixel_m : float, str or None
        Pixel size, m, or text with a unit, for a file that does not tell it.
    entry : str or None
        Which image, of a file that holds several.

    Returns
    -------
    Image
        In memory; volumes of more than `MOST_VOXELS` voxels are averaged, which a note says.

    Raises
    ------
    FormatError
        It cannot be read.
    InputError
        It holds no image of two or three axes of length.
    MissingData
        Its pixel size is not known.
    """
    return image_of(_as_image(open_file(path, pixel_m=pixel_m, entry=entry), path))


def _as_image(opened: Any, path: str | Path) -> AnyImage:
    if not isinstance(opened, AnyImage):
        raise InputError(
            f"{path}: holds a raw scan, not an image of the specimen; reconstruct it with `tomarium run` first"
        )
    return opened


def image_of(opened: AnyImage) -> Image:
    """Make an image to align of one that was opened.

    Parameters
    ----------
    opened : tomarium.model.Image
        A volume, or an image with one or more axes of length; further axes (channels, energies) are summed.

    Returns
    -------
    Image
        In memory.

    Raises
    ------
    InputError
        It has no two axes of length, or coordinates that are not equally spaced.
    MissingData
        Its pixel size is not known.
    """
    name = str(opened.path or opened.name)
    spatial = [_SPATIAL.get(axis.name.lower(), "") for axis in opened.axes]
    spatial_axes = sorted(
        (i for i, letter in enumerate(spatial) if letter), key=lambda i: "zyx".index(spatial[i])
    )
    letters = [spatial[i] for i in spatial_axes]
    if letters not in (["y", "x"], ["z", "y", "x"]):
        raise InputError(
            f"{name}: its axes are {', '.join(axis.name for axis in opened.axes)}; an image that is aligned has y and "
            f"x, "
            f"and z where it is a volume"
        )
    for i in spatial_axes:
        _check_axis(opened.axes[i], name)
    notes: list[str] = []
    axes = {letter: opened.axes[i] for letter, i in zip(letters, spatial_axes, strict=True)}
    if len(spatial_axes) == 3 and len(opened.axes) == 3 and spatial_axes == [0, 1, 2]:
        array, factor = _averaged(opened)
        if factor > 1:
            notes.append(f"{opened.name}: {factor}³ voxels were averaged to one, to fit into memory")
    else:
        array, factor = np.asarray(opened[...], np.float32), 1
        summed_axes = tuple(i for i in range(array.ndim) if i not in spatial_axes)
        if summed_axes:
            axes_text = ", ".join(f"{array.shape[i]} of {opened.axes[i].name}" for i in summed_axes)
            notes.append(f"{opened.name}: the values along its other axes were summed: {axes_text}")
        array = array.transpose(*spatial_axes, *summed_axes).sum(
            axis=tuple(range(len(spatial_axes), array.ndim))
        )
    scales = {letter: axis.scale * factor for letter, axis in axes.items()}
    offsets = {letter: axis.offset + 0.5 * (factor - 1) * axis.scale for letter, axis in axes.items()}
    for place, letter in enumerate(letters):
        if scales[letter] < 0:  # the same points, counted from the other end
            array = np.flip(array, place)
            offsets[letter] += scales[letter] * (array.shape[place] - 1)
            scales[letter] = -scales[letter]
    first = (offsets["x"], offsets["y"], offsets.get("z", 0.0))
    return image_of_array(
        np.ascontiguousarray(array),
        [scales[letter] for letter in letters],
        first,
        handedness="right" if isinstance(opened, Volume) else "unknown",
        name=opened.name or name,
        notes=tuple(notes),
    )


def _check_axis(axis: Axis, name: str) -> None:
    if axis.coordinates:
        raise InputError(
            f"{name}: the pixels along {axis.name} are not equally spaced; resample it to a regular grid first"
        )
    if axis.unit != "m" or not axis.scale or not math.isfinite(axis.scale):
        raise MissingData(
            f"{name}: the pixel size along {axis.name} is not known (unit {axis.unit or 'none'!r}); tell it, such as "
            f'pixel_m="0.65 um", or --pixel and --pixel-fixed of `tomarium align`'
        )


def _averaged(volume: AnyImage) -> tuple[NDArray[np.float32], int]:
    """Read a volume, in blocks that are averaged where it has more voxels than are taken."""
    factor = 1
    while math.prod(n // factor for n in volume.shape) > MOST_VOXELS:
        factor += 1
    if factor == 1:
        return np.asarray(volume[...], np.float32), 1
    depth, rows, columns = (n // factor for n in volume.shape)
    averaged = np.empty((depth, rows, columns), np.float32)
    for z in range(depth):
        block = np.asarray(
            volume[z * factor : (z + 1) * factor, : rows * factor, : columns * factor], np.float32
        )
        averaged[z] = block.reshape(factor, rows, factor, columns, factor).mean(axis=(0, 2, 4))
    return averaged, factor
