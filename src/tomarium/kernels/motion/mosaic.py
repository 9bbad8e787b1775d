"""Where the tiles of a mosaic lie, from what neighbours both see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.motion.register import register
from tomarium.kernels.motion.stitch import along_columns

FEWEST: Final = 8
"""Rows or columns that neighbours must both see."""

ROUNDS: Final = 3
LIKE: Final = 0.3
"""A view whose correlation is lower does not tell where a tile lies."""

_PRIOR: Final = 1e-3
"""Weight of the places that were told, beside one of what two tiles see."""

Array = NDArray[np.float64]
Stack = NDArray[np.float32]
Place = tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """Where one tile lies beside another.

    Attributes
    ----------
    one, other : int
        Numbers of the tiles.
    rows, columns : float
        Row and column of the first, or beyond it, at which row 0 and column 0 of the other lie.
    level : float
        Median of the other's attenuation less the first's where both see the sample.
    likeness : float
        Median correlation of what both see, over the views.
    """

    one: int
    other: int
    rows: float
    columns: float
    level: float
    likeness: float


def neighbours(places: Sequence[Place], shape: tuple[int, int]) -> list[tuple[int, int]]:
    """List the pairs of tiles that see enough together.

    Parameters
    ----------
    places : sequence of (row, column)
        Of row 0 and column 0 of each tile.
    shape : tuple of int
        Rows and columns of a tile.

    Returns
    -------
    list of (int, int)
        Pairs that share at least 8 rows and 8 columns, and half of a tile's length along one of the two.
    """
    pairs = []
    for value in range(len(places)):
        for other in range(value + 1, len(places)):
            shared = [
                length - abs(places[other][axis] - places[value][axis]) for axis, length in enumerate(shape)
            ]
            long = any(part >= length / 2 for part, length in zip(shared, shape, strict=True))
            if min(shared) >= FEWEST and long:
                pairs.append((value, other))
    return pairs


def register_pair(tiles: Sequence[Stack], one: int, other: int, told: Place, reach_px: float) -> Pair:
    """Find to a part of a pixel where one tile lies beside another.

    Parameters
    ----------
    tiles : sequence of array of float32, shape (view, row, column)
        Attenuation in some views, of the same angles.
    one, other : int
        Which.
    told : tuple of float
        Row and column of the first near which the other begins.
    reach_px : float
        Farthest from there, pixels; 0 takes it as it is.

    Returns
    -------
    Pair
        Medians over the views in which both are alike.
    """
    place, likeness = told, 0.0
    for _ in range(ROUNDS):  # what both see is cut out anew where a better place is known
        near, parts = _seen_by_both(tiles[one], tiles[other], place)
        if min(parts[0].shape[1:]) < FEWEST:
            break
        # The strip that both see lies along the rows of an image, so that its ends do not enter the band-pass.
        upright = parts[0].shape[1] > parts[0].shape[2]
        fixed, moving = (along_columns(part.transpose(0, 2, 1) if upright else part) for part in parts)
        # The whole reach may lie between the place that was told and the true one.
        reach = max(1.5, reach_px + max(abs(near[k] - told[k]) for k in (0, 1)))
        offsets = [register(a, b, reach, row_edge=0.5) for a, b in zip(fixed, moving, strict=True)]
        likeness = float(np.median([offset.likeness for offset in offsets]))
        likely = [(offset.rows, offset.columns) for offset in offsets if offset.likeness >= LIKE]
        if not reach_px or not likely:
            break
        # Content that lies further on in the other begins so much earlier in the first.
        moved = np.asarray(near) - np.median(likely, axis=0)[:: -1 if upright else 1]
        row, column = (
            float(np.clip(shift, middle - reach_px, middle + reach_px))
            for shift, middle in zip(moved, told, strict=True)
        )
        place = (row, column)
        if (round(row), round(column)) == near:
            break
    _, (seen, beside) = _seen_by_both(tiles[one], tiles[other], place)
    return Pair(one, other, *place, float(np.median(beside - seen)) if seen.size else 0.0, likeness)


def settle(places: Sequence[Place], pairs: Sequence[Pair]) -> tuple[list[Place], list[float]]:
    """Find the places and levels that agree best with all pairs.

    Parameters
    ----------
    places : sequence of (row, column)
        As they were told.
    pairs : sequence of Pair
        What neighbours say; pairs that are unlike are passed over.

    Returns
    -------
    places : list of (row, column)
        The first as it was told.
    levels : list of float
        To be taken off each tile's attenuation; 0 for the first.
    """
    trusted = [pair for pair in pairs if pair.likeness >= LIKE]
    stated = np.asarray(places, np.float64)
    count = len(stated)
    matrix = np.zeros((len(trusted) + count, count))
    right = np.zeros((len(trusted) + count, 3))
    for row, pair in enumerate(trusted):
        weight = pair.likeness
        matrix[row, pair.other], matrix[row, pair.one] = weight, -weight
        right[row] = weight * np.array([pair.rows, pair.columns, pair.level])
    for k in range(count):
        matrix[len(trusted) + k, k] = _PRIOR if k else 1e3
        right[len(trusted) + k] = matrix[len(trusted) + k, k] * np.array([*stated[k], 0.0])
    solved = np.linalg.lstsq(matrix, right, rcond=None)[0]
    solved -= solved[0] - np.array([*stated[0], 0.0])
    return [(float(row), float(column)) for row, column, _ in solved], [
        float(level) for level in solved[:, 2]
    ]


def _seen_by_both(one: Stack, other: Stack, place: Place) -> tuple[tuple[int, int], tuple[Stack, Stack]]:
    """Cut out what both see, to whole pixels, and return at which pixel of the first the other begins."""
    near = (round(place[0]), round(place[1]))
    first, second = [slice(None)], [slice(None)]
    for start, length in zip(near, one.shape[1:], strict=True):
        low, high = max(0, start), max(0, min(length, start + length))
        first.append(slice(low, high))
        second.append(slice(low - start, high - start))
    return near, (one[tuple(first)], other[tuple(second)])
