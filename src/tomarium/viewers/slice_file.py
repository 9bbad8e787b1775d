"""A single slice as a file: a picture to look at, or numbers to work with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.viewers.picture import contact_sheet, png

PixelSize = float | tuple[float, float] | None
"""Size of a pixel in m, or its height and width (y, x); None where it is not known."""


@dataclass(frozen=True)
class Plane:
    """One slice with a line of text.

    Attributes
    ----------
    image : array, shape (y, x)
        The slice.
    title : str
        What it is, for a sheet of several.
    """

    image: NDArray[Any]
    title: str = ""


def save_slice(path: Path, image: NDArray[Any], *, pixel_m: PixelSize, unit: str) -> None:
    """Write one slice; see `save_slices`.

    Parameters
    ----------
    path : Path
        `.png`, `.tif`, `.tiff` or `.npy`.
    image : array, shape (y, x)
        The slice.
    pixel_m : float, tuple of float or None
        Pixel size in m, or height and width of a pixel that is no square.
    unit : str
        Unit of the values, kept in the TIFF.

    Raises
    ------
    InputError
        Another ending.
    """
    save_slices(path, [Plane(image)], pixel_m=pixel_m, unit=unit)


def save_slices(path: Path, planes: Sequence[Plane], *, pixel_m: PixelSize, unit: str) -> None:
    """Write one slice or several of one size; the ending of the name says how.

    Parameters
    ----------
    path : Path
        `.png`, 8-bit grey with a scale bar, several on one sheet in the same grey values; `.tif` or `.tiff`, float32
        with the pixel size, as ImageJ reads it, several as a stack; `.npy`, the array as it is. The file is the old
        one or the whole new one, never a part.
    planes : sequence of Plane
        The slices.
    pixel_m : float, tuple of float or None
        Pixel size in m, or height and width of a pixel that is no square.
    unit : str
        Unit of the values, kept in the TIFF.

    Raises
    ------
    InputError
        Another ending.
    """
    images = [plane.image for plane in planes]
    draft = path.with_name(f".{path.name}.part")
    try:
        match path.suffix.lower():
            case ".png":
                draft.write_bytes(draw_slices(planes, pixel_m=pixel_m))
            case ".tif" | ".tiff":
                _write_tiff(draft, _stacked(images), pixel_m, unit)
            case ".npy":
                with draft.open("wb") as file:
                    np.save(file, _stacked(images))
            case other:
                raise InputError(
                    f"{path}: a slice cannot be written as {other or 'a file without ending'}; give .png, .tif or .npy"
                )
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _stacked(images: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return images[0] if len(images) == 1 else np.stack(images)


def draw_slices(planes: Sequence[Plane], *, pixel_m: PixelSize) -> bytes:
    """Draw one slice, or several of one size on one sheet in the same grey values.

    Parameters
    ----------
    planes : sequence of Plane
        The slices.
    pixel_m : float, tuple of float or None
        Pixel size in m, or height and width of a pixel that is no square: for a scale bar and true proportions.

    Returns
    -------
    bytes
        A PNG, 8-bit grey.
    """
    images = [plane.image for plane in planes]
    height, width = sides(pixel_m) or (1.0, 1.0)
    scale = None if pixel_m is None else width
    if len(images) == 1:
        return png(images[0], scale_m=scale, aspect=height / width)
    return contact_sheet(images, [plane.title for plane in planes], scale_m=scale, aspect=height / width)


def sides(pixel_m: PixelSize) -> tuple[float, float] | None:
    """Return height and width of a pixel in m.

    Parameters
    ----------
    pixel_m : float, tuple of float or None
        Size of a square, or height and width.

    Returns
    -------
    tuple of float or None
        Both; None where they are not known.
    """
    return (pixel_m, pixel_m) if isinstance(pixel_m, float | int) else pixel_m


def _write_tiff(path: Path, image: NDArray[Any], pixel_m: PixelSize, unit: str) -> None:
    import tifffile

    size = sides(pixel_m)
    # ImageJ: pixels per micrometre, across and down.
    resolution = None if size is None else (1e-6 / size[1], 1e-6 / size[0])
    tifffile.imwrite(
        path,
        image.astype(np.float32),
        imagej=True,
        resolution=resolution,
        metadata={"unit": "um", "Info": f"values in {unit}"} if pixel_m else {"Info": f"values in {unit}"},
    )
