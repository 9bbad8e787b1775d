"""A picture of a network of branches: seen along one axis, coloured by radius."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.kernels.skeleton_network import Network
from tomarium.viewers.picture import font
from tomarium.viewers.scale_bar import scale_bar

LONGEST: Final = 1100
"""Pixels of the longer side of the network."""

_FINER: Final = 2  # lines are drawn so many times as large, and averaged
_MARGIN: Final = 24
_FARTHEST: Final = 0.45
"""How bright the farthest branches are, of the nearest ones' 1."""
_BAR: Final = 150  # width of the part that tells the colours
_NIGHT: Final = (11, 13, 12)
_INK: Final = (233, 231, 225)
_COLOURS: Final = np.array(
    [(115, 105, 215), (60, 140, 200), (45, 170, 125), (165, 205, 75), (250, 225, 90)], np.float64
)
"""From thin to thick: each lighter than the one before, so that they are told apart without colours too."""


def draw_network(network: Network, shape: tuple[int, int, int], voxel_m: float | None) -> bytes:
    """Draw the branches of a network along the shortest axis of its volume, the far ones first.

    Parameters
    ----------
    network : Network
        In voxels.
    shape : tuple of int
        Of the volume (z, y, x), in voxels.
    voxel_m : float or None
        Edge of a voxel in m; without it lengths are told in voxels.

    Returns
    -------
    bytes
        A PNG with a scale bar and a bar of the colours; thick branches have wider lines, far ones are darker.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    along = int(np.argmin(shape))
    down, across = (axis for axis in range(3) if axis != along)
    scale = LONGEST / max(shape[down], shape[across])
    wide, tall = (max(1, round(shape[axis] * scale)) for axis in (across, down))
    large = Pillow.new("RGB", (wide * _FINER, tall * _FINER), _NIGHT)
    draw = ImageDraw.Draw(large)
    radii = np.array([branch.radii.mean() for branch in network.branches])
    low, high = _limits(radii)
    depth = [float(branch.path[:, along].mean()) for branch in network.branches]
    for number in np.argsort(depth, kind="stable")[::-1].tolist():
        branch = network.branches[number]
        points = [(float(x), float(y)) for y, x in (branch.path[:, [down, across]] + 0.5) * scale * _FINER]
        width = round(min(6.0, max(1.5, 0.4 * radii[number] * scale)) * _FINER)
        nearness = 1 - (1 - _FARTHEST) * depth[number] / max(1, shape[along] - 1)
        colour = _colour((radii[number] - low) / (high - low), nearness)
        draw.line(points, colour, width, joint="curve")
    picture = Pillow.new("RGB", (wide + 2 * _MARGIN + _BAR, max(tall, 220) + 2 * _MARGIN + 24), _NIGHT)
    picture.paste(large.resize((wide, tall), Pillow.Resampling.BOX), (_MARGIN, _MARGIN))
    step, unit = (1.0, "px") if voxel_m is None else (voxel_m, "m")
    _draw_colours(picture, _MARGIN * 2 + wide, low * step, high * step, unit)
    _draw_length(picture, wide, scale, voxel_m)
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _limits(radii: NDArray[Any]) -> tuple[float, float]:
    """Return the radii of the first and the last colour."""
    if not len(radii):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(radii, (2, 98)))
    return (low, high) if high > low else (low, low + 1.0)


def _colour(place: float, nearness: float = 1.0) -> tuple[int, int, int]:
    """Return the colour of a radius, the darker the farther away it is."""
    position = float(np.clip(place, 0, 1)) * (len(_COLOURS) - 1)
    lit = [float(np.interp(position, range(len(_COLOURS)), _COLOURS[:, channel])) for channel in range(3)]
    red, green, blue = (
        round(dark + nearness * (light - dark)) for light, dark in zip(lit, _NIGHT, strict=True)
    )
    return red, green, blue


def _draw_colours(picture: Any, left: int, low: float, high: float, unit: str) -> None:
    """Draw the bar of the colours, thick above."""
    from PIL import ImageDraw

    draw, top = ImageDraw.Draw(picture), _MARGIN + 34
    height, wide = 150, 18
    letters, complete = font(18)
    for row in range(height):
        draw.line((left, top + row, left + wide, top + row), _colour(1 - row / (height - 1)))

    def write(place: tuple[float, float], text: str, anchor: str) -> None:
        draw.text(place, text if complete else text.replace("µ", "u"), fill=_INK, font=letters, anchor=anchor)

    write((left, _MARGIN), "radius", "la")
    for value, below in ((high, 0.0), ((low + high) / 2, height / 2), (low, float(height))):
        write((left + wide + 8, top + below), _length(value, unit), "lm")


def _draw_length(picture: Any, wide: int, scale: float, voxel_m: float | None) -> None:
    """Draw the scale bar, below on the left."""
    from PIL import ImageDraw

    draw, bottom = ImageDraw.Draw(picture), picture.height - 8
    letters, complete = font(18)
    length, fraction = scale_bar(wide / scale * (voxel_m or 1.0))
    text = _length(length, "px" if voxel_m is None else "m")
    draw.rectangle((_MARGIN, bottom - 4, _MARGIN + fraction * wide, bottom), fill=_INK)
    draw.text(
        (_MARGIN, bottom - 8), text if complete else text.replace("µ", "u"), fill=_INK, font=letters, anchor="ld",
        stroke_width=2, stroke_fill=_NIGHT,
    )  # fmt: skip


def _length(length: float, unit: str) -> str:
    return units.show(length, "m", 3) if unit == "m" else f"{length:.3g} px"
