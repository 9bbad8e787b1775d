"""Stitch finished volumes: find where they lie in each other, match their grey levels, write one volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from tomarium import units
from tomarium.array import available_memory
from tomarium.conversion.convert import Converted, convert
from tomarium.errors import CannotFit, InputError, ParameterError
from tomarium.kernels.motion.volume_pose import Pose
from tomarium.model import Volume
from tomarium.model.image import metadata_without_run
from tomarium.pipeline.run.provenance import fingerprint
from tomarium.pipeline.stitch.overlap import LIKE, Pair, overlapping, register_pair, rough_pose
from tomarium.pipeline.stitch.part import Part, demand_alike
from tomarium.pipeline.stitch.stitched_volume import Piece, StitchedVolume

Levels = Literal["linear", "offset", "none"]
LEVELS: Final[tuple[Levels, ...]] = ("linear", "offset", "none")
Field = Literal["auto", "circle", "box"]

SEARCH_PX: Final = 16.0
SAME_FRAME: Final = 0.1
"""Volumes that lie sideways by no more than this share of the width keep the slices' size of the first."""

SLAB_SLICES: Final = 64
"""Slices that are in memory at once, three times over: what is made, its weights, and one of the volumes."""

ODD_GAIN: Final = 0.2
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PlacedVolume:
    """A volume in the stitched one.

    Attributes
    ----------
    name : str
        Its file or folder.
    z, y, x : float
        Where its voxel 0, 0, 0 lies in the stitched volume, before it is turned; voxels.
    turn_deg : float
        By how much it is turned about the middle of its slices, from x towards y.
    gain, offset : float
        Its values = gain · values of the first volume + offset; this was undone.
    """

    name: str
    z: float
    y: float
    x: float
    turn_deg: float
    gain: float
    offset: float


@dataclass(frozen=True, eq=False)
class Stitched:
    """Volumes that are put together, not yet written.

    Attributes
    ----------
    volume : Volume
        Lazy: it is blended when it is read.
    placed : tuple of PlacedVolume
        The volumes.
    pairs : tuple of Pair
        What was found of each two that overlap.
    unseen : float
        Share of the voxels that no volume holds, which are 0.
    warnings : tuple of str
        What the user should know.
    """

    volume: Volume
    placed: tuple[PlacedVolume, ...]
    pairs: tuple[Pair, ...]
    unseen: float
    warnings: tuple[str, ...]


def stitch_volumes(
    volumes: Sequence[Volume],
    *,
    at: Sequence[tuple[float, float, float]] = (),
    search_px: float | None = None,
    turns: bool = True,
    levels: Levels = "linear",
    field: Field = "auto",
    tell: Tell | None = None,
) -> Stitched:
    """Put finished volumes together, of scans at several heights or beside each other.

    1. Roughly, the volumes lie where what each two hold correlates best; or where they are told.
    2. Blocks of both, of most contrast and from all over what they share, are laid on each other from coarse to
       fine by least squares: three shifts and a turn about z, to hundredths of a voxel.
    3. The places and turns that agree best with all pairs are taken; the first volume stays as it is.
    4. Grey levels are matched to the first by a line through the values of both.
    5. Slices are blended: weights fall linearly to the edges of each volume's field and to its ends, and are divided
       by the square of the noise of a slice.

    Parameters
    ----------
    volumes : sequence of Volume
        Two or more, of one voxel size and one unit. Without `at`, each overlaps with the one before it in height.
    at : sequence of (z, y, x)
        For each volume but the first: voxel of the first, or beyond it, at which its voxel 0, 0, 0 lies.
    search_px : float, optional
        Farthest from there that is looked for, 16 by default; 0 takes the places as they are told.
    turns : bool
        Whether volumes may be turned against each other about z, by up to some degrees.
    levels : {"linear", "offset", "none"}
        How grey levels are matched: by gain and offset, by an offset, or not.
    field : {"auto", "circle", "box"}
        What of a slice is trusted: the inscribed circle, or all; auto takes the circle where slices are square.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Stitched
        Its values in the first volume's unit. Slices keep the size of the first where no volume lies sideways by more
        than a tenth of the width; else they hold all.

    Raises
    ------
    InputError
        The volumes are of other voxels or units, hold nothing together, or nothing tells how they lie.
    ParameterError
        Places that cannot be.
    """
    say = tell or (lambda stage, done, total: None)
    if len(volumes) < 2:
        raise ParameterError("one volume alone is not stitched; give two or more")
    if at and len(at) != len(volumes) - 1:
        raise ParameterError(
            f"{len(at)} places for {len(volumes) - 1} further volumes; give --at Z,Y,X once for each"
        )
    if search_px is not None and (search_px < 0 or not at):
        raise ParameterError("a search begins at a place: give --at Z,Y,X, and not less than 0 with --search")
    reach = SEARCH_PX if search_px is None else search_px
    parts = [
        Part(volume, field == "circle" or (field == "auto" and volume.shape[1] == volume.shape[2]))
        for volume in volumes
    ]
    demand_alike(parts)
    poses, doubts = [Pose(0, 0, 0)], list[str]()
    for k in range(1, len(parts)):
        say("places", k - 1, len(parts) - 1)
        pose = Pose(*(float(n) for n in at[k - 1])) if at else None
        if pose is None:
            rough, doubt = rough_pose(parts[k - 1], parts[k], None, 0, turns)
            doubts += doubt
            poses.append(_pose_in_whole(poses[k - 1], rough, parts[k - 1], parts[k]))
        else:
            poses.append(pose)
    say("places", len(parts) - 1, len(parts) - 1)
    chosen = list(overlapping(parts, poses))
    _demand_joined(parts, chosen)
    pairs = []
    search = not at or reach > 0
    for number, (first, other) in enumerate(chosen):
        say("overlaps", number, len(chosen))
        start = _relative_pose(poses[first], poses[other], parts[first], parts[other])
        if at and reach > 0:
            start, doubt = rough_pose(parts[first], parts[other], start, reach, turns)
            doubts += doubt
        pairs.append(register_pair(parts, first, other, start, turns and search, search))
    say("overlaps", len(chosen), len(chosen))
    settled = _settle_poses(parts, poses, pairs) if search else poses
    gains, offsets = _levels(len(parts), pairs, levels)
    stitched_volume, top = _place_in_frame(parts, settled, gains, offsets)
    unseen = stitched_volume.unseen_share()
    placed = tuple(
        PlacedVolume(Path(part.name).name, p.z - top[0], p.y - top[1], p.x - top[2], p.turn_deg, gain, offset)
        for part, p, gain, offset in zip(parts, settled, gains, offsets, strict=True)
    )
    volume = _describe(volumes[0], parts, stitched_volume, placed, pairs, levels, top)
    warnings = _warnings(parts, pairs, gains)
    if at and search:
        warnings += _distance_warnings(parts, settled, poses, reach)
    return Stitched(volume, placed, tuple(pairs), unseen, (*doubts, *warnings))


def write_stitched(
    stitched: Stitched,
    target: Path,
    *,
    sources: Sequence[Path] = (),
    overwrite: bool = False,
    tell: Tell | None = None,
) -> Converted:
    """Write a stitched volume slab by slab; resume where it was stopped.

    Parameters
    ----------
    stitched : Stitched
        As `stitch_volumes` made it.
    target : Path
        Where to; its ending decides the format.
    sources : sequence of Path
        The volumes' own files, none of which may be the target.
    overwrite : bool
        Whether a target that is there may be replaced.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Converted
        What became of the volume's parts.

    Raises
    ------
    InputError
        The target is there already, or is one of the volumes.
    CannotFit
        Three slabs of 64 slices do not fit into memory.
    """
    say = tell or (lambda stage, done, total: None)
    whole = target.resolve()
    for path in sources:
        own = path.resolve()
        if own == whole or own.is_relative_to(whole) or whole.is_relative_to(own):
            raise InputError(f"{target}: is, holds or lies in {path}, which is stitched; give another name")
    need, free = memory_bytes(stitched.volume.shape), available_memory()
    if need > free:
        raise CannotFit(
            f"{target}: {SLAB_SLICES} slices of {stitched.volume.shape[2]} × {stitched.volume.shape[1]} are made at "
            f"once, which takes {units.show(need, 'B', digits=3)} of memory, and {units.show(free, 'B', digits=3)} are "
            f"free; use a machine with more, or crop the volumes"
        )
    return convert(
        stitched.volume,
        target,
        overwrite=overwrite,
        on_progress=lambda done, total: say("write MB", done // 1_000_000, total // 1_000_000),
    )


def memory_bytes(shape: Sequence[int]) -> int:
    """Return the memory that writing takes: three slabs of 64 slices, at most 1 GiB each, or ten slices.

    Parameters
    ----------
    shape : sequence of int
        Of the stitched volume.

    Returns
    -------
    int
        Bytes.
    """
    plane = 4 * shape[1] * shape[2]
    slab = max(plane, min(SLAB_SLICES * plane, 1 << 30))
    return 3 * slab + 10 * plane


def as_data(stitched: Stitched) -> dict[str, Any]:
    """Write what was found for machines.

    Parameters
    ----------
    stitched : Stitched
        The volumes put together.

    Returns
    -------
    dict
        `shape`, `volumes`, `pairs`, `unseen`, `warnings`, `memory_bytes`.
    """
    return {
        "shape": list(stitched.volume.shape),
        "volumes": [asdict(placed) for placed in stitched.placed],
        "pairs": [_pair_data(pair) for pair in stitched.pairs],
        "unseen": stitched.unseen,
        "warnings": list(stitched.warnings),
        "memory_bytes": memory_bytes(stitched.volume.shape),
    }


def _pair_data(pair: Pair) -> dict[str, Any]:
    return {
        "one": pair.one,
        "other": pair.other,
        **asdict(pair.pose),
        "likeness": pair.likeness,
        "spread_px": pair.spread_px,
        "blocks": pair.blocks,
        "gain": pair.gain,
        "offset": pair.offset,
    }


def _centre(pose: Pose, part: Part) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([pose.y + part.middle[0], pose.x + part.middle[1]])


def _rotation(turn_deg: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what turns (y, x) from x towards y."""
    turn = np.deg2rad(turn_deg)
    return np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])


def _pose_in_whole(first: Pose, relative: Pose, first_part: Part, other: Part) -> Pose:
    """Return where a volume lies in the frame of the whole, from where it lies in another."""
    beside = _centre(relative, other) - np.array(first_part.middle)
    y, x = _centre(first, first_part) + _rotation(first.turn_deg) @ beside - np.array(other.middle)
    return Pose(first.z + relative.z, float(y), float(x), first.turn_deg + relative.turn_deg)


def _relative_pose(first: Pose, second: Pose, first_part: Part, other: Part) -> Pose:
    """Return where a volume lies in another, from where both lie in the frame of the whole."""
    between = _rotation(-first.turn_deg) @ (_centre(second, other) - _centre(first, first_part))
    y, x = between + np.array(first_part.middle) - np.array(other.middle)
    return Pose(second.z - first.z, float(y), float(x), second.turn_deg - first.turn_deg)


def _demand_joined(parts: list[Part], chosen: list[tuple[int, int]]) -> None:
    reached, before = {0}, set[int]()
    while reached != before:
        before = set(reached)
        reached |= {k for pair in chosen if reached & set(pair) for k in pair}
    for k, part in enumerate(parts):
        if k not in reached:
            raise InputError(
                f"{part.name}: shares no eight slices and no twentieth of its area with the volumes that are joined to "
                f"{parts[0].name}; check the order, or tell where each lies with --at Z,Y,X"
            )


def _settle_poses(parts: list[Part], poses: list[Pose], pairs: list[Pair]) -> list[Pose]:
    """Return the poses that agree best with all pairs, by least squares; pairs that are unlike hardly count."""
    count = len(parts)
    weights = [max(pair.likeness, 0.01) * (1.0 if pair.likeness >= LIKE else 0.01) for pair in pairs]

    def solve(values: list[np.ndarray[Any, np.dtype[np.float64]]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        matrix, right = np.zeros((len(pairs), count)), []
        for row, (pair, weight, value) in enumerate(zip(pairs, weights, values, strict=True)):
            matrix[row, pair.other], matrix[row, pair.one] = weight, -weight
            right.append(weight * value)
        solved = np.linalg.lstsq(matrix[:, 1:], np.array(right), rcond=None)[0]
        return np.concatenate([np.zeros((1, solved.shape[1])), solved])

    turns = solve([np.array([pair.pose.turn_deg]) for pair in pairs])[:, 0]
    between = []
    for pair in pairs:
        beside = _centre(pair.pose, parts[pair.other]) - np.array(parts[pair.one].middle)
        between.append(np.r_[pair.pose.z, _rotation(float(turns[pair.one])) @ beside])
    centres = solve(between)
    start = np.array(parts[0].middle)
    return [
        Pose(
            float(centres[k, 0]),
            float(centres[k, 1] + start[0] - parts[k].middle[0]),
            float(centres[k, 2] + start[1] - parts[k].middle[1]),
            float(turns[k]),
        )
        for k in range(count)
    ]


def _levels(count: int, pairs: list[Pair], levels: Levels) -> tuple[list[float], list[float]]:
    """Return gain and offset of each volume beside the first, that agree best with all pairs."""
    if levels == "none":
        return [1.0] * count, [0.0] * count
    gains = np.ones(count)
    matrix = np.zeros((len(pairs), count))
    for row, pair in enumerate(pairs):
        matrix[row, pair.other], matrix[row, pair.one] = 1, -1
    if levels == "linear":
        right = np.log([max(pair.gain, 1e-3) for pair in pairs])
        gains[1:] = np.exp(np.linalg.lstsq(matrix[:, 1:], right, rcond=None)[0])
    # v_other = g v_one + o and v_k = a_k v + b_k: b_other - g b_one = o, where g = a_other / a_one.
    for row, pair in enumerate(pairs):
        matrix[row, pair.one] = -gains[pair.other] / gains[pair.one]
    right = np.array([_offset_at(pair, gains[pair.other] / gains[pair.one]) for pair in pairs])
    offsets = np.zeros(count)
    offsets[1:] = np.linalg.lstsq(matrix[:, 1:], right, rcond=None)[0]
    return gains.tolist(), offsets.tolist()


def _offset_at(pair: Pair, gain: float) -> float:
    """Return the offset of a pair with another gain than its own: both lines meet at the mean of the first."""
    return pair.offset + (pair.gain - gain) * pair.mean


def _place_in_frame(
    parts: list[Part], poses: list[Pose], gains: list[float], offsets: list[float]
) -> tuple[StitchedVolume, tuple[float, float, float]]:
    """Lay out the stitched volume, whose grid is that of the first."""
    pieces = [Piece(*fields) for fields in zip(parts, poses, gains, offsets, strict=True)]
    width = max(parts[0].shape[1:])
    middle = _centre(poses[0], parts[0])
    apart = max(
        float(np.abs(_centre(pose, part) - middle).max()) for pose, part in zip(poses, parts, strict=True)
    )
    low = [min(piece.slices.start for piece in pieces), 0, 0]
    high = [max(piece.slices.stop for piece in pieces), *parts[0].shape[1:]]
    is_wide = apart > SAME_FRAME * width
    if is_wide:
        for axis in (1, 2):
            low[axis] = min(piece.first[axis] for piece in pieces)
            high[axis] = max(piece.first[axis] + piece.part.shape[axis] for piece in pieces)
    top = (float(low[0]), float(low[1]), float(low[2]))
    moved = tuple(
        replace(
            p,
            pose=Pose(p.pose.z - top[0], p.pose.y - top[1], p.pose.x - top[2], p.pose.turn_deg),
            corners=not is_wide,
        )
        for p in pieces
    )
    shape = (high[0] - low[0], high[1] - low[1], high[2] - low[2])
    return StitchedVolume(moved, shape), top


def _describe(
    first: Volume,
    parts: list[Part],
    stitched: StitchedVolume,
    placed: tuple[PlacedVolume, ...],
    pairs: Sequence[Pair],
    levels: Levels,
    top: tuple[float, float, float],
) -> Volume:
    axes = tuple(
        replace(axis, offset=axis.offset + begin * axis.scale, coordinates=())
        for axis, begin in zip(first.axes, top, strict=True)
    )
    sources = []
    for part, placed_part in zip(parts, placed, strict=True):
        path = part.volume.path
        fingerprint_of_file = fingerprint(path) if path is not None and path.exists() else {}
        sources.append({**asdict(placed_part), "shape": list(part.shape), "fingerprint": fingerprint_of_file})
    account = {
        "volumes": sources,
        "pairs": [_pair_data(pair) for pair in pairs],
        "levels": levels,
        "field": ["circle" if part.circle else "box" for part in parts],
    }
    metadata = metadata_without_run(first.metadata, "grey_range", "denoised", "writer")
    return Volume(stitched, axes, parts[0].unit, first.name, first.path, {**metadata, "stitched": account})


def _warnings(parts: list[Part], pairs: Sequence[Pair], gains: Sequence[float]) -> list[str]:
    warnings = [
        f"{parts[pair.other].name} and {parts[pair.one].name}: what both hold correlates to {pair.likeness:.2f} only, "
        f"and does not tell how they lie; look at slices beside the seam, or tell the place with --at and --search 0"
        for pair in pairs
        if pair.likeness < LIKE
    ]
    warnings += [
        f"{part.name}: its contrast is {gain:.3g} times that of {parts[0].name}, which was undone; were both "
        f"reconstructed alike? --levels none leaves it"
        for part, gain in zip(parts, gains, strict=True)
        if abs(gain - 1) > ODD_GAIN
    ]
    return warnings


def _distance_warnings(
    parts: list[Part], settled: list[Pose], poses_told: list[Pose], reach: float
) -> list[str]:
    apart = [
        max(abs(a.z - b.z), abs(a.y - b.y), abs(a.x - b.x)) for a, b in zip(settled, poses_told, strict=True)
    ]
    return [
        f"{part.name}: was found {far:.1f} voxels from the place that was told, farther than --search {reach:g}; look "
        f"at slices beside the seam"
        for part, far in zip(parts, apart, strict=True)
        if far > reach
    ]
