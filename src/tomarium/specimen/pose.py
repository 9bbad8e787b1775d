"""A pose: a matrix from one frame to another, and how well it is known; poses are inverted and put one after the other.

What is not known of a pose is a small motion after its matrix, about a centre c of the frame that it leads to: a
rotation vector w (rad) and a translation t (m). A point p then lies at c + exp(w) (M p - c) + t, to first order at
M p + w × (M p - c) + t. Covariances are those of (w, t); they are carried from frame to frame by the adjoint of the
matrix (Barfoot, State Estimation for Robotics, 2017, section 7.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tomarium.errors import InputError
from tomarium.kernels.alignment.rotations import cross, rotation, vector_of
from tomarium.model.link import Link

Array = NDArray[np.float64]
_NO_SHEAR: Final = 1e-6
LARGEST_SCALE: Final = 2.0
"""Both frames are in metres, so that a link changes lengths by what a scale was wrong, and not by a unit."""


@dataclass(frozen=True, eq=False)
class Pose:
    """A matrix, and the covariance of a small motion after it.

    Attributes
    ----------
    matrix : array, shape (4, 4)
        Maps points (x, y, z, 1), m.
    covariance : array, shape (6, 6)
        Of rotation vector (rad) and translation (m).
    centre_m : array, shape (3,)
        About which it is a motion, in the frame that the matrix leads to.
    """

    matrix: Array
    covariance: Array
    centre_m: Array


def pose_of(link: Link) -> Pose:
    """Return the pose of a link, from its `from_frame` to its `to_frame`."""
    return Pose(
        np.asarray(link.matrix, np.float64),
        np.asarray(link.covariance, np.float64),
        np.asarray(link.centre_m),
    )


def identity() -> Pose:
    """Return the pose of a frame in itself, which is known exactly."""
    return Pose(np.eye(4), np.zeros((6, 6)), np.zeros(3))


def similarity(matrix: Array) -> tuple[float, Array]:
    """Take a matrix apart.

    Parameters
    ----------
    matrix : array, shape (4, 4)
        Of a link.

    Returns
    -------
    scale : float
        By which it changes lengths.
    rotation : array, shape (3, 3)
        Orthogonal; its determinant is -1 where the matrix makes a mirror image.

    Raises
    ------
    InputError
        It shears, or scales one axis more than another, or is none that maps points to points.
    """
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or (matrix[3] != (0, 0, 0, 1)).any():
        raise InputError("the matrix of a link is none of 4 x 4 finite numbers whose last row is 0 0 0 1")
    linear = matrix[:3, :3]
    u, lengths, v = np.linalg.svd(linear)
    if not lengths[2] > 0 or lengths[0] / lengths[2] > 1 + _NO_SHEAR:
        raise InputError(
            "the matrix of a link shears, or scales one axis more than another; give a rotation and a translation "
            "with at most one scale, and correct the pixel sizes of the image where they differ from what they say"
        )
    return float(np.cbrt(np.prod(lengths))), u @ v


def inverse(pose: Pose) -> Pose:
    """Return the pose that leads back.

    Parameters
    ----------
    pose : Pose
        From a frame to another.

    Returns
    -------
    Pose
        From the other to the first, about the same point.
    """
    inverse: Array = np.linalg.inv(pose.matrix).astype(np.float64)
    inverse[3] = (0, 0, 0, 1)
    return Pose(inverse, carried(inverse, pose.covariance), apply(inverse, pose.centre_m))


def compose(first: Pose, second: Pose) -> Pose:
    """Put one pose after another.

    Parameters
    ----------
    first, second : Pose
        From a to b, and from b to c; their errors are independent.

    Returns
    -------
    Pose
        From a to c, about the centre of the second.
    """
    before = Pose(
        second.matrix, carried(second.matrix, first.covariance), apply(second.matrix, first.centre_m)
    )
    return Pose(
        second.matrix @ first.matrix,
        second.covariance + about(before, second.centre_m).covariance,
        second.centre_m,
    )


def carried(matrix: Array, covariance: Array) -> Array:
    """Carry the covariance of a motion before a matrix to that of the motion after it, about the point it maps to."""
    scale, turn = similarity(matrix)
    adjoint = np.zeros((6, 6))
    # For L = s R the vector product obeys L (w × d) = (det R) (R w) × (L d).
    adjoint[:3, :3] = np.sign(np.linalg.det(turn)) * turn
    adjoint[3:, 3:] = scale * turn
    return adjoint @ covariance @ adjoint.T


def about(pose: Pose, centre_m: Array) -> Pose:
    """Describe the same errors as motions about another point."""
    moved = np.eye(6)
    moved[3:, :3] = -cross(centre_m - pose.centre_m)  # t' = t + w × (c' - c)
    return Pose(pose.matrix, moved @ pose.covariance @ moved.T, np.asarray(centre_m))


def place(pose: Pose, point_m: ArrayLike, covariance_m2: Array | None = None) -> tuple[Array, Array]:
    """Tell where a point lies, and how well that is known.

    Parameters
    ----------
    pose : Pose
        From the point's frame to another.
    point_m : array, shape (3,)
        (x, y, z) in its frame, m.
    covariance_m2 : array, shape (3, 3), optional
        How well the point itself is known, m²; exactly by default.

    Returns
    -------
    position_m : array, shape (3,)
        In the other frame, m.
    covariance_m2 : array, shape (3, 3)
        Of the position, m².
    """
    position = apply(pose.matrix, point_m)
    jacobian = np.hstack([-cross(position - pose.centre_m), np.eye(3)])
    variance = jacobian @ pose.covariance @ jacobian.T
    if covariance_m2 is not None:
        linear = pose.matrix[:3, :3]
        variance = variance + linear @ covariance_m2 @ linear.T
    return position, variance


def apply(matrix: Array, points_m: ArrayLike) -> Array:
    """Map points, shape (..., 3), m."""
    points = np.asarray(points_m, np.float64)
    mapped: Array = points @ matrix[:3, :3].T + matrix[:3, 3]
    return mapped


def disturbed(pose: Pose, motion: ArrayLike) -> Array:
    """Return the matrix after a motion: rotation vector (rad) about the pose's centre, then translation (m)."""
    motion = np.asarray(motion, np.float64)
    small = np.eye(4)
    small[:3, :3] = rotation(motion[:3])
    small[:3, 3] = pose.centre_m - small[:3, :3] @ pose.centre_m + motion[3:]
    moved: Array = small @ pose.matrix
    return moved


def motion_between(pose: Pose, matrix: Array) -> Array:
    """Return the motion about the pose's centre, 6 numbers, that leads from its matrix to another one.

    Parameters
    ----------
    pose : Pose
        One pose.
    matrix : array, shape (4, 4)
        The other, mirrored as the first is, or not as it is not.

    Returns
    -------
    array, shape (6,)
        Rotation vector (rad) and translation (m); a difference of the scales is left out.
    """
    _, first_turn = similarity(pose.matrix)
    _, other = similarity(matrix)
    turned = vector_of(other @ first_turn.T)
    source = apply(inverse(pose).matrix, pose.centre_m)
    return np.concatenate([turned, apply(matrix, source) - pose.centre_m])


def rotation_from_degrees(x: float, y: float, z: float) -> Array:
    """Return the rotation about the fixed axes x, then y, then z, in degrees."""
    turned = np.eye(3)
    for axis, angle in enumerate((x, y, z)):
        vector = np.zeros(3)
        vector[axis] = np.deg2rad(angle)
        turned = rotation(vector) @ turned
    return turned


def sigma(covariance: Array) -> tuple[Any, ...]:
    """Return the standard deviation along each axis."""
    return tuple(float(deviation) for deviation in np.sqrt(np.clip(np.diag(covariance), 0.0, None)))
