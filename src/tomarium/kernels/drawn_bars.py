"""Scale bars that are drawn into a picture: level strips of one grey value with sharp ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LEVEL: Final = 14.0
"""Grey values of 255 by which pixels of a strip may differ, as JPEG makes them."""

CONTRAST: Final = 60.0
"""Grey values of 255 by which a strip differs from what lies about it."""

SHORTEST_SHARE: Final = 0.03
LONGEST_SHARE: Final = 0.7
THICKEST: Final = 1 / 3
"""Thickness over length."""

END_PX: Final = 0.3
"""Standard deviation of the place of an end that is drawn to whole pixels."""


@dataclass(frozen=True)
class Bar:
    """A strip that may be a scale bar.

    Attributes
    ----------
    top, bottom : int
        Its first row and the one behind its last.
    left, right : float
        Where it begins and ends, pixels; a pixel's left edge is its number.
    grey : float
        Its grey value, 0 to 255.
    ticks_px : float
        Width of the ticks at its ends, pixels; 0 where there are none.
    score : float
        From 0 to 1: how much it looks like a scale bar.
    """

    top: int
    bottom: int
    left: float
    right: float
    grey: float
    ticks_px: float
    score: float

    @property
    def length_px(self) -> float:
        """From end to end, over the ticks."""
        return self.right - self.left

    @property
    def sigma_px(self) -> float:
        """Standard deviation of the length: two ends, and whether ticks belong to it."""
        return float(np.hypot(END_PX * 2**0.5, self.ticks_px / 12**0.5))


def find_bars(picture: NDArray[Any]) -> tuple[Bar, ...]:
    """Find level strips that may be scale bars.

    1. Runs of one grey value are looked for in each row, 3 to 70 % of the width long, that end within a pixel or two.
    2. Runs that begin and end alike in neighbouring rows make a strip; those thicker than a third of their length,
       and those that do not differ from the rows above and below, are none.
    3. Two strips of one thickness and length, with the label between them, are one bar.
    4. The ends are placed where the grey values pass half of the contrast.

    Parameters
    ----------
    picture : array, shape (row, column) or (row, column, 3 or 4)
        Grey or in colours, of any range.

    Returns
    -------
    tuple of Bar
        The likeliest first; empty where nothing looks like one.
    """
    grey = _grey(picture)
    strips = _strips(grey)
    bars = [bar for strip in strips if (bar := _bar(grey, *strip)) is not None]
    bars += _halves(bars)
    return tuple(sorted(bars, key=lambda bar: -bar.score))


def _grey(picture: NDArray[Any]) -> NDArray[np.float32]:
    values = np.asarray(picture, np.float32)
    if values.ndim == 3:
        values = values[..., : min(3, values.shape[2])].mean(axis=2)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if picture.dtype == np.uint8:
        low, high = 0.0, 255.0
    return np.asarray(np.nan_to_num((values - low) * (255 / ((high - low) or 1.0))), np.float32)


def _runs(row: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """List the runs of one grey value in a row, (begin, end, grey), that are long enough."""
    columns = len(row)
    breaks = np.flatnonzero(np.abs(np.diff(row)) > LEVEL) + 1
    edges = np.concatenate([[0], breaks, [columns]])
    runs = []
    lengths = np.diff(edges)
    for number in np.flatnonzero(
        (lengths >= max(8, SHORTEST_SHARE * columns)) & (lengths <= LONGEST_SHARE * columns)
    ):
        begin, end = int(edges[number]), int(edges[number + 1])
        part = row[begin:end]
        if begin > 0 and end < columns and float(part.max() - part.min()) <= 2 * LEVEL:
            runs.append((begin, end, float(np.median(part))))
    return runs


def _strips(grey: NDArray[np.float32]) -> list[tuple[int, int, int, int, float]]:
    """Put runs of neighbouring rows together: (top, bottom, begin, end, grey)."""
    open_: list[list[Any]] = []
    finished: list[tuple[int, int, int, int, float]] = []
    for number, row in enumerate(grey):
        following = []
        for begin, end, level in _runs(row):
            same = next(
                (
                    strip
                    for strip in open_
                    if abs(strip[2] - begin) <= 1
                    and abs(strip[3] - end) <= 1
                    and abs(strip[4] - level) <= LEVEL
                ),
                None,
            )
            following.append(
                [same[0], number + 1, same[2], same[3], same[4]]
                if same
                else [number, number + 1, begin, end, level]
            )
            if same:
                open_.remove(same)
        finished += [(strip[0], strip[1], strip[2], strip[3], strip[4]) for strip in open_]
        open_ = following
    return finished + [(strip[0], strip[1], strip[2], strip[3], strip[4]) for strip in open_]


def _bar(grey: NDArray[np.float32], top: int, bottom: int, begin: int, end: int, level: float) -> Bar | None:
    thickness, length = bottom - top, end - begin
    if thickness > THICKEST * length or top < 2 or bottom > len(grey) - 2:
        return None
    # A row or two beside the strip may be blurred.
    above, below = (grey[at, begin:end] for at in (max(0, top - 3), min(len(grey) - 1, bottom + 2)))
    apart = min(float(np.median(np.abs(side - level))) for side in (above, below))
    if apart < CONTRAST:
        return None
    rows = grey[top:bottom].mean(axis=0)
    left, right = _edge(rows, begin, -1, level), _edge(rows, end - 1, 1, level)
    if left is None or right is None:
        return None
    about = np.concatenate([above, below])
    even = float(np.clip(1 - about.std() / 80, 0, 1))  # bars stand on an even ground
    extreme = 1.0 if min(level, 255 - level) < 30 else 0.4
    thin = float(np.clip(1 - thickness / (0.25 * length), 0.2, 1))
    return Bar(
        top, bottom, left, right, level, _ticks(grey, top, bottom, begin, end, level),
        extreme * thin * (0.4 + 0.6 * even) * min(1.0, apart / 120),
    )  # fmt: skip


def _edge(row: NDArray[np.float32], inside: int, step: int, level: float) -> float | None:
    """Place an end where the row passes half of the way from the strip to what lies two pixels on."""
    outer = inside + 3 * step
    if not 0 <= outer < len(row) or abs(float(row[outer]) - level) < CONTRAST:
        return None
    share = sum(
        float(np.clip((row[inside + k * step] - row[outer]) / (level - row[outer]), 0, 1)) for k in (1, 2)
    )
    return inside + 1 + share if step > 0 else inside - share


def _ticks(grey: NDArray[np.float32], top: int, bottom: int, begin: int, end: int, level: float) -> float:
    """Measure the ticks at both ends: columns of the strip's grey that go on above and below it."""
    reach = max(2, bottom - top)
    if top < reach or bottom + reach > len(grey):
        return 0.0
    sides = np.concatenate([grey[top - reach : top], grey[bottom : bottom + reach]])[:, begin:end]
    same_level = (np.abs(sides - level) < CONTRAST / 2).mean(axis=0) > 0.45
    wide = [int(np.argmin(part)) if not part.all() else 0 for part in (same_level, same_level[::-1])]
    return float(min(wide)) if min(wide) and abs(wide[0] - wide[1]) <= 1 else 0.0


def _halves(bars: list[Bar]) -> list[Bar]:
    """Put two strips together that the label of the bar parts."""
    joined = []
    for number, one in enumerate(bars):
        for second_bar in bars[number + 1 :]:
            first, second = sorted((one, second_bar), key=lambda bar: bar.left)
            gap, length_difference = second.left - first.right, abs(first.length_px - second.length_px)
            level = abs(first.top - second.top) <= 1 and abs(first.bottom - second.bottom) <= 1
            if level and length_difference <= 3 and 0 < gap <= 3 * first.length_px:
                score = min(1.0, 1.05 * max(first.score, second.score))
                joined.append(Bar(first.top, first.bottom, first.left, second.right, first.grey, 0.0, score))
    return joined
