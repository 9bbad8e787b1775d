"""A link that a person states: a shift, a turn, and how well both are known."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from tomarium import units
from tomarium.errors import ParameterError
from tomarium.model.link import Link, rows
from tomarium.specimen.image_frame import read_point
from tomarium.specimen.pose import apply, rotation_from_degrees


def link_by_hand(
    from_frame: str,
    to_frame: str,
    shift: str,
    turn: str | None,
    sigma: str,
    sigma_turn: str | None,
    mirror: str | None,
    middle_m: ArrayLike = (0.0, 0.0, 0.0),
) -> Link:
    """Make a link from what a person knows.

    Parameters
    ----------
    from_frame, to_frame : str
        Names of the frames.
    shift : str
        Where the point (0, 0, 0) of the first lies in the other: "1.2, 0.8, 2.0 mm".
    turn : str, optional
        By how much it is turned about the other's axes x, then y, then z: "0, 90, 0 deg"; not at all by default.
    sigma : str
        Standard deviation of the position of its middle, along each axis: "20 um".
    sigma_turn : str, optional
        That of the turn about each axis: "1 deg". It must be given where there is a turn and `sigma` is not 0.
    mirror : {"x", "y", "z"}, optional
        Axis of the first that is negated before it is turned, where it is a mirror image.
    middle_m : array, shape (3,)
        Middle of the first, in its own frame, m.

    Returns
    -------
    Link
        Of the kind "assumed".

    Raises
    ------
    ParameterError, UnitError
        A text is no point, angle or length.
    """
    matrix = np.eye(4)
    if turn is not None:
        matrix[:3, :3] = rotation_from_degrees(*_read_angles(turn))
    if mirror is not None:
        matrix[:3, "xyz".index(mirror)] *= -1
    matrix[:3, 3] = read_point(shift)
    known_m = _read_sigma(sigma, "m", "--sigma")
    if sigma_turn is None and known_m > 0:
        raise ParameterError(
            'say how well the turn is known too, such as --sigma-turn "1 deg", or "0 deg" where the two cannot turn '
            "against each other"
        )
    known_rad = math.radians(_read_sigma(sigma_turn or "0 deg", "deg", "--sigma-turn"))
    return Link(
        from_frame,
        to_frame,
        matrix=rows(matrix),
        covariance=rows(np.diag([known_rad**2] * 3 + [known_m**2] * 3)),
        centre_m=rows([apply(matrix, middle_m)])[0],
        kind="assumed",
        mirrored=mirror is not None,
        method="stated by hand",
    )


def _read_angles(text: str) -> tuple[float, float, float]:
    *numbers, last = text.split(",")
    value, _, unit = last.strip().rpartition(" ")
    if len(numbers) != 2 or not value:
        raise ParameterError(f'{text[:80]!r} are no three angles with a unit; write them as "0, 90, 0 deg"')
    x, y, z = (units.parse(f"{text.strip()} {unit}", "deg") for text in (*numbers, value))
    return x, y, z


def _read_sigma(text: str, unit: str, option: str) -> float:
    value = units.parse(text, unit)
    if value < 0:
        raise ParameterError(f"{option} {text!r} is negative; a standard deviation is 0 or more")
    return value
