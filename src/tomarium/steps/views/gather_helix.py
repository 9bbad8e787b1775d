"""The view that gathers a helical scan to a circular one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.model import FrameKind, Geometry, Scan, Value
from tomarium.steps.core.parameter import FROM_SCAN, Column
from tomarium.steps.core.step import Example, view
from tomarium.steps.views.helix_frames import HelixFrames, Parts
from tomarium.steps.views.stitch import light_of_rows
from tomarium.steps.views.stitched_frames import Piece

FEATHER: Final = 0.1
"""Part of the height over which the rows at each end of a view fade out; four rows at least."""

_SAME: Final = 0.02
"""Part of a step between views below which none is interpolated."""

_HALF, _FULL = 180.0, 360.0


@view(
    place=0,
    gives="attenuation",
    example=Example({"pitch_px": 4.0, "turn": "half", "axis_column": 30.5}, angles=120, rows=16),
    aliases=("helical", "helix"),
)
def gather_helix(
    scan: Scan,
    *,
    pitch_px: float | None = None,
    turn: Literal["auto", "half", "full"] = "auto",
    axis_column: Column | None = FROM_SCAN,
) -> Scan:
    """Gather a helical scan, in which the sample moves along the axis while it turns, to a circular one.

    Each row of the sample is seen by the views that pass it. They are sorted by angle, moved by parts of a row, and
    averaged where several turns see the same: by weights that fade out at the ends of a view, times its light. Rows
    that not all angles see are left out.

    Parameters
    ----------
    scan : Scan
        Counts with flats, transmission or attenuation; more than half a turn, in even steps. It tells how far the
        sample lies towards higher rows in each view (`--shift-rows`), or `pitch_px` does.
    pitch_px : float or None
        Rows by which the sample moves towards higher rows in a turn; negative towards lower ones.
    turn : str
        "full" makes the views of a full turn, and needs a detector as high as the pitch; "half" takes views half a turn
        apart for each other, mirrored about the axis, and needs half of that height; "auto", full where each row is
        seen by a full turn.
    axis_column : float or None
        Column of the rotation axis, 0-based, pixel centres at integers; for "half".

    Returns
    -------
    Scan
        A lazy view of attenuation, float32, without flats and darks. Its row 0 is the first that all angles see.

    Raises
    ------
    MissingData
        Nothing tells the heights of the views; or the axis is needed and not known.
    InputError
        The angles do not go on in one direction, or no row is seen by all angles.

    References
    ----------
    W. A. Kalender, W. Seissler, E. Klotz & P. Vock, Radiology 176, 181 (1990), doi 10.1148/radiology.176.1.2353088,
    interpolates between turns; in a parallel beam rows are gathered as they are.
    """
    heights = _heights(scan, pitch_px)
    angles = np.asarray(scan.angles_deg.value, np.float64)
    chosen = _turn(scan, angles, heights, turn)
    axis = float(axis_column) if axis_column is not None and chosen.period == _HALF else None
    if chosen.period == _HALF and axis is None:
        raise MissingData(
            f"{scan.path}: rows are seen by less than a full turn, so views half a turn apart are mirrored about the "
            f"axis, which is not known; give --axis, or find it in half a turn of views: tomarium axis"
        )
    warnings = _warnings(scan, axis)
    # Rows of the sample are numbered from those of the first view.
    frames = HelixFrames(
        Piece(scan, 0.0, np.zeros(scan.shape[0]), 0.0, _weights(scan)),
        heights,
        chosen.parts,
        len(chosen.angles),
        chosen.top,
        chosen.rows,
        axis,
    )
    told = scan.geometry
    source = f"{told.angles_deg.source}, gathered from {len(angles)} views of a helix"
    geometry = Geometry(
        angles_deg=Value(chosen.angles, "derived", source),
        **{
            name: getattr(told, name)
            for name in (
                "axis_column",
                "axis_roll_deg",
                "axis_tilt_deg",
                "pixel_m",
                "pixel_aspect",
                "energy_kev",
                "distance_m",
            )
        },
    )
    return replace(
        scan,
        projections=frames,
        geometry=geometry,
        flats=None,
        darks=None,
        domain="attenuation",
        counts={FrameKind.PROJECTION: len(chosen.angles)},
        warnings=(*scan.warnings, *warnings),
    )


@dataclass(frozen=True)
class _Turn:
    """The views that are made, of what, and the rows of the sample that all of them see."""

    period: float
    angles: NDArray[np.float64]
    parts: Parts
    top: int
    rows: int


def _heights(scan: Scan, pitch_px: float | None) -> NDArray[np.float64]:
    """Return how far the sample lies towards higher rows in each view, from the first on."""
    value = scan.geometry.shift_rows_px
    if scan.geometry.shift_columns_px is not None:
        raise InputError(
            f"{scan.path} tells shifts of single views along columns, which gather_helix does not move; correct "
            f"them first"
        )
    if pitch_px is not None:
        if value is not None:
            raise ParameterError(
                "step gather_helix: pitch_px was given, but the scan tells the shift of each view along rows; give one"
            )
        angles = np.asarray(scan.angles_deg.value, np.float64)
        return np.asarray(pitch_px * np.abs(angles - angles[0]) / _FULL)
    if value is None:
        raise MissingData(
            f"{scan.path} does not tell how far the sample moved along the axis; give gather_helix.pitch_px, in rows a "
            f"turn, or --shift-rows, one number a view"
        )
    return np.asarray(value.value, np.float64)


def _turn(scan: Scan, angles: NDArray[np.float64], heights: NDArray[np.float64], turn: str) -> _Turn:
    steps = np.diff(angles)
    if len(angles) < 3 or not ((steps > 0).all() or (steps < 0).all()):
        raise InputError(
            f"{scan.path}: angles of a helical scan go on in one direction from turn to turn, 0 to {_FULL:g} and on; "
            f"these do not. Give --angles 0:{_FULL * 3:g}:{len(angles)} or the like"
        )
    periods = {"auto": (_FULL, _HALF), "half": (_HALF,), "full": (_FULL,)}[turn]
    for period in periods:
        parts_found = _parts(angles, period)
        if parts_found is None:
            continue
        targets, parts = parts_found
        rows = _rows(heights, parts, len(targets), scan.shape[1])
        if rows is not None:
            return _Turn(period, targets, parts, *rows)
    turns = "half of one" if turn == "half" else "a full turn" if turn == "full" else "half of one or more"
    raise InputError(
        f"{scan.path}: no row of the sample, or not all between others, is seen at all angles of a turn ({turns} was "
        f"asked for): {len(angles)} views over {abs(angles[-1] - angles[0]):.4g}°, in which the sample moves "
        f"{float(np.ptp(heights)):.4g} rows past a detector of {scan.shape[1]}; check pitch_px, the shifts and "
        f"the angles"
    )


def _parts(angles: NDArray[np.float64], period: float) -> tuple[NDArray[np.float64], Parts] | None:
    """Find, for each angle of a period, the views that show it in any turn, between two views where need be."""
    direction = 1.0 if angles[-1] > angles[0] else -1.0
    along = direction * (angles - angles[0])
    step = float(np.median(np.diff(along)))
    count = round(period / step)
    if along[-1] + step < period * (1 - 1e-6) or count < 1:
        return None
    targets = np.arange(count) * period / count
    turns = np.arange(int((along[-1] + step) // period) + 1)
    needed_angles = targets[:, None] + period * turns
    place = np.interp(needed_angles, along, np.arange(len(along)), left=-1.0, right=-1.0)
    last = np.abs(needed_angles - along[-1]) < _SAME * step
    place = np.where(last, len(along) - 1.0, place)
    low = np.clip(np.floor(place), 0, len(along) - 1).astype(np.intp)
    part = place - low
    near = np.where(part > 1 - _SAME, 1.0, np.where(part < _SAME, 0.0, part))
    pairs = []
    for offset, weight in ((0, 1 - near), (1, near)):
        used = (place >= 0) & (weight > 0) & (low + offset < len(along))
        target, number = np.nonzero(used)
        mirrored = (number % 2 == 1) if period == _HALF else np.zeros(len(number), bool)
        pairs.append((target, low[used] + offset, weight[used], mirrored))
    target, source, weight, mirrored = (
        np.concatenate(pair_values) for pair_values in zip(*pairs, strict=True)
    )
    return angles[0] + direction * targets, Parts(target, source, weight, mirrored)


def _rows(heights: NDArray[np.float64], parts: Parts, count: int, height: int) -> tuple[int, int] | None:
    """Return the first row that all angles see, and how many there are from it on; None where a row lacks between."""
    lowest = int(np.ceil(-heights.max())) - 1
    length = int(np.floor(height - 1 - heights.min())) - lowest + 2
    is_seen = np.zeros((count, length), bool)
    first = np.ceil(-heights - 1e-6).astype(np.intp) - lowest
    last = np.floor(height - 1 - heights + 1e-6).astype(np.intp) - lowest
    for target, source in zip(parts.target, parts.source, strict=True):
        is_seen[target, first[source] : last[source] + 1] = True
    rows = np.flatnonzero(is_seen.all(axis=0))
    if not len(rows) or len(rows) != rows[-1] - rows[0] + 1:
        return None
    return int(rows[0]) + lowest, len(rows)


def _weights(scan: Scan) -> NDArray[np.float64]:
    """Weigh the rows of a view: fading out at both ends, times their light."""
    height = scan.shape[1]
    fade = max(4.0, FEATHER * height)
    rows = np.arange(height)
    falls = np.minimum(rows + 1, height - rows) / (fade + 1)
    return np.asarray(np.clip(falls, 0, 1) * light_of_rows(scan))


def _warnings(scan: Scan, axis: float | None) -> list[str]:
    if axis is None:
        return []
    lacking = abs(scan.shape[2] - 1 - 2 * axis)
    if lacking <= 0.02 * scan.shape[2]:
        return []
    return [
        f"the axis at column {axis:.1f} lies off the middle: {lacking:.0f} columns at an edge are not seen from the "
        f"other side, and where no other turn sees them, what lies beside them is taken; they should hold no sample"
    ]
