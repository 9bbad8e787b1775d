"""Landmarks: the same points found by eye in two images, in BigWarp's CSV, and the map that fits them best."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import FormatError, InputError
from tomarium.kernels.alignment.refine import IN_PLANE, IN_SPACE, SCALE, spread_of_points
from tomarium.kernels.alignment.rotations import cross
from tomarium.specimen.alignment import FREEDOMS, Alignment

FEWEST: Final = 4
"""Landmarks that are needed to tell how well they fit."""

_FLAT: Final = 1e-6
_LINE: Final = 1e-3
_MIRROR_GAIN: Final = 0.5  # of the residual, below which a mirror image is taken

Array = NDArray[np.float64]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Landmark:
    """One point in both images.

    Attributes
    ----------
    name : str
        Its name.
    moving_m, fixed_m : tuple of float
        Where it lies in the frame of each image, (x, y, z), m.
    """

    name: str
    moving_m: Point
    fixed_m: Point


def read_landmarks(path: str | Path, unit: str) -> list[Landmark]:
    """Read a CSV of BigWarp: name, active, moving x, y(, z), fixed x, y(, z); without a heading.

    `unit`: unit of the coordinates, such as "um"; the file does not tell it. Landmarks that are not active, and those
    that one image lacks (written as Infinity), are left out. Raises FormatError where a line is none.
    """
    factor = units.factor(unit, "m")
    landmarks: list[Landmark] = []
    with Path(path).open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if not row:
                continue
            try:
                numbers = [float(cell) * factor for cell in row[2:]]
            except ValueError as problem:
                raise FormatError(
                    f"{path}: line {number} holds {row[2:]}; expected name, active, and the places in the moving and "
                    f"in the fixed image as numbers, as BigWarp writes them"
                ) from problem
            if len(numbers) not in (4, 6):
                raise FormatError(
                    f"{path}: line {number} has {len(numbers)} coordinates; expected 6, or 4 of flat images"
                )
            if row[1].strip().lower() != "true" or not all(map(math.isfinite, numbers)):
                continue
            half = len(numbers) // 2
            moving, fixed = ((*part, 0.0)[:3] for part in (numbers[:half], numbers[half:]))
            landmarks.append(Landmark(row[0], moving, fixed))  # type: ignore[arg-type]
    return landmarks


def write_landmarks(
    path: str | Path, landmarks: Sequence[Landmark], unit: str = "um", *, flat: bool = False
) -> None:
    """Write landmarks as BigWarp reads them, in a unit of length; of two flat images x and y alone."""
    factor = units.factor(unit, "m")
    axes = (
        2 if flat and all(landmark.moving_m[2] == 0 == landmark.fixed_m[2] for landmark in landmarks) else 3
    )
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        for landmark in landmarks:
            places = [
                repr(float(at / factor)) for at in (*landmark.moving_m[:axes], *landmark.fixed_m[:axes])
            ]
            writer.writerow([landmark.name, "true", *places])


def align_landmarks(landmarks: Sequence[Landmark], *, mirror: bool = True, scale: bool = False) -> Alignment:
    """Fit a rotation and a shift, and a factor where it is asked for, to landmarks by least squares (Umeyama 1991).

    The covariance is that of least squares with equal errors along x, y and z, taken from the residuals. Each landmark
    is also left out in turn and predicted by the others; `figures` tells the root mean square of that.
    Raises InputError where there are fewer than four, or all lie on a line.
    """
    if len(landmarks) < FEWEST:
        raise InputError(
            f"landmarks: {len(landmarks)} were given; {FEWEST} or more are needed, so that residuals tell the error"
        )
    moving = np.array([landmark.moving_m for landmark in landmarks], np.float64)
    fixed = np.array([landmark.fixed_m for landmark in landmarks], np.float64)
    for name, points in (("moving", moving), ("fixed", fixed)):
        across = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if not across[1] > _LINE * across[0]:
            raise InputError(
                f"landmarks: all lie on one line in the {name} image; give some that lie beside it"
            )
    flat = bool(
        np.ptp(moving[:, 2]) < _FLAT * np.ptp(moving[:, :2])
        and np.ptp(fixed[:, 2]) < _FLAT * np.ptp(fixed[:, :2])
    )
    matrix, mirrored = _fit_best(moving, fixed, mirror, scale, flat)
    placed = moving @ matrix[:3, :3].T + matrix[:3, 3]
    residuals = placed - fixed
    free = (*(IN_PLANE if flat else IN_SPACE), *([SCALE] if scale else []))
    measured = len(landmarks) * (2 if flat else 3)
    variance = float(np.sum(residuals**2)) / max(1, measured - len(free))
    centre = placed.mean(axis=0)
    spread = np.zeros((7, 7))
    spread[np.ix_(free, free)] = variance * np.linalg.inv(_normal(placed - centre, free))
    left_out = _left_out_distances(moving, fixed, mirrored, scale, flat)
    notes = []
    if flat:
        notes.append("both images are taken to show one plane: tilt and depth are not measured")
    worst = int(np.argmax(np.sum(left_out**2, axis=1)))
    typical = float(np.sqrt(np.median(np.sum(left_out**2, axis=1))))
    if np.linalg.norm(left_out[worst]) > 4 * typical:
        notes.append(
            f"landmark {landmarks[worst].name} lies {units.show(float(np.linalg.norm(left_out[worst])), 'm')} from "
            f"where the others put it; look at it again"
        )
    return Alignment(
        matrix=matrix,
        covariance=spread[:6, :6],
        centre_m=centre,
        accepted=True,
        score=float("nan"),
        null_level=float("nan"),
        tre_m=float(np.median(spread_of_points(spread[:6, :6], centre, placed))),
        mirrored=mirrored,
        scale=float(np.abs(np.linalg.det(matrix[:3, :3])) ** (1 / 3)) if scale else 1.0,
        method="landmarks",
        notes=tuple(notes),
        freedoms=tuple(FREEDOMS[number] for number in free if number < SCALE),
        figures={
            "landmarks": float(len(landmarks)),
            "residual_m": float(np.sqrt(np.mean(np.sum(residuals**2, axis=1)))),
            "left_out_m": float(np.sqrt(np.mean(np.sum(left_out**2, axis=1)))),
            "scale_sigma": float(np.sqrt(spread[6, 6])) if scale else float("nan"),
        },
    )


def _fit_best(moving: Array, fixed: Array, mirror: bool, scale: bool, flat: bool) -> tuple[Array, bool]:
    """Fit, and fit a mirror image too where it may be one; in space both fit coplanar points alike."""
    direct = _fit(moving, fixed, False, scale, flat)
    if not mirror:
        return direct, False
    other = _fit(moving, fixed, True, scale, flat)
    square_sums = [
        float(np.sum((moving @ matrix[:3, :3].T + matrix[:3, 3] - fixed) ** 2)) for matrix in (direct, other)
    ]
    is_mirrored = square_sums[1] < _MIRROR_GAIN**2 * square_sums[0]
    return (other, True) if is_mirrored else (direct, False)


def _fit(moving: Array, fixed: Array, mirrored: bool, scale: bool, flat: bool) -> Array:
    """Return the map of similar figures with the least squares (Umeyama 1991, eq. 40 to 43)."""
    first, second = moving - moving.mean(axis=0), fixed - fixed.mean(axis=0)
    axes = 2 if flat else 3
    first, second = first[:, :axes], second[:, :axes]
    u, d, vt = np.linalg.svd(second.T @ first)
    sign = np.ones(axes)
    if np.linalg.det(u) * np.linalg.det(vt) * (-1 if mirrored else 1) < 0:
        sign[-1] = -1
    factor = float(np.sum(d * sign) / np.sum(first**2)) if scale else 1.0
    matrix = np.eye(4)
    if flat:
        matrix[2, 2] = factor
    matrix[:axes, :axes] = factor * (u * sign) @ vt
    matrix[:3, 3] = fixed.mean(axis=0) - matrix[:3, :3] @ moving.mean(axis=0)
    return matrix


def _normal(away: Array, free: Sequence[int]) -> Array:
    """Return the normal matrix of the freedoms, of points that lie so far from the centre."""
    square = np.zeros((7, 7))
    for point in away:
        moves = np.concatenate([-cross(point), np.eye(3), point[:, None]], axis=1)
        square += moves.T @ moves
    return square[np.ix_(free, free)]


def _left_out_distances(moving: Array, fixed: Array, mirrored: bool, scale: bool, flat: bool) -> Array:
    """Return how far each landmark lies from where the others put it."""
    distances = np.empty_like(fixed)
    for i in range(len(moving)):
        is_kept = np.arange(len(moving)) != i
        matrix = _fit(moving[is_kept], fixed[is_kept], mirrored, scale, flat)
        distances[i] = moving[i] @ matrix[:3, :3].T + matrix[:3, 3] - fixed[i]
    return distances
