"""Flats before and after the scan: whether the beam, the optics or the detector changed in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, has_flats
from tomarium.doctor.samples.frame_sample import FrameSample, blocks
from tomarium.kernels.flat_change import fine_change

MOVED: Final = 3.0
"""How many times the noise the fine structure may change by."""

LEAST: Final = 1e-3
"""Relative change that no reconstruction shows."""


@check(has_flats)
def flats_moved(subject: Subject) -> Iterator[Finding]:
    """Compare the fine structure of the flats before and after with what differs within a group.

    1. Each group's frames, less the dark, are averaged in blocks of 4 × 4 px, divided by their median.
    2. What of it changed from before to after, and its noise, are told by `fine_change`.
    3. Moved where the change exceeds 3 times the noise of both groups.

    Parameters
    ----------
    subject : Subject
        A scan with flats in two groups of at least two frames; else nothing is said.

    Yields
    ------
    Finding
        A warning with rms and noise.
    """
    sample = subject.frames
    if len(sample.before) < 2 or len(sample.after) < 2:
        return
    good = sample.good
    if not good.any():
        return
    before, after = (_logarithms(group, sample, good) for group in (sample.before, sample.after))
    change, noise = fine_change(before, after)
    if change > max(MOVED * noise, LEAST):
        yield warning(
            "flats before and after",
            f"their fine structure changed by {100 * change:.2g} % rms, {change / max(noise, 1e-12):.1f} × noise",
            f"below {MOVED:g} times the noise of {100 * noise:.2g} %",
            "the beam or the optics moved: interpolate between the flats (flat_field does), take flats more often, "
            "or reconstruct with --step dynamic_flat_field",
        )


@check(has_flats)
def flats_intensity(subject: Subject) -> Iterator[Finding]:
    """Compare the mean of the flats before and after.

    Parameters
    ----------
    subject : Subject
        A scan with flats in two groups; else nothing is said.

    Yields
    ------
    Finding
        A warning from 20 % on, an error where one group has no beam, an information from 5 %.
    """
    sample = subject.frames
    if not len(sample.before) or not len(sample.after):
        return
    first, last = (
        float(np.median(group.astype(np.float64) - sample.dark)) for group in (sample.before, sample.after)
    )
    if max(first, last) > 0 and min(first, last) < 0.05 * max(first, last):
        yield error(
            "flats before and after",
            f"{first:.5g} counts above the dark before and {last:.5g} after",
            "beam in both groups",
            "the shutter was closed or the beam gone for one of them: leave that group out",
        )
        return
    if first <= 0 or last <= 0:
        return
    change = last / first - 1
    if abs(change) < 0.05:
        return
    found = f"{first:.5g} counts before and {last:.5g} after: {100 * change:+.3g} %"
    expected, remedy = "a change below 5 %", "interpolate between the flats, which flat_field does"
    if abs(change) >= 0.2:
        yield warning("flats before and after", found, expected, f"look for a beam loss; {remedy}")
    else:
        yield info("flats before and after", found, expected, remedy)


def _logarithms(group: NDArray[Any], sample: FrameSample, good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the logarithm of each frame in blocks, its median taken away: shape (frame, row, column)."""
    weight = np.maximum(blocks(good[None].astype(np.float32)), 1e-6)
    signal = blocks(np.where(good, group.astype(np.float32) - sample.dark, 0.0)) / weight
    logarithm = np.log(np.maximum(signal, 1e-3))
    return np.asarray(logarithm - np.median(logarithm, axis=(1, 2), keepdims=True), np.float64)
