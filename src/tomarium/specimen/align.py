"""Align two images of one specimen: search, refine, judge, and say how well the answer is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.alignment.refine import (
    SCALE,
    Fit,
    Pair,
    covariance,
    mapped,
    refine,
    spread_of_points,
)
from tomarium.specimen.alignment import FREEDOMS, Alignment, Candidate, inverted
from tomarium.specimen.image import Image
from tomarium.specimen.judge import Verdict, judge
from tomarium.specimen.landmarks import Landmark, align_landmarks
from tomarium.specimen.orientations import Search, orientations
from tomarium.specimen.pose_search import (
    FINEST_POINTS,
    FoundPose,
    Levels,
    from_coarse_to_fine,
    levels_of,
    search_poses,
)

NEAR_SHARE: Final = 0.2
"""Part of the larger image within which "near" looks for the middle of a section."""

_STEP_DEG: Final = {"section": {"near": 10.0, "global": 13.0}, "space": {"near": 12.0, "global": 18.0}}
_STEP_IN_PLANE_DEG: Final = 5.0
_BLOCKS: Final = {"flat": 12, "section": 6, "volume": 4}
"""Most blocks along each axis whose differences tell the covariance."""

_FEWEST_BLOCKS: Final = 3
_BLOCK_VOXELS: Final = 4  # least length of a block: noise of neighbours hangs together

_SHOWN: Final = 8
_SCALE_DOUBT: Final = 4.0
"""Standard deviations by which the scale must differ from 1 to be told."""

Array = NDArray[np.float64]
Tell = Callable[[str, int, int], None]


def align(
    fixed: Image,
    moving: Image,
    *,
    start: NDArray[Any] | None = None,
    search: Search = "global",
    mirror: bool = True,
    scale: bool = False,
    landmarks: Sequence[Landmark] | None = None,
    on_progress: Tell | None = None,
) -> Alignment:
    """Find how one image of a specimen lies in another: two volumes, a section in a volume, or two flat images.

    1. All orientations, or those near the start, and all places are scored coarsely by the mutual information of
       classes of grey values.
    2. The best are refined from coarse to fine by the mutual information of all grey values.
    3. The best is judged against the others, which tell what unrelated places of these two images reach.
    4. Curvature of the score and differences between blocks of the image give its covariance.

    Parameters
    ----------
    fixed, moving : Image
        The images; one is seen by any technique, the other by the same or another one.
    start : array of float, shape (4, 4), optional
        Maps the moving frame into the fixed one, m, where something is known. By default the frames' axes are
        parallel and the middles of both images lie on each other.
    search : {"global", "near"}
        All orientations; or those within 32° of the start, and of a section in a volume the places within a fifth of
        the volume from there.
    mirror : bool
        Whether mirror images are tried too.
    scale : bool
        Whether the voxel size of one may be wrong: factors of 0.94 to 1.06 are tried, and refined.
    landmarks : sequence of Landmark, optional
        Points that were found in both images: nothing is searched, the map is fitted to them.
    on_progress : callable, optional
        Called with the name of what is done, how much is done, and how much there is.

    Returns
    -------
    Alignment
        The map with its covariance; where `accepted` is False the best that was found is not to be trusted.

    Raises
    ------
    InputError
        An image has too few pixels, or one value only.
    ParameterError
        The start is no map of similar figures, or the search has another name.
    """
    tell = on_progress or (lambda stage, done, total: None)
    if landmarks is not None:
        return align_landmarks(landmarks, mirror=mirror, scale=scale)
    if search not in ("global", "near"):
        raise ParameterError(f"align: there is no search {search!r}; take global or near")
    for image in (fixed, moving):
        _check(image)
    first_guess = beginning(fixed, moving, start)
    swapped = _is_larger(moving, fixed)
    room, cloud = (moving, fixed) if swapped else (fixed, moving)
    first = np.asarray(np.linalg.inv(first_guess)) if swapped else first_guess
    levels = levels_of(room, cloud, search)
    candidates, pair = _search(levels, room, cloud, first, search, mirror, scale, tell)
    verdict = judge([(candidate.fit.score, candidate.wanted) for candidate in candidates])
    best = next((candidate for candidate in candidates if candidate.wanted), candidates[0])
    return _alignment_of(
        levels, best, candidates, verdict, pair, scale=scale, swapped=swapped, images=(fixed, moving)
    )


def _check(image: Image) -> None:
    name = image.name or "image"
    finite = image.array[np.isfinite(image.array)]
    if finite.size < 256 or min(image.array.shape[1:]) < 8:
        raise InputError(
            f"{name}: has {image.array.shape} voxels (z, y, x), of which {finite.size} are numbers; an image that is "
            f"aligned has 8 × 8 pixels at least"
        )
    if not finite.max() > finite.min():
        raise InputError(f"{name}: has the value {finite[0]:g} everywhere; there is nothing to align by")


def beginning(fixed: Image, moving: Image, start: NDArray[Any] | None) -> Array:
    """Return where a search begins: what is given, once it is checked; else the middles lie on each other."""
    if start is None:
        matrix = np.eye(4)
        matrix[:3, 3] = np.array(fixed.centre_m) - np.array(moving.centre_m)
        return matrix
    start_matrix = np.asarray(start, np.float64)
    if (
        start_matrix.shape != (4, 4)
        or not np.isfinite(start_matrix).all()
        or not np.allclose(start_matrix[3], (0, 0, 0, 1))
    ):
        raise ParameterError(
            "align: the start must be a matrix of 4 × 4 numbers whose last row is 0, 0, 0, 1"
        )
    square = start_matrix[:3, :3].T @ start_matrix[:3, :3]
    size = float(np.trace(square)) / 3
    if size <= 0 or not np.allclose(square / size, np.eye(3), atol=1e-3):
        raise ParameterError("align: the start shears or stretches; give a rotation, a factor and a shift")
    return start_matrix


def _is_larger(first: Image, other: Image) -> bool:
    """Tell whether an image is the one that is interpolated: the volume, or by far the larger one."""
    if first.is_flat != other.is_flat:
        return other.is_flat
    sizes = [
        np.prod([n * step for n, step in zip(i.array.shape, i.voxel_m, strict=True)]) for i in (first, other)
    ]
    return bool(sizes[0] > 1.5 * sizes[1])


def _search(
    levels: Levels,
    room: Image,
    cloud: Image,
    start: Array,
    search: Search,
    mirror: bool,
    scale: bool,
    tell: Tell,
) -> tuple[list[FoundPose], Pair]:
    section = cloud.is_flat and not room.is_flat
    kind = "section" if section else "space"
    tried = orientations(
        start[:3, :3],
        search=search,
        mirror=mirror,
        scale=scale,
        flat=levels.is_flat,
        section=section,
        step_deg=_STEP_IN_PLANE_DEG if levels.is_flat else _STEP_DEG[kind][search],
    )
    middle = start[:3, :3] @ np.array(cloud.centre_m) + start[:3, 3]
    across = max(n * step for n, step in zip(levels.room.lengths, levels.room.spacing, strict=True) if n > 1)
    near = search == "near"
    poses = search_poses(
        levels,
        tried,
        about=middle / levels.unit_m if near else None,
        within=NEAR_SHARE * across if near else None,
        tell=tell,
    )
    if not poses:
        raise InputError(
            "align: no place was found where the images share a third of the smaller one; see that their voxel sizes "
            "are right, and give more of the specimen"
        )
    return from_coarse_to_fine(levels, poses, scale=scale, tell=tell)


@dataclass(frozen=True, eq=False)
class PoseCertainty:
    """How well a pose is known, in working units.

    Attributes
    ----------
    covariance : array of float, shape (6, 6)
        As of `Alignment`; NaN where it could not be told.
    centre : array of float, shape (3,)
        The point about which the small motion turns.
    spread : float
        Standard deviation of where a point lies, the median over the points.
    scale_sigma : float
        Standard deviation of the logarithm of the factor.
    """

    covariance: Array
    centre: Array
    spread: float
    scale_sigma: float


def estimate_certainty(pair: Pair, fit: Fit, freedoms: Sequence[int], kind: str) -> PoseCertainty:
    """Tell how well a pose is known; `kind` is "flat", "section" or "volume"."""
    points = mapped(fit.matrix, pair.points)
    whole = np.zeros((7, 7))
    try:
        matrix, centre = covariance(pair, fit, _blocks(pair, _BLOCKS[kind]), freedoms)
    except np.linalg.LinAlgError:
        return PoseCertainty(np.full((6, 6), np.nan), points.mean(axis=0), np.nan, np.nan)
    whole[np.ix_(freedoms, freedoms)] = matrix
    some = points[:: max(1, len(points) // 500)]
    spread = float(np.median(spread_of_points(whole[:6, :6], centre, some)))
    return PoseCertainty(whole[:6, :6], centre, spread, float(np.sqrt(whole[6, 6])))


def _blocks(pair: Pair, most: int) -> NDArray[np.intp]:
    points = pair.points
    low, high = points.min(axis=0), points.max(axis=0)
    block = np.zeros(len(points), np.intp)
    for axis in range(3):
        if high[axis] > low[axis]:
            across = float(high[axis] - low[axis]) / pair.voxel
            many = max(_FEWEST_BLOCKS, min(most, int(across / _BLOCK_VOXELS)))
            at = (points[:, axis] - low[axis]) / (high[axis] - low[axis])
            block = block * many + np.minimum((at * many).astype(np.intp), many - 1)
    return block


def _alignment_of(
    levels: Levels,
    best: FoundPose,
    candidates_found: Sequence[FoundPose],
    verdict: Verdict,
    compared: Pair,
    *,
    scale: bool,
    swapped: bool,
    images: tuple[Image, Image],
) -> Alignment:
    freedoms = (*levels.freedoms, SCALE) if scale else levels.freedoms
    pair = levels.pair(1.0, most=FINEST_POINTS)
    fit = refine(pair, best.fit.matrix, freedoms, rounds=40)
    kind = levels.kind
    certainty = estimate_certainty(pair, fit, freedoms, kind)
    notes = [note for image in images for note in image.notes]
    accepted = verdict.stands_out and bool(certainty.spread <= verdict.most_spread)
    if not verdict.stands_out:
        notes.append(verdict.reason)
    elif not accepted:
        notes.append(
            "the best pose is not fixed by the images: along some direction the score hardly changes"
            if not np.isfinite(certainty.spread)
            else f"the best pose is known to {certainty.spread:.2g} voxels of the coarser image only, and "
            f"{verdict.most_spread:g} are asked for, since a pose found by chance may be known so badly; look at "
            f"its picture, and give landmarks or a finer image"
        )
    if not fit.settled:
        notes.append("the refinement did not come to rest")
    if accepted and not scale:
        notes += _scale_note(pair, fit, levels.freedoms, kind)
    matrix, spread, centre = _in_metres(fit.matrix, certainty, levels.unit_m)
    candidates = [
        _candidate(candidate, levels.unit_m, swapped)
        for candidate in (best, *(f for f in candidates_found if f is not best))
    ]
    if swapped:
        matrix, spread, centre = inverted(matrix, spread, centre)
    size = float(np.abs(np.linalg.det(matrix[:3, :3]))) ** (1 / 3)
    notes += _mirror_notes(best, images)
    return Alignment(
        matrix=matrix,
        covariance=spread,
        centre_m=centre,
        accepted=accepted,
        score=fit.score,
        null_level=verdict.null_level,
        tre_m=certainty.spread * levels.unit_m * (size if swapped else 1.0),
        mirrored=best.mirrored,
        scale=size if scale else 1.0,
        method="mutual information",
        candidates=tuple(candidates[:_SHOWN]),
        notes=tuple(notes),
        freedoms=tuple(FREEDOMS[freedom] for freedom in levels.freedoms),
        figures={
            "share_inside": fit.share,
            "chance": verdict.chance,
            "unit_m": levels.unit_m,
            "scale_sigma": certainty.scale_sigma if scale else float("nan"),
        },
    )


def _in_metres(matrix: Array, certainty: PoseCertainty, unit_m: float) -> tuple[Array, Array, Array]:
    moved = matrix.copy()
    moved[:3, 3] *= unit_m
    units = np.array([1.0, 1.0, 1.0, unit_m, unit_m, unit_m])
    return moved, certainty.covariance * np.outer(units, units), certainty.centre * unit_m


def _candidate(pose: FoundPose, unit_m: float, swapped: bool) -> Candidate:
    matrix = pose.fit.matrix.copy()
    matrix[:3, 3] *= unit_m
    return Candidate(
        np.asarray(np.linalg.inv(matrix)) if swapped else matrix, pose.fit.score, pose.mirrored, pose.wanted
    )


def _scale_note(pair: Pair, fit: Fit, freedoms: Sequence[int], kind: str) -> list[str]:
    """Tell where the images fit better with another voxel size than they state."""
    free = (*freedoms, SCALE)
    scaled = refine(pair, fit.matrix, free, rounds=20)
    fitted = estimate_certainty(pair, scaled, free, kind)
    factor = float(np.abs(np.linalg.det(scaled.matrix[:3, :3])) / np.abs(np.linalg.det(fit.matrix[:3, :3])))
    change = factor ** (1 / 3) - 1
    if not abs(change) > _SCALE_DOUBT * fitted.scale_sigma:
        return []
    return [
        f"the voxel sizes do not fit each other: a factor of {1 + change:.4f} ± {fitted.scale_sigma:.4f} fits better; "
        f"align with scale=True (--scale) to take it"
    ]


def _mirror_notes(best: FoundPose, images: tuple[Image, Image]) -> list[str]:
    flat = [image for image in images if image.is_flat]
    if len(flat) == 1:
        if not best.mirrored:
            return []
        return [
            f"{flat[0].name or 'the section'} is a mirror image, or is seen from its other side: of a section in a "
            f"volume the two are the same"
        ]
    if len(flat) == 2:
        notes = ["both images are taken to show one plane: tilt and depth are not measured"]
        return [*notes, "one image is a mirror image of the other"] if best.mirrored else notes
    return ["one volume is a mirror image of the other"] if best.mirrored else []
