"""The body whose surface is wanted: a threshold, or a label, and the parts of it that count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.flat_smoothing import smooth_flat
from tomarium.kernels.grey_values import GreyValues, grey_values
from tomarium.kernels.thresholds import otsu
from tomarium.model import Volume
from tomarium.optional_packages import optional_import
from tomarium.pipeline.mesh.grid import Grid, Tell, read_grid
from tomarium.pipeline.segment.field import told_field
from tomarium.pipeline.segment.slabs import inside

MARGIN: Final = 2
"""Voxels that are kept around the body."""
LEAST_SIGMA: Final = 0.3
"""Below this many voxels a smoothing changes nothing."""
FULL: Final = 0.999
"""A threshold below which so little of the volume lies parts nothing."""


@dataclass(frozen=True)
class Wish:
    """What is taken for the body.

    Attributes
    ----------
    threshold : float or None
        In the unit of the volume; None for Otsu's.
    dark : bool
        Whether the body is what is darker.
    label : int or None
        Of a label volume: the label that is the body.
    smooth_px : float
        σ of the smoothing before, voxels of the volume as it is; it keeps curved surfaces where they are. On a coarser
        grid, whose voxels are means already, it is as much smaller as its voxels are larger.
    whole : bool
        Whether what lies outside of the inscribed circle counts too, as it does where the volume tells it is a box.
    """

    threshold: float | None = None
    dark: bool = False
    label: int | None = None
    smooth_px: float = 1.0
    whole: bool = False


@dataclass(frozen=True, repr=False)
class Body:
    """A body in a box of voxels.

    Attributes
    ----------
    field : array of float32, shape (z, y, x)
        The body is where it is above the level.
    level : float
        In the unit of the field.
    voxels : float
        Volume of the body before smoothing, in voxels.
    start : tuple of int
        Voxel (z, y, x) of the grid at which the box begins.
    threshold : float
        In the unit of the volume; of a label 0.5, a share of a voxel.
    source : str
        Where the threshold comes from.
    at_edge : float
        Part of the body's outermost voxels that lie where the volume, or its circle, ends: 0 to 1.
    parts, dropped : int
        Pieces that do not touch each other: those that are kept, and those that are not.
    dropped_share : float
        Part of the voxels that was dropped, 0 to 1.
    cavities : int
        Closed hollows.
    cavity_share : float
        Their volume over that of the body.
    """

    field: NDArray[np.float32]
    level: float
    voxels: float
    start: tuple[int, int, int]
    threshold: float
    source: str
    at_edge: float
    parts: int = 1
    dropped: int = 0
    dropped_share: float = 0.0
    cavities: int = 0
    cavity_share: float = 0.0

    @property
    def solid(self) -> NDArray[np.bool_]:
        """Voxels of the body."""
        return np.asarray(self.field > self.level)

    @property
    def triangles(self) -> int:
        """About how many triangles its surface has: two for each face between a voxel of the body and another."""
        solid = np.pad(self.solid, 1)
        return int(2 * sum(np.count_nonzero(np.diff(solid, axis=axis)) for axis in range(3)))


def take_body(volume: Volume, grid: Grid, wish: Wish, tell: Tell) -> Body:
    """Read a grid of a volume and part body from background.

    Parameters
    ----------
    volume : Volume
        For its unit and name.
    grid : Grid
        Of this volume.
    wish : Wish
        What is the body.
    tell : callable
        `tell(stage, done, total)`.

    Returns
    -------
    Body
        With all its pieces.

    Raises
    ------
    InputError
        Nothing, or all of the volume, would be the body: the message tells of the grey values and what to try.
    ParameterError
        Numbers that cannot be.
    """
    if not 0 <= wish.smooth_px <= 20 or (wish.threshold is not None and not np.isfinite(wish.threshold)):
        raise ParameterError(
            f"smoothing {wish.smooth_px} px, threshold {wish.threshold}: give 0 to 20 px, a number"
        )
    wish = replace(wish, whole=wish.whole or wish.label is not None or told_field(volume)[0] == "box")
    raw = read_grid(grid, wish.label, tell)
    if wish.label is not None and not raw.any():
        raise InputError(
            f"{volume.name}: no voxel has the label {wish.label}; `tomarium measure --objects` lists those there are"
        )
    tell("smooth", 0, 1)
    sigma = wish.smooth_px / max(grid.factor)
    field = smooth_flat(raw, sigma if sigma >= LEAST_SIGMA else 0.0)
    tell("smooth", 1, 1)
    counts = inside(grid.shape, disc=not wish.whole)
    values = grey_values(field, circle=not wish.whole)
    threshold, source = _threshold(values, wish, volume, grid)
    sign = -1.0 if wish.dark else 1.0
    field = field.copy() if field is raw else field
    if wish.dark:
        np.negative(field, out=field)
        np.negative(raw, out=raw)
    level = sign * threshold
    for values_array in (field, raw):
        values_array[:, ~counts] = _mirrored(values_array[:, ~counts], level)
    solid = field > level
    share = float(solid[:, counts].mean())
    if share == 0 or share > FULL:
        raise InputError(_nothing_text(values, wish, threshold, share, volume))
    box = _box(solid)
    body = Body(
        np.ascontiguousarray(field[box]),
        level,
        float(np.count_nonzero(raw[box] > level)),
        (box[0].start, box[1].start, box[2].start),
        threshold,
        source,
        _at_edge(solid, counts),
    )
    return replace(body, voxels=body.voxels or float(np.count_nonzero(solid)))


def keep_parts(body: Body, smallest: int = 1, only_largest: bool = False) -> Body:
    """Drop pieces that do not touch the others by a face of a voxel.

    Parameters
    ----------
    body : Body
        With all pieces.
    smallest : int
        Voxels that a piece has at least.
    only_largest : bool
        Whether the largest alone is kept.

    Returns
    -------
    Body
        Told how many were dropped, and how much of the body.

    Raises
    ------
    InputError
        None is large enough.
    """
    ndimage = optional_import("scipy.ndimage", "mesh")
    numbers, count = ndimage.label(body.solid)
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)
    sizes[0] = 0
    keep = sizes >= max(1, smallest)
    if only_largest:
        keep = np.zeros_like(keep)
        keep[int(np.argmax(sizes))] = True
    if not keep[1:].any() or not keep.any():
        raise InputError(
            f"all {count} pieces have fewer than {smallest} voxels, the largest {int(sizes.max())}; keep smaller ones "
            f"with --smallest {int(sizes.max())}, or take another threshold"
        )
    lost = ~keep & (sizes > 0)
    field = body.field.copy()
    away = lost[numbers]
    np.copyto(field, _mirrored(field, body.level), where=away)
    share = float(sizes[lost].sum() / sizes.sum())
    remaining = Body(**{**_fields(body), "field": field})
    box = _box(remaining.solid)
    return replace(
        remaining,
        field=np.ascontiguousarray(field[box]),
        start=tuple(a + b.start for a, b in zip(body.start, box, strict=True)),
        voxels=body.voxels * (1 - share),
        parts=int(np.count_nonzero(keep[1:])),
        dropped=int(np.count_nonzero(lost)),
        dropped_share=share,
    )


def look_for_cavities(body: Body, fill: bool = False) -> Body:
    """Count the closed hollows of a body, and fill them where that is wanted.

    Parameters
    ----------
    body : Body
        With a margin around it.
    fill : bool
        Whether they become part of the body.

    Returns
    -------
    Body
        Told of its cavities.
    """
    ndimage = optional_import("scipy.ndimage", "mesh")
    around = np.pad(~body.solid, 1, constant_values=True)
    numbers, count = ndimage.label(around, structure=np.ones((3, 3, 3), bool))
    outside = int(numbers[0, 0, 0])
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)
    sizes[0] = sizes[outside] = 0
    total = int(np.count_nonzero(body.solid))
    with_cavities = replace(
        body, cavities=int(np.count_nonzero(sizes)), cavity_share=float(sizes.sum() / max(1, total))
    )
    if not fill or not with_cavities.cavities:
        return with_cavities
    field, hollow = body.field.copy(), (sizes > 0)[numbers][1:-1, 1:-1, 1:-1]
    above = np.maximum(2 * body.level - field, body.level + 1e-6).astype(np.float32)
    np.copyto(field, above, where=hollow)
    return replace(with_cavities, field=field, voxels=body.voxels + float(sizes.sum()))


def _mirrored(values: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Take what is above a level as far below it: the surface lies half-way to a neighbour of the same value."""
    highest = np.nextafter(np.float32(level), np.float32(-np.inf))
    return np.asarray(np.minimum(level - np.abs(values - np.float32(level)), highest), np.float32)


def _fields(body: Body) -> dict[str, Any]:
    return {name: getattr(body, name) for name in Body.__dataclass_fields__}


def _threshold(values: GreyValues, wish: Wish, volume: Volume, grid: Grid) -> tuple[float, str]:
    if wish.label is not None:
        return 0.5, f"label {wish.label} of {volume.name}: at least half of a voxel"
    if wish.threshold is not None:
        return wish.threshold, "given by the user"
    where = "of all voxels" if wish.whole else "of the voxels inside the circle"
    smooth = f", smoothed by {wish.smooth_px:g} px" if wish.smooth_px else ""
    return _middle_of_classes(
        values
    ), f"half-way between the two classes of Otsu (1979) {where}, {grid.words}{smooth}"


def _middle_of_classes(values: GreyValues) -> float:
    """Return the middle between the means of the two classes that Otsu's threshold parts.

    There a voxel is half filled; with few grey values Otsu's threshold itself may lie anywhere between the classes.
    """
    parting = otsu(values.counts, values.low, values.high)
    centres = np.linspace(values.low, values.high, 2 * len(values.counts) + 1)[1::2]
    means = [
        float(np.average(centres[class_], weights=values.counts[class_]))
        for class_ in (centres < parting, centres > parting)
    ]
    return sum(means) / 2


def _nothing_text(values: GreyValues, wish: Wish, threshold: float, share: float, volume: Volume) -> str:
    try:
        better = f"; Otsu's threshold is {otsu(values.counts, values.low, values.high):.4g}, try --threshold with it"
    except InputError:
        better = "; all grey values are the same: this volume shows no body"
    how_much = "nothing" if share == 0 else "nearly everything"
    side = "below" if wish.dark else "above"
    low, high = _percentile(values, 0.01), _percentile(values, 0.99)
    return (
        f"{volume.name}: {how_much} is {side} the threshold {threshold:.4g} {volume.unit}; the grey values go from "
        f"{values.minimum:.4g} to {values.maximum:.4g}, 98 % of them from {low:.4g} to {high:.4g}{better}"
    ).replace(" ;", ";")


def _percentile(values: GreyValues, part: float) -> float:
    summed = np.cumsum(values.counts)
    place = int(np.searchsorted(summed, part * summed[-1]))
    return values.low + (place + 0.5) * (values.high - values.low) / len(values.counts)


def _box(solid: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    spans = []
    for axis in range(3):
        along = np.flatnonzero(solid.any(axis=tuple(value for value in range(3) if value != axis)))
        spans.append(
            slice(max(0, int(along[0]) - MARGIN), min(solid.shape[axis], int(along[-1]) + 1 + MARGIN))
        )
    return spans[0], spans[1], spans[2]


def _at_edge(solid: NDArray[np.bool_], counts: NDArray[np.bool_]) -> float:
    """Return which part of the faces between body and background lies where the volume or its circle ends."""
    is_known = np.broadcast_to(
        np.pad(counts, 1), (solid.shape[0] + 2, *(n + 2 for n in solid.shape[1:]))
    ).copy()
    is_known[0] = is_known[-1] = False
    body = np.pad(solid, 1)
    faces = cut = 0
    for axis in range(3):
        a, b = (np.moveaxis(body, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        p, q = (np.moveaxis(is_known, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        border = a != b
        faces += int(np.count_nonzero(border))
        cut += int(np.count_nonzero(border & (p != q)))
    return cut / max(1, faces)
