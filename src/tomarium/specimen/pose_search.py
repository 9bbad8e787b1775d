"""Poses of one image in another: searched coarsely everywhere, then made better from level to level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import takes_compiled
from tomarium.kernels.alignment.every_shift import search_every_shift
from tomarium.kernels.alignment.mutual_information import CLASSES, in_classes, range_of
from tomarium.kernels.alignment.refine import IN_PLANE, IN_SPACE, SCALE, Fit, Pair, mapped, refine
from tomarium.kernels.alignment.sampling import Grid, coarser, grid_of, sample
from tomarium.kernels.alignment.search import search
from tomarium.kernels.alignment.section_search import search_sections
from tomarium.specimen.image import Image
from tomarium.specimen.orientations import Orientations, Search

PHASES: Final = 3
"""Classes into which the greys of each image are sorted for the search."""

WIDEST_IN_SPACE: Final = {"near": 26, "global": 18}
"""Voxels of the longest axis of a volume that is searched: fewer where all orientations are, for the time goes with the
sixth power."""

WIDEST_OF_SECTION: Final = {"near": 40, "global": 28}
"""Those of a volume in which a section is searched."""

WIDEST_IN_PLANE: Final = 96

FIRST: Final = 48
"""Poses of the search that are made better, coarsely."""

SECOND: Final = 24
"""Of those, how many are made better at half the size."""

LAST: Final = 24
"""How many are made better at the finest level and compared there."""

_POINTS_SEARCHED: Final = {True: 20_000, False: 2_000}  # of a flat image, of a volume
_POINTS: Final = 5_000
_POINTS_LAST: Final = 12_000
FINEST_POINTS: Final = 150_000
"""Points of the last refinement."""

_BLUR: Final = 0.7
_BLUR_POINTS: Final = 0.5
_ROUGHLY_PX: Final = 0.03  # step at which poses that are only compared have come to rest
_SAME: Final = 1.5  # voxels of a level below which two poses are one
_BASIN: Final = 0.6  # of the radius: corners closer than that share one basin of the score

Array = NDArray[np.float64]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Found:
    """A pose, how it was oriented when it was found, and what it reached.

    Attributes
    ----------
    fit : Fit
        Pose and score; the matrix in working units.
    wanted : bool
        Whether it may be the answer.
    mirrored : bool
        Whether it is a mirror image of the start.
    """

    fit: Fit
    wanted: bool
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Levels:
    """Two images in working units, from coarse to fine.

    Attributes
    ----------
    room : Grid
        The image that is interpolated.
    cloud : Grid
        The image whose points are mapped.
    unit_m : float
        Working unit: the larger of both voxel sizes, m.
    sizes : tuple of float
        Voxel sizes of the levels, coarsest first, in working units; the last is 1.
    """

    room: Grid
    cloud: Grid
    unit_m: float
    sizes: tuple[float, ...]

    @property
    def is_flat(self) -> bool:
        """Whether both are flat."""
        return len(self.room.values) == 1 and len(self.cloud.values) == 1

    @property
    def kind(self) -> str:
        """What the two are: "flat", a "section" in a volume, or "volume"."""
        return "flat" if self.is_flat else "section" if len(self.cloud.values) == 1 else "volume"

    @property
    def freedoms(self) -> tuple[int, ...]:
        """What a rigid motion may change."""
        return IN_PLANE if self.is_flat else IN_SPACE

    def pair(self, size: float, *, most: int = _POINTS) -> Pair:
        """Make the images of one level."""
        fixed = coarser(self.room, size, _BLUR)
        moving = coarser(self.cloud, size, _BLUR_POINTS)
        points, values = moving.points(), moving.values.ravel()
        if moving.valid is not None:
            points, values = points[moving.valid.ravel()], values[moving.valid.ravel()]
        classes = range_of(values).levels(values, CLASSES)
        if len(points) > most:
            chosen = np.sort(np.random.default_rng(0).choice(len(points), most, replace=False))
            points, classes = points[chosen], classes[chosen]
        return Pair(fixed, range_of(fixed.values), points, classes)


def levels_of(room: Image, cloud: Image, search: Search = "global") -> Levels:
    """Put two images into working units, and choose the levels: where less is searched, it is searched more finely."""
    unit = max(_typical_voxel(room), _typical_voxel(cloud))
    grids = [
        grid_of(
            image.array,
            np.array(image.voxel_m[::-1]) / unit,
            np.array(image.first_m) / unit,
        )
        for image in (room, cloud)
    ]
    across = [n * step for n, step in zip(grids[0].lengths, grids[0].spacing, strict=True) if n > 1]
    of_section = WIDEST_OF_SECTION[search]
    widest = WIDEST_IN_PLANE if room.is_flat else of_section if cloud.is_flat else WIDEST_IN_SPACE[search]
    coarsest = max(1.0, max(across) / widest)
    sizes = [coarsest]
    while sizes[-1] > 1.5:
        sizes.append(max(1.0, sizes[-1] / 2))
    return Levels(grids[0], grids[1], unit, tuple(sizes if sizes[-1] == 1 else [*sizes, 1.0]))


def _typical_voxel(image: Image) -> float:
    """Return the geometric mean of the voxel size along axes that are longer than one voxel."""
    sizes = [size for size, n in zip(image.voxel_m, image.array.shape, strict=True) if n > 1]
    return float(np.exp(np.mean(np.log(sizes)))) if sizes else image.voxel_m[1]


def search_poses(
    levels: Levels,
    trial_orientations: Orientations,
    *,
    about: Array | None = None,
    within: float | None = None,
    tell: Tell,
) -> list[Found]:
    """Search all orientations and places at the coarsest level.

    Result: the best poses that differ, best first, at most `FIRST`.
    """
    size = levels.sizes[0]
    fixed = _isotropic(coarser(levels.room, size, 0.3), size)
    moving = coarser(levels.cloud, size, 0.3)
    points = moving.points()
    classes = in_classes(moving.values, PHASES).ravel()
    if moving.valid is not None:
        points, classes = points[moving.valid.ravel()], classes[moving.valid.ravel()]
    fixed_classes = in_classes(fixed.values, PHASES)
    compiled = takes_compiled("auto", "align")
    most = _POINTS_SEARCHED[len(moving.values) == 1]
    if compiled and len(points) > most:
        chosen = np.sort(np.random.default_rng(0).choice(len(points), most, replace=False))
        points, classes = points[chosen], classes[chosen]

    def report_progress(done: int, total: int) -> None:
        tell("search", done, total)

    if compiled:
        places = search_every_shift(
            fixed,
            fixed_classes,
            points,
            classes,
            trial_orientations.maps,
            about=about if len(moving.values) == 1 else None,
            within=within,
            on_progress=report_progress,
        )
    elif trial_orientations.tilts is None or trial_orientations.turns is None:
        places = search(
            fixed, fixed_classes, points, classes, trial_orientations.maps, on_progress=report_progress
        )
    else:
        places = search_sections(
            fixed,
            fixed_classes,
            points,
            classes,
            trial_orientations.tilts,
            trial_orientations.turns,
            about=about,
            within=within,
            on_progress=report_progress,
        )
    corners = _few_points(points)
    poses: list[Found] = []
    for place in places:
        pose = Found(
            Fit(place.matrix, place.score, 1.0),
            bool(trial_orientations.wanted[place.orientation]),
            bool(trial_orientations.mirrored[place.orientation]),
        )
        if not any(_distance(pose.fit, other.fit, corners) < 2 * _SAME * size for other in poses):
            poses.append(pose)
        if len(poses) == FIRST:
            break
    return poses


def _isotropic(grid: Grid, size: float) -> Grid:
    """Interpolate a grid onto one whose spacing is the same along all axes."""
    if np.ptp(grid.spacing[np.array(grid.lengths) > 1]) < 1e-9 * size:
        return replace(grid, spacing=np.full(3, float(grid.spacing[0])))
    counts = [
        max(1, int((n - 1) * step / size) + 1) for n, step in zip(grid.lengths, grid.spacing, strict=True)
    ]
    first = grid.centre - 0.5 * (np.array(counts) - 1) * size
    regular = Grid(np.zeros(counts[::-1], np.float32), np.full(3, size), first)
    values, _, inside = sample(grid, regular.points())
    valid = inside.reshape(regular.values.shape)
    return replace(regular, values=values.reshape(regular.values.shape), valid=None if valid.all() else valid)


def _few_points(points: Array) -> Array:
    """Return a few points that span the image."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )


def _distance(first: Fit, other: Fit, points: Array) -> float:
    """Return how far two poses lie apart, the root mean square over a few points."""
    away = mapped(first.matrix - other.matrix, points)
    return float(np.sqrt(np.mean(np.sum(away**2, axis=1))))


def better(
    pair: Pair, poses: Sequence[Found], freedoms: Sequence[int], keep: int, *, rounds: int = 20
) -> list[Found]:
    """Refine poses at one level; result: those that differ, best first, at most `keep`."""
    refined = [
        replace(pose, fit=refine(pair, pose.fit.matrix, freedoms, rounds=rounds, settled_px=_ROUGHLY_PX))
        for pose in poses
    ]
    corners = _few_points(pair.points)
    apart = max(2 * _SAME * pair.voxel, _BASIN * pair.radius)
    best: list[Found] = []
    for pose in sorted(refined, key=lambda pose: -pose.fit.score):
        if not any(_distance(pose.fit, other.fit, corners) < apart for other in best):
            best.append(pose)
    return best[:keep]


def from_coarse_to_fine(
    levels: Levels, poses: Sequence[Found], *, scale: bool, tell: Tell
) -> tuple[list[Found], Pair]:
    """Make poses better, level by level; result: those that differ at the finest, best first, and the images there."""
    freedoms = (*levels.freedoms, SCALE) if scale else levels.freedoms
    total = len(levels.sizes)
    for step, (size, keep) in enumerate(zip(levels.sizes, _poses_kept(total), strict=True)):
        tell("refine", step, total)
        pair = levels.pair(size, most=_POINTS_LAST if step == total - 1 else _POINTS)
        poses = better(pair, poses, freedoms, keep)
    tell("refine", total, total)
    return list(poses), pair


def _poses_kept(levels: int) -> list[int]:
    """Return how many poses are kept after each level: few of the finest, which cost most."""
    return [SECOND] * (levels - 1) + [LAST] if levels > 1 else [SECOND]
