"""Links that somebody makes: from points seen in two images, a file of landmarks, or the text of a link.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.errors import FormatError, InputError
from tomarium.model import link as model
from tomarium.model.link import Link
from tomarium.specimen.alignment import Alignment
from tomarium.specimen.alignment_file import as_link_json, is_alignment
from tomarium.specimen.image_frame import ImageFrame, read_point
from tomarium.specimen.landmarks import FEWEST, Landmark, align_landmarks, read_landmarks
from tomarium.specimen.link_file import link_of

MOST_PAIRS: Final = 60
"""Pairs of points that a form takes."""

_PIXEL: Final = ("px", "pixel", "pixels")


@dataclass(frozen=True)
class HowKnown:
    """How well it is known that two flat images show one plane.

    Attributes
    ----------
    sigma_m, sigma_rad : float or None
        Standard deviations of the distance of the two planes, and of the turn out of them; None where nobody tells.
    """

    sigma_m: float | None = None
    sigma_rad: float | None = None


def read_known(fields: Mapping[str, str]) -> HowKnown:
    """Read `sigma` ("20 um") and `sigma_turn` ("1 deg"); raises ParameterError where one is no length or angle."""
    sigma, turn = (fields.get(name, "").strip() for name in ("sigma", "sigma_turn"))
    return HowKnown(
        units.parse(sigma, "m") if sigma else None, math.radians(units.parse(turn, "deg")) if turn else None
    )


def read_pairs(text: str, start: ImageFrame, end: ImageFrame) -> list[Landmark]:
    """Read pairs of points, one a line: "x, y mm = x, y, z mm", in the first image and in the second.

    Raises ParameterError or InputError where a line holds none, and where there are more than `MOST_PAIRS`.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_PAIRS:
        raise InputError(f"{len(lines)} pairs of points were given; a form takes {MOST_PAIRS}")
    landmarks = []
    for number, line in enumerate(lines, 1):
        parts = line.split("=")
        if len(parts) != 2:
            raise InputError(
                f"pair {number} is {line[:80]!r}; write the point in the first image, an equals sign, and the point "
                f'in the second: "0.12, 0.31 mm = 1.2, 0.9, 2.0 mm"'
            )
        moving, fixed = (
            read_point(part.strip(), image, pixel=part.rstrip().endswith(_PIXEL))
            for part, image in zip(parts, (start, end), strict=True)
        )
        landmarks.append(
            Landmark(str(number), tuple(map(float, moving)), tuple(map(float, fixed)))  # type: ignore[arg-type]
        )
    return landmarks


def read_landmark_file(path: Path, unit: str, start: ImageFrame, end: ImageFrame) -> list[Landmark]:
    """Read the landmarks of a CSV of BigWarp as points of two images.

    Parameters
    ----------
    path : Path
        The file.
    unit : str
        Unit of its coordinates, such as "um"; "px" where the images were opened without a pixel size: column, row and
        slice, from 0.
    start, end : ImageFrame
        The moving image and the fixed one.

    Returns
    -------
    list of Landmark
        In the frames of the two, m.

    Raises
    ------
    FormatError
        The file holds something else.
    InputError
        Most landmarks lie outside of an image by more than its size, as where the unit is wrong or the two images are
        exchanged.
    """
    if unit in _PIXEL:
        landmarks = [
            replace(
                landmark, moving_m=_point(start, landmark.moving_m), fixed_m=_point(end, landmark.fixed_m)
            )
            for landmark in read_landmarks(path, "m")
        ]
    else:
        landmarks = read_landmarks(path, unit)
    for name, image, points in (
        ("moving", start, [landmark.moving_m for landmark in landmarks]),
        ("fixed", end, [landmark.fixed_m for landmark in landmarks]),
    ):
        reach = float(image.size_m.max())
        far = sum(float(image.beyond(point).max()) > reach for point in points)
        if far * 2 > len(points):
            raise InputError(
                f"{path}: {far} of {len(points)} landmarks lie outside of the {name} image {image.frame} by more than "
                f"its size, {units.show(reach, 'm', 3)}; check the unit ({unit}), and which image is the moving one "
                f"(--from)"
            )
    return landmarks


def _point(image: ImageFrame, pixel: model.Point) -> model.Point:
    x, y, z = map(float, image.point_of(pixel))
    return x, y, z


def fitted(pairs: list[Landmark], *, mirror: bool, scale: bool) -> Alignment:
    """Fit a rotation and a shift, and a factor where it is asked for, to pairs of points, or refuse what is too few."""
    if len(pairs) < FEWEST:
        raise InputError(
            f"{len(pairs)} pairs of points were given; {FEWEST} or more are needed, so that residuals tell the error"
        )
    return align_landmarks(pairs, mirror=mirror, scale=scale)


def link_of_pairs(
    pairs: list[Landmark], start: str, end: str, known: HowKnown, *, mirror: bool, scale: bool
) -> Link:
    """Make a link of pairs of points.

    Parameters
    ----------
    pairs : list of Landmark
        The points in the frame `start` are those that move.
    start, end : str
        Names of the frames.
    known : HowKnown
        Of two flat images.
    mirror, scale : bool
        Whether one may be a mirror image, and whether the size of its pixels may be wrong.

    Returns
    -------
    Link
        Of the kind "landmark", with its landmarks.

    Raises
    ------
    InputError
        They are too few, lie on a line, or leave a freedom open that nobody tells.
    """
    link = _linked(fitted(pairs, mirror=mirror, scale=scale).as_data(), start, end, known)
    landmarks = tuple(model.Landmark(pair.name, pair.moving_m, pair.fixed_m) for pair in pairs)
    return replace(link, landmarks=landmarks)


def link_of_text(text: str, start: str, end: str, known: HowKnown) -> Link:
    """Make a link of the text of a link.json, as `tomarium align --out` or `tomarium specimen links --json` tells it.

    The frames that it names must be those two, where it names any; raises FormatError or InputError otherwise.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise InputError(f"the text is no JSON ({problem}); paste all of a link.json") from problem
    if not isinstance(content, dict):
        raise InputError("the text is no JSON object; paste all of a link.json")
    try:
        if is_alignment(content):
            return _linked(content, start, end, known)
        link = link_of(content, "link.json")
    except FormatError as problem:
        raise InputError(str(problem)) from problem
    named = {text for text in (link.from_frame, link.to_frame) if text}
    if (link.from_frame or start, link.to_frame or end) != (start, end):
        raise InputError(
            f"this link.json is of {' and '.join(sorted(named))}, and {start} in {end} was chosen; choose its two"
        )
    return replace(link, from_frame=start, to_frame=end, id="", version=1, withdrawn="")


def _linked(content: Mapping[str, Any], start: str, end: str, known: HowKnown) -> Link:
    open_ones = len(content.get("freedoms", ())) not in (0, 6)
    if open_ones and content.get("accepted") is True and None in (known.sigma_m, known.sigma_rad):
        raise InputError(
            "two planes do not tell how they lie out of themselves; take points of several slices of a volume, or say "
            "how well the two are known to lie in one plane: a distance such as 20 um, and an angle such as 1 deg"
        )
    whole_link = as_link_json(content, "the alignment", known.sigma_m, known.sigma_rad)
    return link_of({**whole_link, "from": start, "to": end}, "the alignment")
