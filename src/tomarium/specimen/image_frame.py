"""Where the pixels of an image lie in its frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tomarium import units
from tomarium.errors import InputError, ParameterError
from tomarium.model.image import Axis

Array = NDArray[np.float64]
_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_POINT: Final = re.compile(
    rf"\s*\(?\s*({_NUMBER}(?:\s*[,;]\s*{_NUMBER}){{1,2}})\s*\)?\s*([^\d\s.,;+-]\S*)?\s*"
)


@dataclass(frozen=True)
class ImageFrame:
    """An image, and where its pixels lie: x = first_m + step_m · column, and likewise y (row) and z (slice).

    Attributes
    ----------
    frame : str
        Name of its frame.
    title : str
        For people.
    flat : bool
        Whether it is a plane, at z = 0, with two axes.
    shape : tuple of int
        Pixels along (x, y, z); a plane has one along z.
    first_m : tuple of float
        Centre of the first pixel (x, y, z), m.
    step_m : tuple of float
        From a pixel to the next along (x, y, z), m; negative where the file counts against the axis. 0 along z of a
        plane.
    specimen : str
        Frame of the specimen that the image is of; "" where none is known.
    """

    frame: str
    title: str
    flat: bool
    shape: tuple[int, int, int]
    first_m: tuple[float, float, float]
    step_m: tuple[float, float, float]
    specimen: str = field(default="", compare=False)

    @property
    def count(self) -> int:
        """Number of its axes."""
        return 2 if self.flat else 3

    @property
    def size_m(self) -> Array:
        """Width, height and depth, m; a plane has no depth."""
        size: Array = np.abs(np.asarray(self.step_m)) * np.asarray(self.shape)
        return size

    @property
    def middle_m(self) -> Array:
        """Its middle, m."""
        return self.point_of([(n - 1) / 2 for n in self.shape[: self.count]])

    def point_of(self, pixel: ArrayLike) -> Array:
        """Return where a pixel (column, row and, in a volume, slice; from 0) lies, (x, y, z) in m."""
        numbers = np.zeros(3)
        numbers[: self.count] = np.asarray(pixel, np.float64)[: self.count]
        return np.asarray(self.first_m) + np.asarray(self.step_m) * numbers

    def pixel_of(self, point_m: ArrayLike) -> Array:
        """Return the pixel, as a fraction, of a point (x, y, z) in m; a plane has column and row only."""
        offset = np.asarray(point_m, np.float64) - np.asarray(self.first_m)
        pixel: Array = offset[: self.count] / np.asarray(self.step_m)[: self.count]
        return pixel

    def beyond(self, point_m: ArrayLike) -> Array:
        """Return how far a point lies beyond the outer edges along each axis, m; 0 inside."""
        low, high = self.box_m
        point = np.asarray(point_m, np.float64)
        outside: Array = np.maximum(0.0, np.maximum(low - point, point - high))
        return outside

    @property
    def box_m(self) -> tuple[Array, Array]:
        """Least and largest (x, y, z) of its outer edges, m."""
        step, shape = np.asarray(self.step_m), np.asarray(self.shape)
        ends = np.asarray(self.first_m) + step * np.array([[-0.5] * 3, (shape - 0.5).tolist()])
        return ends.min(axis=0), ends.max(axis=0)

    @property
    def corners_m(self) -> Array:
        """Its outer corners (x, y, z), m: four of a plane, in the order around it; eight of a volume."""
        low, high = self.box_m
        around = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
        return np.array([(x, y, z) for z in ([0.0] if self.flat else [low[2], high[2]]) for x, y in around])


def frame_of_axes(
    frame: str, title: str, axes: Sequence[Axis], shape: Sequence[int], specimen: str = ""
) -> ImageFrame | None:
    """Make the frame of an image with the axes (z, y, x) or (y, x).

    Parameters
    ----------
    frame, title, specimen : str
        As in `ImageFrame`.
    axes : sequence of Axis
        Two or three.
    shape : sequence of int
        Length of each.

    Returns
    -------
    ImageFrame or None
        None where an axis has no length unit, or a step of 0.
    """
    if any(axis.unit != "m" or not axis.scale or not np.isfinite(axis.scale + axis.offset) for axis in axes):
        return None
    flat = len(axes) == 2
    lengths, first, step = list(shape)[::-1], [a.offset for a in axes][::-1], [a.scale for a in axes][::-1]
    if flat:
        lengths, first, step = [*lengths, 1], [*first, 0.0], [*step, 0.0]
    x, y, z = (int(n) for n in lengths)
    return ImageFrame(frame, title, flat, (x, y, z), _three(first), _three(step), specimen)


def _three(values: Sequence[Any]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def read_point(text: str, image: ImageFrame | None = None, *, pixel: bool = False) -> Array:
    """Read a point as people type it.

    Parameters
    ----------
    text : str
        "12.1, 3.3, 8.0 mm", or of a plane "12.1, 3.3 mm"; with `pixel`, "120, 33, 8".
    image : ImageFrame, optional
        In whose frame it is given.
    pixel : bool
        Whether column, row and slice are given, counted from 0, and not lengths.

    Returns
    -------
    array, shape (3,)
        (x, y, z) in the frame, m.

    Raises
    ------
    ParameterError
        It is no point, has no unit of length or one that should not be there, or has too few coordinates.
    """
    match = _POINT.fullmatch(text)
    example = '"120, 33, 8"' if pixel else '"12.1, 3.3, 8.0 mm"'
    if match is None:
        raise ParameterError(
            f"{text[:80]!r} is no point; write x, y and z"
            + (f" in pixel, {example}" if pixel else f" and a unit, {example}")
        )
    numbers = [float(word) for word in re.split(r"[,;]", match[1])]
    count = 3 if image is None else image.count
    if len(numbers) < count:
        raise ParameterError(
            f"{text[:80]!r} has {len(numbers)} coordinates; x, y and z were expected, such as {example}"
        )
    if pixel:
        if match[2] and match[2] not in ("px", "pixel", "pixels"):
            raise ParameterError(
                f"{text[:80]!r} has the unit {match[2][:20]!r}, but pixels were asked for; leave one out"
            )
        if image is None:
            raise ParameterError(
                f"{text[:80]!r}: a specimen has no pixels; give the point in a unit of length, {example}"
            )
        if len(numbers) > count:
            raise ParameterError(
                f"{text[:80]!r} has 3 coordinates, and {image.frame} is a plane; give column and row"
            )
        return image.point_of(numbers)
    if not match[2]:
        raise ParameterError(
            f"{text[:80]!r} has no unit; write it with one, {example}, or give pixels with --as pixel"
        )
    metre = units.convert(1.0, match[2], "m")
    point = np.zeros(3)
    point[: len(numbers)] = np.asarray(numbers) * metre
    if not np.isfinite(point).all():
        raise InputError(f"{text[:80]!r} is too far away to be a point")
    return point
