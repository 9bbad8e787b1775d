"""Whether the sample moved or changed in the course of a scan: its last view against the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isnan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium import array
from tomarium.beamtime.scan_warnings import ScanWarning
from tomarium.kernels.view_change import ALIKE, ViewChange, compare_views, distance
from tomarium.model import Scan
from tomarium.steps.correct.flat_field import attenuation_of, average_references

LEAST_PX: Final = 0.5
"""Movement that is a warning, where it is also three times its error."""

SURE: Final = 3.0

MOST_PIXELS: Final = 1 << 21
"""Pixels of a view that are looked at, in a band of rows about the middle."""

_FARTHEST: Final = 1.5
"""Steps between views over which a view is continued in a straight line to the angle that is wanted."""

_OFF_MIDDLE: Final = 0.1
"""Part of the width by which the axis may lie off the middle for opposite views to show the same."""


@dataclass(frozen=True)
class _Pair:
    """The view at `late` should show, or mirror, what those at `near` do, continued to its angle by `weight`."""

    near: tuple[int, int, int]
    weight: float
    late: int
    apart_deg: int


def of_sample(scan: Scan, axis_column: float | None) -> list[ScanWarning]:
    """Compare the last view with the first ones.

    Parameters
    ----------
    scan : Scan
        Its frames are there; a band of rows of at most eight views, of flats and darks is read.
    axis_column : float or None
        Column of the rotation axis; None where it is not known, so that views half a turn apart are not compared.

    Returns
    -------
    list of ScanWarning
        Of kind "moved" and "bubbles"; empty as a rule, and where the scan has no two views that should look alike.
    """
    if (
        scan.missing
        or 0 in scan.shape
        or scan.shape[0] < 8
        or (scan.domain == "counts" and scan.flats is None)
    ):
        return []
    angles = np.asarray(scan.angles_deg.value, np.float64)
    warnings = []
    for pair in _pairs(angles, axis_column, scan.shape[2]):
        change = _compare_views(scan, pair, axis_column)
        # Rows are told as those of the frames, not of the band that was looked at.
        change = replace(change, row=change.row + _band(scan).start)
        warnings += [*_movement_warnings(change, pair, angles), *_change_warnings(change, pair, angles)]
        if warnings:
            break
    return warnings


def _pairs(angles: NDArray[np.float64], axis_column: float | None, columns: int) -> Iterator[_Pair]:
    """Yield views that should look alike: those a whole turn apart, which tell most, before those half a turn apart."""
    late = len(angles) - 1
    middle = (columns - 1) / 2
    for apart in (360, 180):
        if apart == 180 and (axis_column is None or abs(axis_column - middle) > _OFF_MIDDLE * columns):
            continue
        early = np.arange(len(angles) // 2)
        for angle in (angles[late] - apart, angles[late] + apart):
            order = early[np.argsort(np.abs(angles[early] - angle), kind="stable")[:3]]
            near = tuple(sorted((int(n) for n in order), key=lambda n: abs(angles[n] - angle)))
            step = angles[near[1]] - angles[near[0]]
            if step and abs(angle - angles[near[0]]) <= _FARTHEST * abs(step):
                weight = float((angle - angles[near[0]]) / step)
                yield _Pair((near[0], near[1], near[2]), weight, late, apart)
                break


def _compare_views(scan: Scan, pair: _Pair, axis_column: float | None) -> ViewChange:
    numbers = np.array([*pair.near, pair.late], np.intp)
    band, columns = _band(scan), scan.shape[2]
    order = np.argsort(numbers)
    views = np.empty((4, band.stop - band.start, columns), np.float32)
    views[order] = _attenuation(scan, numbers[order], band)
    first, second, third, last = views
    expected = first + np.float32(pair.weight) * (second - first)
    natural = _second_difference(first, second, third, pair)
    start = None
    if pair.apart_deg == 180:
        assert axis_column is not None
        last = np.ascontiguousarray(last[:, ::-1])
        start = (columns - 1 - 2 * axis_column, 0.0)
    return compare_views(expected, last, natural, start=start)


def _band(scan: Scan) -> slice:
    """Return the rows that are looked at, about the middle."""
    _, rows, columns = scan.shape
    height = max(1, min(rows, MOST_PIXELS // columns))
    return slice((rows - height) // 2, (rows - height) // 2 + height)


def _second_difference(
    first: NDArray[np.float32], second: NDArray[np.float32], third: NDArray[np.float32], pair: _Pair
) -> NDArray[np.float32]:
    """Return p(k) - 2 p(k + 1) + p(k + 2) of three views, the middle one of which may be the first."""
    a, b, c = (
        view for _, view in sorted(zip(pair.near, (first, second, third), strict=True), key=lambda p: p[0])
    )
    return np.asarray(a - 2 * b + c, np.float32)


def _attenuation(scan: Scan, numbers: NDArray[np.intp], band: slice) -> NDArray[np.float32]:
    values = scan.projections.read(numbers, band)
    if scan.domain == "attenuation":
        return np.nan_to_num(np.asarray(values, np.float32))
    if scan.domain == "transmission":
        return np.asarray(-np.log(np.clip(np.nan_to_num(values, nan=1.0), 1e-3, None)), np.float32)
    references = average_references(scan, band)
    attenuation = attenuation_of(values, references, band, array.processors(), numbers.astype(np.float64))
    return np.clip(np.nan_to_num(attenuation), -1.0, 8.0)


def _movement_warnings(change: ViewChange, pair: _Pair, angles: NDArray[np.float64]) -> Iterator[ScanWarning]:
    if change.likeness < ALIKE:
        return
    if (
        pair.apart_deg == 180
    ):  # the axis was found by the same two views, so that nothing is told along columns
        far, error = abs(change.rows_px), change.rows_error_px
        where = f"{change.rows_px:+.1f} px along rows (a movement along columns shows in a full turn only)"
    else:
        far, error = distance(change)
        where = f"{change.columns_px:+.1f} px along columns, {change.rows_px:+.1f} px along rows"
    if isnan(error) or far < max(LEAST_PX, SURE * error):
        return
    first, last = angles[pair.near[0]], angles[pair.late]
    yield ScanWarning(
        "moved",
        "Sample moved",
        f"by {far:.1f} ± {error:.1f} px between {first:.0f}° and {last:.0f}°: {where}; fix it, and scan again",
    )


def _change_warnings(change: ViewChange, pair: _Pair, angles: NDArray[np.float64]) -> Iterator[ScanWarning]:
    if not change.change:
        return
    first, last = angles[pair.near[0]], angles[pair.late]
    less = "less" if change.change < 0 else "more"
    yield ScanWarning(
        "bubbles",
        "Sample changed",
        f"between {first:.0f}° and {last:.0f}° it absorbs {100 * abs(change.part):.0f} % {less} over "
        f"{change.size_px:.0f} px about row {change.row}, column {change.column}, which no movement explains: "
        f"a bubble, or something that dries, melts or settles?",
    )
