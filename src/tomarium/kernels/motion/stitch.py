"""How far scans at several heights lie beside each other, from the rows that both see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.motion.register import band_pass, register
from tomarium.kernels.shifts import move_views

SEGMENTS: Final = 64
FEWEST_ROWS: Final = 8
ROUNDS: Final = 4
COARSEST_PX: Final = 8.0
WHOLE_PX: Final = 0.1
"""A place so near a whole row is taken for it."""

Array = NDArray[np.float64]
Stack = NDArray[np.float32]


@dataclass(frozen=True)
class Joint:
    """Where the second of two scans lies beside the first.

    Attributes
    ----------
    rows : float
        Row of the first, or beyond it, at which the second's row 0 lies.
    columns : array of float64, shape (3,)
        How far the second's content lies towards higher columns: a + b cos(angle) + c sin(angle), pixels.
    level : float
        Median of the second's attenuation less the first's where both see the sample.
    likeness : float
        Median correlation of the rows that both see.
    spread_px : float
        Robust standard deviation of single views beside these, pixels.
    """

    rows: float
    columns: Array
    level: float
    likeness: float
    spread_px: float


def find_rows(one: Stack, other: Stack, fewest: int = FEWEST_ROWS) -> int:
    """Find at which row of one scan another begins, by the correlation of the rows that both see at each such row.

    Parameters
    ----------
    one, other : array of float32, shape (view, row, column)
        Attenuation in some views, of the same angles.
    fewest : int
        Fewest rows that both see.

    Returns
    -------
    int
        Row of `one` at which row 0 of `other` lies; negative where it begins above.
    """
    rows, other_rows = (_coarse(stack) for stack in (one, other))
    best, best_lag = -np.inf, 0
    for lag in range(fewest - len(other_rows), len(rows) - fewest + 1):
        first, last = max(0, lag), min(len(rows), lag + len(other_rows))
        a, b = rows[first:last].ravel(), other_rows[first - lag : last - lag].ravel()
        score = float(np.dot(a, b) / max(1e-12, np.sqrt(np.dot(a, a) * np.dot(b, b))))
        score *= min(1.0, (last - first) / (2.0 * fewest)) ** 0.25  # few rows correlate by chance
        if score > best:
            best, best_lag = score, lag
    return best_lag


def _coarse(stack: Stack) -> Stack:
    """Return band-passed rows of all views side by side, in segments of columns: shape (row, value)."""
    passed = along_columns(stack)
    columns = passed.shape[2]
    edges = np.linspace(0, columns, min(SEGMENTS, columns) + 1).astype(int)[:-1]
    segments = np.add.reduceat(passed, edges, axis=2)
    return np.ascontiguousarray(segments.transpose(1, 0, 2).reshape(passed.shape[1], -1))


def along_columns(stack: Stack) -> Stack:
    """Keep what is finer than 8 pixels along columns, each row by itself.

    Parameters
    ----------
    stack : array of float32, shape (view, row, column)
        Attenuation.

    Returns
    -------
    array of float32, same shape
        Of mean about zero.
    """
    views, rows, columns = stack.shape
    lines = np.ascontiguousarray(stack).reshape(views * rows, 1, columns)
    return band_pass(lines, 1.0, COARSEST_PX).reshape(views, rows, columns)


def join_at(one: Stack, other: Stack, angles_deg: Array, rows: float, reach_px: float) -> Joint:
    """Find to a part of a pixel where another scan begins.

    Parameters
    ----------
    one, other : array of float32, shape (view, row, column)
        Attenuation in some views, of the same angles.
    angles_deg : array of float64, shape (view,)
        Degrees.
    rows : float
        Row of `one` near which row 0 of `other` lies.
    reach_px : float
        Farthest from there, pixels; 0 takes it as it is.

    Returns
    -------
    Joint
        Where it lies.
    """
    angles = np.deg2rad(angles_deg)
    basis = np.stack([np.ones(len(angles)), np.cos(angles), np.sin(angles)]).T
    place, coefficients, offsets = rows, np.zeros(3), []
    for _ in range(ROUNDS):  # what both see is cut out anew where a better place is known
        a, b, near = _seen_by_both(one, other, place)
        fixed, moving = (along_columns(part) for part in (a, b))
        reach = max(1.5, reach_px)
        offsets = [register(x, y, reach, row_edge=0.5) for x, y in zip(fixed, moving, strict=True)]
        side = np.array([offset.columns for offset in offsets])
        up = np.array([offset.rows for offset in offsets])
        coefficients = (
            np.linalg.lstsq(basis, side, rcond=None)[0]
            if len(side) > 3
            else np.array([np.median(side), 0, 0])
        )
        if not reach_px or len(a[0]) < FEWEST_ROWS:
            break
        # Content that lies `up` rows further down in the second begins so many rows further up in the first.
        place = float(np.clip(near - np.median(up), rows - reach_px, rows + reach_px))
        if round(place) == near:
            break
    if reach_px and abs(place - round(place)) < WHOLE_PX:
        place = float(round(place))  # so that nothing is interpolated
    residuals = np.r_[side - basis @ coefficients, up - np.median(up)]
    likeness = float(np.median([offset.likeness for offset in offsets]))
    return Joint(
        place,
        np.asarray(coefficients),
        _level(one, other, place, basis @ coefficients),
        likeness,
        1.4826 * float(np.median(np.abs(residuals))),
    )


def _seen_by_both(one: Stack, other: Stack, place: float) -> tuple[Stack, Stack, int]:
    near = round(place)
    first, last = max(0, near), min(one.shape[1], near + other.shape[1])
    return one[:, first:last], other[:, first - near : last - near], near


def _level(one: Stack, other: Stack, place: float, sideways: Array) -> float:
    """Return the median of the second's attenuation less the first's, once it lies where it belongs."""
    a, b, near = _seen_by_both(one, other, place)
    moved = np.empty_like(b)
    move_views(np.ascontiguousarray(b), sideways, np.full(len(b), near - place), moved)
    inner = slice(1, -1) if a.shape[1] > 4 else slice(None)
    return float(np.median((moved - a)[:, inner]))
