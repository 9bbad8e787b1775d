"""The view that puts scans at several heights on top of each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.motion.stitch import FEWEST_ROWS, Joint, find_rows, join_at
from tomarium.model import FrameKind, Scan
from tomarium.steps.core.further_scans import paths_beside
from tomarium.steps.core.parameter import NotNegative
from tomarium.steps.core.step import view
from tomarium.steps.correct.flat_field import average_references
from tomarium.steps.views.stitched_frames import Piece, StitchedFrames

VIEWS = 8
"""Views in which the rows that two scans both see are laid on each other."""

UNLIKE = 0.3
LEAST_PX = 0.05


@view(place=0, gives="attenuation", aliases=("stitch_spiral", "preprocess_spiral", "sp", "stitch_spiral.py"))
def stitch(
    scan: Scan,
    *,
    scans: str = "",
    starts_px: str = "",
    search_px: NotNegative = 4.0,
    match_level: bool = True,
) -> Scan:
    """Put scans at several heights on top of each other, as of one tall detector.

    Rows that two scans both see are laid on each other in eight views: that tells how far apart they are, and how far
    the sample slid sideways between them. Each scan is corrected by its own flats and darks, moved by parts of a pixel,
    and blended where several see a row: by weights that fall linearly to the end of each scan, times its light.

    Parameters
    ----------
    scan : Scan
        The first scan.
    scans : str
        Paths of the others, separated by commas, each beside the one before; relative ones count from the first's
        folder. They have the same angles and columns.
    starts_px : str
        Rows of the first scan, or beyond it, at which row 0 of each of the others lies, separated by commas; negative
        above. Looked for by default.
    search_px : float
        Farthest from there that is looked for; 0 takes the rows as they are told.
    match_level : bool
        Whether the median of the attenuation is made the same where two scans see the same rows.

    Returns
    -------
    Scan
        A lazy view of attenuation, float32, without flats and darks, for these are corrected.

    Raises
    ------
    ParameterError
        No path is given, or not one row for each.
    InputError
        A scan has other columns, angles or pixels, or sees nothing of the rows of the one before.
    """
    paths = paths_beside(scan, scans)
    if not paths:
        raise ParameterError("step stitch: scans is empty; give the paths of the others, separated by commas")
    start_rows = _starts(starts_px, len(paths))
    all_scans = [scan, *(open_beside(path, scan, "stitched") for path in paths)]
    angles = np.asarray(scan.angles_deg.value, np.float64)
    chosen = np.unique(np.linspace(0, len(angles) - 1, min(VIEWS, len(angles))).round().astype(np.intp))
    turning = np.stack([np.ones(len(angles)), np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))])
    starts, sideways, levels = [0.0], [np.zeros(3)], [0.0]
    warnings = []
    for k in range(1, len(all_scans)):
        joint = _joint(
            all_scans[k - 1],
            all_scans[k],
            chosen,
            None if start_rows is None else start_rows[k - 1],
            starts[-1],
            search_px,
        )
        starts.append(starts[-1] + joint.rows)
        sideways.append(sideways[-1] + (joint.columns if search_px else 0))
        levels.append(levels[-1] + (joint.level if match_level else 0.0))
        warnings += _doubts(all_scans[k], joint, starts[-1], search_px)
    top = int(np.ceil(min(starts) - 1e-3))
    starts = [start - top for start in starts]
    height = int(
        np.floor(
            max(start + all_scan.shape[1] for start, all_scan in zip(starts, all_scans, strict=True)) + 1e-3
        )
    )
    pieces = tuple(
        Piece(all_scan, start, _or_none(side @ turning), level, weights)
        for all_scan, start, side, level, weights in zip(
            all_scans, starts, sideways, levels, _weights(all_scans, starts), strict=True
        )
    )
    return replace(
        scan,
        projections=StitchedFrames(pieces, height),
        geometry=replace(scan.geometry, motors={}),  # which stood elsewhere for each scan
        flats=None,
        darks=None,
        domain="attenuation",
        counts={FrameKind.PROJECTION: len(angles)},
        warnings=(
            *dict.fromkeys(warning for all_scan in all_scans for warning in all_scan.warnings),
            *warnings,
        ),
    )


def _or_none(sideways: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave a slide alone that is too small to interpolate columns for."""
    return sideways if np.abs(sideways).max() > LEAST_PX else np.zeros_like(sideways)


def _starts(text: str, count: int) -> list[float] | None:
    if not text.strip():
        return None
    try:
        starts = [float(word) for word in text.split(",")]
    except ValueError as problem:
        raise ParameterError(
            f"step stitch: starts_px={text!r} holds no numbers separated by commas; write rows, such as 900,1800"
        ) from problem
    if len(starts) != count:
        raise ParameterError(
            f"step stitch: starts_px has {len(starts)} numbers for {count} further scans; give one each"
        )
    return starts


def open_beside(path: object, first: Scan, verb: str) -> Scan:
    """Open a scan that is merged with another view by view.

    Parameters
    ----------
    path : path-like
        Of the scan.
    first : Scan
        The other.
    verb : str
        What is done to them, for messages: "stitched".

    Returns
    -------
    Scan
        Of the same views, columns, domain and pixel.

    Raises
    ------
    InputError
        It differs in one of them, or one of the two tells shifts of single views.
    """
    opened = formats.open(str(path))
    if not isinstance(opened, Scan):
        raise InputError(f"{path} holds an image, not a scan that could be {verb} to {first.path}")
    angles, further_angles = first.angles_deg.value, opened.angles_deg.value
    if opened.shape[::2] != first.shape[::2] or opened.domain != first.domain:
        raise InputError(
            f"{path}: {opened.shape[0]} views of {opened.shape[2]} columns, {opened.domain}, cannot be {verb} to "
            f"{first.shape[0]} of {first.shape[2]}, {first.domain}, of {first.path}; choose views alike "
            f"with select_views"
        )
    apart = float(np.abs((further_angles - angles + 180) % 360 - 180).max())
    step = abs(float(np.median(np.diff(angles)))) if len(angles) > 1 else 360.0
    if apart > 0.1 * step:
        raise InputError(
            f"{path}: its angles differ by up to {apart:.3g}° from those of {first.path}, whose step is {step:.3g}°; "
            f"projections are {verb} view by view. Give --angles if it is a slip; else reconstruct each, and put the "
            f"volumes together, turned against each other as they are: tomarium stitch VOLUME VOLUME OUT"
        )
    a, b = first.pixel_m, opened.pixel_m
    if a is not None and b is not None and not np.isclose(a.value, b.value, rtol=1e-6, atol=0):
        raise InputError(
            f"{path}: pixel_m is {b.value:g}, but {a.value:g} in {first.path}; these are not one scan"
        )
    demand_same_aspect(first, opened)
    for scan in (first, opened):
        if scan.geometry.shift_columns_px is not None or scan.geometry.shift_rows_px is not None:
            raise InputError(
                f"{scan.path} tells shifts of single views; scans that move are not {verb}: correct them first"
            )
    return opened


def demand_same_aspect(first: Scan, second: Scan) -> None:
    """Refuse to make one scan of two whose pixels have other proportions.

    Parameters
    ----------
    first, second : Scan
        Two scans.

    Raises
    ------
    InputError
        Height over width of a pixel differ.
    """
    a, b = first.geometry.aspect, second.geometry.aspect
    if not np.isclose(a, b, rtol=1e-6, atol=0):
        raise InputError(
            f"{second.path}: its pixels are {b:g} times as high as wide, those of {first.path} {a:g} times; these are "
            f"not one scan"
        )


def _joint(
    first: Scan, second: Scan, chosen: NDArray[np.intp], start: float | None, before: float, search_px: float
) -> Joint:
    views, second_views = (_views(one_scan, chosen) for one_scan in (first, second))
    rows = start - before if start is not None else float(find_rows(views, second_views))
    overlap = min(first.shape[1], rows + second.shape[1]) - max(0.0, rows)
    if overlap < FEWEST_ROWS:
        raise InputError(
            f"{second.path} begins at row {rows:.1f} of {first.path}, which has {first.shape[1]}: both see "
            f"{max(0, overlap):.0f} rows, and {FEWEST_ROWS} are needed to lay them on each other; "
            f"check starts_px and the order of the scans"
        )
    angles = np.asarray(first.angles_deg.value, np.float64)[chosen]
    return join_at(views, second_views, angles, rows, search_px)


def _views(scan: Scan, chosen: NDArray[np.intp]) -> NDArray[np.float32]:
    blank = Piece(scan, 0.0, np.zeros(scan.shape[0]), 0.0, np.ones(scan.shape[1]))
    return blank.attenuation(chosen, slice(0, scan.shape[1]))


def _doubts(scan: Scan, joint: Joint, start: float, search_px: float) -> list[str]:
    if joint.likeness >= UNLIKE or not search_px:
        return []
    return [
        f"{scan.path.name} was laid at row {start:.2f}, but what it and its neighbour both see correlates to "
        f"{joint.likeness:.2f} only: look at slices beside the seam, or give starts_px"
    ]


def _weights(scans: list[Scan], starts: list[float]) -> list[NDArray[np.float64]]:
    """Weigh rows: linearly falling to where a scan ends among others, times the light of the row."""
    ends = [start + scan.shape[1] - 1 for start, scan in zip(starts, scans, strict=True)]
    weights = []
    for k, (scan, start) in enumerate(zip(scans, starts, strict=True)):
        rows = np.arange(scan.shape[1]) + start
        weight = np.ones(len(rows))
        for neighbour in (k - 1, k + 1):
            if 0 <= neighbour < len(scans):
                low, high = max(start, starts[neighbour]), min(ends[k], ends[neighbour])
                length = max(1.0, high - low)
                falls = (high + 1 - rows) if starts[neighbour] > start else (rows - low + 1)
                weight = np.minimum(weight, np.clip(falls / (length + 1), 0, 1))
        weights.append(np.maximum(weight, 1e-6) * light_of_rows(scan))
    return weights


def light_of_rows(scan: Scan) -> NDArray[np.float64]:
    """Return the mean light of each row: the variance of attenuation falls as it rises.

    Parameters
    ----------
    scan : Scan
        Counts with flats, or corrected data, whose rows count alike.

    Returns
    -------
    array of float64, shape (row,)
        Counts above dark, above 0.
    """
    return light_of_both(scan)[0]


def light_of_both(scan: Scan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean light of each row and of each column.

    Parameters
    ----------
    scan : Scan
        As for `light_of_rows`.

    Returns
    -------
    rows, columns : array of float64, shape (row,) and (column,)
        Counts above dark, above 0.
    """
    if scan.domain != "counts":
        return np.ones(scan.shape[1]), np.ones(scan.shape[2])
    references = average_references(scan, slice(0, scan.shape[1]))
    light = np.asarray(references.flats.mean(axis=0) - references.dark, np.float64)
    rows, columns = light.mean(axis=1), light.mean(axis=0)
    return _above_zero(rows), _above_zero(columns)


def _above_zero(light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(light, 1e-6 * max(1e-12, float(light.max()))))
