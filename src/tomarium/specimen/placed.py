"""Images of a specimen in one frame: the matrix from each image's own frame, and what is left out with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.model.link import Link
from tomarium.specimen.image_frame import ImageFrame
from tomarium.specimen.pose import apply, place, sigma
from tomarium.specimen.resolve import NotConnected, resolve

Array = NDArray[np.float64]
_PART_OF_PIXEL: Final = 0.01


@dataclass(frozen=True, eq=False)
class Placed:
    """An image in the frame that all share.

    Attributes
    ----------
    image : ImageFrame
        Which image, in its own frame.
    matrix : array, shape (4, 4)
        Maps points (x, y, z, 1) of its frame to those of the shared one, m.
    sigma_m : tuple of float
        Standard deviation of where its middle lies, along x, y and z of the shared frame, m.
    assumed : tuple of str
        Identifiers of links on the way that nobody has measured.
    """

    image: ImageFrame
    matrix: Array
    sigma_m: tuple[float, ...]
    assumed: tuple[str, ...] = ()

    @property
    def size_m(self) -> float:
        """Its largest extent, m."""
        return float(self.image.size_m.max())


def place_images(
    links: Iterable[Link], images: Iterable[ImageFrame], frame: str
) -> tuple[list[Placed], list[str]]:
    """Find how images lie in one frame.

    Parameters
    ----------
    links : iterable of Link
        All that may be used.
    images : iterable of ImageFrame
        The images.
    frame : str
        Name of the frame that they are to share.

    Returns
    -------
    placed : list of Placed
        The largest first.
    left_out : list of str
        In a sentence each: which image no path of links leads from.
    """
    known_links, placed, left_out = list(links), [], []
    for image in images:
        try:
            resolved = resolve(known_links, image.frame, frame, image.middle_m)
        except NotConnected:
            left_out.append(f"{image.frame} is left out: no link connects it with {frame}")
            continue
        _, covariance = place(resolved.pose, image.middle_m)
        assumed = tuple(dict.fromkeys(link.id for link in resolved.assumed))
        placed.append(Placed(image, resolved.pose.matrix, sigma(covariance), assumed))
    return sorted(placed, key=lambda item: (-item.size_m, item.image.frame)), left_out


def common_frame(specimen: str, links: Sequence[Link], images: Sequence[ImageFrame]) -> str:
    """Choose the frame that images of a specimen share: its own where a link leads to it, else the largest image's.

    Parameters
    ----------
    specimen : str
        Name of the specimen's frame.
    links : sequence of Link
        All that may be used.
    images : sequence of ImageFrame
        The images.

    Returns
    -------
    str
        Name of a frame.
    """
    if not images or any(
        specimen in (link.from_frame, link.to_frame) and not link.withdrawn for link in links
    ):
        return specimen
    return max(images, key=lambda image: (float(image.size_m.max()), image.frame)).frame


def scale_and_shift(placed: Placed) -> tuple[float, Array] | None:
    """Return the scale and the shift (x, y, z; m) that place an image, or None where it is turned or mirrored.

    It counts as not turned where no corner moves by more than a hundredth of a pixel when the turn is left out.
    """
    linear = placed.matrix[:3, :3]
    scale = float(np.trace(linear)) / 3
    straight = np.eye(4)
    straight[:3, :3] *= scale
    middle = placed.image.middle_m
    straight[:3, 3] = apply(placed.matrix, middle) - scale * middle
    corners = placed.image.corners_m
    away = np.linalg.norm(apply(placed.matrix, corners) - apply(straight, corners), axis=1).max()
    pixel = min(abs(step) for step in placed.image.step_m[: placed.image.count])
    if scale <= 0 or away > _PART_OF_PIXEL * pixel:
        return None
    return scale, straight[:3, 3]


def placed_words(placed: Placed) -> str:
    """Tell how well an image's place is known: "known to 2 µm, 2 µm, 3 µm (x, y, z)"."""
    sigmas = ", ".join(units.show(value, "m", 3) for value in placed.sigma_m)
    assumed_text = (
        f"; rests on {', '.join(placed.assumed)}, which nobody has measured" if placed.assumed else ""
    )
    return f"known to {sigmas} (x, y, z){assumed_text}"
