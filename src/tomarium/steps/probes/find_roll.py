"""The probe that finds how far the rotation axis leans to the side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from tomarium.kernels.axis import find
from tomarium.kernels.axis.lean import RollEstimate, fit_roll
from tomarium.kernels.roll import turn_frames
from tomarium.model import Layout, Scan
from tomarium.steps.core.parameter import Count
from tomarium.steps.core.sample import Sample, sample_of
from tomarium.steps.core.square_pixels import demand_square
from tomarium.steps.core.step import Values, probe
from tomarium.steps.probes.find_axis import attenuation_of_slab

MARGIN: Final = 24
"""Rows read above and below a band, from which it is turned upright."""

ROUNDS: Final = 4
SETTLED_DEG: Final = 0.01


def _bands(values: Values, height: int) -> tuple[slice, ...]:
    """Bands of rows, evenly over the height but for its ends, where rows to turn them upright are lacking."""
    size = min(values["band_rows"], height)
    first = min(MARGIN, height // 8) if height > 2 * size else 0
    room = height - 2 * first
    count = max(1, min(values["bands"], room // size))
    starts = [first + round(k * (room - size) / max(count - 1, 1)) for k in range(count)]
    return tuple(slice(start, start + size) for start in starts)


def _reads(values: Values, layout: Layout) -> tuple[slice, ...]:
    height = layout.rows
    return tuple(
        slice(max(0, band.start - MARGIN), min(height, band.stop + MARGIN)) for band in _bands(values, height)
    )


def _warnings(fit: Mapping[str, Any]) -> list[str]:
    if fit["confidence"] == "high":
        return []
    return [
        f"the roll of the axis was found with {fit['confidence']} confidence as {fit['answer']:.3f}°: look at slices "
        f"near the top and the bottom, and give --axis-roll if they show arcs"
    ]


@probe(
    fills="axis_roll_deg",
    answer=lambda estimate: estimate.roll_deg,
    reads=_reads,
    warnings=_warnings,
    place=25,
    aliases=("axis_roll",),
)
def find_roll(sample: Scan | Sample, *, bands: Count = 5, band_rows: Count = 16) -> RollEstimate:
    """Find how far the rotation axis leans to the side, from its column at several heights.

    At each height the axis is found as `find_axis` does it, in a band of neighbouring rows; a line is drawn through
    the columns that are trusted. Views half a turn apart show a leaning sample at different heights, which hides part
    of the roll: the bands are turned by what was found, and the rest is looked for again, up to four times.

    Parameters
    ----------
    sample : Scan or Sample
        The scan, or what the steps before the probe leave of it; the bands are read at all angles.
    bands : int
        Heights, from the top of the detector to its bottom.
    band_rows : int
        Rows of a band.

    Returns
    -------
    RollEstimate
        Roll with its error, column at the middle row, confidence, and what was found at each height.

    Raises
    ------
    InputError
        The scan has fewer than two views, or nothing in it moves.
    ParameterError
        Its pixels are no squares.

    References
    ----------
    The methods of `find_axis`; the line is fitted by least squares.
    """
    reached = sample_of(sample)
    demand_square("find_roll")(reached.scan, reached.layout)
    values = {"bands": bands, "band_rows": band_rows}
    read, chosen = _reads(values, reached.layout), _bands(values, reached.layout.rows)
    parts = [attenuation_of_slab(slab, reached.scan) for slab in reached.read(read)]
    angles, height = reached.layout.geometry.angles_deg.value, reached.layout.rows
    roll = 0.0
    for _ in range(ROUNDS):
        estimates = []
        for part, rows, band in zip(parts, read, chosen, strict=True):
            turned = part
            if roll:
                turned = np.empty_like(part)
                turn_frames(part, roll, rows.start, height, turned)
            own = np.ascontiguousarray(turned[:, band.start - rows.start : band.stop - rows.start])
            estimates.append(find(own, angles, rows_per_group=max(1, own.shape[1] // 2)))
        remaining = fit_roll(
            [(band.start + band.stop - 1) / 2 for band in chosen], estimates, (height - 1) / 2
        )
        roll += remaining.roll_deg
        if abs(remaining.roll_deg) < SETTLED_DEG:
            break
    return replace(remaining, roll_deg=roll)
