"""Parts of images around a point, with the point and its sigma marked; a click in one becomes a point."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tomarium import units
from tomarium.errors import ParameterError
from tomarium.model import Record
from tomarium.model.link import read_frame
from tomarium.portal.page import FOR_PEOPLE
from tomarium.portal.request_context import RequestContext
from tomarium.specimen.image_frame import ImageFrame
from tomarium.specimen.pose import similarity
from tomarium.specimen.where import Found, Unknown, found_json, unit_of, with_sigma
from tomarium.viewers.image_channels import groups_of, layers_of
from tomarium.viewers.shown_image import shown_images
from tomarium.viewers.specimen_map import DRAWN

SHOWN: Final = 320
"""Longer side of a picture on the page, CSS pixels."""
NEAR_PIXELS: Final = 64
"""Pixels of an image that are shown around a point, where sigma does not ask for more."""
NEAR_SIGMAS: Final = 12.0


@dataclass(frozen=True)
class Crop:
    """A point in one image.

    Attributes
    ----------
    title, frame, page : str
        The image, and the address of its record's page.
    found : Mapping
        As `specimen.where.found_json` tells it.
    state, position, pixel, way : str
        Where the point lies, for people; "" where nobody can tell.
    reason : str
        Why not, or why there is no picture.
    assumed : bool
        Whether it rests on a link that nobody has measured.
    picture : str
        Address of the picture; "" where there is none.
    width, height : int
        Of the picture on the page, CSS pixels.
    mark : tuple of float
        Column and row of the point in it, the half axes of the 1-sigma ellipse, and by how many degrees it is turned;
        empty where the point is not in it.
    box : str
        "left,top,width,height" of what is shown, in pixels of the image.
    plane, slice : str
        Which slice of a volume it is: axis and index; "" of a plane.
    whole : bool
        Whether the whole slice is shown.
    point : str
        The point in this image's frame, as it is read again.
    other : str
        Address of the page with the whole slice, or with the part around the point again.
    """

    title: str
    frame: str
    page: str = field(metadata=FOR_PEOPLE)
    found: Mapping[str, Any]
    state: str = field(default="", metadata=FOR_PEOPLE)
    position: str = field(default="", metadata=FOR_PEOPLE)
    pixel: str = field(default="", metadata=FOR_PEOPLE)
    way: str = field(default="", metadata=FOR_PEOPLE)
    reason: str = field(default="", metadata=FOR_PEOPLE)
    assumed: bool = field(default=False, metadata=FOR_PEOPLE)
    picture: str = field(default="", metadata=FOR_PEOPLE)
    width: int = field(default=0, metadata=FOR_PEOPLE)
    height: int = field(default=0, metadata=FOR_PEOPLE)
    mark: tuple[float, ...] = field(default=(), metadata=FOR_PEOPLE)
    box: str = field(default="", metadata=FOR_PEOPLE)
    plane: str = field(default="", metadata=FOR_PEOPLE)
    slice: str = field(default="", metadata=FOR_PEOPLE)
    whole: bool = field(default=False, metadata=FOR_PEOPLE)
    point: str = field(default="", metadata=FOR_PEOPLE)
    other: str = field(default="", metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Click:
    """A place in a picture that was pointed at.

    Attributes
    ----------
    x, y : int
        Column and row in the picture on the page.
    box, shown : str
        What it shows, "left,top,width,height" in pixels of the image, and how large it is, "width,height".
    plane, slice : str
        As in `Crop`.
    """

    x: int
    y: int
    box: str
    shown: str
    plane: str
    slice: str

    def point_in(self, image: ImageFrame) -> NDArray[np.float64]:
        """Return the point (x, y, z) in the image's frame, m; raises ParameterError where the form was changed."""
        left, top, wide, high = _whole_numbers(self.box, 4)
        width, height = _whole_numbers(self.shown, 2)
        if not (wide and high and width and height):
            raise ParameterError("the picture that was clicked has no size; open the page again")
        right, down = DRAWN["z" if image.flat else self.plane if self.plane in DRAWN else "z"]
        pixel = np.zeros(3)
        pixel[right] = left + (self.x + 0.5) / width * wide - 0.5
        pixel[down] = top + (self.y + 0.5) / height * high - 0.5
        if not image.flat:
            (pixel[3 - right - down],) = _whole_numbers(self.slice, 1)
        return image.point_of(pixel)


def _whole_numbers(text: str, count: int) -> list[int]:
    if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", text, re.ASCII) or text.count(",") != count - 1:
        raise ParameterError(f"{text[:40]!r} does not tell what was clicked; open the page again")
    return [int(word) for word in text.split(",")]


def crop_of(
    request_context: RequestContext,
    located: Found | Unknown,
    titles: Mapping[str, str],
    plane: str,
    whole: bool,
    other: str,
) -> Crop:
    """Show a point in an image.

    Parameters
    ----------
    request_context : RequestContext
        Whose request it is.
    located : Found or Unknown
        The point in the image.
    titles : Mapping of str to str
        Name of a frame → what it is called.
    plane : {"z", "y", "x"}
        Which slice of a volume.
    whole : bool
        Whether the whole slice is shown and not the part around the point.
    other : str
        Address of the page that shows it the other way.

    Returns
    -------
    Crop
        Without a picture where the files are not open to the reader, or the point lies outside.
    """
    image = located.image
    page = request_context.link("record", {"id": read_frame(image.frame).id})
    if isinstance(located, Unknown):
        return Crop(image.title, image.frame, page, found_json(located), reason=located.reason)
    crop = Crop(
        image.title, image.frame, page, found_json(located), state=located.words, position=_position(located),
        pixel=_pixel(located), way=_way(located, titles), assumed=bool(located.resolved.assumed),
    )  # fmt: skip
    record, place = request_context.seen(read_frame(image.frame).id)
    if not place.open:
        return replace(crop, reason="Its files are not open to you, so that there is no picture.")
    axis = "z" if image.flat else plane
    right, down = DRAWN[axis]
    fixed_axis = 3 - right - down
    index = 0 if image.flat else round(float(located.pixel[fixed_axis]))
    if located.state == "outside" or not 0 <= index < image.shape[fixed_axis]:
        return replace(crop, reason="There is nothing of it around the point.")
    box = _box(located, right, down, whole)
    picture = _picture(request_context, record, image, axis, index, box)
    left, top, wide, high = box
    steps = np.abs(np.asarray(image.step_m))[[right, down]]
    size = np.array([wide, high]) * steps
    width, height = (max(1, round(SHOWN * float(length) / float(size.max()))) for length in size)
    return replace(
        crop, picture=picture, width=width, height=height,
        mark=_mark(located, right, down, box, (width, height)), box=f"{left},{top},{wide},{high}",
        plane="" if image.flat else axis, slice="" if image.flat else str(index),
        whole=whole, point=point_in_words(image, located.position_m),
        other=other if whole or (wide, high) != (image.shape[right], image.shape[down]) else "",
    )  # fmt: skip


def _box(located: Found, right: int, down: int, whole: bool) -> tuple[int, int, int, int]:
    """Choose what is shown: left, top, width and height, in pixels of the image."""
    image = located.image
    if whole:
        return 0, 0, image.shape[right], image.shape[down]
    steps = np.abs(np.asarray(image.step_m))
    spread = [located.sigma_m[axis] for axis in (right, down)]
    side = max(NEAR_PIXELS * float(max(steps[right], steps[down])), NEAR_SIGMAS * max(spread))
    spans = []
    for axis in (right, down):
        count = image.shape[axis]
        wide = min(count, max(1, math.ceil(side / float(steps[axis]))))
        first = round(float(located.pixel[axis]) + 0.5 - wide / 2)
        spans.append((min(max(0, first), count - wide), wide))
    (left, wide), (top, high) = spans
    return left, top, wide, high


def _mark(
    located: Found, right: int, down: int, box: tuple[int, int, int, int], shown: tuple[int, int]
) -> tuple[float, ...]:
    """Return where the point stands in a picture, and the ellipse of 1 sigma along its axes."""
    left, top, wide, high = box
    factors = np.array([shown[0] / wide, shown[1] / high])
    at = (np.array([located.pixel[right], located.pixel[down]]) + 0.5 - (left, top)) * factors
    if (at < 0).any() or (at > shown).any():
        return ()
    scale = factors / np.asarray(located.image.step_m)[[right, down]]
    cut = located.covariance_m2[np.ix_([right, down], [right, down])] * np.outer(scale, scale)
    sizes, axes = np.linalg.eigh(cut)
    across, along = np.sqrt(np.clip(sizes, 0, None))
    turned = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
    return tuple(round(float(value), 2) for value in (*at, along, across, turned))


def _picture(
    request_context: RequestContext, record: Record, image: ImageFrame, axis: str, index: int,
    box: tuple[int, int, int, int],
) -> str:  # fmt: skip
    left, top, wide, high = box
    region = {"region": f"{left},{top},{left + wide},{top + high}"}
    id = record.id
    if not image.flat:
        parts = {"id": id, "viewer": "slices", "name": f"{axis}-{index}.png"}
        return request_context.link("picture", parts, region)
    images, number = shown_images(record), read_frame(image.frame).image
    group = [images[k] for k in groups_of(images)[number]]
    channels = ";".join(layer.written for layer in layers_of(group, {}) if layer.on)
    parts = {"id": id, "viewer": "images", "name": "map.png"}
    return request_context.link("picture", parts, {"image": str(number), "channels": channels, **region})


def _position(located: Found) -> str:
    unit, metre = unit_of(float(located.image.size_m.max()))
    values = [
        f"{axis} {with_sigma(value / metre, spread / metre)}"
        for axis, value, spread in zip("xyz", located.position_m.tolist(), located.sigma_m, strict=True)
    ]
    return f"{', '.join(values)} {unit}"


def _pixel(located: Found) -> str:
    names = ("column", "row", "slice")
    pairs = zip(names, located.pixel.tolist(), located.sigma_pixel, strict=False)
    return ", ".join(f"{name} {with_sigma(value, spread)}" for name, value, spread in pairs)


def _way(located: Found, titles: Mapping[str, str]) -> str:
    if not located.resolved.path:
        return "the point was given here"
    scale = similarity(located.resolved.pose.matrix)[0]
    longer = f"; lengths are {scale:.5g} times as long here" if abs(scale - 1) > 1e-6 else ""
    return " → ".join(titles.get(frame, frame) for frame in located.resolved.frames) + longer


def point_in_words(image: ImageFrame, point_m: ArrayLike) -> str:
    """Write a point as it is read again, with the digits that a thousandth of a pixel needs: "1.2, 0.9, 2 mm"."""
    unit, metre = unit_of(float(image.size_m.max()))
    numbers = [float(coordinate) / metre for coordinate in np.asarray(point_m, np.float64)[: image.count]]
    fine = min(abs(value) for value in image.step_m[: image.count]) / metre / 1000
    digits = max(0, min(12, math.ceil(-math.log10(fine))))
    texts = [f"{round(number, digits) + 0.0:.{digits}f}" for number in numbers]
    texts = [text.rstrip("0").rstrip(".") if digits else text for text in texts]
    return f"{', '.join(texts)} {unit}"


def in_words(length_m: float) -> str:
    """Write a length for people."""
    return units.show(length_m, "m", 3)
