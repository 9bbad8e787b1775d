"""The probe that finds the length of Paganin's filter."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

import numpy as np

from tomarium import array
from tomarium.errors import InputError
from tomarium.kernels.filter_length import LengthEstimate, find_length
from tomarium.model import Layout, Scan
from tomarium.steps.core.parameter import Count
from tomarium.steps.core.sample import Sample, sample_of
from tomarium.steps.core.step import Cost, Values, probe
from tomarium.steps.correct.flat_field import average_references, transmission_of
from tomarium.steps.phase.paganin import finite

MOST_ROWS: Final = 1024
"""Rows about the middle that are looked at, at most."""


def _reads(values: Values, layout: Layout) -> tuple[slice, ...]:
    """Return as many rows at all angles as the rows of a few views are."""
    angles, rows, _ = layout.shape
    return (slice(0, min(rows, max(1, ceil(values["views"] * min(rows, MOST_ROWS) / angles)))),)


def _warnings(fit: Mapping[str, Any]) -> list[str]:
    if fit["confidence"] == "high":
        return []
    return [
        f"the length of Paganin's filter was found with {fit['confidence']} confidence, {fit['answer']:.1f} px by "
        f"{100 * fit['error']:.0f} %: look at the edges of slices, and give paganin.delta_beta if you know it"
    ]


@probe(
    fills=(),
    answer=lambda estimate: estimate.length_px,
    reads=_reads,
    warnings=_warnings,
    cost=Cost(host=24.0, nanoseconds=1500.0),
    place=29,
    aliases=("automatic_delta_beta",),
)
def find_filter_length(sample: Scan | Sample, *, views: Count = 6) -> LengthEstimate:
    """Find the length of Paganin's filter that leaves the air beside the sample empty.

    Too short a filter leaves bright fringes in the air, too long a one spreads the sample over it; where the one turns
    into the other is the length of a homogeneous sample, and of the outermost material of any other. It is what
    `paganin.length_px=auto` asks. There must be air at the left and the right of the sample.

    Parameters
    ----------
    sample : Scan or Sample
        The scan, or what the steps before the probe leave of it. Whole frames of a few views are read as the file holds
        them, and corrected by the flat field alone.
    views : int
        Views that are looked at, evenly over the scan.

    Returns
    -------
    LengthEstimate
        Length in pixels, with its error and confidence.

    Raises
    ------
    InputError
        The views do not tell it, and why.

    References
    ----------
    See `tomarium.kernels.filter_length.find_length`.
    """
    scan = sample_of(sample).scan
    if scan.geometry.aspect != 1:
        raise InputError(
            f"{scan.path}: pixels are {scan.geometry.aspect:g} times as high as wide, and the length of Paganin's "
            "filter is found in square ones; give paganin.delta_beta or paganin.length_px"
        )
    frame_numbers = np.unique(np.linspace(0, scan.shape[0], views, endpoint=False).astype(int))
    first = max(0, (scan.shape[1] - MOST_ROWS) // 2)
    rows = slice(first, min(scan.shape[1], first + MOST_ROWS))
    data = scan.projections.read(frame_numbers, rows)
    if scan.domain == "counts":
        data = transmission_of(data, average_references(scan, rows), rows, frame_numbers.astype(np.float64))
    elif scan.domain != "transmission":
        raise InputError(
            f"{scan.path} holds {scan.domain}; the length of Paganin's filter is found in counts or transmission"
        )
    return find_length(finite(np.asarray(data, np.float32))[0], threads=array.processors())
