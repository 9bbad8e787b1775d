"""Small dense points followed through the views: all of them move alike where the sample does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.fbp import fbp
from tomarium.kernels.motion.mass import mass_path
from tomarium.kernels.motion.register import band_pass
from tomarium.kernels.motion.smooth import smooth_curve
from tomarium.kernels.shifts import TAPS, move_views, sinc_weights

ROUNDS: Final = 10
POINT_PX: Final = 1.0
"""Gaussian by which views are smoothed before points are followed."""

COARSEST_PX: Final = 4.0
DETECTED_COLUMNS: Final = 512
STANDS_OUT: Final = 8.0
"""Height of a point over the noise of the slices, in standard deviations."""

LEAST_HEIGHT: Final = 0.4
"""Least height of a point, of the third highest."""

APART_PX: Final = 10
STARTS: Final = 4
SETTLED_PX: Final = 0.15
SHARP: Final = 0.7
"""Mean height along a path, of that in the sharpest views, that no wrong path reaches with three points."""

NEAR_AXIS_PX: Final = 4.0

Array = NDArray[np.float64]
Stack = NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """How points moved, together.

    Attributes
    ----------
    columns_px, rows_px : array of float64, shape (view,)
        How far they lie towards higher columns and rows beside their places, pixels. Along rows the mean is zero.
    points : array of float64, shape (point, 3)
        Places x, y from the rotation axis and row z, pixels.
    error_px : float
        Standard deviation of one point's smoothed path beside the others', over the root of their number, pixels.
    residual_px : float
        Robust standard deviation of single views beside the smooth path, pixels.
    height : float
        Mean height of the points along their paths, of their height in the sharpest views: 1 for motion that was found.
    lost : float
        Share of the views in which they were not found again.
    beside_mass_px : float
        Root mean square of the path along columns less that of the centre of mass, pixels; nan where the sample is not
        wholly in view.
    """

    columns_px: Array
    rows_px: Array
    points: Array
    error_px: float
    residual_px: float
    height: float
    lost: float
    beside_mass_px: float = float("nan")


def find_points(views: Stack, angles_deg: Array, axis_column: float, most: int) -> tuple[Array, Array]:
    """Find dense points that stand alone, in slices made of views without what is coarser.

    Parameters
    ----------
    views : array of float32, shape (view, row, column)
        Attenuation.
    angles_deg : array of float64, shape (view,)
        Degrees.
    axis_column : float
        Rotation axis, 0-based.
    most : int
        How many are wanted.

    Returns
    -------
    array of float64, shape (point, 3)
        x and y from the axis, row z, pixels; the highest first.
    array of float64, shape (point,)
        Height of each in the slices, 1/px.
    """
    columns = views.shape[2]
    bin_ = max(1, ceil(columns / DETECTED_COLUMNS))
    width = columns // bin_
    binned = views[:, :, : width * bin_].reshape(*views.shape[:2], width, bin_).mean(axis=3)
    smooth = band_pass(np.ascontiguousarray(binned, np.float32), 0.8, max(2.5, COARSEST_PX / bin_))
    axis = (axis_column + 0.5) / bin_ - 0.5
    volume = fbp(smooth, angles_deg, axis, window="hann", padding="zero")
    far = (np.arange(width) - (width - 1) / 2) ** 2
    radius = np.sqrt(far[:, None] + far)
    is_seen = (radius < min(axis, width - 1 - axis) - 2) & (radius > NEAR_AXIS_PX / bin_)
    volume[:, ~is_seen] = 0
    noise = 1.4826 * float(np.median(np.abs(volume[:, is_seen]))) if is_seen.any() else 0.0
    apart = max(3, ceil(APART_PX / bin_))
    points: list[tuple[float, float, float]] = []
    heights: list[float] = []
    while len(points) < most:
        z, y, x = np.unravel_index(int(np.argmax(volume)), volume.shape)
        heights.append(float(volume[z, y, x]))
        if heights[-1] <= max(STANDS_OUT * noise, LEAST_HEIGHT * float(np.median(heights[:3]))):
            break
        middle = (width - 1) / 2
        points.append(((x - middle) * bin_, (middle - y) * bin_, float(z)))
        volume[
            max(0, z - apart) : z + apart + 1,
            max(0, y - apart) : y + apart + 1,
            max(0, x - apart) : x + apart + 1,
        ] = 0
    return np.array(points, np.float64).reshape(-1, 3), np.array(heights[: len(points)], np.float64)


def follow_points(
    views: Stack, angles_deg: Array, axis_column: float, reach_px: float, most: int, smooth: bool = True
) -> Track:
    """Find points, and the motion that all of them share.

    1. Slices show where points are, smeared by the motion; where the whole sample is seen, views are first moved as its
       centre of mass moves beside the path of a sample that stands still (`mass_path`).
    2. A strip about the path of each, u = c + x cos + y sin, is cut out of the band-passed views; the strips' median
       over the points leaves what all share.
    3. Each view of it is laid on the mean of all views, by correlation; the path is smoothed.
    4. Each point's own place is corrected by what its strip shows beside the others', and 2 to 4 are repeated.
    5. Points are looked for once more in views that are moved back, where they are sharp, and followed again.

    Motion of the form b cos + c sin is another place of the sample on the stage, and is left out.

    Parameters
    ----------
    views : array of float32, shape (view, row, column)
        Attenuation.
    angles_deg : array of float64, shape (view,)
        Degrees, in the order the views were taken.
    axis_column : float
        Rotation axis, 0-based.
    reach_px : float
        Farthest motion that is looked for, pixels.
    most : int
        Points that are followed at most.
    smooth : bool
        Whether motion is smooth in time; else each view is taken as it is found.

    Returns
    -------
    Track
        The motion; without points, zero and nan.
    """
    fine = band_pass(views, POINT_PX, COARSEST_PX)
    still = np.zeros(len(views))
    first, _ = find_points(views, angles_deg, axis_column, most)
    best = Track(still, still, first, float("nan"), float("nan"), 0.0, 1.0)
    sharpest = 0.0
    # Smeared points show several maxima each: what is found from all of them, or from one, is judged by how high the
    # points stand once the views are moved back. The centre of mass tells where to begin, where all of it is seen.
    starts = [(still, start) for start in [first, *(first[k : k + 1] for k in range(STARTS))] if len(start)]
    path = mass_path(views, angles_deg)
    if path is not None:
        beside = find_points(_moved(views, path, still), angles_deg, axis_column, most)[0]
        starts = [(path, beside)] * bool(len(beside)) + starts
    for begin, start in starts:
        track = _settle(fine, angles_deg, axis_column, start, begin, still, reach_px, smooth)
        points_found, heights = find_points(
            _moved(views, track.columns_px, track.rows_px), angles_deg, axis_column, most
        )
        height = float(np.sum(np.sort(heights)[-3:]))
        if height > sharpest and len(points_found):
            sharpest, best = height, replace(track, points=points_found)
        if track.lost == 0 and len(track.points) > 2 and track.error_px < SETTLED_PX and track.height > SHARP:
            break
    if not sharpest:
        return best
    near = max(3.0, 0.4 * reach_px)
    track = _settle(fine, angles_deg, axis_column, best.points, best.columns_px, best.rows_px, near, smooth)
    apart = float("nan") if path is None else float(np.std(track.columns_px - path))
    return replace(track, beside_mass_px=apart)


def _moved(views: Stack, columns: Array, rows: Array) -> Stack:
    moved = np.empty_like(views)
    move_views(views, columns, rows, moved)
    return moved


def _settle(
    views: Stack,
    angles_deg: Array,
    axis: float,
    points: Array,
    columns: Array,
    rows: Array,
    reach: float,
    smooth: bool,
) -> Track:
    cosine, sine = np.cos(np.deg2rad(angles_deg)), np.sin(np.deg2rad(angles_deg))
    turning = np.stack([cosine, sine])
    template: Stack | None = None
    half = (min(6, (views.shape[1] - 1) // 2), 10)
    residual = error = float("nan")
    height, lost_part = 0.0, 1.0
    for number in range(ROUNDS):
        far = max(2.0, reach * 0.8**number)
        room = (half[0], half[1] + ceil(far))
        strips = np.stack(
            [_strip(views, x * cosine + y * sine + axis + columns, z + rows, room) for x, y, z in points]
        )
        together = np.median(strips, axis=0) if len(points) > 2 else strips.mean(axis=0)
        template = _round(half) if template is None else _cut(together.mean(axis=0), half)
        spread = max(0.0, (2.5 - number) if smooth else 0.0)
        du, dv, peak = _offsets(together, template, far, spread)
        weights = np.clip((peak / max(1e-12, float(np.percentile(peak, 90))) - 0.2) / 0.3, 0, 1)
        raw_columns, raw_rows = columns + du, rows + dv
        new_columns, new_rows = smooth_curve(raw_columns, weights)[0], smooth_curve(raw_rows, weights)[0]
        residual = 1.4826 * float(np.median(np.abs(raw_columns - new_columns)))
        lost_part = float(np.mean(weights < 0.5))
        if not smooth:
            new_columns, new_rows = np.where(weights > 0.5, (raw_columns, raw_rows), (new_columns, new_rows))
        # Where points were lost the path goes on straight, but no farther than they are looked for.
        new_columns, new_rows = (
            np.clip(new_columns, -3 * reach, 3 * reach),
            np.clip(new_rows, -3 * reach, 3 * reach),
        )
        moved = new_columns - columns
        place = _place(new_columns, turning)
        level = float(new_rows.mean())
        columns, rows = new_columns - place @ turning, new_rows - level
        height = float(peak.mean() / max(1e-12, np.percentile(peak, 95)))
        points, own = _corrected(points, strips, template, du, dv, turning, min(far, 4.0))
        points = points + np.array([*place, level])  # so that the strips stay where they are
        error = own / len(points) ** 0.5
        if number > 2 and float(np.sqrt(np.mean(moved**2))) < 0.02:
            break
    return Track(columns, rows, points, error, residual, height, lost_part)


def _place(curve: Array, turning: Array) -> Array:
    """Return b and c of the part b cos + c sin of a curve: another place of the sample on the stage."""
    basis = np.concatenate([turning, np.ones((1, curve.size))])
    return np.asarray(np.linalg.lstsq(basis.T, curve, rcond=None)[0][:2])


def _corrected(
    points: Array, strips: Stack, template: Stack, du: Array, dv: Array, turning: Array, far: float
) -> tuple[Array, float]:
    """Correct the place of each point by what its strip shows beside the common motion; leave out what is none."""
    corrected, spreads = [], []
    own = [_offsets(strip, template, far, 8.0) for strip in strips]
    heights = [float(np.median(height)) for _, _, height in own]
    for point, (own_columns, own_rows, _), height in zip(points, own, heights, strict=True):
        column_rest = own_columns - du
        coefficients = np.linalg.lstsq(turning.T, column_rest, rcond=None)[0]
        if height < 0.3 * float(np.median(heights)):
            continue
        corrected.append(
            point + np.array([coefficients[0], coefficients[1], float(np.median(own_rows - dv))])
        )
        spreads.append(1.4826 * float(np.median(np.abs(column_rest - coefficients @ turning))))
    return (np.array(corrected), float(np.median(spreads))) if corrected else (points, float("nan"))


def _round(half: tuple[int, int]) -> Stack:
    """Return a band-passed point."""
    image = np.zeros((1, 2 * half[0] + 1, 2 * half[1] + 1), np.float32)
    image[0, half[0], half[1]] = 1
    return np.asarray(band_pass(image, 1.6, COARSEST_PX)[0])


def _cut(strip: Stack, half: tuple[int, int]) -> Stack:
    """Return the middle of a strip, of mean zero."""
    row, column = (length // 2 for length in strip.shape)
    part = strip[row - half[0] : row + half[0] + 1, column - half[1] : column + half[1] + 1]
    return np.asarray(part - part.mean(), np.float32)


def _strip(views: Stack, columns: Array, rows: Array, half: tuple[int, int]) -> Stack:
    """Cut a strip about a path out of the views, shape (view, row, column)."""
    count, height, width = views.shape
    view_numbers = np.arange(count)[:, None, None]
    first_row, first_column = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    row_weights, column_weights = sinc_weights(rows - first_row), sinc_weights(columns - first_column)
    reach = TAPS // 2 - 1
    row_lags = np.arange(-half[0] - reach, half[0] + TAPS - reach)
    column_lags = np.arange(-half[1] - reach, half[1] + TAPS - reach)
    at_rows = np.clip(first_row[:, None] + row_lags, 0, height - 1)
    at_columns = np.clip(first_column[:, None] + column_lags, 0, width - 1)
    block = views[view_numbers, at_rows[:, :, None], at_columns[:, None, :]]
    size = (2 * half[0] + 1, 2 * half[1] + 1)
    narrow = sum(block[:, tap : tap + size[0]] * row_weights[:, tap, None, None] for tap in range(TAPS))
    strip: Any = sum(
        narrow[:, :, tap : tap + size[1]] * column_weights[:, tap, None, None] for tap in range(TAPS)
    )
    return np.asarray(strip, np.float32)


def _offsets(strip: Stack, template: Stack, far: float, spread: float) -> tuple[Array, Array, Array]:
    """Find where in each view of a strip the template lies: columns, rows and height of the correlation."""
    count = len(strip)
    row_reach = min(ceil(far), strip.shape[1] // 2 - 1, 4)
    column_reach = min(ceil(far), (strip.shape[2] - template.shape[1]) // 2)
    inner = template[row_reach : template.shape[0] - row_reach]
    top = (strip.shape[1] - inner.shape[0]) // 2
    left = (strip.shape[2] - template.shape[1]) // 2
    lags_r, lags_c = np.arange(-row_reach, row_reach + 1), np.arange(-column_reach, column_reach + 1)
    correlation = np.empty((count, len(lags_r), len(lags_c)))
    for a, row in enumerate(lags_r):
        for b, column in enumerate(lags_c):
            part = strip[
                :, top + row : top + row + len(inner), left + column : left + column + template.shape[1]
            ]
            correlation[:, a, b] = np.einsum("krc,rc->k", part, inner)
    if spread:
        steps = np.arange(-ceil(3 * spread), ceil(3 * spread) + 1)
        kernel = np.exp(-0.5 * (steps / spread) ** 2)
        padded = np.pad(correlation, ((len(steps) // 2,) * 2, (0, 0), (0, 0)), mode="edge")
        correlation = sum(w * padded[k : k + count] for k, w in enumerate(kernel / kernel.sum()))
    best = correlation.reshape(count, -1).argmax(axis=1)
    a, b = np.unravel_index(best, correlation.shape[1:])
    view_numbers = np.arange(count)
    rows = lags_r[a] + _vertex(correlation, view_numbers, a, b, 1)
    columns = lags_c[b] + _vertex(correlation, view_numbers, a, b, 2)
    return columns.astype(np.float64), rows.astype(np.float64), correlation[view_numbers, a, b]


def _vertex(
    peaks: Array, view: NDArray[np.intp], a: NDArray[np.intp], b: NDArray[np.intp], axis: int
) -> Array:
    """Return where the parabola through the highest value and its neighbours along an axis has its extremum."""
    at = a if axis == 1 else b
    inside = (at > 0) & (at < peaks.shape[axis] - 1)
    low, high = np.clip(at - 1, 0, None), np.clip(at + 1, None, peaks.shape[axis] - 1)
    if axis == 1:
        before, middle, after = peaks[view, low, b], peaks[view, a, b], peaks[view, high, b]
    else:
        before, middle, after = peaks[view, a, low], peaks[view, a, b], peaks[view, a, high]
    bend = before - 2 * middle + after
    return np.where(inside & (bend < 0), 0.5 * (before - after) / np.where(bend < 0, bend, -1), 0.0)
