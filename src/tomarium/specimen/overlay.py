"""A picture to judge an alignment by eye: one image, and the other at the same places, before and after."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from tomarium.kernels.alignment.mutual_information import in_classes, range_of
from tomarium.kernels.alignment.refine import mapped
from tomarium.kernels.alignment.sampling import Grid, coarser, grid_of, sample
from tomarium.specimen.align import beginning
from tomarium.specimen.alignment import Alignment
from tomarium.specimen.image import Image

PANEL: Final = 300
"""Length of the longer side of a panel, px."""

_TEXT: Final = 22
_GAP: Final = 8
_FIELDS: Final = 6  # of the checkerboard along the longer side
_LINE: Final = (255, 196, 0)
_NOTHING: Final = (38, 52, 78)
_PLANES: Final = (("x", "y"), ("x", "z"), ("y", "z"))

Array = NDArray[np.float64]
Colours = NDArray[np.uint8]


def draw_check(fixed: Image, moving: Image, alignment: Alignment, *, start: Array | None = None) -> bytes:
    """Draw planes of the moving image, and the fixed one at the same places, as a PNG.

    Each row is a plane of the moving image through its middle: the image itself; the fixed one as it would lie before,
    and as it lies after the alignment, both with the outlines of the moving image's phases; and a checkerboard of
    both. What lies outside of the fixed image is blue. `start`: where it began, as `align` takes it.
    """
    cloud = grid_of(moving.array, moving.voxel_m[::-1], moving.first_m)
    room = grid_of(fixed.array, fixed.voxel_m[::-1], fixed.first_m)
    if fixed.is_flat and not moving.is_flat:  # the planes of the volume through the section say nothing
        cloud, room, matrix = room, cloud, np.asarray(np.linalg.inv(alignment.matrix))
        before = np.asarray(np.linalg.inv(beginning(fixed, moving, start)))
        names = ("fixed", "moving")
    else:
        matrix, before, names = alignment.matrix, beginning(fixed, moving, start), ("moving", "fixed")
    spacing = max(
        float(cloud.spacing.max()),
        max(n * s for n, s in zip(cloud.lengths, cloud.spacing, strict=True)) / PANEL,
    )
    cloud = coarser(cloud, spacing, 0.4)
    smooth = coarser(room, max(float(room.spacing.max()), float(cloud.spacing.max())), 0.4)
    greys = range_of(smooth.values), range_of(cloud.values)
    rows = []
    for points, values in _middle_planes(cloud):
        own = _grey(values, greys[1].low, greys[1].high)
        outline = _outline(values)
        panels = [own]
        for pose in (before, matrix):
            panels.append(
                _draw_lines(_colours_of(smooth, points, pose, greys[0].low, greys[0].high), outline)
            )
        plain = _colours_of(smooth, points, matrix, greys[0].low, greys[0].high)
        panels.append(np.where(_checks(values.shape)[..., None], own, plain))
        rows.append(panels)
    headings = (names[0], f"{names[1]}, before", f"{names[1]}, after", "both, after")
    return _sheet(rows, headings, cloud)


def _middle_planes(cloud: Grid) -> Iterator[tuple[Array, NDArray[np.float32]]]:
    """Yield places and values of the planes through the middle: y against x, z against x, z against y."""
    points = cloud.points().reshape(*cloud.values.shape, 3)
    z, y, x = (n // 2 for n in cloud.values.shape)
    yield points[z], cloud.values[z]
    if cloud.values.shape[0] > 1:
        yield points[:, y], cloud.values[:, y]
        yield points[:, :, x], cloud.values[:, :, x]


def _grey(values: NDArray[np.float32], low: float, high: float) -> Colours:
    scaled = np.clip((values - low) / max(high - low, 1e-30), 0, 1) * 255
    return np.repeat(scaled.astype(np.uint8)[..., None], 3, axis=-1)


def _colours_of(room: Grid, points: Array, pose: Array, low: float, high: float) -> Colours:
    values, _, inside = sample(room, mapped(pose, points.reshape(-1, 3)))
    shape = points.shape[:2]
    colours = _grey(values.reshape(shape), low, high)
    colours[~inside.reshape(shape)] = _NOTHING
    return colours


def _outline(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the pixels at which the phases of an image meet."""
    smoothed = values
    for axis in (0, 1):
        before, after = np.roll(smoothed, 1, axis), np.roll(smoothed, -1, axis)
        smoothed = 0.25 * before + 0.5 * smoothed + 0.25 * after
    classes = in_classes(smoothed, 2)
    edge = np.zeros(values.shape, bool)
    edge[:-1] |= classes[1:] != classes[:-1]
    edge[:, :-1] |= classes[:, 1:] != classes[:, :-1]
    return edge


def _draw_lines(picture: Colours, lines: NDArray[np.bool_]) -> Colours:
    drawn_over = picture.copy()
    drawn_over[lines] = _LINE
    return drawn_over


def _checks(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    side = max(1, max(shape) // _FIELDS)
    rows, columns = np.indices(shape)
    return np.asarray((rows // side + columns // side) % 2 == 0)


def _sheet(rows: list[list[Colours]], headings: tuple[str, ...], cloud: Grid) -> bytes:
    font = ImageFont.load_default(size=14)
    sizes = [_size(row[0].shape[:2], cloud, plane) for row, plane in zip(rows, _PLANES, strict=False)]
    wide = max(width for width, _ in sizes)
    left = 60
    sheet = Picture.new(
        "RGB",
        (left + len(headings) * (wide + _GAP), _TEXT + sum(height + _GAP for _, height in sizes)),
        (255, 255, 255),
    )
    draw = ImageDraw.Draw(sheet)
    for i, heading in enumerate(headings):
        draw.text((left + i * (wide + _GAP), 2), heading, fill=(20, 20, 20), font=font)
    top = _TEXT
    for row, (width, height), (across, down) in zip(rows, sizes, _PLANES, strict=False):
        draw.text((4, top), f"{across} right", fill=(20, 20, 20), font=font)
        draw.text((4, top + 18), f"{down} down", fill=(20, 20, 20), font=font)
        for i, panel in enumerate(row):
            image = Picture.fromarray(panel).resize((width, height), Picture.Resampling.NEAREST)
            sheet.paste(image, (left + i * (wide + _GAP), top))
        top += height + _GAP
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _size(shape: tuple[int, ...], cloud: Grid, plane: tuple[str, str]) -> tuple[int, int]:
    """Return width and height of a panel, in true proportion, the longest side of the image `PANEL` px long."""
    longest = max(n * s for n, s in zip(cloud.lengths, cloud.spacing, strict=True) if n > 1)
    across, down = (float(cloud.spacing["xyz".index(letter)]) for letter in plane)
    return (
        max(8, round(PANEL * shape[1] * across / longest)),
        max(8, round(PANEL * shape[0] * down / longest)),
    )
