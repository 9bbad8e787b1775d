"""Flats before and after the scan: whether the beam, the optics or the detector changed in between."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, has_flats
from tomarium.doctor.samples.frame_sample import FrameSample, blocks

MOVED: Final = 3.0
"""How many times the noise the fine structure may change by."""

LEAST: Final = 1e-3
"""Relative change that no reconstruction shows."""

_WINDOW: Final = 9


@check(has_flats)
def flats_moved(subject: Subject) -> Iterator[Finding]:
    """Compare the fine structure of the flats before and after with what differs within a group.

    1. Each group's frames, less the dark, are averaged in blocks of 4 × 4 px, divided by their median.
    2. The logarithm of after over before, less its running mean over 9 blocks, has the rms r.
    3. The same of the even over the odd frames of a group has the rms h; the noise of a group's mean is h / 2.
    4. Moved where r exceeds 3 times the noise of both groups.

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
    change = _rms(after.mean(axis=0) - before.mean(axis=0))
    noise = 0.5 * math.hypot(
        *(_rms(group[::2].mean(axis=0) - group[1::2].mean(axis=0)) for group in (before, after))
    )
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


def _rms(image: NDArray[np.float64]) -> float:
    """Return the rms of the fine structure, without the thousandth that is largest: dust, stray hits."""
    fine = np.abs(image - _running_mean(_running_mean(image, 0), 1)).ravel()
    smallest = np.sort(fine)[: max(1, int(0.999 * fine.size))]
    return float(np.sqrt(np.mean(smallest**2)))


def _running_mean(image: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    width = min(_WINDOW, image.shape[axis] // 2 * 2 - 1)
    if width < 3:
        return image if axis == 0 else image.mean(axis=axis, keepdims=True) * np.ones_like(image)
    half = width // 2
    padded = np.pad(image, [(half, half) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
    total = np.cumsum(np.insert(padded, 0, 0.0, axis=axis), axis=axis)
    count = image.shape[axis]
    upper = np.take(total, np.arange(width, width + count), axis=axis)
    lower = np.take(total, np.arange(count), axis=axis)
    return np.asarray((upper - lower) / width)
