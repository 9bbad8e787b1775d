"""Rotations in three dimensions: from a vector, at random, and evenly spread."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Alexa (2022): the real root of ψ⁴ = ψ + 4 beside the square root of 2.
_PSI: Final = 1.533751168755204288118041
_PHI: Final = float(np.sqrt(2.0))


def rotation(vector: NDArray[np.floating]) -> Matrix:
    """Return the matrix of a rotation vector.

    Parameters
    ----------
    vector : array of float, shape (3,)
        Its direction is the axis, its length the angle, rad.

    Returns
    -------
    array of float, shape (3, 3)
        Right-handed.

    References
    ----------
    O. Rodrigues, Journal de Mathématiques Pures et Appliquées 5, 380 (1840).
    """
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3) + cross(np.asarray(vector, np.float64))
    turn = cross(np.asarray(vector, np.float64) / angle)
    return np.asarray(np.eye(3) + np.sin(angle) * turn + (1 - np.cos(angle)) * turn @ turn, np.float64)


def cross(vector: NDArray[np.floating]) -> Matrix:
    """Return the matrix that takes the vector product with a vector.

    Parameters
    ----------
    vector : array of float, shape (3,)
        The first factor.

    Returns
    -------
    array of float, shape (3, 3)
        Antisymmetric.
    """
    x, y, z = (float(part) for part in vector)
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def angle_of(matrix: Matrix) -> float:
    """Return the angle of a rotation.

    Parameters
    ----------
    matrix : array of float, shape (3, 3)
        Right-handed rotation.

    Returns
    -------
    float
        From 0 to π, rad.
    """
    skew = matrix - matrix.T
    sine = 0.5 * float(np.sqrt(skew[2, 1] ** 2 + skew[0, 2] ** 2 + skew[1, 0] ** 2))
    return float(np.arctan2(sine, 0.5 * (np.trace(matrix) - 1)))


def vector_of(matrix: Matrix) -> Matrix:
    """Return the rotation vector of a rotation.

    Parameters
    ----------
    matrix : array of float, shape (3, 3)
        Right-handed rotation.

    Returns
    -------
    array of float, shape (3,)
        Its length is the angle from 0 to π, rad.

    References
    ----------
    S. W. Shepperd, Quaternion from rotation matrix, Journal of Guidance and Control 1, 223 (1978).
    """
    # By the quaternion: exact near 0 and near π alike.
    squares = np.array([np.trace(matrix), *np.diag(matrix)])
    largest = int(np.argmax(squares))
    r = matrix
    if largest == 0:
        w = 1 + squares[0]
        axis = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        w = r[k, j] - r[j, k]
        axis = np.empty(3)
        axis[i] = 1 + r[i, i] - r[j, j] - r[k, k]
        axis[j], axis[k] = r[j, i] + r[i, j], r[k, i] + r[i, k]
    length = float(np.linalg.norm(axis))
    if length == 0:
        return np.zeros(3)
    if w < 0:
        w, axis = -w, -axis
    angle = 2 * np.arctan2(length, w)
    vector: Matrix = axis / length * angle
    return vector


def even_rotations(count: int) -> Matrix:
    """Return rotations that are spread evenly over all there are.

    Parameters
    ----------
    count : int
        How many; neighbours are about 250° / ∛count apart.

    Returns
    -------
    array of float, shape (count, 3, 3)
        Right-handed.

    References
    ----------
    M. Alexa, CVPR 2022, 8281 (super-Fibonacci spirals), doi 10.1109/CVPR52688.2022.00811.
    """
    s = np.arange(count) + 0.5
    small, large = np.sqrt(s / count), np.sqrt(1 - s / count)
    alpha, beta = 2 * np.pi * s / _PHI, 2 * np.pi * s / _PSI
    return _from_quaternions(
        np.stack(
            [
                small * np.sin(alpha),
                small * np.cos(alpha),
                large * np.sin(beta),
                large * np.cos(beta),
            ]
        )
    )


def random_rotations(count: int, draw: np.random.Generator) -> Matrix:
    """Draw rotations at random, none likelier than another.

    Parameters
    ----------
    count : int
        How many.
    draw : Generator
        Source of random numbers.

    Returns
    -------
    array of float, shape (count, 3, 3)
        Right-handed.
    """
    quaternions = draw.normal(size=(4, count))
    return _from_quaternions(quaternions / np.linalg.norm(quaternions, axis=0))


def _from_quaternions(q: Matrix) -> Matrix:
    w, x, y, z = q
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
