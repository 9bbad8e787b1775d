"""Phantoms whose projections are known exactly: sums of ellipsoids.

Lengths are in detector pixels and attenuation in 1/px, so that a line integral is -ln(I/I0) and has no unit.
The origin is where the rotation axis meets the middle row. A point (z, y, x) is seen at angle θ in the row z
and in the column u = x cos θ + y sin θ from the axis; the beam runs along (-sin θ, cos θ) in (x, y).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, radians, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import InputError

_VOXEL_RADIUS: Final = 0.8660254037844386  # half the diagonal of a unit cube


@dataclass(frozen=True)
class Ellipsoid:
    """A homogeneous ellipsoid; where ellipsoids overlap, their attenuations add.

    Attributes
    ----------
    centre : tuple of float
        (z, y, x) in px from the rotation axis and the middle row.
    half_axes : tuple of float
        Half axes in px along its own (z, y, x).
    attenuation : float
        Linear attenuation coefficient in 1/px; negative for a pore in a matrix.
    rotation_deg : tuple of float
        Rotations in degrees about z, then about the turned y, then about the turned x.
    """

    centre: tuple[float, float, float]
    half_axes: tuple[float, float, float]
    attenuation: float
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def covariance(self) -> NDArray[np.float64]:
        """Return Q with (r - centre)ᵀ Q⁻¹ (r - centre) ≤ 1 inside; shape (3, 3) over (z, y, x), px²."""
        z, y, x = (radians(angle) for angle in self.rotation_deg)
        about_z = np.array([[1, 0, 0], [0, cos(z), sin(z)], [0, -sin(z), cos(z)]])
        about_y = np.array([[cos(y), 0, -sin(y)], [0, 1, 0], [sin(y), 0, cos(y)]])
        about_x = np.array([[cos(x), -sin(x), 0], [sin(x), cos(x), 0], [0, 0, 1]])
        turn = about_z @ about_y @ about_x
        return np.asarray(turn @ np.diag(np.square(self.half_axes)) @ turn.T, dtype=np.float64)


def line_integrals(
    ellipsoids: Sequence[Ellipsoid],
    angles_deg: NDArray[np.floating],
    rows: NDArray[np.floating],
    columns: NDArray[np.floating],
    *,
    roll_deg: float = 0.0,
    out: NDArray[np.float32] | None = None,
    engine: Engine = "auto",
) -> NDArray[np.float32]:
    """Compute the exact parallel-beam line integrals of a sum of ellipsoids.

    Parameters
    ----------
    ellipsoids : sequence of Ellipsoid
        The phantom.
    angles_deg : array, shape (angle,)
        Rotation angles in degrees.
    rows, columns : array, shape (row,) and (column,)
        Height of each row from the middle row and distance of each column from the rotation axis, in px,
        ascending. Column j of a detector whose axis lies in `axis_column` is at j - axis_column.
    roll_deg : float
        How far the axis is turned in the detector's plane about the origin, degrees, counter-clockwise with rows
        counted downwards.
    out : array of float32, shape (angle, row, column), optional
        Filled and returned; spares a caller that comes back often the price of fresh memory.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; "auto" takes the compiled one where it is there.

    Returns
    -------
    array of float32, shape (angle, row, column)
        -ln(I/I0) along each ray, dimensionless.

    Raises
    ------
    ParameterError
        There is no such engine.
    EngineUnavailable
        The compiled kernel was asked for and is not there.

    Notes
    -----
    With Q of `Ellipsoid.covariance` and M = Q⁻¹, a ray r₀ + t d crosses the ellipsoid over the length
    2 √(b² - a q) / a, a = dᵀMd, b = (r₀-c)ᵀMd, q = (r₀-c)ᵀM(r₀-c) - 1. As a function of the place
    s = (z, u) on the detector this is 2/√a · √(1 - sᵀ S⁻¹ s), where S is Q seen along the beam: the shadow is
    an ellipse, and only its bounding box is visited.
    """
    if out is None:
        out = np.empty((len(angles_deg), len(rows), len(columns)), np.float32)
    out.fill(0)
    z, u = (np.ascontiguousarray(values, np.float64) for values in (rows, columns))
    theta = np.radians(np.asarray(angles_deg, np.float64))
    if not (ellipsoids and len(theta)):
        return out
    table = _shadows(tuple(ellipsoids), theta, radians(roll_deg))
    if takes_compiled(engine, "line_integrals"):
        native = extension()
        for view, image in zip(table, out, strict=True):
            native.add_shadows(view, z, u, image, level())
        return out
    work = np.empty(len(z) * len(u), np.float32)
    for view, image in zip(table, out, strict=True):
        for shadow in view:
            _add_shadow(image, work, shadow, z, u)
    return out


@lru_cache(maxsize=64)
def _forms(ellipsoids: tuple[Ellipsoid, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Q of `Ellipsoid.covariance` and its inverse, shape (ellipsoid, 3, 3); each view asks for them again."""
    Q = np.stack([ellipsoid.covariance() for ellipsoid in ellipsoids])
    return Q, np.asarray(np.linalg.inv(Q), np.float64)


def _shadows(
    ellipsoids: tuple[Ellipsoid, ...], theta: NDArray[np.float64], roll: float = 0.0
) -> NDArray[np.float64]:
    """Return where and how dark shadows are.

    Returns
    -------
    array of float64, shape (angle, ellipsoid, 9)
        Row and column of the middle, half height, half width; then p, a, b, c of (µ · chord)² = p - a dz² + b dz du -
        c du²; and the sign of µ.
    """
    Q, M = _forms(ellipsoids)
    z, y, x = np.array([ellipsoid.centre for ellipsoid in ellipsoids]).T
    attenuation = np.array([ellipsoid.attenuation for ellipsoid in ellipsoids])
    sine, cosine = np.sin(theta)[:, None], np.cos(theta)[:, None]
    # d = (0, cos θ, -sin θ) runs along the beam, (0, sin θ, cos θ) across it; each line is a product with Q or M.
    a = cosine**2 * M[:, 1, 1] - sine * cosine * (M[:, 1, 2] + M[:, 2, 1]) + sine**2 * M[:, 2, 2]
    S_uu = sine**2 * Q[:, 1, 1] + sine * cosine * (Q[:, 1, 2] + Q[:, 2, 1]) + cosine**2 * Q[:, 2, 2]
    S_zu = sine * Q[:, 0, 1] + cosine * Q[:, 0, 2]
    S_zz, u = np.broadcast_to(Q[:, 0, 0], S_uu.shape), x * cosine + y * sine
    if roll:  # z' = z cos - u sin, u' = z sin + u cos; the determinant of S stays
        s, c = sin(roll), cos(roll)
        z, u = c * z - s * u, s * z + c * u
        S_zz, S_zu, S_uu = (
            c * c * S_zz - 2 * c * s * S_zu + s * s * S_uu,
            c * s * (S_zz - S_uu) + (c * c - s * s) * S_zu,
            s * s * S_zz + 2 * c * s * S_zu + c * c * S_uu,
        )
    # The squared peak of µ · chord is folded into the quadratic form: fewer passes over the shadow.
    peak = 4.0 * attenuation**2 / a
    scale = peak / (S_uu * S_zz - S_zu**2)
    columns = (
        z, u, np.sqrt(S_zz), np.sqrt(S_uu),
        peak, scale * S_uu, 2 * scale * S_zu, scale * S_zz, np.sign(attenuation),
    )  # fmt: skip
    return np.stack([np.broadcast_to(column, peak.shape) for column in columns], axis=-1)


def _add_shadow(
    image: NDArray[np.float32],
    work: NDArray[np.float32],
    shadow: NDArray[np.float64],
    z: NDArray[np.float64],
    u: NDArray[np.float64],
) -> None:
    """Add one ellipsoid's line integrals to an image, using `work` as scratch space."""
    z0, u0, half_z, half_u, peak, by_row, both, by_column, sign = shadow
    top, bottom = np.searchsorted(z, (z0 - half_z, z0 + half_z))
    first, last = np.searchsorted(u, (u0 - half_u, u0 + half_u))
    dz, du = z[top:bottom] - z0, u[first:last] - u0
    if not (len(du) and len(dz)):
        return
    chord = work[: len(dz) * len(du)].reshape(len(dz), len(du))
    along = (peak - by_row * dz**2).astype(np.float32)
    np.subtract(along[:, None], (by_column * du**2).astype(np.float32), out=chord)
    if abs(both) > 1e-9 * by_column:
        chord += np.outer(both * dz, du).astype(np.float32)
    np.maximum(chord, 0, out=chord)
    np.sqrt(chord, out=chord)
    target = image[top:bottom, first:last]
    (np.subtract if sign < 0 else np.add)(target, chord, out=target)


def voxelise(
    ellipsoids: Sequence[Ellipsoid],
    z: NDArray[np.floating],
    y: NDArray[np.floating],
    x: NDArray[np.floating],
    *,
    supersampling: int = 4,
) -> NDArray[np.float32]:
    """Draw the phantom as voxels, each the mean over its cube.

    Parameters
    ----------
    ellipsoids : sequence of Ellipsoid
        The phantom.
    z, y, x : array
        Coordinates of the voxel centres in px, ascending, one px apart.
    supersampling : int
        Points along each edge of a voxel that a surface cuts.

    Returns
    -------
    array of float32, shape (z, y, x)
        Attenuation coefficient in 1/px.

    Raises
    ------
    InputError
        Coordinates do not ascend.
    """
    volume = np.zeros((len(z), len(y), len(x)), np.float32)
    axes = [np.asarray(axis, np.float64) for axis in (z, y, x)]
    for name, axis in zip("zyx", axes, strict=True):
        if np.any(np.diff(axis) <= 0):
            raise InputError(
                f"voxelise: the coordinates along {name} do not ascend; give them so and flip the result"
            )
    fine = (np.arange(supersampling) + 0.5) / supersampling - 0.5
    offsets = np.stack(np.meshgrid(fine, fine, fine, indexing="ij"), -1).reshape(-1, 3)
    for ellipsoid in ellipsoids:
        Q = ellipsoid.covariance()
        half = np.sqrt(np.diag(Q)) + _VOXEL_RADIUS
        box = tuple(
            slice(*np.searchsorted(axis, (centre - size, centre + size)))
            for axis, centre, size in zip(axes, ellipsoid.centre, half, strict=True)
        )
        # L⁻¹ with Q = L Lᵀ maps the ellipsoid to the unit ball.
        to_ball = np.linalg.inv(np.linalg.cholesky(Q))
        margin = _VOXEL_RADIUS / min(ellipsoid.half_axes)
        for layer in range(box[0].start, box[0].stop):
            dz, dy, dx = np.meshgrid(
                axes[0][layer : layer + 1] - ellipsoid.centre[0],
                axes[1][box[1]] - ellipsoid.centre[1],
                axes[2][box[2]] - ellipsoid.centre[2],
                indexing="ij",
            )
            places = np.stack([dz[0], dy[0], dx[0]], -1)
            radius = np.linalg.norm(places @ to_ball.T, axis=-1)
            share = (radius <= 1).astype(np.float64)
            cut = np.abs(radius - 1) <= margin
            points = places[cut][:, None, :] + offsets
            share[cut] = (np.linalg.norm(points @ to_ball.T, axis=-1) <= 1).mean(axis=-1)
            volume[layer, box[1], box[2]] += (ellipsoid.attenuation * share).astype(np.float32)
    return volume


def pixel_coordinates(count: int, origin: float, subrays: int = 1) -> NDArray[np.float64]:
    """Return where the sub-rays of a line of detector pixels lie.

    Parameters
    ----------
    count : int
        Number of pixels.
    origin : float
        Pixel coordinate of the origin: the axis column, or the middle row (rows - 1) / 2.
    subrays : int
        Rays in each pixel, evenly spread.

    Returns
    -------
    array of float64, shape (count · subrays,)
        Coordinates in px from the origin, ascending.
    """
    return (np.arange(count * subrays) + 0.5) / subrays - 0.5 - origin
