"""Give a picture its scale back: by tags of its microscope, by the bar drawn into it, or by what a person tells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import InputError, ParameterError
from tomarium.formats.pictures.microscope_tags import microscope_tags
from tomarium.formats.pictures.side_texts import side_text_tags
from tomarium.kernels.drawn_bars import Bar, find_bars
from tomarium.model import Axis, Image

LIKELY: Final = 0.5
"""Least score of a strip that is taken for a scale bar without being asked."""

RIVAL: Final = 0.85
"""Score over that of the likeliest from which another strip of another length makes the answer doubtful."""

NAMED: Final = 4


@dataclass(frozen=True, eq=False)
class Rescued:
    """A picture with its scale.

    Attributes
    ----------
    image : Image
        Calibrated, y and x in m.
    pixel_m, sigma_m : float
        Size of a pixel along x and its standard deviation, m; 0 where nobody tells it.
    by : str
        What told it, in words.
    bar : Bar or None
        The bar that was measured.
    rows : tuple of int
        Rows of the picture that are kept.
    """

    image: Image
    pixel_m: float
    sigma_m: float
    by: str
    bar: Bar | None
    rows: tuple[int, int]


def rescue(
    image: Image,
    path: Path,
    *,
    bar_m: float | None = None,
    bar_px: float | None = None,
    pixel_m: float | None = None,
    width_m: float | None = None,
    rows: slice | None = None,
) -> Rescued:
    """Find the scale of a picture.

    Parameters
    ----------
    image : Image
        Of the axes (y, x), or with colours.
    path : Path
        Its file, whose tags of a microscope, or the text of one beside it, are read where nothing else is told.
    bar_m : float, optional
        What the bar in the picture stands for, m; its length in pixels is measured.
    bar_px : float, optional
        With `bar_m`: the length of the bar in pixels, where it is not found, or another strip was.
    pixel_m, width_m : float, optional
        Size of a pixel, or width of the whole picture, m.
    rows : slice, optional
        Rows that are kept, such as those above an information bar; by default as the microscope tells.

    Returns
    -------
    Rescued
        Its pixels are as they were.

    Raises
    ------
    InputError
        No bar was found, several may be it, or nothing tells the scale; the image is no picture.
    ParameterError
        More than one scale was told, or a length cannot be.
    """
    names = tuple(axis.name for axis in image.axes)
    if names not in (("y", "x"), ("y", "x", "sample")):
        raise InputError(f"{path}: holds an image of ({', '.join(names)}), no picture")
    scales_m = [length_m for length_m in (bar_m, pixel_m, width_m) if length_m is not None]
    if len(scales_m) > 1 or (bar_px is not None and bar_m is None):
        raise ParameterError(
            "tell one scale: the bar (with its length in pixels or without), a pixel, or the width"
        )
    if any(not 1e-13 < length_m < 10 for length_m in scales_m) or (bar_px is not None and not bar_px > 2):
        raise ParameterError(
            f"a scale of {', '.join(f'{length_m:g} m' for length_m in scales_m)} cannot be that of a picture"
        )
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    tags, bar, aspect = None, None, 1.0
    if bar_m is not None and bar_px is not None:
        pixel, sigma = bar_m / bar_px, bar_m / bar_px * 0.5 / bar_px
        by = f"the bar of {units.show(bar_m, 'm')}, {bar_px:g} px long as its user measured"
    elif bar_m is not None:
        bar = _the_bar(pixels, path)
        pixel = bar_m / bar.length_px
        sigma = pixel * bar.sigma_px / bar.length_px
        by = f"the bar of {units.show(bar_m, 'm')}, measured as {bar.length_px:.1f} px"
    elif pixel_m is not None:
        pixel, sigma, by = pixel_m, 0.0, "told by its user"
    elif width_m is not None:
        pixel, sigma = width_m / width, width_m / width * 0.3 / width
        by = f"the width of {units.show(width_m, 'm')} over {width} px, told by its user"
    elif (tags := microscope_tags(path)) or (tags := side_text_tags(path, (height, width))):
        pixel, sigma, aspect = tags.pixel_m, tags.sigma_m, tags.pixel_aspect
        by = f"{tags.place} of the {tags.maker} microscope"
    else:
        raise InputError(
            f'{path}: nothing in the file tells its scale; tell what its bar stands for, such as --bar "50 um", or '
            f"--pixel or --width"
        )
    first, last, step = (rows or slice(0, tags.rows if tags else None)).indices(height)
    if step != 1 or last - first < 2:
        raise ParameterError(f"rows {first}:{last} of {height}: two or more are kept")
    axes = (
        Axis("y", pixel * aspect, 0.0, "m"),
        Axis("x", pixel, 0.0, "m"),
        *image.axes[2:],
    )
    metadata: dict[str, Any] = {
        name: value for name, value in image.metadata.items() if name != "uncalibrated"
    }
    account = {"pixel_m": pixel, "sigma_m": sigma, "by": by, "rows": [first, last], "file": path.name}
    scaled = replace(image, data=pixels[first:last], axes=axes, metadata={**metadata, "rescued": account})
    return Rescued(scaled, pixel, sigma, by, bar, (first, last))


def _the_bar(pixels: NDArray[Any], path: Path) -> Bar:
    bars = find_bars(pixels)
    if not bars or bars[0].score < LIKELY:
        raise InputError(
            f"{path}: no scale bar was found in the picture; measure it and tell its length, such as --bar-px 187, or "
            f"tell --pixel or --width"
        )
    best = bars[0]
    rivals = [
        bar
        for bar in bars[1:]
        if bar.score > RIVAL * best.score
        and abs(bar.length_px - best.length_px) > max(2.0, 3 * best.sigma_px)
        and not _within(bar, best)
    ]
    if rivals:
        several = "; ".join(
            f"{bar.length_px:.0f} px in row {bar.top} from column {bar.left:.0f}"
            for bar in (best, *rivals)[:NAMED]
        )
        raise InputError(f"{path}: several strips may be its scale bar ({several}); tell which, by --bar-px")
    return best


def _within(part: Bar, whole: Bar) -> bool:
    """Tell whether a strip is one half of a bar that the label parts."""
    return part.top == whole.top and whole.left - 1 <= part.left and part.right <= whole.right + 1


def marked(pixels: NDArray[Any], bar: Bar | None) -> NDArray[np.uint8]:
    """Draw what was taken for the bar into the picture, for people to confirm.

    Parameters
    ----------
    pixels : array
        The whole picture.
    bar : Bar or None
        What was measured.

    Returns
    -------
    array of uint8, shape (row, column, 3)
        In its greys, a red frame about the bar.
    """
    values = np.asarray(pixels, np.float32)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    values = values[..., :3]
    if pixels.dtype != np.uint8:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        values = (values - low) * (255 / ((high - low) or 1.0))
    picture = np.clip(np.nan_to_num(values), 0, 255).astype(np.uint8)
    if bar is None:
        return picture
    height, width = picture.shape[:2]
    top, bottom = max(0, bar.top - 6), min(height - 1, bar.bottom + 5)
    left, right = max(0, round(bar.left) - 6), min(width - 1, round(bar.right) + 5)
    for rows, columns in (
        (slice(top, top + 2), slice(left, right + 1)),
        (slice(bottom - 1, bottom + 1), slice(left, right + 1)),
        (slice(top, bottom + 1), slice(left, left + 2)),
        (slice(top, bottom + 1), slice(right - 1, right + 1)),
    ):
        picture[rows, columns] = (220, 30, 30)
    return picture
