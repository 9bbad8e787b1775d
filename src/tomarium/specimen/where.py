"""Where a point of one image or specimen lies in the other images, and how well that is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tomarium import units
from tomarium.model.link import Link
from tomarium.specimen.image_frame import ImageFrame
from tomarium.specimen.pose import place, sigma, similarity
from tomarium.specimen.resolve import NotConnected, Resolved, resolve_all

Array = NDArray[np.float64]
SURE: Final = 2.0
"""Standard deviations from an edge or a plane from which on a point is said to be inside or outside."""
_LENGTHS: Final = (("mm", 1e-3), ("µm", 1e-6), ("nm", 1e-9))


@dataclass(frozen=True, eq=False)
class Found:
    """Where a point lies in an image.

    Attributes
    ----------
    image : ImageFrame
        The image.
    position_m : array, shape (3,)
        (x, y, z) in its frame, m.
    covariance_m2 : array, shape (3, 3)
        Of the position, m².
    pixel : array, shape (2,) or (3,)
        Column, row and, in a volume, slice, counted from 0, as fractions.
    sigma_pixel : tuple of float
        Standard deviation of each.
    state : str
        "inside", "outside", "at the edge" (nearer to it than 2 sigma), or of a plane "off the plane".
    words : str
        The same for people, with the distance.
    resolved : Resolved
        Along which links.
    """

    image: ImageFrame
    position_m: Array
    covariance_m2: Array
    pixel: Array
    sigma_pixel: tuple[float, ...]
    state: str
    words: str
    resolved: Resolved

    @property
    def sigma_m(self) -> tuple[float, ...]:
        """Standard deviation along x, y and z, m."""
        return sigma(self.covariance_m2)


@dataclass(frozen=True)
class Unknown:
    """An image in which nobody can tell where the point lies.

    Attributes
    ----------
    image : ImageFrame
        The image.
    reason : str
        Why.
    """

    image: ImageFrame
    reason: str


def where(
    links: Iterable[Link],
    images: Sequence[ImageFrame],
    from_frame: str,
    point_m: ArrayLike,
    covariance_m2: Array | None = None,
) -> list[Found | Unknown]:
    """Find a point in images.

    Parameters
    ----------
    links : iterable of Link
        All that may be used.
    images : sequence of ImageFrame
        In which it is looked for.
    from_frame : str
        In which it is given.
    point_m : array, shape (3,)
        (x, y, z), m.
    covariance_m2 : array, shape (3, 3), optional
        How well the point itself is known, m²; exactly by default.

    Returns
    -------
    list of Found or Unknown
        One for each image, in their order.
    """
    resolve_to = resolve_all(links, from_frame, [image.frame for image in images], point_m)
    places: list[Found | Unknown] = []
    for image in images:
        try:
            resolved = resolve_to(image.frame)
        except NotConnected as problem:
            places.append(Unknown(image, str(problem)))
            continue
        places.append(found_in(image, resolved, point_m, covariance_m2))
    return places


def found_in(
    image: ImageFrame, resolved: Resolved, point_m: ArrayLike, covariance_m2: Array | None = None
) -> Found:
    """Tell where a point lies in one image, after its frame was resolved."""
    position, covariance = place(resolved.pose, point_m, covariance_m2)
    spread = np.asarray(sigma(covariance))
    steps = np.abs(np.asarray(image.step_m))[: image.count]
    state, words = _inside(image, position, spread)
    return Found(
        image, position, covariance, image.pixel_of(position),
        tuple(float(value) for value in spread[: image.count] / steps), state, words, resolved
    )  # fmt: skip


def _inside(image: ImageFrame, position: Array, spread: Array) -> tuple[str, str]:
    low, high = image.box_m
    axes = range(image.count)
    beyond = image.beyond(position)
    outside = [k for k in axes if beyond[k] > SURE * spread[k]]
    if outside:
        far = [f"{units.show(float(beyond[k]), 'm', 3)} along {'xyz'[k]}" for k in outside]
        return "outside", f"outside, {' and '.join(far)} beyond its edge"
    if image.flat and abs(position[2]) > max(SURE * spread[2], _rounding(image)):
        return (
            "off the plane",
            f"{units.show(abs(float(position[2])), 'm', 3)} off its plane (σ {units.show(float(spread[2]), 'm', 2)})",
        )
    margin = np.minimum(position - low, high - position)
    if any(margin[k] < SURE * spread[k] for k in axes):
        return "at the edge", "nearer to its edge than 2 σ: inside or outside"
    return "inside", "inside"


def _rounding(image: ImageFrame) -> float:
    """Return a millionth of a pixel: a point that was typed in a plane does not leave it by the rounding of numbers."""
    return 1e-6 * float(min(abs(value) for value in image.step_m[:2]))


def found_json(position: Found | Unknown) -> dict[str, Any]:
    """Tell where a point lies, in JSON values: lengths in m, pixels counted from 0 in the order x, y, z."""
    content: dict[str, Any] = {"image": position.image.frame, "title": position.image.title}
    if isinstance(position, Unknown):
        return content | {"state": "not connected", "reason": position.reason}
    return content | {
        "state": position.state,
        "position_m": rounded(position.position_m),
        "sigma_m": rounded(position.sigma_m, 4),
        "covariance_m2": [rounded(row, 6) for row in position.covariance_m2],
        "pixel": rounded(position.pixel),
        "sigma_pixel": rounded(position.sigma_pixel, 4),
        "mirrored": bool(np.linalg.det(position.resolved.pose.matrix[:3, :3]) < 0),
        "scale": float(f"{similarity(position.resolved.pose.matrix)[0]:.9g}"),
        "frames": list(position.resolved.frames),
        "links": [step.link.id for step in position.resolved.path],
        "assumed": [link.id for link in position.resolved.assumed],
        "contradictions": [loop.words for loop in position.resolved.contradictions],
    }


def unit_of(length_m: float) -> tuple[str, float]:
    """Choose the unit in which the positions of an image are told, by how large it is: mm, µm or nm, and it in m."""
    return next((length for length in _LENGTHS if length_m >= 0.2 * length[1]), _LENGTHS[-1])


def rounded(values: Iterable[float], digits: int = 12) -> list[float]:
    """Cut the digits that a computer adds to numbers."""
    return [float(f"{value:.{digits}g}") for value in values]


def with_sigma(value: float, spread: float, unit: str = "") -> str:
    """Write a number as far as it is known: "12.31 ± 0.04"; without a sigma where it is known exactly."""
    if not math.isfinite(spread) or spread <= 0:
        return f"{value:.6g}{unit}"
    digits = max(0, min(12, 1 - math.floor(math.log10(spread))))
    near = round(value, digits) + 0.0  # without it, what rounds to nothing from below would be -0
    return f"{near:.{digits}f} ± {spread:.{digits}f}{unit}"
