"""The images of a specimen drawn to scale where they lie in each other, and their sizes on one axis from mm to nm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import InputError
from tomarium.model.link import Link
from tomarium.specimen.image_frame import ImageFrame
from tomarium.specimen.pose import apply, inverse, place, sigma
from tomarium.specimen.resolve import NotConnected, resolve_all
from tomarium.viewers.scale_bar import scale_bar
from tomarium.viewers.viewer import fill

Along = Literal["x", "y", "z"]
DRAWN: Final = {"z": (0, 1), "y": (0, 2), "x": (1, 2)}
"""Axis that is looked along → axes to the right and downwards, as the slices of a volume are shown."""
SIDE: Final = 1000.0
"""Longer side of the drawing, in units of its own."""
_MARGIN: Final = 0.06
_FOOT: Final = 60.0
"""Room for the scale bar below, in units of the drawing."""
_SMALL: Final = 110.0
_LETTER: Final = 32.0
"""Room that a number takes."""
TINY: Final = 14.0
"""An image that is smaller in the drawing is a mark."""


@dataclass(frozen=True)
class Box:
    """An image in the drawing.

    Attributes
    ----------
    number : int
        By which it is named, from 1.
    image : ImageFrame
        The image.
    outline : tuple of (float, float)
        Corners of its outline, in units of the drawing.
    middle : (float, float)
        Its middle.
    place : str
        "inside" (at least a part of it is seen), "around" (all that is drawn lies in it) or "beside" (out of sight).
    tiny : bool
        Whether it is too small to be more than a mark.
    assumed : bool
        Whether its place rests on a link that nobody has measured.
    sigma_m : float
        Standard deviation of the place of its middle, the largest along an axis of the drawing.
    label : (float, float)
        Where its number stands: in its upper left part that is in sight, of a small one to the right of it, and beside
        the numbers of others.
    """

    number: int
    image: ImageFrame
    outline: tuple[tuple[float, float], ...]
    middle: tuple[float, float]
    place: str
    tiny: bool
    assumed: bool
    sigma_m: float
    label: tuple[float, float] = (0.0, 0.0)

    @property
    def points(self) -> str:
        """Its outline as SVG writes it."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.outline)


@dataclass(frozen=True)
class Span:
    """An image on the axis of sizes.

    Attributes
    ----------
    number : int
        As in the drawing.
    image : ImageFrame
        The image.
    widest_m, finest_m : float
        Its longest side, and its smallest pixel.
    left, right : float
        Where its bar begins and ends on the axis, in per cent; large sizes are on the left.
    """

    number: int
    image: ImageFrame
    widest_m: float
    finest_m: float
    left: float
    right: float


@dataclass(frozen=True)
class Map:
    """A drawing.

    Attributes
    ----------
    view : ImageFrame
        The image that fills it.
    along : str
        Axis of that image's frame that is looked along.
    width, height : float
        Of the drawing, in units of its own.
    boxes : tuple of Box
        Images whose place is known, the largest first.
    spans : tuple of Span
        All images on the axis of sizes, the largest first.
    ticks : tuple of (str, float)
        Powers of ten on that axis, and where they are, in per cent.
    bar : str
        Length of the scale bar in words.
    bar_width : float
        Its length in the drawing.
    left_out : tuple of str
        Which images are not drawn, and why, in sentences.
    """

    view: ImageFrame
    along: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    spans: tuple[Span, ...]
    ticks: tuple[tuple[str, float], ...]
    bar: str
    bar_width: float
    left_out: tuple[str, ...]


def map_of(images: Sequence[ImageFrame], links: Sequence[Link], view: str = "", along: str = "z") -> Map:
    """Lay out the images of a specimen.

    Parameters
    ----------
    images : sequence of ImageFrame
        At least one.
    links : sequence of Link
        Between their frames.
    view : str
        Frame of the image that fills the drawing; the largest by default.
    along : {"z", "y", "x"}
        Axis of that frame that is looked along.

    Returns
    -------
    Map
        To be drawn.

    Raises
    ------
    InputError
        There is no such image or axis.
    """
    if along not in DRAWN:
        raise InputError(f"along = {along[:40]!r} is no axis; choose x, y or z")
    ordered = sorted(images, key=lambda image_frame: (-float(image_frame.size_m.max()), image_frame.frame))
    if not ordered:
        raise InputError("there is no image whose pixels have a size, so that nothing can be drawn")
    frame_shown = next(
        (image_frame for image_frame in ordered if image_frame.frame == view),
        ordered[0] if not view else None,
    )
    if frame_shown is None:
        raise InputError(
            f"there is no image {view[:80]!r} here; there are {', '.join(image_frame.frame for image_frame in ordered)}"
        )
    right, down = DRAWN[along]
    low, high = frame_shown.box_m
    if frame_shown.flat and along != "z":  # a plane from its side is a line: look at it with some room
        half = float(frame_shown.size_m.max()) / 2
        room = np.array([0.0, 0.0, half])
        low, high = low - room, high + room
    wide, tall = float(high[right] - low[right]), float(high[down] - low[down])
    unit = SIDE / ((1 + 2 * _MARGIN) * max(wide, tall))
    corner = np.array([low[right], low[down]]) - _MARGIN * max(wide, tall)
    size = (unit * (wide + 2 * _MARGIN * max(wide, tall)), unit * (tall + 2 * _MARGIN * max(wide, tall)))
    find = resolve_all(
        links, frame_shown.frame, [image_frame.frame for image_frame in ordered], frame_shown.middle_m
    )
    boxes, left_out = [], []
    for number, image in enumerate(ordered, 1):
        try:
            resolved = find(image.frame)
        except NotConnected:
            left_out.append(
                f"{image.title} ({image.frame}) is not linked with {frame_shown.title} and is not drawn"
            )
            continue
        back = inverse(resolved.pose)
        place_m, covariance = place(back, image.middle_m)
        spread = sigma(covariance)
        corners = apply(back.matrix, image.corners_m)[:, [right, down]]
        outline = (_hull(corners) - corner) * unit
        x, y = ((place_m[[right, down]] - corner) * unit).tolist()
        boxes.append(
            Box(
                number, image, tuple((float(a), float(b)) for a, b in outline), (x, y),
                _place(outline, size), bool(np.ptp(outline, axis=0).max() < TINY), bool(resolved.assumed),
                max(spread[right], spread[down]),
            )
        )  # fmt: skip
    length, fraction = scale_bar(size[0] / unit)
    spans, ticks = _on_one_axis(ordered)
    return Map(
        frame_shown,
        along,
        size[0],
        size[1] + _FOOT,
        _with_labels(boxes),
        spans,
        ticks,
        units.show(length, "m"),
        fraction * size[0],
        tuple(left_out),
    )


def _with_labels(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Put a number to each image, none upon another: images of one place have their corners there."""
    labelled: list[Box] = []
    for box in boxes:
        x, y = _usual_label(box)
        while any(
            abs(x - other.label[0]) < _LETTER - 1 and abs(y - other.label[1]) < _LETTER - 1
            for other in labelled
        ):
            x += _LETTER
        labelled.append(replace(box, label=(x, y)))
    return tuple(labelled)


def _usual_label(box: Box) -> tuple[float, float]:
    low, high = np.min(box.outline, axis=0), np.max(box.outline, axis=0)
    if box.tiny:
        return box.middle[0] + 14, box.middle[1] - 12
    if (high - low).max() < _SMALL:
        return float(high[0]) + 8, float(low[1] + high[1]) / 2 + 12
    x, y = min(box.outline, key=lambda corner: max(corner[0], 0) + max(corner[1], 0))
    return max(x, 0.0) + 8, max(y, 0.0) + 36


def map_svg(specimen_map: Map) -> str:
    """Write a map as an SVG file that stands alone: the drawing, and the axis of sizes below."""
    return (
        str(
            fill("specimen_map.svg", {"map": specimen_map, "address": None, "in_words": size_in_words})
        ).strip()
        + "\n"
    )


def plan_svg(specimen_map: Map, address: Callable[[str], str]) -> Any:
    """Write the drawing for a page, each image a link: `address(frame)` tells where it leads."""
    return fill("specimen_plan.svg", {"map": specimen_map, "address": address})


def size_in_words(span: Span) -> str:
    """Tell the sizes of an image: "4 mm to 2 µm"."""
    return f"{units.show(span.widest_m, 'm', 3)} to {units.show(span.finest_m, 'm', 3)}"


def _place(outline: NDArray[np.float64], size: tuple[float, float]) -> str:
    low, high = outline.min(axis=0), outline.max(axis=0)
    if (low > size).any() or (high < 0).any():
        return "beside"
    frame = np.array([(0, 0), (size[0], 0), size, (0, size[1])], float)
    return "around" if _contains(outline, frame) else "inside"


def _contains(outline: NDArray[np.float64], points: NDArray[np.float64]) -> bool:
    """Tell whether all points lie in a convex outline."""
    if len(outline) < 3:
        return False
    edges = np.roll(outline, -1, axis=0) - outline
    towards = points[None] - outline[:, None]
    turn = edges[:, None, 0] * towards[..., 1] - edges[:, None, 1] * towards[..., 0]
    return bool((turn >= 0).all() or (turn <= 0).all())


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the convex hull of points in the plane (Andrew's monotone chain)."""
    ordered = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return np.array(ordered)

    def half(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        hull: list[tuple[float, float]] = []
        for x, y in line:
            while len(hull) > 1:
                (ax, ay), (bx, by) = hull[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                hull.pop()
            hull.append((x, y))
        return hull[:-1]

    return np.array(half(ordered) + half(ordered[::-1]))


def _on_one_axis(images: Sequence[ImageFrame]) -> tuple[tuple[Span, ...], tuple[tuple[str, float], ...]]:
    sizes = [
        (float(image.size_m.max()), min(abs(step) for step in image.step_m[: image.count]))
        for image in images
    ]
    high = math.ceil(math.log10(max(widest for widest, _ in sizes)) - 1e-9)
    low = math.floor(math.log10(min(finest for _, finest in sizes)) + 1e-9)
    length = max(1, high - low)

    def at(size_m: float) -> float:
        return round(100 * (high - math.log10(size_m)) / length, 3)

    spans = tuple(
        Span(number, image, widest, finest, at(widest), at(finest))
        for number, (image, (widest, finest)) in enumerate(zip(images, sizes, strict=True), 1)
    )
    powers = range(high, high - length - 1, -1 if length <= 8 else -2)
    return spans, tuple((units.show(float(f"1e{power}"), "m"), at(float(f"1e{power}"))) for power in powers)
