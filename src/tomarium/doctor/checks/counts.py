"""Counts: saturated, dead, hot and frozen pixels, darks that are none, frames that are missing or repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, a_scan, frames_there, has_flats

SATURATED: Final = 1e-3
"""Part of the pixels at the largest count from which reconstructions show it."""

DEFECTIVE: Final = 1e-2
"""Part of the pixels that may be dead or hot: beyond it neighbours can no longer stand in."""

ZINGERS: Final = 1e-4
"""Part of the pixels that stray radiation may hit in one frame."""

CUT_OFF: Final = 0.02
"""Part of the pixels that share the largest count where it is a limit."""

_FULL_WELL: Final = 1000

FEW: Final = 10
"""Pixels that may be hot, or hit in one frame, however small the detector is."""


@check(frames_there)
def projections_saturated(subject: Subject) -> Iterator[Finding]:
    """Count pixels of the projections at the largest count; hot pixels do not count.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        A warning from one pixel in a thousand on, an error from one in twenty.
    """
    yield from _saturated("projections", subject.frames.projections, subject.frames.hot)


@check(has_flats)
def flats_saturated(subject: Subject) -> Iterator[Finding]:
    """Count pixels of the flats at the largest count; hot pixels do not count.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        A warning from one pixel in a thousand on, an error from one in twenty.
    """
    yield from _saturated("flats", subject.frames.flats, subject.frames.hot)


def _saturated(where: str, frames: NDArray[Any], hot: NDArray[np.bool_]) -> Iterator[Finding]:
    if not frames.size or frames.dtype.kind not in "iu":
        return
    top = _ceiling(frames[:, ~hot])
    if top is None:
        return
    reached = frames[:, ~hot] >= top
    # Stray radiation reaches it once in a pixel, a beam that is too bright again and again.
    if len(reached) > 2:
        reached &= reached.sum(axis=0) > 1
    share = float(np.mean(reached))
    if share < SATURATED:
        return
    say = error if share >= 0.05 else warning
    yield say(
        where,
        f"{100 * share:.3g} % of the pixels count {top}, the most this camera can",
        f"below {100 * SATURATED:g} %",
        "expose more briefly or put in a filter; what is cut off cannot be mended afterwards",
    )


def _ceiling(values: NDArray[Any]) -> int | None:
    """Return the largest count the camera can give, if it was reached.

    It is that of the type or of 8 … 16 bits, or one that many pixels share: noise spreads what is not cut off.
    """
    if not values.size:
        return None
    top = int(values.max())
    if top > _FULL_WELL and values.min() < 0.9 * top and np.mean(values == top) > CUT_OFF:
        return top
    limits = {int(np.iinfo(values.dtype).max), *(2**bits - 1 for bits in (8, 10, 12, 14, 16))}
    shifted = {(2**bits - 1) << (16 - bits) for bits in (10, 12, 14)}  # left-aligned in 16 bits
    return top if top in limits | shifted else None


@check(has_flats)
def dead_pixels(subject: Subject) -> Iterator[Finding]:
    """Count pixels whose flat less their dark is below a hundredth of the others'.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        A warning from 1 % of the pixels on, an error from 10 %.
    """
    share = float(np.mean(subject.frames.dead))
    if share < DEFECTIVE:
        return
    say = error if share > 0.1 else warning
    yield say(
        "flats less darks",
        f"{100 * share:.3g} % of the pixels see no beam",
        f"below {100 * DEFECTIVE:g} %",
        "crop to the lit part of the detector with --rows, or check that flats and darks are not exchanged",
    )


@check(has_flats)
def dead_lines(subject: Subject) -> Iterator[Finding]:
    """Look for columns and rows of the detector that see no beam, though their neighbours do.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        A warning where three or more lie side by side, an information else; unlit edges do not count.
    """
    dead = subject.frames.dead
    if dead.mean() > 0.1:
        return
    for where, axis, offset in (("columns", 0, 0), ("rows", 1, subject.frames.rows.start)):
        whole = dead.mean(axis=axis) > 0.9
        lit = np.flatnonzero(~whole)
        if dead.shape[axis] < 4 or not len(lit):
            continue
        lines = np.flatnonzero(whole[lit[0] : lit[-1]]) + lit[0]
        if not len(lines):
            continue
        runs = np.split(lines, np.flatnonzero(np.diff(lines) > 1) + 1)
        widest = max(runs, key=len)
        description = (
            f"{len(lines)} dead, the first is number {lines[0] + offset}, at most {len(widest)} side by side"
        )
        if len(widest) >= 3:
            yield warning(
                f"{where} of the detector",
                description,
                "at most 2 side by side",
                "neighbours cannot stand in for so many: expect rings or a stripe there; move the detector sideways "
                "between scans",
            )
        else:
            yield info(
                f"{where} of the detector",
                description,
                "none",
                "the step flat_field fills them from their neighbours",
            )


@check(frames_there)
def counts_negative(subject: Subject) -> Iterator[Finding]:
    """Look for counts far below zero: unsigned numbers of a camera that were stored as signed ones.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        An error where more than 1 % of the pixels count below -1000.
    """
    frames = subject.frames.projections
    if frames.dtype.kind != "i" or not frames.size:
        return
    share = float(np.mean(frames < -1000))
    if share > 0.01:
        yield error(
            "projections",
            f"{100 * share:.3g} % of the pixels count below -1000, the lowest {int(frames.min())}",
            "counts from 0 on",
            f"the camera's unsigned counts were stored as {frames.dtype}: write them again as u{frames.dtype}",
        )


@check(frames_there)
def hot_pixels(subject: Subject) -> Iterator[Finding]:
    """Count pixels that stand 10 standard deviations above the others without beam.

    Parameters
    ----------
    subject : Subject
        A scan; says nothing where it has no darks.

    Yields
    ------
    Finding
        A warning from 1 % of the pixels on.
    """
    share = float(np.mean(subject.frames.hot))
    if share >= DEFECTIVE and np.count_nonzero(subject.frames.hot) >= FEW:
        yield warning(
            "darks",
            f"{100 * share:.3g} % of the pixels are hot",
            f"below {100 * DEFECTIVE:g} %",
            "cool the camera, or look whether the shutter was open during the darks",
        )


@check(has_flats)
def dark_level(subject: Subject) -> Iterator[Finding]:
    """Compare the darks with the flats: without beam, a camera counts far less.

    Parameters
    ----------
    subject : Subject
        A scan with flats; says nothing where it has no darks.

    Yields
    ------
    Finding
        An error where darks are as bright as flats, a warning from half as bright on.
    """
    sample = subject.frames
    if not len(sample.darks):
        return
    dark, flat = (float(np.nanmedian(frames.astype(np.float64))) for frames in (sample.darks, sample.flats))
    if flat <= 0 or dark < 0.5 * flat:
        return
    say = error if dark >= 0.95 * flat else warning
    yield say(
        "darks",
        f"a median of {dark:.5g} counts, and the flats have {flat:.5g}",
        "darks below half of the flats",
        "check the shutter, and that flats and darks are not exchanged",
    )


@check(has_flats)
def flats_too_weak(subject: Subject) -> Iterator[Finding]:
    """Compare the open beam with the noise of a single flat.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        A warning where the signal is below five times its noise.
    """
    sample = subject.frames
    group = sample.before if len(sample.before) >= 2 else sample.after
    if len(group) < 2:
        return
    signal = float(np.nanmedian(sample.open_beam))
    steps = np.diff(group.astype(np.float64), axis=0)
    noise = 1.4826 * float(np.nanmedian(np.abs(steps))) / np.sqrt(2)
    if noise > 0 and signal < 5 * noise:
        yield warning(
            "flats",
            f"{signal:.4g} counts above the dark with a noise of {noise:.3g}: a ratio of {signal / noise:.2g}",
            "a ratio above 5",
            "expose longer, or check that the beam was on during the flats",
        )


@check(a_scan)
def references_absent(subject: Subject) -> Iterator[Finding]:
    """Ask for flats and darks, where the numbers are counts.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        A warning for each kind there is none of.
    """
    assert subject.scan is not None
    if subject.scan.domain != "counts":
        return
    for name, reference in (("flat", subject.scan.flats), ("dark", subject.scan.darks)):
        if reference is None:
            yield warning(
                f"{name}s",
                f"the scan has no {name} frames",
                "at least ten",
                f"look for a separate file of {name}s; of data that are corrected already, say so with --domain",
            )


@check(has_flats)
def zingers(subject: Subject) -> Iterator[Finding]:
    """Count hits of stray radiation in the flats: pixels 10 standard deviations above their own median.

    Parameters
    ----------
    subject : Subject
        A scan with at least three flats in a group.

    Yields
    ------
    Finding
        A warning from one pixel in ten thousand and frame on.
    """
    sample = subject.frames
    group = max((sample.before, sample.after), key=len)
    if len(group) < 3:
        return
    values = group.astype(np.float32)
    excess = values - np.median(values, axis=0)
    spread = 1.4826 * float(np.median(np.abs(excess)))
    if spread <= 0:
        return
    hits = excess[:, ~sample.hot] > 10 * spread
    share = float(np.mean(hits))
    if share >= ZINGERS and np.count_nonzero(hits) >= FEW * len(group):
        yield warning(
            "flats",
            f"stray radiation hits {100 * share:.2g} % of the pixels of a frame",
            f"below {100 * ZINGERS:g} %",
            "shield the camera; remove the spikes before the flat field",
        )


@check(frames_there)
def frames_blank(subject: Subject) -> Iterator[Finding]:
    """Look for projections that hold one value only: dropped frames, or such as were never written.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        An error that names the frames that were found.
    """
    sample = subject.frames
    flat_out = sample.numbers[sample.blank]
    if len(flat_out):
        yield error(
            "projections",
            f"{len(flat_out)} of {len(sample.numbers)} sampled frames hold one value only, the first is number "
            f"{flat_out[0]}",
            "an image in each",
            "the camera dropped them, or the scan was broken off: leave them out, or scan again",
        )


@check(frames_there)
def frames_not_finite(subject: Subject) -> Iterator[Finding]:
    """Look for NaN and infinity in the projections.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        A warning with their share.
    """
    frames = subject.frames.projections
    if frames.dtype.kind != "f":
        return
    share = float(np.mean(~np.isfinite(frames)))
    if share:
        yield warning(
            "projections",
            f"{100 * share:.3g} % of the pixels are no finite numbers",
            "none",
            "the step flat_field fills them from their neighbours; other programs do not",
        )


@check(frames_there)
def frames_repeated(subject: Subject) -> Iterator[Finding]:
    """Look for projections that equal each other to the bit: noise never repeats.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        An error that names the first pair.
    """
    sample = subject.frames
    seen: dict[bytes, int] = {}
    usable = ~sample.blank
    for number, frame in zip(sample.numbers[usable], sample.projections[usable], strict=True):
        first = seen.setdefault(frame.tobytes(), int(number))
        if first != number:
            yield error(
                "projections",
                f"frames {first} and {number} are equal to the bit",
                "noise that differs",
                "the camera or the writer repeated a frame: compare the times of acquisition, and scan again",
            )
            return
