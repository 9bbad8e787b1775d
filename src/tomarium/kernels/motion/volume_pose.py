"""Where a finished volume lies in another one, shifted in three dimensions and turned about z."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.motion.register import smooth
from tomarium.kernels.ramp import good_length

ROUNDS: Final = 8
SETTLED: Final = 0.003
"""Step in voxels of a level below which a fit has come to rest."""

FEWEST_SLICES: Final = 8
"""Slices that two volumes must both hold."""

_COARSEST: Final = 3.0
"""σ of the slow waves that are left out of the correlation, voxels of the coarse arrays."""

_OUTLIER: Final = 3.0
_FLOOR: Final = 0.02

Array = NDArray[np.float64]
Block = NDArray[np.float32]


@dataclass(frozen=True)
class Pose:
    """Where a volume lies in the frame of another.

    Attributes
    ----------
    z, y, x : float
        Place of its voxel 0, 0, 0 before it is turned, voxels.
    turn_deg : float
        By how much it is turned about the middle of its slices, from x towards y, degrees.
    """

    z: float
    y: float
    x: float
    turn_deg: float = 0.0

    def inside(self, y: Array, x: Array, middle: tuple[float, float]) -> tuple[Array, Array]:
        """Return where places of the frame lie in slices of the volume.

        Parameters
        ----------
        y, x : array
            Places in the frame, voxels.
        middle : tuple of float
            Middle of the volume's slices, (y, x), voxels.

        Returns
        -------
        y, x : array
            Places in the volume.
        """
        turn = np.deg2rad(self.turn_deg)
        down, across = y - middle[0] - self.y, x - middle[1] - self.x
        return (
            np.cos(turn) * down - np.sin(turn) * across + middle[0],
            np.sin(turn) * down + np.cos(turn) * across + middle[1],
        )


@dataclass(frozen=True, eq=False)
class BlockPair:
    """What two volumes hold of one place, at one level.

    Attributes
    ----------
    fixed, moving : array of float32, shape (z, y, x)
        Smoothed values; of the second somewhat more, so that it can be moved.
    first, moving_first : tuple of int
        Voxel of the level at which each begins.
    """

    fixed: Block
    moving: Block
    first: tuple[int, int, int]
    moving_first: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class PoseFit:
    """The pose that lays blocks on each other.

    Attributes
    ----------
    pose : Pose
        Of the second volume in the first.
    likeness : float
        Correlation of all values of both, -1 to 1.
    spread_px : float
        Robust standard deviation of the shifts of single blocks beside it, voxels of the level.
    values, moved : array of float32, shape (value,)
        Values of both at the same places.
    """

    pose: Pose
    likeness: float
    spread_px: float
    values: Block
    moved: Block


def fit_pose(
    pairs: Sequence[BlockPair],
    pose: Pose,
    factors: tuple[int, int, int],
    middle: tuple[float, float],
    *,
    turns: bool = True,
    rounds: int = ROUNDS,
) -> PoseFit:
    """Find the pose at which blocks of two volumes lie on each other, by least squares.

    1. The second's blocks are taken where the pose says, by cubic interpolation.
    2. Their difference is explained by a small step of the pose, one gain, and an offset of each block (Lucas and
       Kanade). The slopes are those of both volumes together, so that their noise does not draw the fit to zero.
    3. Blocks whose own shift lies far from the others' count less (Huber). 1 to 3 are repeated.

    Parameters
    ----------
    pairs : sequence of BlockPair
        Blocks.
    pose : Pose
        To begin with, right to two or three voxels of the level.
    factors : tuple of int
        Voxels of the volume that make one of the level, along z, y, x.
    middle : tuple of float
        Middle of the second's slices, (y, x), voxels of the volume.
    turns : bool
        Whether it may be turned.
    rounds : int
        Most steps; 0 leaves the pose as it is.

    Returns
    -------
    PoseFit
        Of the second in the first.
    """
    weights = np.ones(len(pairs))
    gain, shifts = 1.0, np.zeros((len(pairs), 3))
    count = 5 if turns else 4
    for _ in range(rounds):
        systems = [_system(pair, pose, factors, middle, gain)[:2] for pair in pairs]
        matrix = np.sum([w * m for w, (m, _) in zip(weights, systems, strict=True)], axis=0)
        right = np.sum([w * r for w, (_, r) in zip(weights, systems, strict=True)], axis=0)
        # The last unknown is the turn; each is scaled to its own size.
        matrix, right = matrix[:count, :count], right[:count]
        scale = np.sqrt(np.maximum(np.diag(matrix), 1e-30))
        unit = matrix / np.outer(scale, scale)
        if not np.isfinite(unit).all() or np.linalg.cond(unit) > 1e8:
            break
        step = np.linalg.solve(unit, right / scale) / scale
        moved = np.clip(step[:3], -1.5, 1.5) * factors
        gain += float(np.clip(step[3], -0.2, 0.2))
        turn = float(np.clip(np.rad2deg(step[4]), -2, 2)) if turns else 0.0
        z, y, x = (float(at + far) for at, far in zip((pose.z, pose.y, pose.x), moved, strict=True))
        pose = Pose(z, y, x, pose.turn_deg + turn)
        shifts = np.array([_own_shift(m, r, step) for m, r in systems])
        apart = np.sqrt(np.sum((shifts - np.median(shifts, axis=0)) ** 2, axis=1))
        limit = _OUTLIER * max(_FLOOR, 1.4826 * float(np.median(apart)))
        weights = np.minimum(1.0, limit / np.maximum(apart, 1e-9))
        if np.abs(moved / factors).max() < SETTLED and abs(turn) < 1e-4:
            break
    voxel_pairs = [_system(pair, pose, factors, middle, gain)[2:] for pair in pairs]
    values = np.concatenate([parts[0] for parts in voxel_pairs]) if voxel_pairs else np.zeros(0, np.float32)
    sampled = np.concatenate([parts[1] for parts in voxel_pairs]) if voxel_pairs else np.zeros(0, np.float32)
    deviations = np.abs(shifts - np.median(shifts, axis=0)) if len(shifts) else np.zeros((1, 3))
    return PoseFit(
        pose, _correlation(values, sampled), 1.4826 * float(np.median(deviations)), values, sampled
    )


def _system(
    pair: BlockPair, pose: Pose, factors: tuple[int, int, int], middle: tuple[float, float], gain: float
) -> tuple[Array, Array, Block, Block]:
    """Return the normal equations of a block for a step along z, y, x, a gain and a turn; and the values of both."""
    fz, fy, fx = factors
    z, y, x = (
        (np.arange(first, first + length) + 0.5) * factor - 0.5
        for first, length, factor in zip(pair.first, pair.fixed.shape, factors, strict=True)
    )
    down, across = pose.inside(y[:, None], x[None, :], middle)
    at_z = (z - pose.z + 0.5) / fz - 0.5 - pair.moving_first[0]
    at_y = (down + 0.5) / fy - 0.5 - pair.moving_first[1]
    at_x = (across + 0.5) / fx - 0.5 - pair.moving_first[2]
    depth, rows, columns = pair.moving.shape
    plane = (at_y >= 1) & (at_y <= rows - 2) & (at_x >= 1) & (at_x <= columns - 2)
    is_seen = ((at_z >= 0) & (at_z <= depth - 1))[:, None, None] & plane
    moved = _interpolated(pair.moving, at_z, at_y, at_x)
    is_seen &= np.isfinite(moved) & np.isfinite(pair.fixed)
    if np.count_nonzero(is_seen) < 64:
        return np.zeros((5, 5)), np.zeros(5), np.zeros(0, np.float32), np.zeros(0, np.float32)
    fixed_values = np.where(is_seen, pair.fixed, 0.0)
    moved_values = np.where(is_seen, moved, 0.0)
    slopes = np.gradient(0.5 * (gain * fixed_values + moved_values))
    # A slope across the edge of what both hold is none.
    inner = is_seen.copy()
    for axis in range(3):
        for step in (1, -1):
            inner &= np.roll(is_seen, step, axis)
    inner[[0, -1]] &= len(z) < 3
    inner[:, [0, -1]] = False
    inner[:, :, [0, -1]] = False
    if not inner.any():
        inner = is_seen
    turning = (
        slopes[1] * (x[None, :] - middle[1] - pose.x) / fy
        - slopes[2] * (y[:, None] - middle[0] - pose.y) / fx
    )
    columns_of = [-slopes[0], -slopes[1], -slopes[2], -fixed_values, -turning]
    design = np.stack([derivative[inner] for derivative in columns_of]).astype(np.float64)
    differences = (moved_values - gain * fixed_values)[inner].astype(np.float64)
    design -= design.mean(axis=1, keepdims=True)
    differences -= differences.mean()
    return design @ design.T, -design @ differences, pair.fixed[is_seen], moved[is_seen]


def _own_shift(matrix: Array, right: Array, step: Array) -> Array:
    """Return by how much one block alone would still be shifted after a step of all."""
    count = len(step)
    remaining = right[:3] - matrix[:3, :count] @ step
    part = matrix[:3, :3] + 1e-6 * np.trace(matrix[:3, :3]) * np.eye(3)
    return np.linalg.solve(part, remaining) if np.trace(part) > 0 else np.zeros(3)


def _interpolated(block: Block, at_z: Array, at_y: Array, at_x: Array) -> Block:
    """Take values between voxels by cubic convolution (Keys); beyond the block its edge is repeated."""
    depth, rows, columns = block.shape
    first, weights = _cubic(at_z)
    between = np.zeros((len(at_z), rows, columns), np.float32)
    for tap in range(4):
        between += weights[tap][:, None, None] * block[np.clip(first + tap, 0, depth - 1)]
    first_y, down = _cubic(at_y)
    first_x, across = _cubic(at_x)
    interpolated = np.zeros((len(at_z), *at_y.shape), np.float32)
    for i in range(4):
        row = np.clip(first_y + i, 0, rows - 1)
        for j in range(4):
            column = np.clip(first_x + j, 0, columns - 1)
            interpolated += (down[i] * across[j]) * between[:, row, column]
    return interpolated


def _cubic(at: Array) -> tuple[NDArray[np.intp], Block]:
    """Return the first of the four voxels about each place, and their weights (Keys 1981, a = -1/2)."""
    whole_px = np.floor(at)
    t = (at - whole_px).astype(np.float32)
    weights = np.stack(
        [
            ((-0.5 * t + 1) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1,
            ((-1.5 * t + 2) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ]
    )
    return whole_px.astype(np.intp) - 1, weights


def _correlation(first: Block, second: Block) -> float:
    if first.size < 2:
        return 0.0
    a, b = first - first.mean(dtype=np.float64), second - second.mean(dtype=np.float64)
    norm = float(np.sqrt(np.sum(a * a, dtype=np.float64) * np.sum(b * b, dtype=np.float64)))
    return float(np.sum(a * b, dtype=np.float64)) / norm if norm > 0 else 0.0


@dataclass(frozen=True)
class Lag:
    """Where a coarse volume lies beside another.

    Attributes
    ----------
    z, y, x : float
        Voxel of the first, or beyond it, at which voxel 0, 0, 0 of the other lies.
    turn_deg : float
        By how much it is turned.
    likeness : float
        Correlation of what both hold, slow waves left out.
    second : float
        The highest correlation elsewhere, more than six coarse voxels away.
    """

    z: float
    y: float
    x: float
    turn_deg: float
    likeness: float
    second: float = 0.0


def find_lag(
    fixed: Block,
    moving: Block,
    fixed_seen: NDArray[np.bool_],
    moving_seen: NDArray[np.bool_],
    bounds: Sequence[tuple[float, float]],
    fewest: int,
    turns_deg: Sequence[float] = (0.0,),
) -> Lag:
    """Find roughly where a volume lies beside another, by the normalised correlation of what both hold.

    Parameters
    ----------
    fixed, moving : array of float32, shape (z, y, x)
        Coarse volumes.
    fixed_seen, moving_seen : array of bool, shape (y, x)
        Voxels of each slice that hold something.
    bounds : sequence of three (float, float)
        Least and greatest lag along z, y and x.
    fewest : int
        Slices that both must hold.
    turns_deg : sequence of float
        Turns of the second that are tried.

    Returns
    -------
    Lag
        The best, to a part of a voxel.

    References
    ----------
    D. Padfield, IEEE Transactions on Image Processing 21, 2706 (2012), doi 10.1109/TIP.2011.2181402.
    """
    shape = tuple(good_length(a + b) for a, b in zip(fixed.shape, moving.shape, strict=True))
    lags_by_axis = [
        np.arange(ceil(low), int(np.floor(high)) + 1)
        for low, high in zip((b[0] for b in bounds), (b[1] for b in bounds), strict=True)
    ]
    lags_by_axis = [
        lags[(lags > -b) & (lags < a)]
        for lags, a, b in zip(lags_by_axis, fixed.shape, moving.shape, strict=True)
    ]
    least = fewest * min(np.count_nonzero(fixed_seen), np.count_nonzero(moving_seen)) / 16
    best = Lag(0, 0, 0, 0, -2.0)
    if not all(len(lags) for lags in lags_by_axis):
        return replace(best, likeness=0.0)
    first = _spectra(fixed, np.broadcast_to(fixed_seen, fixed.shape), shape)
    grid: Any = np.ix_(*lags_by_axis)
    overlap_z = np.minimum(fixed.shape[0], lags_by_axis[0] + moving.shape[0]) - np.maximum(0, lags_by_axis[0])
    for turn in turns_deg:
        turned, turned_seen = _turned(moving, moving_seen, turn)
        moving_spectra = _spectra(turned, np.broadcast_to(turned_seen, moving.shape), shape)

        def together(a: Any, b: Any) -> Array:
            correlation = ducc0.fft.c2r(
                a * np.conj(b), lastsize=shape[2], forward=False, inorm=2, axes=[0, 1, 2], nthreads=1
            )
            return np.asarray(correlation[grid], np.float64)

        count = np.maximum(together(first[1], moving_spectra[1]), 1e-9)
        sums, sums_other = together(first[0], moving_spectra[1]), together(first[1], moving_spectra[0])
        cross = together(first[0], moving_spectra[0]) - sums * sums_other / count
        power = together(first[2], moving_spectra[1]) - sums**2 / count
        power_other = together(first[1], moving_spectra[2]) - sums_other**2 / count
        enough = (count >= max(least, 32)) & (overlap_z >= fewest)[:, None, None]
        norm = np.sqrt(np.maximum(power, 0) * np.maximum(power_other, 0))
        enough &= norm > 1e-6 * max(1e-30, float(norm.max()))
        likeness = np.where(enough, cross / np.maximum(norm, 1e-30), -2.0)
        score = likeness * np.minimum(1.0, overlap_z / (2.0 * fewest))[:, None, None] ** 0.25
        if not enough.any():
            continue
        peak = np.unravel_index(int(np.argmax(np.where(enough, score, -2.0))), likeness.shape)
        if likeness[peak] > best.likeness:
            z, y, x = (
                float(lags[at]) + _vertex(np.moveaxis(likeness, axis, 0), peak, axis)
                for axis, (lags, at) in enumerate(zip(lags_by_axis, peak, strict=True))
            )
            far = np.zeros(likeness.shape, bool)
            for axis, (lags, at) in enumerate(zip(lags_by_axis, peak, strict=True)):
                away = np.abs(lags - lags[at]) > 2 * _COARSEST
                far |= away.reshape([-1 if k == axis else 1 for k in range(3)])
            second = float(np.max(likeness, where=far & enough, initial=0.0))
            best = Lag(z, y, x, turn, float(likeness[peak]), second)
    return replace(best, likeness=max(best.likeness, 0.0))


def _spectra(block: Block, seen: NDArray[np.bool_], shape: tuple[int, ...]) -> list[Any]:
    """Return the spectra of a volume without slow waves, of where it is seen, and of its squares."""
    inside = (seen & np.isfinite(block)).astype(np.float32)
    values = np.where(inside > 0, block, 0).astype(np.float32)
    slow, share = values, inside
    for axis in range(3):
        slow, share = smooth(slow, _COARSEST, axis), smooth(share, _COARSEST, axis)
    values = ((values - slow / np.maximum(share, 1e-3)) * inside).astype(np.float32)
    spectra = []
    for field in (values, inside, values**2):
        padded = np.zeros(shape, np.float32)
        padded[tuple(slice(0, length) for length in field.shape)] = field
        spectra.append(ducc0.fft.r2c(padded, axes=[0, 1, 2], nthreads=1))
    return spectra


def _turned(block: Block, seen: NDArray[np.bool_], turn_deg: float) -> tuple[Block, NDArray[np.bool_]]:
    """Turn a coarse volume about the middle of its slices."""
    if not turn_deg:
        return block, seen
    depth, rows, columns = block.shape
    middle = ((rows - 1) / 2, (columns - 1) / 2)
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    at_y, at_x = Pose(0, 0, 0, turn_deg).inside(y, x, middle)
    turned = _interpolated(block, np.arange(depth, dtype=np.float64), at_y, at_x)
    near = (np.rint(at_y).astype(int), np.rint(at_x).astype(int))
    within = (near[0] >= 0) & (near[0] < rows) & (near[1] >= 0) & (near[1] < columns)
    return turned, within & seen[np.clip(near[0], 0, rows - 1), np.clip(near[1], 0, columns - 1)]


def _vertex(values: Array, peak: Sequence[Any], axis: int) -> float:
    """Return how far beside its highest value the parabola through three neighbours has its vertex."""
    at = int(peak[axis])
    other_places = [int(p) for k, p in enumerate(peak) if k != axis]
    line = values[:, other_places[0], other_places[1]]
    if not 0 < at < len(line) - 1 or min(line[at - 1], line[at + 1]) <= -1:
        return 0.0
    a, b, c = line[at - 1 : at + 2]
    bend = a - 2 * b + c
    return float(np.clip(0.5 * (a - c) / bend, -0.5, 0.5)) if bend < 0 else 0.0
