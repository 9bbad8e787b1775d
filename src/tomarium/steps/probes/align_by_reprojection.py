"""The probe that finds shifts of single views from projections of the slices that all of them make."""

from __future__ import annotations

import numpy as np

from tomarium.errors import MissingData
from tomarium.kernels.motion.drift import LEAST_PX, MotionEstimate, confidence_of
from tomarium.kernels.motion.reprojection import LIKE, align
from tomarium.kernels.truncation import truncated_views
from tomarium.model import Layout, Scan
from tomarium.model.half_acquisition import is_half_acquisition
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, Positive
from tomarium.steps.core.sample import Sample, sample_of
from tomarium.steps.core.step import Cost, Values, probe
from tomarium.steps.probes.find_axis import attenuation_of_slab
from tomarium.steps.probes.movement_correction import answer_of, bands_of, motion_warnings

CUT_OFF = 0.02
"""Share of rows of views that do not fall to zero at the edges from which shifts are less sure."""


def _host(_: Values, layout: Layout) -> int:
    views, rows, columns = layout.shape
    return 28 * layout.values + 8 * rows * columns**2 + 64 * views * columns


@probe(
    fills=("shift_columns_px", "shift_rows_px"),
    answer=answer_of,
    reads=lambda values, layout: bands_of({**values, "bands": 1}, layout),
    warnings=lambda answer: motion_warnings("align_by_reprojection", answer),
    cost=Cost(host=_host, nanoseconds=1500.0),
    place=27,
    aliases=("align_seq", "align_projections", "reprojection"),
)
def align_by_reprojection(
    sample: Scan | Sample,
    *,
    axis_column: Column | None = FROM_SCAN,
    reach_px: Positive = 12.0,
    rounds: Count = 10,
    band_rows: Count = 64,
    coarsest_px: Positive = 16.0,
) -> MotionEstimate:
    """Find where the sample stands in each view, by laying views on projections of the slices that they make.

    For scans in which each view has a shift of its own, as of a microscope whose stage is less steady than its pixels
    are small. The sample has to lie within the field of view; a smooth drift is better found by `movement_correction`.

    Parameters
    ----------
    sample : Scan or Sample
        The scan, or what the steps before the probe leave of it; a band of rows in the middle is read at all angles.
    axis_column : float or None
        Column of the rotation axis, 0-based; the middle of the detector where nothing tells it, for shifts make up for
        another one.
    reach_px : float
        Farthest shift that is looked for, pixels.
    rounds : int
        Rounds at a quarter, half and all pixels, at most.
    band_rows : int
        Rows that are looked at.
    coarsest_px : float
        Structures coarser than this are not compared, pixels.

    Returns
    -------
    MotionEstimate
        Shifts of each view; "high" where more rounds would move views by less than 0.1 px, their standard error is
        below 0.15 px, they correlate to 0.9 with the projections, and the sample does not leave the field of view.

    Raises
    ------
    MissingData
        The scan is a half acquisition, whose views show parts of the sample only.

    References
    ----------
    D. Gürsoy et al., Scientific Reports 7, 11818 (2017), doi 10.1038/s41598-017-12141-9.
    """
    reached = sample_of(sample)
    geometry, columns = reached.layout.geometry, reached.layout.shape[2]
    if axis_column is FROM_SCAN:  # called without a protocol
        axis_column = None if geometry.axis_column is None else geometry.axis_column.value
    axis = (columns - 1) / 2 if axis_column is None else axis_column
    angles = np.asarray(geometry.angles_deg.value, np.float64)
    if is_half_acquisition(angles, axis, columns):
        raise MissingData(
            f"{reached.scan.path} is a half acquisition, whose views show parts of the sample only, so that "
            f"projections of slices are not theirs; use movement_correction"
        )
    rows = bands_of({"bands": 1, "band_rows": band_rows}, reached.layout)
    views = attenuation_of_slab(reached.read(rows)[0], reached.scan)
    alignment = align(views, angles, axis, reach_px, rounds, coarsest_px)
    doubts = []
    if alignment.likeness < LIKE:
        doubts.append(
            f"views correlate to {alignment.likeness:.2f} only with the projections of their slices"
        )
    if (cut := float(truncated_views(views, angles).mean())) >= CUT_OFF:
        doubts.append(f"the sample leaves the field of view in {cut:.0%} of the views' rows")
    sure = confidence_of(alignment.unsettled_px, alignment.error_px, (), len(angles))
    moved = views.shape[1] > 8 and float(np.abs(alignment.rows_px).max()) > LEAST_PX
    return MotionEstimate(
        alignment.columns_px,
        alignment.rows_px if moved else None,
        axis,
        "each view",
        "medium" if sure == "high" and doubts else sure,
        alignment.unsettled_px,
        alignment.error_px,
        len(angles),
        doubts=tuple(doubts),
    )
