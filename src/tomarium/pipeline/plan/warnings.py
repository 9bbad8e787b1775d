"""What the user should know of a result: what was assumed, what was weak, what had to be mended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tomarium.kernels.backprojection.angular_weights import missing_angles
from tomarium.kernels.half_acquisition import turn_of
from tomarium.model import Scan
from tomarium.pipeline.plan.on_device import HALVED
from tomarium.pipeline.protocol.resolve import Resolution
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.step import Probe, Step

FEWEST_VIEWS: Final = 0.25
"""Directions for each column below which a warning is given; streaks begin at a sixth of the field's radius there."""

MOST_GAPS: Final = 4
"""Ranges without views that a warning names."""


def of_scan(scan: Scan) -> tuple[str, ...]:
    """Say what speaks against trusting a result blindly, of the scan itself.

    Parameters
    ----------
    scan : Scan
        The scan; its own warnings come first.

    Returns
    -------
    tuple of str
        One sentence each; empty where there is nothing to say.
    """
    sentences = [*scan.warnings]
    if scan.pixel_m is None:
        sentences.append(
            "the pixel size is not known: the result is in 1/px; give --pixel, such as --pixel '0.65 um'"
        )
    if scan.darks is None and scan.domain == "counts":
        sentences.append("the scan has no dark frames: darks are taken as 0")
    return (*sentences, *_of_axis(scan), *_of_few_views(scan), *_of_angles(scan))


def _of_axis(scan: Scan) -> tuple[str, ...]:
    """Say that the axis does not lie on the detector."""
    axis, columns = scan.geometry.axis_column, scan.shape[2]
    if axis is None or -0.5 <= axis.value <= columns - 0.5:
        return ()
    return (
        f"the rotation axis at column {axis.value:.2f} lies outside of the detector, whose columns are 0 to "
        f"{columns - 1}: no view sees the middle of the slice; check --axis",
    )


def _of_few_views(scan: Scan) -> tuple[str, ...]:
    """Say that the views are few for the columns, opposite ones counted once."""
    columns, angles = scan.shape[2], scan.angles_deg.value
    if not np.isfinite(angles).all():
        return ()
    folded = np.unique(np.round(np.mod(angles, 180), 2) % 180).size
    if folded >= FEWEST_VIEWS * columns:
        return ()
    return (
        f"{folded} directions of views are few for {columns} columns: beyond {folded / np.pi:.0f} px from the axis "
        f"neighbouring views lie more than a pixel apart, and fbp draws streaks there; sirt and tv draw fewer",
    )


def _of_angles(scan: Scan) -> tuple[str, ...]:
    """Name the ranges of angles that no view saw; of a half acquisition, over a whole turn."""
    angles, axis = scan.angles_deg.value, scan.geometry.axis_column
    turn = 180.0 if axis is None else turn_of(angles, axis.value, scan.shape[2])
    missing = missing_angles(angles, turn) if np.isfinite(angles).all() else ()
    if not missing:
        return ()
    gaps = ", ".join(f"{first:.4g}° and {last:.4g}°" for first, last in missing[:MOST_GAPS])
    omitted = f" and {len(missing) - MOST_GAPS} more ranges" if len(missing) > MOST_GAPS else ""
    return (
        f"limited angle: no view between {gaps}{omitted}, modulo {turn:g}°: edges along the rays of these angles are "
        f"blurred, and streaks start from them",
    )


def of_result(
    resolution: Resolution,
    probes: Mapping[str, Mapping[str, Any]],
    quality: Mapping[str, float],
    not_finite: int,
    rows: int | None = None,
) -> tuple[str, ...]:
    """Say what speaks against trusting a result blindly.

    Parameters
    ----------
    resolution : Resolution
        The protocol as it was carried out.
    probes : mapping
        Key of a probe → its answer, JSON-ready.
    quality : mapping of str to float
        What the steps counted.
    not_finite : int
        Voxels that are NaN or infinite.
    rows : int, optional
        Detector rows the steps counted in; all by default.

    Returns
    -------
    tuple of str
        Doubts about the rotation axis first; empty where there is nothing to say.
    """
    messages: list[str] = []
    for item in resolution.probes:
        if isinstance(item.step, Probe) and item.key in probes:
            with told_as_its_own(item.step):
                messages += item.step.warnings(probes[item.key])
    messages += of_scan(resolution.scan)
    for item in resolution.work:
        if not isinstance(item.step, Step):
            continue
        values = max(1, item.before.with_rows(rows or item.before.rows).values)
        for figure in item.step.figures:
            part = quality.get(f"{item.step.name}.{figure.name}", 0.0) / values
            if figure.warn_above is not None and part > figure.warn_above:
                messages.append(figure.warning.format(percent=f"{100 * part:.3g}"))
    if quality.get(HALVED, 0):
        messages.append(
            "the memory of the device did not suffice for whole slabs, and they were worked on in parts; end other "
            "programs that use it, or give less with --device-memory"
        )
    if not_finite:
        messages.append(f"{not_finite} voxels are not finite numbers")
    return tuple(messages)
