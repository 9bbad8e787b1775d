"""Where two volumes lie in each other, from what both hold: roughly by correlation, then by blocks level by level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.motion.register import smooth
from tomarium.kernels.motion.volume_pose import FEWEST_SLICES, BlockPair, Pose, PoseFit, find_lag, fit_pose
from tomarium.pipeline.stitch.part import Part, Region

COARSE_VOXELS: Final = 80
"""Voxels across the coarse volumes that are correlated."""

COARSE_SLICES: Final = 160
SIDEWAYS: Final = 1 / 8
"""Share of the width by which a volume may lie beside the one before, where no place is told."""

TURNS_DEG: Final = (-4.0, 4.0)
"""Turns that are tried where none is found alike without; a turn of some degrees is found from none."""

SIDE: Final = 32
"""Edge of the blocks that are compared, voxels of a level."""

MOST_BLOCKS: Final = 64
LEAST_SEEN: Final = 0.3
"""Share of a block that lies in the field of both."""

LIKE: Final = 0.3
"""Correlation below which what both hold does not tell how they lie."""

UNLIKE: Final = 0.1
ALIKE: Final = 0.9
"""Share of the best correlation that is found elsewhere too, above which the place is in doubt."""

_MARGIN: Final = 4
_RIM: Final = 4
"""Voxels of a level inside a circle that what is outside of it reaches, once it is smoothed and interpolated."""

_SIGMA: Final = 1.0


@dataclass(frozen=True, eq=False)
class Pair:
    """Where one volume lies in another.

    Attributes
    ----------
    one, other : int
        Numbers of the volumes.
    pose : Pose
        Of the other in the first's frame.
    likeness : float
        Correlation of what both hold, in the blocks that were compared.
    spread_px : float
        Robust standard deviation of single blocks beside it, voxels.
    blocks : int
        Blocks that were compared.
    gain, offset : float
        Values of the other = gain · values of the first + offset; 1 and a difference where the two correlate to
        less than 0.7.
    mean : float
        Of the first's values in the blocks.
    """

    one: int
    other: int
    pose: Pose
    likeness: float
    spread_px: float
    blocks: int
    gain: float
    offset: float
    mean: float


def rough_pose(
    first: Part, other: Part, pose_told: Pose | None, search_px: float, turns: bool
) -> tuple[Pose, tuple[str, ...]]:
    """Find roughly how a volume lies in another.

    Parameters
    ----------
    first, other : Part
        The volumes.
    pose_told : Pose or None
        Where the other is said to lie; None looks at all heights, and sideways by an eighth of the width.
    search_px : float
        Farthest from there, voxels.
    turns : bool
        Whether it may be turned by up to some degrees.

    Returns
    -------
    pose : Pose
        Right to about a voxel of the coarse volumes.
    doubts : tuple of str
        Where they are nearly as alike elsewhere.

    Raises
    ------
    InputError
        Nothing tells how they lie.
    """
    across = max(*first.shape[1:], *other.shape[1:])
    factors = (
        _power(max(first.shape[0], other.shape[0]) / COARSE_SLICES),
        _power(across / COARSE_VOXELS),
        _power(across / COARSE_VOXELS),
    )
    if pose_told is not None and search_px < factors[1]:
        return pose_told, ()
    coarse, beside = (part.coarse(_whole(part, factors), factors) for part in (first, other))
    seen, seen_beside = (_field(part, factors) for part in (first, other))
    if pose_told is None:
        sideways = SIDEWAYS * across / factors[1]
        heights = (-float(beside.shape[0]), float(coarse.shape[0]))
        bounds = [heights, (-sideways, sideways), (-sideways, sideways)]
    else:
        bounds = [
            ((at - search_px) / factor, (at + search_px) / factor)
            for at, factor in zip((pose_told.z, pose_told.y, pose_told.x), factors, strict=True)
        ]
    fewest = max(2, -(-FEWEST_SLICES // factors[0]))
    turn = 0.0 if pose_told is None else pose_told.turn_deg
    lag = find_lag(coarse, beside, seen, seen_beside, bounds, fewest, (turn,))
    if turns and lag.likeness < LIKE:
        trial_turns = tuple(turn + step for step in TURNS_DEG)
        more = find_lag(coarse, beside, seen, seen_beside, bounds, fewest, trial_turns)
        lag = more if more.likeness > lag.likeness else lag
    if lag.likeness < UNLIKE:
        where = "nowhere" if pose_told is None else f"within {search_px:g} voxels of the place that was told"
        raise InputError(
            f"{other.name}: is {where} like {first.name} (correlation {lag.likeness:.2f}); tell where it lies with "
            f"--at Z,Y,X, and with --search 0 to take that as it is"
        )
    pose = Pose(lag.z * factors[0], lag.y * factors[1], lag.x * factors[2], lag.turn_deg)
    if lag.second < ALIKE * lag.likeness:
        return pose, ()
    warning = (
        f"{other.name} and {first.name}: what both hold is as alike elsewhere as where they were laid on each other "
        f"(correlation {lag.second:.2f} beside {lag.likeness:.2f}); tell the place with --at Z,Y,X"
    )
    return pose, (warning,)


def register_pair(
    parts: list[Part], first: int, other: int, start: Pose, turns: bool, search: bool = True
) -> Pair:
    """Find to hundredths of a voxel how a volume lies in another, from blocks that both hold.

    Parameters
    ----------
    parts : list of Part
        All volumes.
    first, other : int
        Which.
    start : Pose
        Right to about a voxel of the coarse volumes.
    turns : bool
        Whether it may be turned.
    search : bool
        Whether to look for a better place; else grey levels alone are compared there.

    Returns
    -------
    Pair
        How they lie, and how their grey levels are related.

    Raises
    ------
    InputError
        Both hold too little together.
    """
    fixed, moving = parts[first], parts[other]
    pose, fit, count = start, None, 0
    coarsest = _power(max(*fixed.shape[1:], *moving.shape[1:]) / COARSE_VOXELS) if search else 1
    energy: NDArray[np.float64] | None = None
    factor = coarsest
    while factor >= 1:
        shared = _shared_slices(fixed, moving, pose)
        if shared < FEWEST_SLICES:
            raise InputError(
                f"{moving.name}: holds {max(0, shared):.0f} slices that {fixed.name} holds too, and {FEWEST_SLICES} "
                f"are needed; check the order of the volumes, or tell where it lies with --at Z,Y,X"
            )
        factors = (min(factor, _power_below(shared / FEWEST_SLICES)), factor, factor)
        if energy is None:
            energy = _energy(fixed, factors)
            at_energy = factors
        regions = _blocks(fixed, moving, pose, factors, energy, at_energy)
        if regions:
            pairs = [_read_pair(fixed, moving, pose, factors, region) for region in regions]
            fit = fit_pose(pairs, pose, factors, moving.middle, turns=turns, rounds=8 if search else 0)
            pose, count = fit.pose, len(pairs)
        factor //= 2
    if fit is None:
        raise InputError(
            f"{moving.name}: lies beside {fixed.name} so that no block of 8 × 8 × 8 voxels is in the field of both; "
            f"volumes that are stitched overlap by more"
        )
    gain, offset = grey_relation(fit)
    mean = float(fit.values.mean(dtype=np.float64)) if fit.values.size else 0.0
    return Pair(first, other, pose, fit.likeness, fit.spread_px, count, gain, offset, mean)


def grey_relation(fit: PoseFit) -> tuple[float, float]:
    """Relate the grey levels of two volumes by the values of both at the same places.

    Parameters
    ----------
    fit : PoseFit
        Its values, as noisy in one volume as in the other.

    Returns
    -------
    gain, offset : float
        Second = gain · first + offset, by the line from which both together lie least far (Deming); gain 1 where they
        correlate to less than 0.7, for then noise would decide.
    """
    a, b = fit.values.astype(np.float64), fit.moved.astype(np.float64)
    if fit.likeness < 0.7:
        return 1.0, float(np.median(b - a)) if a.size else 0.0
    mean_a, mean_b = a.mean(), b.mean()
    aa, bb, ab = np.mean((a - mean_a) ** 2), np.mean((b - mean_b) ** 2), np.mean((a - mean_a) * (b - mean_b))
    gain = float((bb - aa + np.sqrt((bb - aa) ** 2 + 4 * ab**2)) / (2 * ab))
    return gain, float(mean_b - gain * mean_a)


def _power(ratio: float) -> int:
    """Return the least power of two that is no less."""
    return 1 << max(0, int(np.ceil(np.log2(max(1.0, ratio)))))


def _power_below(ratio: float) -> int:
    return 1 << max(0, int(np.floor(np.log2(max(1.0, ratio)))))


def _whole(part: Part, factors: tuple[int, int, int]) -> Region:
    z, y, x = (slice(0, length) for length in part.coarse_shape(factors))
    return z, y, x


def _field(part: Part, factors: tuple[int, int, int]) -> NDArray[np.bool_]:
    _, rows, columns = part.coarse_shape(factors)
    y = (np.arange(rows)[:, None] + 0.5) * factors[1] - 0.5
    x = (np.arange(columns)[None, :] + 0.5) * factors[2] - 0.5
    return part.seen(y, x, margin=factors[1]) > 0


def _shared_slices(first: Part, other: Part, pose: Pose) -> float:
    return min(first.shape[0], pose.z + other.shape[0]) - max(0.0, pose.z)


def _energy(part: Part, factors: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return how much contrast a coarse volume has about each voxel."""
    block = np.nan_to_num(part.coarse(_whole(part, factors), factors))
    slopes = sum(np.asarray(np.gradient(block, axis=axis), np.float64) ** 2 for axis in range(3))
    return np.asarray(slopes * _field(part, factors))


def _blocks(
    fixed: Part,
    other: Part,
    pose: Pose,
    factors: tuple[int, int, int],
    energy: NDArray[np.float64],
    at_energy: tuple[int, int, int],
) -> list[Region]:
    """Choose blocks that lie in the field of both, those with most contrast from all over it."""
    spans = [
        (max(0.0, at) / f, min(a, at + b) / f)
        for at, a, b, f in zip((pose.z, pose.y, pose.x), fixed.shape, other.shape, factors, strict=True)
    ]
    for side in (SIDE, 16, 8):
        lengths = [int(min(side, stop - start)) for start, stop in spans]
        if min(lengths) < FEWEST_SLICES:
            continue
        starts = [_starts(*span, length) for span, length in zip(spans, lengths, strict=True)]
        regions = []
        for first in product(*starts):
            z, y, x = (slice(begin, begin + length) for begin, length in zip(first, lengths, strict=True))
            if _in_both(fixed, other, pose, factors, (z, y, x)).mean() > LEAST_SEEN:
                regions.append((z, y, x))
        if len(regions) >= 4 or (regions and side == 8):
            return _best_regions(regions, factors, energy, at_energy)
    return []


def _starts(first: float, last: float, length: int) -> list[int]:
    """Return where blocks begin that tile a span."""
    low, high = int(np.ceil(first)), int(np.floor(last)) - length
    if high <= low:
        return [max(0, min(low, int(last) - length))]
    count = -(-(high - low) // length) + 1  # they overlap rather than leave gaps
    return [int(start) for start in np.unique(np.linspace(low, high, count).round())]


def _in_both(
    first: Part, other: Part, pose: Pose, factors: tuple[int, int, int], region: Region
) -> NDArray[np.bool_]:
    """Tell which columns (y, x) of a block lie in the field of both volumes."""
    y, x = (
        (np.arange(part.start, part.stop, dtype=np.float64) + 0.5) * factor - 0.5
        for part, factor in zip(region[1:], factors[1:], strict=True)
    )
    down, across = y[:, None], x[None, :]
    margins = [float(factors[1] * (_RIM if part.circle else 1)) for part in (first, other)]
    inside = pose.inside(down, across, other.middle)
    return (first.seen(down, across, margins[0]) > 0) & (other.seen(*inside, margins[1]) > 0)


def _best_regions(
    regions: list[Region],
    factors: tuple[int, int, int],
    energy: NDArray[np.float64],
    at_energy: tuple[int, int, int],
) -> list[Region]:
    if len(regions) <= MOST_BLOCKS:
        return regions

    def contrast(region: Region) -> float:
        part = tuple(
            slice(
                min(int(span.start * f / g), length - 1),
                max(min(int(span.start * f / g), length - 1) + 1, -int(-span.stop * f // g)),
            )
            for span, f, g, length in zip(region, factors, at_energy, energy.shape, strict=True)
        )
        return float(energy[part].mean())

    middles = np.array([[(part.start + part.stop) / 2 for part in region] for region in regions])
    low, high = middles.min(axis=0), middles.max(axis=0)
    cells = np.minimum((3 * (middles - low) / np.maximum(high - low, 1e-9)).astype(int), 2)
    by_cell: dict[tuple[int, ...], list[tuple[float, int]]] = {}
    for number, (region, cell) in enumerate(zip(regions, cells, strict=True)):
        by_cell.setdefault(tuple(cell.tolist()), []).append((-contrast(region), number))
    queues = [sorted(blocks) for blocks in by_cell.values()]
    chosen: list[int] = []
    rank = 0
    while len(chosen) < MOST_BLOCKS:  # the best of each part of the field, then the second best …
        some = sorted(queue[rank] for queue in queues if rank < len(queue))
        chosen += [number for _, number in some[: MOST_BLOCKS - len(chosen)]]
        rank += 1
    return [regions[number] for number in sorted(chosen)]


def _read_pair(
    fixed_part: Part, other: Part, pose: Pose, factors: tuple[int, int, int], region: Region
) -> BlockPair:
    first, fixed = _smoothed(fixed_part, factors, region, reach=0)
    fixed[:, ~_in_both(fixed_part, other, pose, factors, region)] = np.nan
    y, x = (
        (np.array([part.start, part.stop - 1]) + 0.5) * factor - 0.5
        for part, factor in zip(region[1:], factors[1:], strict=True)
    )
    down, across = pose.inside(y[:, None].astype(np.float64), x[None, :].astype(np.float64), other.middle)
    ends = [
        ((region[0].start + 0.5) * factors[0] - pose.z, (region[0].stop - 0.5) * factors[0] - pose.z),
        (float(down.min()), float(down.max())),
        (float(across.min()), float(across.max())),
    ]
    shape = other.coarse_shape(factors)
    around = [
        slice(
            int(np.clip(np.floor(low / f), 0, n - 1)),
            int(np.clip(np.ceil(high / f) + 1, 1, n)),
        )
        for (low, high), f, n in zip(ends, factors, shape, strict=True)
    ]
    moving_first, moving = _smoothed(other, factors, (around[0], around[1], around[2]), reach=_MARGIN)
    return BlockPair(fixed, moving, first, moving_first)


def _smoothed(
    part: Part, factors: tuple[int, int, int], region: Region, reach: int
) -> tuple[tuple[int, int, int], NDArray[np.float32]]:
    """Read a block with voxels about it, smooth it, and cut off what the smoothing at its edges has not seen."""
    shape, extra = part.coarse_shape(factors), 3
    slices = [
        slice(max(0, span.start - reach), min(n, span.stop + reach))
        for span, n in zip(region, shape, strict=True)
    ]
    wide = [
        slice(max(0, span.start - extra), min(n, span.stop + extra))
        for span, n in zip(slices, shape, strict=True)
    ]
    block = part.coarse((wide[0], wide[1], wide[2]), factors)
    for axis in range(3):
        block = smooth(block, _SIGMA, axis)
    cut = tuple(slice(k.start - w.start, k.stop - w.start) for k, w in zip(slices, wide, strict=True))
    return (slices[0].start, slices[1].start, slices[2].start), np.ascontiguousarray(block[cut])


def overlapping(parts: list[Part], poses: list[Pose]) -> Iterator[tuple[int, int]]:
    """List the pairs of volumes that hold enough together.

    Parameters
    ----------
    parts : list of Part
        The volumes.
    poses : list of Pose
        Where they lie in the frame of the first.

    Yields
    ------
    int, int
        Numbers of two that share eight slices, and more than a twentieth of the narrower one's area.
    """
    for other in range(len(parts)):
        for value in range(other):
            a, b = parts[value], parts[other]
            lag = Pose(poses[other].z - poses[value].z, 0, 0)
            if _shared_slices(a, b, lag) < FEWEST_SLICES:
                continue
            y, x = np.mgrid[0 : a.shape[1] : 24j, 0 : a.shape[2] : 24j]
            down, across = poses[value].y + y, poses[value].x + x
            both = (a.seen(y, x) > 0) & (b.seen(down - poses[other].y, across - poses[other].x) > 0)
            area = np.count_nonzero(both) / both.size * a.shape[1] * a.shape[2]
            if area > 0.05 * min(a.shape[1] * a.shape[2], b.shape[1] * b.shape[2]):
                yield value, other
