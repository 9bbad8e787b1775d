"""Parts of a slice as files: a region at its own resolution, the grey values along a line, a picture to be cited."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.model import Record
from tomarium.model.image import Sliceable, voxel_factors
from tomarium.model.wording import brief
from tomarium.viewers.picture import png
from tomarium.viewers.volume import PLANES, Plane

MOST_PROFILE: Final = 4096
MOST_TIFF: Final = 64_000_000
"""Pixels of a slice that is given as numbers."""
_NUMBERS: Final = re.compile(r"-?\d{1,7}(\.\d{1,6})?(,-?\d{1,7}(\.\d{1,6})?)*", re.ASCII)


@dataclass(frozen=True)
class Region:
    """A rectangle of a slice, in voxels of the finest level.

    Attributes
    ----------
    left, top, right, bottom : int
        First column and row, and the first that do not belong to it.
    """

    left: int
    top: int
    right: int
    bottom: int


def region_of(text: str, shape: Sequence[int]) -> Region:
    """Read a region from an address.

    Parameters
    ----------
    text : str
        "left,top,right,bottom" in voxels; "" is the whole slice.
    shape : sequence of int
        Rows and columns of the slice.

    Returns
    -------
    Region
        Cut off at the edges of the slice.

    Raises
    ------
    ParameterError
        It is no such text, or nothing of it lies in the slice.
    """
    rows, columns = shape
    if not text:
        return Region(0, 0, columns, rows)
    corners = _read_numbers(text, 4, "region", "left,top,right,bottom, such as 100,100,300,250")
    left, top = max(0, math.floor(corners[0])), max(0, math.floor(corners[1]))
    right, bottom = min(columns, math.ceil(corners[2])), min(rows, math.ceil(corners[3]))
    if left >= right or top >= bottom:
        raise ParameterError(
            f"region = {text[:80]!r} holds nothing of a slice of {columns} x {rows} voxels; give left,top,right,bottom"
        )
    return Region(left, top, right, bottom)


def read_region(
    levels: Sequence[Sliceable], plane: Plane, index: int, region: Region, pixels: int
) -> NDArray[Any]:
    """Read a rectangle of a slice, no finer than it is shown.

    Parameters
    ----------
    levels : sequence of arrays, shape (z, y, x)
        Finest first.
    plane : {"z", "y", "x"}
        Axis that is held.
    index : int
        Index along that axis in the finest level.
    region : Region
        The rectangle.
    pixels : int
        The finest level in which it is at most that wide and high is taken, else the coarsest, thinned out.

    Returns
    -------
    array, two axes in the order of the volume
        Of the type that is stored; it begins at the voxel that holds the corner.
    """
    axis = PLANES.index(plane)
    for level in levels:
        factors = voxel_factors(levels[0].shape, level.shape)
        spans = [
            (int(start / factor), max(int(start / factor) + 1, min(n, math.ceil(stop / factor))))
            for start, stop, n, factor in zip(
                (region.top, region.left), (region.bottom, region.right),
                _without_axis(axis, level.shape), _without_axis(axis, factors), strict=True
            )
        ]  # fmt: skip
        if max(stop - start for start, stop in spans) <= pixels:
            break
    step = math.ceil(max(stop - start for start, stop in spans) / (2 * pixels))
    key: list[slice | int] = [slice(start, stop, step) for start, stop in spans]
    key.insert(axis, min(int(index / factors[axis]), level.shape[axis] - 1))
    return np.asarray(level[tuple(key)])


def profile(
    levels: Sequence[Sliceable], plane: Plane, index: int, choices: Mapping[str, str],
    voxel_m: tuple[float, float, float] | None,
) -> bytes:  # fmt: skip
    """Read the grey values along a line.

    Parameters
    ----------
    levels : sequence of arrays, shape (z, y, x)
        Finest first, which is read.
    plane, index
        The slice.
    choices : Mapping of str to str
        `line`: "x0,y0,x1,y1", its ends in voxels, counted from the upper left corner of the picture.
    voxel_m : tuple of float or None
        Voxel size (z, y, x) in m.

    Returns
    -------
    bytes
        JSON: `distance`, from the first end, in m, or in voxels where their size is not known, and `value`,
        interpolated linearly, at steps of a voxel or less.

    Raises
    ------
    ParameterError
        The line is malformed, or too long or lies outside.
    """
    axis = PLANES.index(plane)
    rows, columns = _without_axis(axis, levels[0].shape)
    x0, y0, x1, y1 = _read_numbers(choices.get("line", ""), 4, "line", "x0,y0,x1,y1, such as 10,20,200,40")
    if not all(0 <= x <= columns and 0 <= y <= rows for x, y in ((x0, y0), (x1, y1))):
        raise ParameterError(
            f"the line {x0:g},{y0:g},{x1:g},{y1:g} leaves the slice of {columns} x {rows} voxels"
        )
    count = min(MOST_PROFILE, max(2, math.ceil(math.hypot(x1 - x0, y1 - y0)) + 1))
    x, y = np.linspace(x0, x1, count), np.linspace(y0, y1, count)
    region = Region(
        max(0, math.floor(min(x0, x1)) - 1), max(0, math.floor(min(y0, y1)) - 1),
        min(columns, math.ceil(max(x0, x1)) + 1), min(rows, math.ceil(max(y0, y1)) + 1),
    )  # fmt: skip
    key: list[slice | int] = [slice(region.top, region.bottom), slice(region.left, region.right)]
    key.insert(axis, index)
    image = np.asarray(levels[0][tuple(key)], np.float64)
    values = _interpolate(image, y - 0.5 - region.top, x - 0.5 - region.left)
    down_m, across_m = _without_axis(axis, voxel_m) if voxel_m else (1.0, 1.0)
    distance = np.hypot((x - x0) * across_m, (y - y0) * down_m)
    content = {
        "distance": [float(f"{place:.7g}") for place in distance],
        "value": [float(f"{value:.6g}") if math.isfinite(value) else None for value in values],
        "unit_of_distance": "m" if voxel_m else "px",
    }
    return json.dumps(content).encode()


def as_tiff(image: NDArray[Any], pixel_m: tuple[float, float] | None, record: Record, title: str) -> bytes:
    """Write a slice as numbers.

    Parameters
    ----------
    image : array, shape (y, x)
        The slice, in the unit of the volume.
    pixel_m : tuple of float or None
        Size of a pixel (y, x) in m.
    record : Record
        Named in the file, with its licence.
    title : str
        Which slice it is.

    Returns
    -------
    bytes
        A TIFF of float32, with the pixel size, the unit and the citation where ImageJ reads them.
    """
    import tifffile

    file = BytesIO()
    metadata = {"Info": f"{cited(record)}\n{title}\nvalues in {record.volume.get('unit') or 'no unit'}"}
    metadata |= {"unit": "um"} if pixel_m else {}
    resolution = (1e-6 / pixel_m[1], 1e-6 / pixel_m[0]) if pixel_m else None
    tifffile.imwrite(file, image.astype(np.float32), imagej=True, resolution=resolution, metadata=metadata)
    return file.getvalue()


def signed(
    image: NDArray[Any],
    window: tuple[float, float],
    pixel_m: tuple[float, float] | None,
    record: Record,
    title: str,
) -> bytes:
    """Draw a slice with a scale bar, and below it what it is taken from.

    Parameters
    ----------
    image : array, shape (y, x)
        The slice.
    window : tuple of float
        Grey values drawn black and white.
    pixel_m : tuple of float or None
        Size of a pixel (y, x) in m.
    record : Record
        What is cited.
    title : str
        Which slice it is.

    Returns
    -------
    bytes
        A PNG, of at least 640 pixels in width.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    from tomarium.viewers.picture import font

    factor = max(1, -(-640 // image.shape[1]))
    large = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
    png_bytes = png(
        large,
        window=window,
        scale_m=pixel_m[1] / factor if pixel_m else None,
        aspect=pixel_m[0] / pixel_m[1] if pixel_m else 1.0,
    )
    picture = Pillow.open(BytesIO(png_bytes))
    size = max(12.0, picture.width / 56)
    lines = [
        cited(record),
        f"{title}; black {window[0]:.4g}, white {window[1]:.4g} {record.volume.get('unit', '')}",
    ]
    sheet = Pillow.new("L", (picture.width, picture.height + round((len(lines) + 0.8) * 1.35 * size)), 255)
    sheet.paste(picture.convert("L"), (0, 0))
    draw, (letters, complete) = ImageDraw.Draw(sheet), font(size)
    for number, line in enumerate(lines):
        text = line if complete else line.encode("ascii", "replace").decode()
        while draw.textlength(text, font=letters) > picture.width - size:
            text = text[: -max(2, len(text) // 20)].rstrip(" .…") + "…" * complete
        place = (size / 2, picture.height + size * (0.5 + 1.35 * number))
        draw.text(place, text, fill=0, font=letters)
    file = BytesIO()
    sheet.save(file, format="PNG")
    return file.getvalue()


def cited(record: Record) -> str:
    """Name a record in one line: people, year, title, DOI or identifier, licence."""
    people = "; ".join(person.name for person in record.creators[:4])
    people += " et al." if len(record.creators) > 4 else ""
    publication = record.publication
    year = (publication.published if publication and publication.published else record.created).year
    doi = publication.doi if publication else ""
    name = f"https://doi.org/{doi}" if doi else record.id
    parts = [f"{people} ({year})" if people else f"({year})", brief(record.title, 100), name, record.licence]
    return ". ".join(part for part in parts if part)


def _read_numbers(text: str, count: int, name: str, such: str) -> list[float]:
    numbers = [float(word) for word in text.split(",")] if _NUMBERS.fullmatch(text) else []
    if len(numbers) != count:
        raise ParameterError(f"{name} = {text[:80]!r} is not understood; give {such}")
    return numbers


def _interpolate(image: NDArray[np.float64], y: NDArray[Any], x: NDArray[Any]) -> NDArray[np.float64]:
    """Interpolate between pixels; beyond the outermost centres their value holds."""
    y, x = np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)
    top, left = y.astype(np.intp), x.astype(np.intp)
    bottom, right = np.minimum(top + 1, image.shape[0] - 1), np.minimum(left + 1, image.shape[1] - 1)
    down, across = y - top, x - left
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[bottom, left] * (1 - across) + image[bottom, right] * across
    return np.asarray(upper * (1 - down) + lower * down)


def _without_axis(axis: int, values: Sequence[Any]) -> list[Any]:
    return [value for number, value in enumerate(values) if number != axis]
