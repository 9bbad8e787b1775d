"""Whether two views that should show the same do: how far the sample moved, and what changed besides."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.motion.register import Offset, band_pass, move, register

FINEST_PX: Final = 1.0
COARSEST_PX: Final = 8.0

ALIKE: Final = 0.3
"""Correlation below which the views do not tell how the sample moved."""

BANDS: Final = 4
"""Bands of rows that are registered each, whose spread is the error of the shift."""

FEWEST_ROWS: Final = 8
"""Rows of a band."""

BLOCKS: Final = 48
"""Blocks along a row that are compared."""

STANDS_OUT: Final = 8.0
"""Change of a block, in standard deviations of all, that chance does not make."""

TWICE: Final = 2.0
"""Times the largest difference that turning alone makes, from which a change is none of it."""

LEAST_PART: Final = 0.03
"""Part of the sample's strongest attenuation below which a change is not told."""

Image = NDArray[np.float32]


@dataclass(frozen=True)
class ViewChange:
    """What differs between what a view should show and what it does.

    Attributes
    ----------
    columns_px, rows_px : float
        How far the sample lies towards higher columns and rows beside where it was expected.
    columns_error_px, rows_error_px : float
        One standard deviation of each.
    likeness : float
        Correlation of the two views once they lie on each other; below 0.3 the shifts mean nothing.
    change : float
        Strongest change of attenuation of a block that the shift does not explain; 0 where none stands out.
    row, column : int
        Where that is.
    part : float
        The same over the strongest attenuation of the sample.
    size_px : float
        Edge of a square as large as all blocks that changed.
    """

    columns_px: float
    rows_px: float
    columns_error_px: float
    rows_error_px: float
    likeness: float
    change: float = 0.0
    row: int = 0
    column: int = 0
    part: float = 0.0
    size_px: float = 0.0


def compare_views(
    expected: Image,
    seen: Image,
    natural: Image,
    *,
    reach_px: float = 12.0,
    start: tuple[float, float] | None = None,
) -> ViewChange:
    """Compare a view with what it should show.

    1. Both are registered by their structures between 1 and 8 px; bands of rows each tell the error.
    2. The view is moved back and the difference is taken; the median of each row is taken away, for a beam that moved
       changes rows as a whole.
    3. Of blocks of pixels the median difference is compared with the robust spread of all blocks and with the
       largest difference that the turning of the sample makes between neighbouring views.

    Parameters
    ----------
    expected, seen : array of float32, shape (row, column)
        Attenuation.
    natural : array of float32, shape (row, column)
        Second difference of neighbouring views, p(k) - 2 p(k + 1) + p(k + 2): noise and turning, without any change.
    reach_px : float
        Farthest shift that is looked for, pixels.
    start : tuple of float, optional
        (columns, rows) by which `seen` is expected to lie beside `expected`.

    Returns
    -------
    ViewChange
        Shifts count from `start`.
    """
    far, down = start or (0.0, 0.0)
    back = move(seen, far, down) if start else seen
    # What was moved in from beyond the edge is nothing that was seen.
    margin = int(abs(far)) + 1 if start else 0
    inside = slice(margin, seen.shape[1] - margin)
    first, second = expected[:, inside], np.ascontiguousarray(back[:, inside])
    bands = band_pass(np.stack([first, second]), FINEST_PX, COARSEST_PX)
    offset = register(bands[0], bands[1], reach_px)
    columns_error, rows_error = _errors(bands[0], bands[1], offset, reach_px)
    plain = ViewChange(offset.columns, offset.rows, columns_error, rows_error, offset.likeness)
    if offset.likeness < ALIKE:
        return plain
    return _with_change(plain, first, second, natural[:, inside], margin)


def _errors(first: Image, second: Image, found: Offset, reach_px: float) -> tuple[float, float]:
    """Return the standard errors of the shift: from bands of rows that are registered each."""
    count = min(BANDS, first.shape[0] // FEWEST_ROWS)
    if count < 2:
        return float("nan"), float("nan")
    rows = np.array_split(np.arange(first.shape[0]), count)
    start = (found.columns, found.rows)
    part_offsets = [
        register(np.ascontiguousarray(first[r]), np.ascontiguousarray(second[r]), reach_px, start)
        for r in rows
    ]
    offsets = [offset for offset in part_offsets if offset.likeness >= ALIKE]
    if len(offsets) < 2:
        return float("nan"), float("nan")
    columns = np.array([offset.columns for offset in offsets]) - found.columns
    down = np.array([offset.rows for offset in offsets]) - found.rows
    scale = np.sqrt(len(offsets) * (len(offsets) - 1))
    return float(np.linalg.norm(columns) / scale), float(np.linalg.norm(down) / scale)


def _with_change(plain: ViewChange, first: Image, second: Image, natural: Image, left: int) -> ViewChange:
    moved = move(second, plain.columns_px, plain.rows_px)
    edge = [int(abs(shift)) + 2 for shift in (plain.rows_px, plain.columns_px)]
    part = tuple(slice(e, n - e) for e, n in zip(edge, first.shape, strict=True))
    if min(n - 2 * e for e, n in zip(edge, first.shape, strict=True)) < 4:
        return plain
    size = max(4, first.shape[1] // BLOCKS)
    apart = _blocks(moved[part] - first[part], size)
    usual = _blocks(natural[part], size)
    noise = 1.4826 * float(np.median(np.abs(apart - np.median(apart))))
    strongest = float(np.percentile(first, 99))
    limit = max(STANDS_OUT * noise, TWICE * float(np.abs(usual).max()), LEAST_PART * strongest)
    changed = np.abs(apart) > limit
    if not changed.any() or strongest <= 0:
        return plain
    row, column = np.unravel_index(int(np.argmax(np.abs(apart))), apart.shape)
    height = min(size, moved[part].shape[0])
    return ViewChange(
        plain.columns_px,
        plain.rows_px,
        plain.columns_error_px,
        plain.rows_error_px,
        plain.likeness,
        change=float(apart[row, column]),
        row=int((row + 0.5) * height) + edge[0],
        column=int((column + 0.5) * size) + edge[1] + left,
        part=float(apart[row, column]) / strongest,
        size_px=float(np.sqrt(changed.sum() * height * size)),
    )


def _blocks(image: Image, size: int) -> NDArray[np.float64]:
    """Median over blocks, which no hit by stray radiation moves, less the median of each row of pixels."""
    image = image - np.median(image, axis=1, keepdims=True)
    height = min(size, image.shape[0])
    rows, columns = image.shape[0] // height, image.shape[1] // size
    part = image[: rows * height, : columns * size].reshape(rows, height, columns, size)
    return np.asarray(np.median(part, axis=(1, 3)), np.float64)


def distance(change: ViewChange) -> tuple[float, float]:
    """Return how far the sample moved in all, and one standard deviation of that, pixels.

    Parameters
    ----------
    change : ViewChange
        As `compare_views` returns it.

    Returns
    -------
    tuple of float
        Distance and error; the error is nan where there are too few rows to tell.
    """
    far = hypot(change.columns_px, change.rows_px)
    if far == 0:
        return 0.0, max(change.columns_error_px, change.rows_error_px)
    along, across = change.columns_px / far, change.rows_px / far
    return far, hypot(along * change.columns_error_px, across * change.rows_error_px)
