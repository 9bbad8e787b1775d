"""Volumes: empty slabs, values that are no numbers, jumps between slices, grey values out of range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, a_volume
from tomarium.doctor.samples.slice_sample import SliceSample
from tomarium.kernels.slice_jumps import FEWEST, slice_jumps
from tomarium.model import Volume


@check(a_volume)
def slices_empty(subject: Subject) -> Iterator[Finding]:
    """Look for slices that hold one value only: slabs that were never written.

    Parameters
    ----------
    subject : Subject
        A volume.

    Yields
    ------
    Finding
        An error that names the slices; a warning where they lie at an end, as padding does.
    """
    sample = subject.slices
    constant = (sample.high == sample.low) & (sample.finite > 0)
    for first, last in _runs(constant):
        all_of_it = first == 0 and last == len(constant) - 1
        at_an_end = (first == 0 or last == len(constant) - 1) and not all_of_it
        say = warning if at_an_end else error
        yield say(
            _slices(sample, first, last, subject),
            f"every voxel is {sample.low[first]:g}",
            "grey values that differ",
            "cut these slices off, if they are padding; else resume the run, which fills what it has not written"
            if at_an_end
            else "resume the run, or reconstruct these rows again",
        )


@check(a_volume)
def slices_not_finite(subject: Subject) -> Iterator[Finding]:
    """Look for NaN and infinity.

    Parameters
    ----------
    subject : Subject
        A volume.

    Yields
    ------
    Finding
        An error where slices hold nothing else, a warning where voxels are no finite numbers.
    """
    sample = subject.slices
    for first, last in _runs(sample.finite == 0):
        yield error(
            _slices(sample, first, last, subject),
            "no voxel is a finite number",
            "grey values",
            "reconstruct these rows again; look for pixels without beam in the flats",
        )
    partly = (sample.finite < 1) & (sample.finite > 0)
    if partly.any():
        yield warning(
            f"{int(partly.sum())} of {len(partly)} slices",
            f"{100 * (1 - float(sample.finite[partly].mean())):.3g} % of their voxels are NaN or infinite",
            "finite numbers inside the inscribed circle",
            "look for pixels without beam in the flats; fill or mask these voxels before you measure",
        )


@check(a_volume)
def slices_jump(subject: Subject) -> Iterator[Finding]:
    """Look for slices whose grey values leave those of their neighbours.

    1. From a slice to the next, the tenth and the ninetieth percentile of what changes stay where they are; where
       the sample begins, one of them moves. In a slab with another offset both move, the same way and about
       as far: the smaller of their moves counts.
    2. One slice alone that is off deviates from both neighbours in its mean, and many of its voxels with it.
    3. Named is what exceeds 8 median absolute deviations, 2 % of the spread of the grey values, 5 standard errors
       of what was measured in slices of so many voxels, and 5 times what most slices move by. Percentiles of whole
       numbers move by whole numbers, so there the first must exceed one grey value.

    Parameters
    ----------
    subject : Subject
        A volume of which neighbouring slices were read.

    Yields
    ------
    Finding
        A warning with the place of the largest jump.
    """
    sample = subject.slices
    if not sample.neighbours or len(sample.z) < FEWEST:
        return
    whole = subject.image is not None and np.dtype(subject.image.dtype).kind in "iub"
    jumps = slice_jumps(sample.mean, sample.spread, sample.change, sample.voxels, whole_numbers=whole)
    if jumps:
        worst = max(jumps, key=lambda jump: abs(jump.size))
        change = "the mean leaves that of both neighbours" if worst.alone else "all grey values shift"
        yield warning(
            f"slice {int(sample.z[worst.place])} of {subject.image.shape[0] if subject.image else 0}",
            f"{change} by {abs(worst.size):.3g}; {len(jumps)} such places",
            f"at most {worst.bound:.3g}, what neighbours and noise differ by",
            "slabs were treated differently there, or the beam was: compare flats and normalisation of those rows",
        )


@check(a_volume)
def grey_range(subject: Subject) -> Iterator[Finding]:
    """Compare the grey values that were read with the record's own range and histogram.

    Parameters
    ----------
    subject : Subject
        A volume; what the record says of it where it is in one.

    Yields
    ------
    Finding
        A warning where values lie outside the range the record tells, or are cut off at the type's ends.
    """
    sample = subject.slices
    if sample.at_limits > 0.01:
        yield warning(
            "grey values",
            f"{100 * sample.at_limits:.2g} % lie at the ends of their type's range",
            "below 1 %",
            "the grey window was too narrow: cast again with a wider one",
        )
    statistics = subject.record.volume if subject.record is not None else {}
    low, high = statistics.get("minimum"), statistics.get("maximum")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        slack = 1e-3 * max(high - low, abs(high), abs(low)) + 1e-30
        limits = float(sample.low.min()), float(sample.high.max())
        if limits[0] < low - slack or limits[1] > high + slack:
            yield warning(
                "grey values",
                f"{limits[0]:.4g} … {limits[1]:.4g}",
                f"{low:.4g} … {high:.4g}, as the record says",
                "the volume was changed after its statistics were taken: file the record again",
            )
    histogram = statistics.get("histogram") or {}
    edges = histogram.get("edges") or []
    if edges and isinstance(low, (int, float)) and isinstance(high, (int, float)):
        wide = max(edges[1] - edges[0] if len(edges) > 1 else 0.0, 1e-6 * max(abs(low), abs(high)))
        if edges[0] > low + wide or edges[-1] < high - wide:
            yield warning(
                "histogram",
                f"{edges[0]:.4g} … {edges[-1]:.4g}",
                f"{low:.4g} … {high:.4g}, the range of the values",
                "the histogram is of another volume: file the record again",
            )


@check(a_volume)
def voxel_size_absent(subject: Subject) -> Iterator[Finding]:
    """Ask for the size of a voxel.

    Parameters
    ----------
    subject : Subject
        A volume.

    Yields
    ------
    Finding
        A warning where it is not known; an information where the voxels are no cubes.
    """
    assert isinstance(subject.image, Volume)
    size = subject.image.voxel_m
    if size is None:
        yield warning(
            "voxel size",
            "the axes have no length",
            "a size in m",
            "give the pixel size when you reconstruct (--pixel '0.65 um'), or as the user's own value",
        )
    elif max(size) > 1.1 * min(size):
        yield info("voxel size", " × ".join(f"{1e6 * edge:.4g} µm" for edge in size), "cubes, as a rule")


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(stop) - 1) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _slices(sample: SliceSample, first: int, last: int, subject: Subject) -> str:
    depth = subject.image.shape[0] if subject.image is not None else 0
    end = min(int(sample.z[last]) + sample.thickness - 1, depth - 1)
    start = int(sample.z[first])
    return f"slice {start} of {depth}" if start == end else f"slices {start} to {end} of {depth}"
