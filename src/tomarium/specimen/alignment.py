"""How one image lies in another: the map between frames, how well it is known, and whether it is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.specimen.judge import LOW_CHANCE

Array = NDArray[np.float64]

FREEDOMS = ("rotation x", "rotation y", "rotation z", "shift x", "shift y", "shift z")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pose that was looked at.

    Attributes
    ----------
    matrix : array of float, shape (4, 4)
        Maps points (x, y, z, 1) of the moving image's frame into the fixed one's, m.
    score : float
        What it reaches, nats.
    mirrored : bool
        Whether it is a mirror image of the start.
    in_range : bool
        Whether it lies in the range that was searched; others were looked at to learn what unrelated places reach.
    """

    matrix: Array
    score: float
    mirrored: bool
    in_range: bool


@dataclass(frozen=True, eq=False)
class Alignment:
    """How one image lies in another, and how much that is to be trusted.

    Attributes
    ----------
    matrix : array of float, shape (4, 4)
        Maps points (x, y, z, 1) of the moving image's frame into the fixed one's, m.
    covariance : array of float, shape (6, 6)
        Of a small motion after the matrix about `centre_m`: rotation vector, rad, and shift, m. NaN where it could not
        be told; 0 of what `freedoms` does not name.
    centre_m : array of float, shape (3,)
        The point about which the small motion turns, in the fixed frame, m: the middle of what both images show.
    accepted : bool
        Whether the pose stands out from what unrelated places reach, and is known well enough.
    score : float
        Mutual information times the share of the pixels inside of the other image, nats a pixel. Of landmarks: NaN.
    null_level : float
        Score that unrelated places of the same two images reach once in twenty cases. Of landmarks: NaN.
    tre_m : float
        Target registration error: standard deviation of where a point lies (root of the sum over x, y, z), the median
        over what both images show, in the fixed frame, m. NaN where it could not be told.
    mirrored : bool
        Whether one image is a mirror image of the other.
    scale : float
        Factor by which the moving image is larger than its voxel size says; 1 where it was not asked for.
    method : str
        How it was found.
    candidates : tuple of Candidate
        The best poses that differ, best first; the first is this one.
    notes : tuple of str
        What a user has to know.
    freedoms : tuple of str
        Which of the six freedoms of the covariance the images determine; all of them, or those in the plane of two
        flat images.
    figures : Mapping of str to float
        Further numbers: share inside, chance of the score, shares of landmarks …
    """

    matrix: Array
    covariance: Array
    centre_m: Array
    accepted: bool
    score: float
    null_level: float
    tre_m: float
    mirrored: bool
    scale: float
    method: str
    candidates: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()
    freedoms: tuple[str, ...] = FREEDOMS
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def confidence(self) -> str:
        """How sure the pose is: "high" where it is accepted, "low" where it may be right, else "none"."""
        if self.accepted:
            return "high"
        return "low" if self.figures.get("chance", 1.0) < LOW_CHANCE else "none"

    @property
    def answer(self) -> str:
        """What was found, in words: "found mirrored", "found with low confidence and not accepted", "not found"."""
        if self.confidence == "none":
            return "not found"
        mirrored = " mirrored" if self.mirrored else ""
        return f"found{mirrored}" + ("" if self.accepted else " with low confidence and not accepted")

    def map(self, points_m: Array) -> Array:
        """Map points (x, y, z) of the moving image's frame into the fixed one's; shape (point, 3), m."""
        return np.asarray(np.asarray(points_m, np.float64) @ self.matrix[:3, :3].T + self.matrix[:3, 3])

    def as_data(self) -> dict[str, Any]:
        """Return all of it JSON-ready; what is not a number is null."""
        return {
            "matrix": _listed(self.matrix),
            "covariance": _listed(self.covariance),
            "centre_m": _listed(self.centre_m),
            "accepted": self.accepted,
            "confidence": self.confidence,
            "score": _number(self.score),
            "null_level": _number(self.null_level),
            "tre_m": _number(self.tre_m),
            "mirrored": self.mirrored,
            "scale": self.scale,
            "method": self.method,
            "freedoms": list(self.freedoms),
            "figures": {name: _number(value) for name, value in self.figures.items()},
            "notes": list(self.notes),
            "candidates": [
                {
                    "matrix": _listed(candidate.matrix),
                    "score": _number(candidate.score),
                    "mirrored": candidate.mirrored,
                    "in_range": candidate.in_range,
                }
                for candidate in self.candidates
            ],
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _listed(array: Array) -> Any:
    if array.ndim == 1:
        return [_number(value) for value in array]
    return [_listed(row) for row in array]


def inverted(matrix: Array, covariance: Array, centre: Array) -> tuple[Array, Array, Array]:
    """Turn a map with its covariance round: from the second frame to the first.

    Result: the inverse, the covariance of the small motion after it, and the centre of that in the other frame.
    """
    inverse = np.asarray(np.linalg.inv(matrix), np.float64)
    linear = inverse[:3, :3]
    size = float(np.abs(np.linalg.det(linear))) ** (1 / 3)
    pure = linear / size
    carry = np.zeros((6, 6))
    # A rotation vector is an axial vector: a mirror image turns it round.
    carry[:3, :3] = np.sign(np.linalg.det(linear)) * pure
    carry[3:, 3:] = linear
    return inverse, np.asarray(carry @ covariance @ carry.T), np.asarray(linear @ centre + inverse[:3, 3])
