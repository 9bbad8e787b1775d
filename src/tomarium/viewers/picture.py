"""A grey picture of a two-dimensional array as PNG."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import InputError
from tomarium.viewers.grey_png import grey_png
from tomarium.viewers.scale_bar import scale_bar

if TYPE_CHECKING:
    from PIL import Image as Pillow

PERCENTILES: Final = (0.5, 99.5)
WIDEST: Final = 3000
"""Pixels across of a sheet of several images."""

FONTS: Final = (
    "DejaVuSans.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
)


_PIXELS_AT_ONCE: Final = 1 << 16
_MANY: Final = 1 << 16
_EACH: Final = 64
"""Of more values than that, one of so many is in the sample."""

SMALLEST_LETTERS: Final = 3.0
"""Pixels below which letters cannot be read; they are left out."""


def robust_window(values: NDArray[Any]) -> tuple[float, float]:
    """Choose two grey values between which an image or a volume shows well.

    Parameters
    ----------
    values : array, shape (y, x) or (z, y, x)
        Only what lies in the ellipse inscribed in (y, x) counts: a reconstruction means nothing outside. NaN
        and infinity do not count.

    Returns
    -------
    low, high : float
        The 0.5th and the 99.5th percentile, in the unit of the values; `low < high` always.
    """
    inside = _in_ellipse(values)
    if values.dtype.kind == "f":
        finite = np.isfinite(inside)
        inside = inside if finite.all() else inside[finite]
    else:
        inside = inside.astype(np.float64)
    if inside.size == 0:
        return 0.0, 1.0
    low, high = _percentiles(inside)
    if high <= low:
        low, high = float(inside.min()), float(inside.max())
    margin = max(0.5, 1e-6 * abs(low))
    return (low, high) if high > low else (low - margin, low + margin)


def _percentiles(values: NDArray[Any]) -> tuple[float, float]:
    """Return the percentiles; of many values only those beyond what a few of them tell are put in order."""
    if values.size > _MANY:
        sample = np.sort(values[::_EACH])
        beyond = int(2 * PERCENTILES[0] / 100 * sample.size)
        below, above = values[values <= sample[beyond]], values[values >= sample[-1 - beyond]]
        low, high = (percent / 100 * (values.size - 1) for percent in PERCENTILES)
        high -= values.size - above.size
        if low <= below.size - 1 and high >= 0:
            return _between(below, low), _between(above, high)
    first, last = np.percentile(values, PERCENTILES)
    return float(first), float(last)


def _between(values: NDArray[Any], place: float) -> float:
    """Return what lies at a place among values in their order, between two of them by its fraction."""
    first, last = math.floor(place), math.ceil(place)
    ordered = np.partition(values, (first, last))
    return float(ordered[first]) + (place - first) * (float(ordered[last]) - float(ordered[first]))


def _in_ellipse(values: NDArray[Any]) -> NDArray[Any]:
    """Copy what lies in the ellipse inscribed in (y, x), row by row: a mask of all pixels takes longer to make."""
    rows, columns = values.shape[-2:]
    y_squared, x_squared = (((np.arange(n) - (n - 1) / 2) / (n / 2)) ** 2 for n in (rows, columns))
    half = x_squared[: (columns + 1) // 2]  # falls towards the middle
    first = np.searchsorted(-half, y_squared - 1.0)  # wrong by one where the difference was rounded
    first -= (first > 0) & (y_squared + half[first - 1] <= 1.0)
    first += (first < len(half)) & (y_squared + half[np.minimum(first, len(half) - 1)] > 1.0)
    inside = [
        values[..., row, start : columns - start].ravel()
        for row, start in enumerate(first.tolist())
        if start < len(half)
    ]
    return np.concatenate([values[..., :0, :0].ravel(), *inside])


def png(
    image: NDArray[Any],
    *,
    window: tuple[float, float] | None = None,
    scale_m: float | None = None,
    title: str | None = None,
    aspect: float = 1.0,
) -> bytes:
    """Draw a two-dimensional array as an 8-bit grey PNG.

    Parameters
    ----------
    image : array of a real type, shape (y, x)
        Row 0 is drawn at the top. NaN is drawn black.
    window : tuple of float, optional
        Grey values drawn black and white, in the unit of the image; `robust_window(image)` if not given.
    scale_m : float, optional
        Width of a pixel in m; where it is given, a scale bar of a round length is drawn into the picture.
    title : str, optional
        A line drawn into the upper left corner.
    aspect : float
        Height of a pixel over its width: the picture shows true proportions.

    Returns
    -------
    bytes
        The PNG file, of as many pixels as the image; where `aspect` is not 1, of more along the axis whose pixels are
        longer.

    Raises
    ------
    InputError
        The image is not two-dimensional, is empty or complex, or the window is empty.
    """
    return grey_png(_draw(image, window, scale_m, title, aspect))


def _draw(
    image: NDArray[Any],
    window: tuple[float, float] | None,
    scale_m: float | None,
    title: str | None,
    aspect: float,
) -> NDArray[np.uint8]:
    """Draw as `png` does."""
    if image.ndim != 2 or image.size == 0 or image.dtype.kind not in "biuf":
        raise InputError(
            f"an image of shape {image.shape} and type {image.dtype} cannot be drawn; "
            f"give two axes (y, x) of real numbers"
        )
    low, high = window or robust_window(image)
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(f"the grey window {low:g} … {high:g} is empty; give a lower and a higher value")
    grey = _grey(image, low, high)
    if not title and scale_m is None and math.isclose(aspect, 1.0, rel_tol=1e-6):
        return grey
    from PIL import Image as Pillow

    picture = _proportioned(Pillow.fromarray(grey), aspect)
    size = max(10.0, picture.width / 32)
    if scale_m is not None:
        _draw_scale_bar(picture, scale_m * image.shape[1] / picture.width, size)
    if title:
        _write(picture, title, (size * 0.8, size * 0.6), size, anchor="la")
    return np.asarray(picture)


def _grey(image: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return grey values from black to white, some rows after the other: they stay in the processor's cache."""
    grey = np.empty(image.shape, np.uint8)
    at_once = max(1, _PIXELS_AT_ONCE // image.shape[1])
    for start in range(0, len(image), at_once):
        rows = image[start : start + at_once].astype(np.float64)
        rows -= low
        rows *= 255.0 / (high - low)
        np.nan_to_num(rows, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        rows += 0.5
        grey[start : start + at_once] = np.clip(rows, 0, 255, out=rows)
    return grey


def _proportioned(picture: Pillow.Image, aspect: float) -> Pillow.Image:
    """Repeat pixels along their longer side until they are squares."""
    from PIL import Image as Pillow

    if math.isclose(aspect, 1.0, rel_tol=1e-6):
        return picture
    wide, high = picture.size
    size = (wide, max(1, round(high * aspect))) if aspect > 1 else (max(1, round(wide / aspect)), high)
    return picture.resize(size, Pillow.Resampling.NEAREST)


def _draw_scale_bar(picture: Pillow.Image, scale_m: float, size: float) -> None:
    from PIL import ImageDraw

    length_m, fraction = scale_bar(picture.width * scale_m)
    right, bottom = picture.width - size, picture.height - size
    left, top = right - fraction * picture.width, bottom - max(2.0, size / 5)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=0)
    draw.rectangle((left, top, right, bottom), fill=255)
    text = units.show(length_m, "m")
    # Letters that are wider than a small picture are made smaller, and none leaves the picture on the right.
    half = _width(text, size) / 2
    if half > picture.width / 2 - 1:
        size, half = size * (picture.width / 2 - 1) / half, picture.width / 2 - 1
    if size < SMALLEST_LETTERS:
        return
    middle = min((left + right) / 2, picture.width - 1 - half)
    _write(picture, text, (middle, top - size / 4), size, anchor="md")


def _width(text: str, size: float) -> float:
    """Return how wide a text is in pixels, with its outline."""
    letters, complete = font(size)
    return float(letters.getlength(text if complete else text.replace("µ", "u"))) + 2 * max(1, size / 10)


def _write(picture: Pillow.Image, text: str, place: tuple[float, float], size: float, anchor: str) -> None:
    from PIL import ImageDraw

    letters, complete = font(size)
    if not complete:
        text = unicodedata.normalize("NFKD", text.replace("µ", "u")).encode("ascii", "ignore").decode()
    draw = ImageDraw.Draw(picture)
    draw.text(
        place, text, fill=255, font=letters, anchor=anchor, stroke_width=max(1, size / 10), stroke_fill=0
    )


@lru_cache(maxsize=8)
def font(size: float) -> tuple[Any, bool]:
    """Find a font that has µ and accents; Pillow's own has only ASCII, so its texts are spelled in that."""
    from PIL import ImageFont

    for name in FONTS:
        with suppress(OSError):
            return ImageFont.truetype(name, size), True
    return ImageFont.load_default(size), False


def contact_sheet(
    images: Sequence[NDArray[Any]],
    titles: Sequence[str],
    *,
    scale_m: float | None = None,
    aspect: float = 1.0,
    widest: int = WIDEST,
) -> bytes:
    """Draw several images of one size side by side, all in the same grey values, as one PNG.

    Parameters
    ----------
    images : sequence of array, shape (y, x)
        In the order of reading.
    titles : sequence of str
        A line for the upper left corner of each.
    scale_m : float, optional
        Width of a pixel in m; where it is given, each gets a scale bar.
    aspect : float
        Height of a pixel over its width.
    widest : int
        Width of the sheet in pixels at most; images are averaged down where they would need more.

    Returns
    -------
    bytes
        A PNG file.
    """
    across = _across(len(images))
    down = -(-len(images) // across)
    factor = sheet_factor(len(images), images[0].shape[1], widest)
    small = [_averaged(np.asarray(image, np.float32), factor) for image in images]
    window = robust_window(np.stack(small))
    pixel_m = None if scale_m is None else scale_m * factor
    pictures = [
        _draw(image, window, pixel_m, title, aspect) for image, title in zip(small, titles, strict=True)
    ]
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    sheet = np.full((down * (height + 4) - 4, across * (width + 4) - 4), 255, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = number // across * (height + 4), number % across * (width + 4)
        sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return grey_png(sheet)


def _across(count: int) -> int:
    return max(1, math.ceil(math.sqrt(count)))


def sheet_factor(count: int, width: int, widest: int = WIDEST) -> int:
    """Return by how many pixels along each axis images are averaged on a sheet.

    Parameters
    ----------
    count : int
        How many images there are.
    width : int
        Of each, in pixels.
    widest : int
        Width of the sheet at most.

    Returns
    -------
    int
        1 where they stay as they are.
    """
    return max(1, -(-_across(count) * width // widest))


def for_sheet(image: NDArray[Any], count: int) -> NDArray[np.float32]:
    """Average an image as a sheet of so many shows it, so that the others' memory is not needed at once.

    Parameters
    ----------
    image : array, shape (y, x)
        One of them.
    count : int
        How many there are.

    Returns
    -------
    array of float32, shape (y, x)
        The image that `contact_sheet` makes the same picture of.
    """
    return _averaged(np.asarray(image, np.float32), sheet_factor(count, image.shape[1]))


def _averaged(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    if factor == 1:
        return image
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    part = image[: rows * factor, : columns * factor].reshape(rows, factor, columns * factor)
    # One axis after the other: the sum over both at once is several times as slow.
    return np.asarray(part.sum(axis=1).reshape(rows, columns, factor).mean(axis=2) / factor, np.float32)
