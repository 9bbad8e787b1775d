"""The probe that finds how the sample moved from small dense points in it."""

from __future__ import annotations

import numpy as np

from tomarium.errors import MissingData
from tomarium.kernels.motion.drift import LEAST_PX, MotionEstimate
from tomarium.kernels.motion.points import follow_points
from tomarium.model import Scan
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, Positive
from tomarium.steps.core.sample import Sample, sample_of
from tomarium.steps.core.step import Cost, probe
from tomarium.steps.probes.find_axis import attenuation_of_slab
from tomarium.steps.probes.movement_correction import answer_of, bands_of, motion_warnings

FULL_TURN_DEG = 340.0
BESIDE_MASS_PX = 0.4
"""Deviation of the path from that of the centre of mass up to which the two confirm each other."""


@probe(
    fills=("shift_columns_px", "shift_rows_px"),
    answer=answer_of,
    reads=lambda values, layout: bands_of({**values, "bands": 1}, layout),
    warnings=lambda answer: motion_warnings("mercedes", answer),
    cost=Cost(host=8.0, nanoseconds=600.0),
    place=27,
    aliases=("mercedes_movement_correction", "mercedes.py", "mb"),
)
def mercedes(
    sample: Scan | Sample,
    *,
    axis_column: Column | None = FROM_SCAN,
    reach_px: Positive = 8.0,
    points: Count = 12,
    band_rows: Count = 64,
    smooth: bool = True,
) -> MotionEstimate:
    """Find how the sample moved from small dense points in it, which a motion smears to stars of three arms.

    Points are found in slices without anybody's help; a strip about the path of each is cut out of the views, and what
    all strips share is laid on its own mean, view by view. Places of points and the common path are corrected in turn.
    What is found is motion along the detector, of whatever cause; a motion that is another place on the stage is left
    out.

    Parameters
    ----------
    sample : Scan or Sample
        The scan, or what the steps before the probe leave of it; a band of rows in the middle is read at all angles.
    axis_column : float or None
        Column of the rotation axis, 0-based; a constant error of it is found with the motion.
    reach_px : float
        Farthest motion that is looked for, pixels.
    points : int
        Points that are followed at most; five are enough.
    band_rows : int
        Rows that are looked at.
    smooth : bool
        Whether motion is smooth in time; without, each view is moved as its points are found in it.

    Returns
    -------
    MotionEstimate
        Shifts of each view. Over half a turn the confidence is "medium" at best, for a path of points is less sure,
        unless the whole sample is seen and its centre of mass moves alike.

    Raises
    ------
    MissingData
        The axis is not known.

    References
    ----------
    The correction by points of the programs of the beamline ANATOMIX (SOLEIL), written down independently, with points
    that are found by the program.
    """
    reached = sample_of(sample)
    if axis_column is FROM_SCAN:  # called without a protocol
        value = reached.layout.geometry.axis_column
        axis_column = None if value is None else value.value
    if axis_column is None:
        raise MissingData(
            f"step mercedes needs axis_column, which {reached.scan.path} does not tell; put find_axis before it, or "
            f"give --axis"
        )
    rows = bands_of({"bands": 1, "band_rows": band_rows}, reached.layout)
    views = attenuation_of_slab(reached.read(rows)[0], reached.scan)
    angles = np.asarray(reached.layout.geometry.angles_deg.value, np.float64)
    track = follow_points(views, angles, axis_column, reach_px, points, smooth)
    count = 0 if np.isnan(track.error_px) else len(track.points)
    sharp = count >= 3 and track.lost < 0.02 and track.error_px <= 0.15 and track.height >= 0.6
    full = abs(float(angles[-1] - angles[0])) >= FULL_TURN_DEG if len(angles) > 1 else False
    sure = full or track.beside_mass_px <= BESIDE_MASS_PX
    moved = count > 0 and float(np.abs(track.rows_px).max()) > LEAST_PX
    return MotionEstimate(
        track.columns_px,
        track.rows_px if moved else None,
        axis_column,
        f"{count} points" if count else "no points",
        "high" if sharp and sure else "medium" if sharp else "low",
        track.residual_px,
        track.error_px,
        count,
        () if count else ("motion, for no points stand out",),
    )
