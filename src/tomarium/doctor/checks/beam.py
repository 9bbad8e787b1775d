"""Beam: whether it was there in every frame that needs it, and in none that must not have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, flats_there
from tomarium.doctor.samples.frame_sample import FrameSample

GONE: Final = 0.01
"""Part of the usual brightness below which nothing but the dark is left, even behind a dense sample."""

WEAKER: Final = 0.7
"""Part of the usual brightness from which a loss of beam shows as streaks."""

OPEN: Final = 0.85
"""Transmission at the brightest places from which the open beam is seen beside the sample."""

BRIGHT: Final = 1.2
"""Transmission that no sample has, but flats of another beam: another check says so."""

UNEVEN: Final = 0.2
"""Part by which a single flat may differ from the others, and part of the beam a single dark may see."""


@check(flats_there)
def beam_lost(subject: Subject) -> Iterator[Finding]:
    """Compare the brightest places of many projections with each other, each against the flats at its time.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        An error where projections hold nothing but the dark; a warning where the open beam is seen beside the
        sample in some and is below 70 % of it in others.
    """
    sample = subject.frames
    levels = _levels(sample)
    if len(levels) < 3:
        return
    usual = float(np.percentile(levels, 90))
    if not usual > 2 * GONE:
        return
    is_dark = levels < GONE * usual
    if is_dark.any():
        first, last = sample.watched[is_dark][[0, -1]]
        yield error(
            "projections",
            f"{np.count_nonzero(is_dark)} of {len(levels)} sampled frames are as dark as the darks, the first is "
            f"number {first}, the last {last}",
            "beam in each",
            "look for a beam loss or a closed shutter about these frames; leave them out, or scan again",
        )
    lit = levels[~is_dark]
    weakest = float(lit.min())
    if usual >= OPEN and weakest < WEAKER * usual:
        place = sample.watched[~is_dark][int(np.argmin(lit))]
        yield warning(
            "projections",
            f"the brightest places transmit {100 * usual:.0f} % in most frames and {100 * weakest:.0f} % in number "
            f"{place}",
            f"above {100 * WEAKER * usual:.0f} % in each, where the open beam is seen beside the sample",
            "look for a beam that decayed or jumped, and take flats more often; or the sample is wider than the field "
            "of view at these angles",
        )


def _levels(sample: FrameSample) -> NDArray[np.float64]:
    """Return what the brightest places of each watched projection transmit, shape (frame,)."""
    rows = sample.watched_band
    good, beam, dark = (image[rows] for image in (sample.good, sample.open_beam, sample.dark))
    count = good.sum(axis=0)
    columns = count > 0
    if not columns.any():
        return np.zeros(0)
    signal = np.where(good, sample.watched_rows.astype(np.float32) - dark, 0.0).sum(axis=1)[:, columns]
    through = signal / np.where(good, beam, 0.0).sum(axis=0)[columns]
    # Constant frames are another check's; NaN are filled in by the flat field.
    return np.asarray(
        np.nan_to_num(np.nanpercentile(through, 95, axis=1) / _beam(sample), nan=1.0), np.float64
    )


def _beam(sample: FrameSample) -> NDArray[np.float64]:
    """Return the beam at each watched projection, against the mean of the flats before and after."""
    if not len(sample.before) or not len(sample.after):
        return np.ones(len(sample.watched))
    first, last = (
        float(np.median(group.astype(np.float64) - sample.dark)) for group in (sample.before, sample.after)
    )
    if first <= 0 or last <= 0:
        return np.ones(len(sample.watched))
    part = (sample.watched - sample.watched[0]) / max(1, sample.watched[-1] - sample.watched[0])
    weights = len(sample.before), len(sample.after)
    mean = (weights[0] * first + weights[1] * last) / sum(weights)
    return np.asarray((first + (last - first) * part) / mean, np.float64)


@check(flats_there)
def references_uneven(subject: Subject) -> Iterator[Finding]:
    """Compare each flat with the others of its group, and each dark with the other darks.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        A warning where a flat differs by more than 20 % of the beam from the median of its group, or a dark by
        so much from the median of the darks.
    """
    sample = subject.frames
    groups = {"flats before": sample.before, "flats after": sample.after, "darks": sample.darks}
    if not len(sample.after):
        groups["flats"] = groups.pop("flats before")
    levels = {where: _medians(frames) for where, frames in groups.items() if len(frames) > 2}
    usual = {where: float(np.median(levels_of_place)) for where, levels_of_place in levels.items()}
    flats = [level for where, level in usual.items() if where != "darks"]
    beam = max(flats, default=0.0) - usual.get("darks", 0.0)
    for where, levels_of_place in levels.items():
        is_uneven = np.abs(levels_of_place - usual[where]) > UNEVEN * beam
        if beam > 0 and is_uneven.any():
            yield warning(
                where,
                f"{np.count_nonzero(is_uneven)} of {len(levels_of_place)} have other counts, such as "
                f"{levels_of_place[is_uneven][0]:.5g}; the others have {usual[where]:.5g}",
                f"frames that differ by less than {100 * UNEVEN:g} % of the beam",
                "the shutter moved or the beam jumped in them: leave these frames out before the mean is taken",
            )


@check(flats_there)
def references_repeated(subject: Subject) -> Iterator[Finding]:
    """Look for flats, or darks, that equal each other to the bit: noise never repeats.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        A warning where frames that hold noise repeat; an information where frames hold one value only.
    """
    sample = subject.frames
    for where, frames in (("flats", sample.flats), ("darks", sample.darks)):
        blank = [frame for frame in frames if (frame == frame.flat[0]).all()]
        if blank and frames[0].size > 1:
            yield info(
                where,
                f"{len(blank)} of {len(frames)} hold one value only, {blank[0].flat[0]:.5g}",
                "an image in each",
                "nothing, if the camera or an earlier step corrected the frames already",
            )
        contents = [frame.tobytes() for frame in frames if not (frame == frame.flat[0]).all()]
        if len(set(contents)) < len(contents):
            yield warning(
                where,
                f"{len(contents) - len(set(contents)) + 1} of {len(contents)} are equal to the bit",
                "noise that differs",
                "the writer stored one frame several times, and its noise stays in every projection: look for the "
                "others",
            )


def _medians(frames: NDArray[Any]) -> NDArray[np.float64]:
    return np.nanmedian(frames.reshape(len(frames), -1).astype(np.float64), axis=1)
