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
    """
    angle = angle_of(matrix)
    if angle < 1e-9:
        return 0.5 * np.array(
            [matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]]
        )
    if np.pi - angle < 1e-4:  # the antisymmetric part vanishes: the axis is that of (R + 1)
        axis = (matrix + np.eye(3))[:, int(np.argmax(np.diag(matrix)))]
        return np.asarray(axis / np.linalg.norm(axis) * angle, np.float64)
    skew = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    return np.asarray(skew / (2 * np.sin(angle)) * angle, np.float64)


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
