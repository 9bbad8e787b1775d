"""The view that puts scans beside and above each other, as of one large detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.motion.mosaic import LIKE, Pair, Place, neighbours, register_pair, settle
from tomarium.model import FrameKind, Scan, Value
from tomarium.steps.core.further_scans import paths_beside
from tomarium.steps.core.parameter import NotNegative
from tomarium.steps.core.step import view
from tomarium.steps.views.mosaic_frames import MosaicFrames, Tile
from tomarium.steps.views.stitch import light_of_both, open_beside
from tomarium.steps.views.stitched_frames import Piece, span_of

VIEWS: Final = 24
"""Views in which neighbours are laid on each other."""

WHOLE_PX: Final = 0.05
"""Tiles that all lie so near whole pixels are taken for it, so that nothing is interpolated."""

LEAST_KEPT: Final = 0.5
"""Share of the pixels that the tiles see; a smaller rectangle is no mosaic."""

WARN_BELOW: Final = 0.9
"""The same share below which more than ragged edges is left out."""


@view(place=0, gives="attenuation", aliases=("tomosaic",))
def mosaic(
    scan: Scan,
    *,
    scans: str = "",
    places_px: str = "",
    search_px: NotNegative = 8.0,
    match_level: bool = True,
) -> Scan:
    """Put scans beside and above each other, as of one large detector.

    The sample, or its axis, was moved between the scans by nearly a detector's width or height. What neighbours both
    see is laid on each other in 24 views; the places that agree best with all pairs are taken, the same for all
    angles. Each scan is corrected by its own flats and darks, moved by parts of a pixel, and blended where several see
    a pixel: by weights that fall linearly to the end of each scan, times its light. The largest rectangle that the
    tiles fill is kept.

    Parameters
    ----------
    scan : Scan
        The first tile.
    scans : str
        Paths of the others, separated by commas; relative ones count from the first's folder. They have the same
        angles, rows and columns.
    places_px : str
        Row and column of the first, or beyond it, at which row 0 and column 0 of each of the others lie, as the motors
        told them: "0:1800, 1900:0, 1900:1800".
    search_px : float
        Farthest from there that is looked for; 0 takes them as they are told.
    match_level : bool
        Whether the median of the attenuation is made the same where two tiles see the same.

    Returns
    -------
    Scan
        A lazy view of attenuation, float32, without flats and darks, for these are corrected. The column of the
        rotation axis counts from its first column.

    Raises
    ------
    ParameterError
        No path is given, or not one place for each.
    InputError
        A scan has other angles or another size, sees nothing of the others, or a gap is left between them.

    References
    ----------
    R. Vescovi et al., Journal of Synchrotron Radiation 25, 1478 (2018), doi 10.1107/S1600577518010093.
    """
    paths = paths_beside(scan, scans)
    if not paths:
        raise ParameterError("step mosaic: scans is empty; give the paths of the others, separated by commas")
    stated = [(0.0, 0.0), *_places(places_px, len(paths))]
    tiles = [scan, *(open_beside(path, scan, "joined") for path in paths)]
    size = (scan.shape[1], scan.shape[2])
    if any(tile.shape != scan.shape for tile in tiles):
        raise InputError(
            f"{scan.path}: its rows are not those of the other tiles; crop the larger ones first"
        )
    pairs = _pairs(tiles, stated, search_px, match_level)
    fitted, levels = settle(stated, pairs)
    if not match_level:
        levels = [0.0] * len(tiles)
    places = _whole(fitted if search_px else stated)
    rectangle, share = _filled(places, size, scan)
    top, left = rectangle[0].start, rectangle[1].start
    places = [(row - top, column - left) for row, column in places]
    axis = scan.axis_column
    # Its motors stood elsewhere for each tile.
    mosaic_scan = replace(
        scan,
        projections=MosaicFrames(
            tuple(
                _tile(scan, k, places, level, size)
                for k, (scan, level) in enumerate(zip(tiles, levels, strict=True))
            ),
            rectangle[0].stop - top,
            rectangle[1].stop - left,
        ),
        geometry=replace(scan.geometry, motors={}),
        flats=None,
        darks=None,
        domain="attenuation",
        counts={FrameKind.PROJECTION: scan.shape[0]},
        warnings=(
            *dict.fromkeys(warning for tile in tiles for warning in tile.warnings),
            *(_doubts(tiles, pairs) if search_px else ()),
            *_left_out(share),
        ),
    )
    if axis is None:
        return mosaic_scan
    source = f"{axis.source}, from the mosaic's first column on"
    return mosaic_scan.with_geometry(axis_column=Value(axis.value - left, axis.origin, source))


def _places(text: str, count: int) -> list[Place]:
    words = [word for word in text.split(",") if word.strip()]
    try:
        places = [(float(row), float(column)) for row, column in (word.split(":") for word in words)]
    except ValueError as problem:
        raise ParameterError(
            f"step mosaic: places_px={text!r} is not ROW:COLUMN separated by commas; write such as 0:1800,1900:0"
        ) from problem
    if len(places) != count:
        raise ParameterError(
            f"step mosaic: places_px has {len(places)} places for {count} further scans; give ROW:COLUMN for each, "
            f"as the motors told them in pixels"
        )
    return places


def _pairs(tiles: Sequence[Scan], starts: Sequence[Place], search_px: float, match_level: bool) -> list[Pair]:
    """Lay neighbours on each other; every tile must have one."""
    size = (tiles[0].shape[1], tiles[0].shape[2])
    beside = neighbours(starts, size)
    reached, before = {0}, set[int]()
    while reached != before:
        before = set(reached)
        reached |= {tile for pair in beside if reached & set(pair) for tile in pair}
    for k in range(len(tiles)):
        if k not in reached:
            raise InputError(
                f"{tiles[k].path} at row {starts[k][0]:g}, column {starts[k][1]:g} shares no 8 rows and columns with "
                f"the tiles that are joined to {tiles[0].path}; check places_px"
            )
    if not (search_px or match_level):
        return []
    angles = tiles[0].shape[0]
    chosen = np.unique(np.linspace(0, angles - 1, min(VIEWS, angles)).round().astype(np.intp))
    views = [
        Piece(tile, 0.0, np.zeros(angles), 0.0, np.ones(tile.shape[1])).attenuation(chosen, slice(0, size[0]))
        for tile in tiles
    ]
    return [
        register_pair(views, a, b, (starts[b][0] - starts[a][0], starts[b][1] - starts[a][1]), search_px)
        for a, b in beside
    ]


def _whole(places: Sequence[Place]) -> list[Place]:
    """Take places for whole pixels where all lie near them."""
    near = [(float(round(row)), float(round(column))) for row, column in places]
    apart = np.abs(np.asarray(places) - near).max()
    return near if apart < WHOLE_PX else list(places)


def _filled(places: Sequence[Place], size: tuple[int, int], scan: Scan) -> tuple[tuple[slice, slice], float]:
    """Return the rows and columns of the rectangle that is kept, and its share of all that tiles see."""
    spans = [(span_of(row, size[0]), span_of(column, size[1])) for row, column in places]
    top, left = (min(tile_spans[axis].first for tile_spans in spans) for axis in (0, 1))
    bottom, right = (max(tile_spans[axis].stop for tile_spans in spans) for axis in (0, 1))
    is_seen = np.zeros((bottom - top, right - left), bool)
    for down, across in spans:
        is_seen[down.first - top : down.stop - top, across.first - left : across.stop - left] = True
    rows, columns = _rectangle(is_seen)
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / int(is_seen.sum())
    if share < LEAST_KEPT:
        raise InputError(
            f"{scan.path}: the tiles leave gaps: they fill {100 * is_seen.mean():.0f} % of the {is_seen.shape[0]} × "
            f"{is_seen.shape[1]} pixels that they span, and the largest rectangle without a gap holds "
            f"{100 * share:.0f} % of what they see; check places_px"
        )
    return (
        slice(rows.start + top, rows.stop + top),
        slice(columns.start + left, columns.stop + left),
    ), share


def _rectangle(is_seen: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Cut off the border line that is seen least, until all is seen."""
    top, bottom, left, right = 0, is_seen.shape[0], 0, is_seen.shape[1]
    while top < bottom and left < right and not is_seen[top:bottom, left:right].all():
        part = is_seen[top:bottom, left:right]
        lines = [part[0], part[-1], part[:, 0], part[:, -1]]
        worst = int(np.argmin([line.mean() for line in lines]))
        if lines[worst].all():  # the gap lies inside
            return slice(0, 0), slice(0, 0)
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    return slice(top, bottom), slice(left, right)


def _tile(scan: Scan, number: int, places: Sequence[Place], level: float, size: tuple[int, int]) -> Tile:
    light_of_row, light_of_column = light_of_both(scan)
    row, column = places[number]
    zeros = np.zeros(scan.shape[0])
    down = np.maximum(_fade(number, places, size, 0), 1e-6) * light_of_row
    across = np.maximum(_fade(number, places, size, 1), 1e-6) * light_of_column / light_of_column.mean()
    return Tile(Piece(scan, row, zeros, level, down), column, across)


def _fade(number: int, places: Sequence[Place], size: tuple[int, int], axis: int) -> NDArray[np.float64]:
    """Weigh a tile's lines along an axis: falling linearly to its end where a neighbour goes on."""
    length, other_axis = size[axis], 1 - axis
    lines = np.arange(length) + places[number][axis]
    weight = np.ones(length)
    for k, place in enumerate(places):
        apart = place[axis] - places[number][axis]
        beside = abs(place[other_axis] - places[number][other_axis]) < size[other_axis] / 2
        if k == number or not beside or not length / 2 < abs(apart) < length:
            continue
        shared = length - abs(apart)
        falls = lines[-1] + 1 - lines if apart > 0 else lines - lines[0] + 1
        weight = np.minimum(weight, np.clip(falls / (shared + 1), 0, 1))
    return weight


def _left_out(share: float) -> list[str]:
    if share >= WARN_BELOW:
        return []
    return [
        f"the mosaic is the largest rectangle that the tiles fill: {100 * (1 - share):.0f} % of what they see is "
        f"left out"
    ]


def _doubts(tiles: Sequence[Scan], pairs: Sequence[Pair]) -> list[str]:
    return [
        f"{tiles[pair.other].path.name} and {tiles[pair.one].path.name}: what both see correlates to "
        f"{pair.likeness:.2f} only, and does not tell how they lie: look at slices beside the seam, or trust the "
        f"motors with search_px=0"
        for pair in pairs
        if pair.likeness < LIKE
    ]
