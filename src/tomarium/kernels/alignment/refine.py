"""A pose made better until two images tell most of each other, and how well it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.alignment.mutual_information import Range, mutual_information
from tomarium.kernels.alignment.rotations import cross, rotation
from tomarium.kernels.alignment.sampling import Grid, sample

IN_SPACE: Final = (0, 1, 2, 3, 4, 5)
"""Freedoms of a rigid motion: rotation vector about x, y, z, and shift along x, y, z."""

IN_PLANE: Final = (2, 3, 4)
"""Those of an image that stays in its plane: rotation about z, shifts along x and y."""

SCALE: Final = 6
"""The further freedom of a change of size, the logarithm of the factor."""

_FARTHEST: Final = 1.5
"""Longest step, voxels, at the typical distance from the centre."""

SETTLED_PX: Final = 0.002
"""Step below which a pose has come to rest, voxels."""

_PROBE: Final = 0.3
"""Voxels by which the pose is moved to measure the curvature."""

_FEWEST: Final = 32

_BINS: Final = (32, 8)
"""Levels of the value and of the steepness by which the pull of outlines is told from noise."""

Array = NDArray[np.float64]
Block = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images at one level: one is interpolated, of the other points are mapped into it.

    Attributes
    ----------
    fixed : Grid
        The image that is interpolated.
    spread : Range
        Of its values.
    points : array of float, shape (point, 3)
        Places of the other image, (x, y, z), in the unit of the fixed one's spacing.
    classes : array of int, shape (point,)
        Levels of its values there.
    """

    fixed: Grid
    spread: Range
    points: Array
    classes: NDArray[np.intp]

    @property
    def radius(self) -> float:
        """Typical distance of the points from their middle."""
        return float(np.sqrt(np.mean(np.sum((self.points - self.points.mean(axis=0)) ** 2, axis=1))))

    @property
    def voxel(self) -> float:
        """Distance of neighbours of the fixed image, the mean of its axes that are longer than one voxel."""
        steps = [s for s, n in zip(self.fixed.spacing, self.fixed.lengths, strict=True) if n > 1]
        return float(np.mean(steps))


@dataclass(frozen=True, eq=False)
class Fit:
    """A pose and what it reaches.

    Attributes
    ----------
    matrix : array of float, shape (4, 4)
        Maps points of the second image into the first.
    score : float
        Mutual information times the share of the points that lie inside of the first image, nats.
    share : float
        That share.
    settled : bool
        Whether it came to rest.
    """

    matrix: Array
    score: float
    share: float
    settled: bool = False


@dataclass(frozen=True, eq=False)
class _Slope:
    """The score at a pose, and what each point adds to its slope."""

    score: float
    share: float
    parts: Array  # (freedom, point)

    @property
    def sum(self) -> Array:
        return np.asarray(self.parts.sum(axis=1))


def small_motion(step: Array, freedoms: Sequence[int], centre: Array) -> Array:
    """Return the matrix of a small motion about a point.

    Parameters
    ----------
    step : array of float, shape (freedom,)
        Rotation vector in rad, shift, logarithm of the change of size: those that `freedoms` names.
    freedoms : sequence of int
        Places in the order rotation x, y, z, shift x, y, z, size.
    centre : array of float, shape (3,)
        The point.

    Returns
    -------
    array of float, shape (4, 4)
        Rotation and change of size about the point, then the shift.
    """
    full_step = np.zeros(7)
    full_step[list(freedoms)] = step
    motion = np.eye(4)
    motion[:3, :3] = rotation(full_step[:3]) * np.exp(full_step[6])
    motion[:3, 3] = centre - motion[:3, :3] @ centre + full_step[3:6]
    return motion


def mapped(matrix: Array, points: Array) -> Array:
    """Map points.

    Parameters
    ----------
    matrix : array of float, shape (4, 4)
        Affine map.
    points : array of float, shape (point, 3)
        Points, (x, y, z).

    Returns
    -------
    array of float, shape (point, 3)
        Where they lie.
    """
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def refine(
    pair: Pair,
    matrix: Array,
    freedoms: Sequence[int] = IN_SPACE,
    *,
    rounds: int = 30,
    settled_px: float = SETTLED_PX,
) -> Fit:
    """Raise the score of a pose as far as it goes from where it begins.

    1. The slope of the mutual information with the pose is summed from the points: the derivative with each value,
       times the slope of the image there.
    2. A step solves (B + λ diag B) step = slope, B the sum of the products of what the points add (Berndt et al.).
    3. A step that does not raise the score is taken back, and λ raised tenfold (Levenberg 1944, Marquardt 1963).

    Parameters
    ----------
    pair : Pair
        The images.
    matrix : array of float, shape (4, 4)
        Where it begins.
    freedoms : sequence of int
        What may change.
    rounds : int
        Most steps.
    settled_px : float
        Step below which it has come to rest, voxels.

    Returns
    -------
    Fit
        The pose.

    References
    ----------
    E. Berndt, B. Hall, R. Hall, J. Hausman, Annals of Economic and Social Measurement 3, 653 (1974).
    """
    centre = mapped(matrix, pair.points.mean(axis=0, keepdims=True))[0]
    lengths = _lengths(freedoms, pair.radius)
    current = _slope(pair, matrix, freedoms, centre)
    damping, settled = 0.03, False
    for _ in range(rounds):
        square = current.parts @ current.parts.T
        ridge = np.diag(damping * np.diag(square) + 1e-12 * (np.trace(square) + 1e-30))
        step = np.asarray(np.linalg.lstsq(square + ridge, current.sum, rcond=None)[0], np.float64)
        far = float(np.abs(step * lengths).max()) / pair.voxel
        if far > _FARTHEST:
            step *= _FARTHEST / far
        tried = small_motion(step, freedoms, centre) @ matrix
        moved_slope = _slope(pair, tried, freedoms, centre)
        if moved_slope.score > current.score:
            matrix, current = tried, moved_slope
            damping = max(damping * 0.3, 1e-3)
        else:
            damping = max(damping * 10, 0.1)
        if far < settled_px:
            settled = True
            break
        if damping > 1e6:
            settled = True
            break
    return Fit(matrix, current.score, current.share, settled)


def score(pair: Pair, matrix: Array) -> Fit:
    """Return what a pose reaches as it is.

    Parameters
    ----------
    pair : Pair
        The images.
    matrix : array of float, shape (4, 4)
        The pose.

    Returns
    -------
    Fit
        Its score and share.
    """
    values, _, inside = sample(pair.fixed, mapped(matrix, pair.points))
    share = float(inside.mean())
    if np.count_nonzero(inside) < _FEWEST:
        return Fit(matrix, 0.0, share)
    likeness = mutual_information(values[inside], pair.classes[inside], pair.spread)
    return Fit(matrix, likeness.information * share, share)


def covariance(
    pair: Pair, fit: Fit, blocks: NDArray[np.intp], freedoms: Sequence[int] = IN_SPACE
) -> tuple[Array, Array]:
    """Estimate how well a pose is known, from the curvature of the score and how blocks of the image differ.

    1. H is the change of the slope when the pose is moved by 0.3 voxels to either side, along each freedom; H_b is
       what one block of the image adds to it, and g_b what it adds to the slope.
       In the plane of a flat image, what pixels of the same value and steepness pull on average is taken from g_b:
       outlines are closed, so that this cancels over a body and is no noise, but a block cuts bodies.
    2. Without the block the pose would lie d_b = -(H - H_b)⁻¹ g_b beside where it is, in one step of Newton's method.
    3. The covariance is Σ d_b d_bᵀ (n - 1) / n for n blocks, the jackknife: noise within a block may be correlated.

    Parameters
    ----------
    pair : Pair
        The images.
    fit : Fit
        The pose, refined with the same freedoms.
    blocks : array of int, shape (point,)
        Block of each point.
    freedoms : sequence of int
        What was free.

    Returns
    -------
    covariance : array of float, shape (freedom, freedom)
        Of the small motion about the centre after the matrix, rad and the unit of the points.
    centre : array of float, shape (3,)
        The centre: the middle of the points that lie inside, in the first image.

    Raises
    ------
    numpy.linalg.LinAlgError
        The score is not curved downwards along all freedoms.

    References
    ----------
    R. Miller, Biometrika 61, 1 (1974), doi 10.1093/biomet/61.1.1; M. Bell, D. McCaffrey, Survey Methodology 28, 169
    (2002): the jackknife over clusters.
    """
    placed = mapped(fit.matrix, pair.points)
    inside = sample(pair.fixed, placed)[2]
    centre = placed[inside].mean(axis=0)
    count, number = len(freedoms), int(blocks.max()) + 1

    def by_block(parts: Array) -> Array:
        return np.stack([np.bincount(blocks, weights=part, minlength=number) for part in parts], axis=1)

    flat = np.ptp(pair.points[:, 2]) == 0
    normal = fit.matrix[:3, 2] / np.linalg.norm(fit.matrix[:3, 2]) if flat else None
    parts = _slope(pair, fit.matrix, freedoms, centre, normal=normal).parts
    slopes = by_block(parts)
    bends = np.empty((number, count, count))
    for i, length in enumerate(_lengths(freedoms, pair.radius)):
        step = np.zeros(count)
        step[i] = _PROBE * pair.voxel / length
        up, down = (
            by_block(
                _slope(pair, small_motion(sign * step, freedoms, centre) @ fit.matrix, freedoms, centre).parts
            )
            for sign in (1, -1)
        )
        bends[:, i] = (down - up) / (2 * step[i])
    bends = 0.5 * (bends + bends.transpose(0, 2, 1))
    whole_bends = bends.sum(axis=0)
    np.linalg.cholesky(whole_bends)
    used = np.bincount(blocks, weights=inside, minlength=number) > 0
    used_blocks = int(used.sum())
    slopes = slopes[used] - slopes[used].mean(axis=0)
    moved = np.linalg.solve(whole_bends - bends[used], slopes[..., None])[..., 0]
    return np.asarray(moved.T @ moved * ((used_blocks - 1) / used_blocks)), centre


def _lengths(freedoms: Sequence[int], radius: float) -> Array:
    """Return how far a point at the typical distance moves with one unit of each freedom."""
    return np.array([1.0 if 3 <= freedom < SCALE else max(radius, 1e-9) for freedom in freedoms])


def _slope(
    pair: Pair, matrix: Array, freedoms: Sequence[int], centre: Array, *, normal: Array | None = None
) -> _Slope:
    placed = mapped(matrix, pair.points)
    values, slopes, inside = sample(pair.fixed, placed)
    share = float(inside.mean())
    parts = np.zeros((len(freedoms), len(placed)))
    if np.count_nonzero(inside) < _FEWEST:
        return _Slope(0.0, share, parts)
    likeness = mutual_information(values[inside], pair.classes[inside], pair.spread)
    pull = slopes[:, inside] * (likeness.slopes / len(placed))
    away = (placed[inside] - centre).T
    growing = np.sum(away * pull, axis=0, keepdims=True)
    if normal is not None:
        usual = _usual(values[inside], slopes[:, inside], likeness.slopes, pair.spread) / len(placed)
        in_plane = slopes[:, inside] - np.outer(normal, normal @ slopes[:, inside])
        pull = pull - in_plane * usual
    turning = np.stack(
        [
            away[1] * pull[2] - away[2] * pull[1],
            away[2] * pull[0] - away[0] * pull[2],
            away[0] * pull[1] - away[1] * pull[0],
        ]
    )
    whole = np.concatenate([turning, pull, growing])
    parts[:, inside] = whole[list(freedoms)]
    return _Slope(likeness.information * share, share, parts)


def _usual(values: Block, slopes: Block, pushes: Block, spread: Range) -> Block:
    """Return the mean of what pixels of the same value and steepness add to the slope of the score with the value."""
    levels, steps = _BINS
    steepness = np.linalg.norm(slopes, axis=0)
    ends = np.quantile(steepness, np.arange(1, steps) / steps)
    number = spread.levels(values, levels) * steps + np.searchsorted(ends, steepness)
    pixel_counts = np.maximum(np.bincount(number, minlength=levels * steps), 1)
    means = np.bincount(number, weights=pushes, minlength=levels * steps) / pixel_counts
    return np.asarray(means[number], np.float32)


def spread_of_points(covariance: Array, centre: Array, points: Array) -> Array:
    """Return the standard deviation of where points lie, from the covariance of a small motion.

    Parameters
    ----------
    covariance : array of float, shape (6, 6)
        Of rotation vector and shift about the centre.
    centre : array of float, shape (3,)
        The centre.
    points : array of float, shape (point, 3)
        Where they lie.

    Returns
    -------
    array of float, shape (point,)
        Root of the sum of the variances along x, y and z.
    """
    deviations = np.empty(len(points))
    for i, away in enumerate(points - centre):
        moves = np.concatenate([-cross(away), np.eye(3)], axis=1)
        deviations[i] = np.sqrt(max(0.0, float(np.trace(moves @ covariance @ moves.T))))
    return deviations
