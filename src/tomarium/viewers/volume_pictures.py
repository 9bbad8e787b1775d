"""Pictures of a volume to be kept, shown or sent: a thumbnail, a sheet of slices, a turntable, a histogram, rings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.viewers.picture import contact_sheet, font, png, robust_window
from tomarium.viewers.small_volume import SmallVolume, averaged, otsu, small_shape
from tomarium.viewers.still import draw_turn
from tomarium.viewers.volume import read_plane

if TYPE_CHECKING:
    from tomarium.model import Volume

THUMBNAIL_PIXELS: Final = 512
SHEET_SLICES: Final = 16
SHEET_PIXELS: Final = 320
TURN_VOXELS: Final = 96**3
TURN_PIXELS: Final = 320
TURN_FRAMES: Final = 40
TURN_BYTES: Final = 500_000
TURN_SECONDS: Final = 5.0
FEWEST: Final = 4


def thumbnail(volume: Volume) -> bytes:
    """Draw the middle slice across the rotation axis, at most 512 pixels wide and high.

    Parameters
    ----------
    volume : Volume
        Any.

    Returns
    -------
    bytes
        A PNG without words.
    """
    image = _slice(volume, volume.shape[0] // 2, THUMBNAIL_PIXELS)
    return png(image)


def sheet(volume: Volume, count: int = SHEET_SLICES) -> bytes:
    """Draw slices at equal distances from the first to the last on one sheet, all in the same grey values.

    Parameters
    ----------
    volume : Volume
        Any.
    count : int
        Slices, or all where there are fewer.

    Returns
    -------
    bytes
        A PNG; each slice has its index, and a scale bar where the voxel size is known.
    """
    length = volume.shape[0]
    numbers = np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))
    images = [_slice(volume, int(index), SHEET_PIXELS) for index in numbers]
    size = None if volume.voxel_m is None else volume.voxel_m[2] * volume.shape[2] / images[0].shape[1]
    return contact_sheet(images, [f"z {index}" for index in numbers], scale_m=size)


def turntable(volume: Volume, frames: int = TURN_FRAMES, pixels: int = TURN_PIXELS) -> bytes:
    """Draw the surface of a volume as it turns once about the rotation axis, with a corner cut out.

    Parameters
    ----------
    volume : Volume
        At least four voxels along each axis.
    frames : int
        Pictures of a turn.
    pixels : int
        Width and height.

    Returns
    -------
    bytes
        An animated WebP that goes on for ever, a turn in 5 s, of at most 500 000 bytes: the quality is lowered until
        it is that small.

    Raises
    ------
    InputError
        The volume is too thin.
    """
    from PIL import Image as Pillow

    if min(volume.shape) < FEWEST:
        raise InputError(
            f"{volume.path}: a volume of {' × '.join(map(str, volume.shape))} voxels is too thin to be turned; "
            f"it needs {FEWEST} along each axis; draw --kind sheet"
        )
    small = _small(volume, TURN_VOXELS)
    extent = [n * s for n, s in zip(volume.shape, volume.voxel_m or (1.0, 1.0, 1.0), strict=True)]
    a, b, c = (length / count for length, count in zip(extent, small.grey.shape, strict=True))
    images = [
        Pillow.fromarray(picture)
        for picture in draw_turn(small.grey, small.threshold, (a, b, c), pixels, frames)
    ]
    for quality in (75, 55, 35, 20, 10, 5):
        file = BytesIO()
        images[0].save(
            file, "WEBP", save_all=True, append_images=images[1:], quality=quality, method=4, loop=0,
            duration=round(1000 * TURN_SECONDS / frames)
        )  # fmt: skip
        if file.tell() <= TURN_BYTES:
            break
    return file.getvalue()


def histogram(volume: Volume, pixels: tuple[int, int] = (960, 480)) -> bytes:
    """Draw how often each grey value occurs, on a logarithmic scale, inside the circle of the reconstruction.

    Parameters
    ----------
    volume : Volume
        Any; of a large one a level of at most 16 million voxels is counted.
    pixels : tuple of int
        Width and height.

    Returns
    -------
    bytes
        A PNG; its axis has the unit of the grey values.

    Raises
    ------
    InputError
        No value is finite.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    values = _inside(averaged(_level(volume, 16_000_000), small_shape(volume.shape, 16_000_000)))
    if values.size == 0:
        raise InputError(f"{volume.path}: no voxel has a finite value, so there is no histogram")
    low, high = (float(value) for value in np.percentile(values, (0.01, 99.99)))
    if not high > low:
        low, high = low - 0.5, low + 0.5
    counts, _ = np.histogram(values, 256, (low, high))
    wide, tall = pixels
    left, top, right, bottom = 20, 16, wide - 20, tall - 64
    picture = Pillow.new("L", pixels, 255)
    draw, (letters, complete) = ImageDraw.Draw(picture), font(18)
    heights = np.log1p(counts) / max(math.log1p(float(counts.max())), 1e-9)
    for number, height in enumerate(heights):
        x0, x1 = (left + (right - left) * k / 256 for k in (number, number + 1))
        draw.rectangle((x0, bottom - height * (bottom - top), x1, bottom), fill=90)
    draw.line((left, bottom, right, bottom), fill=0)
    for tick in _ticks(low, high):
        x = left + (right - left) * (tick - low) / (high - low)
        draw.line((x, bottom, x, bottom + 6), fill=0)
        draw.text((x, bottom + 9), f"{tick:g}", fill=0, font=letters, anchor="ma")
    words = f"grey value{f' in {volume.unit}' if volume.unit else ''}; counts on a logarithmic scale"
    words = words if complete else words.encode("ascii", "ignore").decode()
    draw.text((wide / 2, tall - 8), words, fill=0, font=letters, anchor="md")
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def polar(image: NDArray[Any], axis: tuple[float, float] | None = None) -> NDArray[np.float32]:
    """Draw a slice in polar coordinates about the rotation axis: a ring becomes an upright line.

    Parameters
    ----------
    image : array, shape (y, x)
        A slice across the rotation axis.
    axis : tuple of float, optional
        Row and column of the rotation axis; the middle of the slice by default, where reconstructions have it.

    Returns
    -------
    array of float32, shape (angles, radii)
        Radius from 0 to the edge of the inscribed circle in steps of a pixel across, angle from 0 to 360° down, as
        fine as the pixels of the outermost ring are; interpolated linearly.

    Raises
    ------
    InputError
        The axis lies outside of the slice or at its edge.

    Examples
    --------
    >>> y, x = np.mgrid[-20:21, -20:21]
    >>> ring = np.abs(np.hypot(x, y) - 12) < 0.8
    >>> int(polar(ring.astype(np.float32)).mean(axis=0).argmax())
    12
    """
    rows, columns = image.shape
    middle = ((rows - 1) / 2, (columns - 1) / 2) if axis is None else axis
    reach = math.floor(min(middle[0], middle[1], rows - 1 - middle[0], columns - 1 - middle[1]))
    if reach < 1:
        raise InputError(
            f"the rotation axis at row {middle[0]:g}, column {middle[1]:g} has no circle about it in a slice of "
            f"{rows} × {columns}"
        )
    angles = (
        np.arange(max(8, math.ceil(2 * math.pi * reach)))
        / max(8, math.ceil(2 * math.pi * reach))
        * 2
        * math.pi
    )
    radii = np.arange(reach + 1)
    y = middle[0] + np.sin(angles)[:, None] * radii
    x = middle[1] + np.cos(angles)[:, None] * radii
    top, left = (
        np.clip(np.floor(y).astype(int), 0, rows - 2),
        np.clip(np.floor(x).astype(int), 0, columns - 2),
    )
    down, across = y - top, x - left
    upper = image[top, left] * (1 - across) + image[top, left + 1] * across
    lower = image[top + 1, left] * (1 - across) + image[top + 1, left + 1] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def rings(image: NDArray[Any], title: str, axis: tuple[float, float] | None = None) -> bytes:
    """Draw a slice in polar coordinates about the rotation axis; rings are upright lines there.

    Parameters
    ----------
    image : array, shape (y, x)
        A slice across the rotation axis.
    title : str
        A line in the corner.
    axis : tuple of float, optional
        As for `polar`.

    Returns
    -------
    bytes
        A PNG: radius across, angle down, about twice as high as wide. Drawn is what is left when a running mean over 31
        radii is taken away, between the 0.5th and the 99.5th percentile.
    """
    flat = _without_slow(polar(np.nan_to_num(np.asarray(image, np.float32)), axis))
    joined = max(1, round(flat.shape[0] / (2 * flat.shape[1])))  # angles; a ring is the same in all
    flat = flat[: flat.shape[0] // joined * joined].reshape(-1, joined, flat.shape[1]).mean(axis=1)
    low, high = (float(value) for value in np.percentile(flat, (0.5, 99.5)))
    return png(flat, window=(low, high) if high > low else None, title=title)


def axis_of(volume: Volume) -> tuple[float, float] | None:
    """Tell where the rotation axis goes through the slices of a volume.

    Parameters
    ----------
    volume : Volume
        Any.

    Returns
    -------
    tuple of float or None
        Row and column, where its coordinates begin at the axis, as those of a run of tomarium do; None where it says
        nothing of it.
    """
    y, x = volume.axes[1:]
    if not (y.offset and x.offset):
        return None
    row, column = -y.offset / y.scale, -x.offset / x.scale
    inside = 0 < row < volume.shape[1] - 1 and 0 < column < volume.shape[2] - 1
    return (row, column) if inside else None


def _without_slow(image: NDArray[np.float32], width: int = 31) -> NDArray[np.float32]:
    """Take away the running mean along the radius, so that rings stand out from what varies slowly."""
    width = min(width, image.shape[1] // 2 * 2 - 1)
    padded = np.pad(image, ((0, 0), (width // 2 + 1, width // 2)), mode="edge")
    sums = np.cumsum(padded, axis=1, dtype=np.float64)
    return np.asarray(image - (sums[:, width:] - sums[:, :-width]) / width, np.float32)


def _levels(volume: Volume) -> Sequence[Any]:
    return getattr(volume, "levels", ()) or (volume,)


def _level(volume: Volume, most: int) -> Any:
    """Return the coarsest level that still has the voxels of the small volume."""
    shape = small_shape(volume.shape, most)
    fine = [
        level for level in _levels(volume) if all(n >= m for n, m in zip(level.shape, shape, strict=True))
    ]
    return fine[-1]


def _small(volume: Volume, most: int) -> SmallVolume:
    values = averaged(_level(volume, most), small_shape(volume.shape, most))
    low, high = robust_window(values)
    grey = np.nan_to_num((values - low) / (high - low) * 255)
    rounded = np.asarray(np.clip(grey + 0.5, 0, 255), np.uint8)
    return SmallVolume(rounded, otsu(rounded))


def _slice(volume: Volume, index: int, pixels: int) -> NDArray[Any]:
    image = np.asarray(read_plane(_levels(volume), "z", index, pixels))
    step = math.ceil(max(image.shape) / pixels)
    return image[::step, ::step]


def _inside(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = values.shape[1:]
    y = (np.arange(rows) - (rows - 1) / 2) / (rows / 2)
    x = (np.arange(columns) - (columns - 1) / 2) / (columns / 2)
    inside = values[:, y[:, None] ** 2 + x**2 <= 1.0].ravel()
    return inside[np.isfinite(inside)]


def _ticks(low: float, high: float) -> list[float]:
    step = _round_step((high - low) / 6)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _round_step(least: float) -> float:
    """Return the next number of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least * (1 - 1e-9))
