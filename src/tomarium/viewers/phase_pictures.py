"""Pictures of a volume whose voxels have phases: the slice, the phases over it, and how sure each is."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.model import Volume
from tomarium.viewers.picture import font, robust_window
from tomarium.viewers.scale_bar import scale_bar

COLOURS: Final = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#7f7f7f",
)  # fmt: skip
"""Of phases in the order of their numbers, again from the first after the last; they differ for eyes that see red and
green alike (Okabe and Ito 2008)."""

PLANES: Final = ("z", "y", "x")
KINDS: Final = {
    "slice": "The volume",
    "phases": "The phases over it",
    "confidence": "Confidence: black 0 %, white 100 %",
}
"""What is drawn of a plane → what is said of it, in the order of the page."""

PIXELS: Final = 480
_OVER: Final = 0.55  # of a phase's colour over the grey slice


def draw_planes(volume: Volume, labels: Volume, confidence: Volume, numbers: list[int]) -> dict[str, bytes]:
    """Draw the middle slice across each axis.

    Parameters
    ----------
    volume : Volume
        Grey values.
    labels, confidence : Volume
        Numbers of phases, and percent, of the same shape.
    numbers : list of int
        Numbers of the phases, in the order of their colours.

    Returns
    -------
    dict of str to bytes
        "z-slice.png", "z-phases.png", "z-confidence.png" … → PNG, in true proportion, with a scale bar.
    """
    pictures_by_name = {}
    size = volume.voxel_m or (1.0, 1.0, 1.0)
    for axis, name in enumerate(PLANES):
        index = volume.shape[axis] // 2
        down, across = (step for k, step in enumerate(size) if k != axis)
        step = max(1, *(-(-n // PIXELS) for k, n in enumerate(volume.shape) if k != axis))
        grey, called, sure = (_plane(image, axis, index, step) for image in (volume, labels, confidence))
        low, high = robust_window(grey)
        even = np.clip(np.nan_to_num((grey - low) / (high - low)) * 255, 0, 255)
        of_slice = np.repeat(even[..., None], 3, axis=2)
        pictures = {
            "slice": of_slice,
            "phases": coloured(of_slice, called, numbers),
            "confidence": np.repeat(2.55 * sure[..., None].astype(np.float64), 3, axis=2),
        }
        for kind, picture in pictures.items():
            pictures_by_name[f"{name}-{kind}.png"] = _png(
                picture, down, across, across * step if volume.voxel_m else None
            )
    return pictures_by_name


def _plane(volume: Volume, axis: int, index: int, step: int) -> NDArray[Any]:
    """Read every n-th voxel of a plane, the same of all volumes, so that pictures lie on each other."""
    strided = slice(None, None, step)
    return np.asarray(volume[tuple(index if k == axis else strided for k in range(3))])


def coloured(grey: NDArray[Any], labels: NDArray[Any], numbers: list[int]) -> NDArray[np.float64]:
    """Lay the colours of phases over a grey picture, shape (y, x, 3), 0 to 255; the label 0 leaves it as it is."""
    picture = np.array(grey, np.float64)
    for place, number in enumerate(numbers):
        inside = labels == number
        picture[inside] = (1 - _OVER) * picture[inside] + _OVER * np.array(_rgb(colour_of(place)))
    return picture


def colour_of(place: int) -> str:
    """Return the colour of a phase by its place among the phases, "#rrggbb"."""
    return COLOURS[place % len(COLOURS)]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _png(picture: NDArray[Any], down: float, across: float, scale_m: float | None) -> bytes:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    image = Pillow.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8))
    high, wide = picture.shape[0] * down, picture.shape[1] * across
    factor = PIXELS / max(high, wide)
    image = image.resize(
        (max(1, round(wide * factor)), max(1, round(high * factor))), Pillow.Resampling.NEAREST
    )
    if scale_m is not None and image.width > 60:
        length_m, fraction = scale_bar(scale_m * picture.shape[1])
        letters, complete = font(17)
        words = units.show(length_m, "m")
        right, bottom = image.width - 14, image.height - 14
        draw = ImageDraw.Draw(image)
        draw.rectangle(
            (right - fraction * image.width, bottom - 4, right, bottom), fill="white", outline="black"
        )
        draw.text(
            (right - fraction * image.width / 2, bottom - 7), words if complete else words.replace("µ", "u"),
            fill="white", font=letters, anchor="md", stroke_width=2, stroke_fill="black"
        )  # fmt: skip
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
