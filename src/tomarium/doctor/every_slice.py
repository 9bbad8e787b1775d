"""Every slice of a finished volume, at full resolution: which slabs are bad, each named with its slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.doctor.core.finding import Finding, Report, error, warning
from tomarium.errors import FormatError
from tomarium.formats.zarr.lost_files import height_of_files, lost_files
from tomarium.kernels.image_statistics import counted_columns, counted_values
from tomarium.kernels.slice_jumps import Jump, slice_jumps
from tomarium.model import Volume

Kind = Literal[
    "slab-missing",
    "slab-unreadable",
    "slab-changed",
    "slab-empty",
    "slab-not-finite",
    "slab-jumps",
    "rows-empty",
]

MOST_AT_ONCE: Final = 64 << 20
"""Bytes of voxels that are read at a time, but for single files that hold more."""

COMPARED: Final = 1 << 18
"""Voxels of a slice, evenly over it, that are compared with those of the next."""

ROWS_EMPTY: Final = 3
"""Rows next to each other that hold one value and do so in few slices: what is cut off ends in such."""

SELDOM: Final = 0.1
"""Part of the slices in which such a row may hold one value; rows of background that is cut off at 0 do in more."""

LEAST_ROW: Final = 16
"""Voxels of a row from which it is looked at."""


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with some slices of a volume.

    Attributes
    ----------
    kind : Kind
        What it is, in a word.
    first, last : int
        Its slices, both included.
    found, expected : str
        What is there and what should be, with numbers.
    severe : bool
        Whether the slices cannot be used; else they are to be looked at.
    """

    kind: Kind
    first: int
    last: int
    found: str
    expected: str
    severe: bool = True

    @property
    def slices(self) -> str:
        """Its slices in words: "slice 40", "slices 32 to 63"."""
        return f"slice {self.first}" if self.first == self.last else f"slices {self.first} to {self.last}"


@dataclass(frozen=True)
class _Slice:
    """Figures of one slice inside the circle; NaN where nothing was read."""

    mean: float = np.nan
    spread: float = np.nan
    low: float = np.nan
    high: float = np.nan
    finite: float = np.nan
    rows_constant: NDArray[np.bool_] | None = None
    change: tuple[float, float] = (np.nan, np.nan)


def find_faults(
    volume: Volume, *, on_progress: Callable[[str, int, int], None] | None = None
) -> tuple[Fault, ...]:
    """Look at every slice of a volume.

    1. Files of chunks that are absent, and slices that cannot be read.
    2. Slices, inside the inscribed circle, that hold one value, or values that are not finite; rows that hold one
       value where those of most slices do not, as in a file that was cut off and filled with zeros.
    3. Jumps of the grey values from a slice to the next, see `tomarium.kernels.slice_jumps`.

    Parameters
    ----------
    volume : Volume
        Any finished volume; it is read once, file by file.
    on_progress : callable, optional
        `on_progress("slices", done, total)`.

    Returns
    -------
    tuple of Fault
        In the order of slices; empty where all is well.
    """
    depth = volume.shape[0]
    faults = [
        Fault(
            "slab-missing",
            lost_file.first,
            lost_file.last,
            f"the file {lost_file.path} is absent",
            "a file with voxels",
        )
        for lost_file in (lost_files(volume) if volume.levels and volume.path is not None else ())
    ]
    missing = {
        z
        for fault in faults
        for z in range(fault.first, fault.last + 1)
        if fault.found.startswith("the file 0/")
    }
    slices: list[_Slice] = []
    before: NDArray[np.float32] | None = None
    for first, block in _blocks(volume):
        if isinstance(block, str):
            count = min(_height(volume), depth - first)
            faults.append(
                Fault("slab-unreadable", first, first + count - 1, block, "voxels that can be read")
            )
            slices += [_Slice()] * count
            before = None
        else:
            for number, plane in enumerate(block, first):
                if number in missing:
                    slice_, before = _Slice(), None
                else:
                    slice_, before = _measure(plane, before)
                slices.append(slice_)
        if on_progress is not None:
            on_progress("slices", len(slices), depth)
    whole_numbers = volume.dtype.kind in "iub"
    faults += _value_faults(slices, whole_numbers)
    faults += _jump_faults(slices, volume, whole_numbers)
    return tuple(sorted(faults, key=lambda fault: (fault.first, fault.last, fault.kind)))


def report_of(name: str, faults: tuple[Fault, ...], depth: int, mend: str) -> Report:
    """Tell what was found as the doctor does.

    Parameters
    ----------
    name : str
        What was looked at.
    faults : tuple of Fault
        What `find_faults` told.
    depth : int
        Slices of the volume.
    mend : str
        What to do.

    Returns
    -------
    Report
        With the doctor's exit codes.
    """
    findings: list[Finding] = []
    for fault in faults:
        say = error if fault.severe else warning
        finding = say(f"{fault.slices} of {depth}", fault.found, fault.expected, mend)
        findings.append(
            Finding(
                finding.severity,
                finding.where,
                finding.found,
                finding.expected,
                finding.mend,
                fault.kind,
                "slabs",
            )
        )
    kinds = tuple(Kind.__args__)  # type: ignore[attr-defined]
    return Report(name, tuple(findings), kinds)


def _height(volume: Volume) -> int:
    """Return how many slices are read at once: what a file holds, or a few MiB."""
    files = height_of_files(volume)
    bytes_of_slice = volume.shape[1] * volume.shape[2] * volume.dtype.itemsize
    return files if files > 1 else max(1, min(volume.shape[0], MOST_AT_ONCE // max(1, bytes_of_slice)))


def _blocks(volume: Volume) -> Iterator[tuple[int, NDArray[Any] | str]]:
    """Read the volume file by file; where that fails, give the reason in its place."""
    height = _height(volume)
    for first in range(0, volume.shape[0], height):
        try:
            yield first, np.asarray(volume[first : first + height])
        except (FormatError, OSError) as problem:
            yield first, str(problem)


def _measure(plane: NDArray[Any], before: NDArray[np.float32] | None) -> tuple[_Slice, NDArray[np.float32]]:
    values = np.ascontiguousarray(plane, np.float32)
    first, last = counted_columns(*values.shape, disc=True)
    inside = counted_values(values, first, last)
    compared = inside[:: max(1, inside.size // COMPARED)].copy()
    finite = inside if np.isfinite(inside.sum(dtype=np.float64)) else inside[np.isfinite(inside)]
    if not finite.size:
        return _Slice(finite=0.0), compared
    change = (np.nan, np.nan)
    if before is not None:
        with np.errstate(invalid="ignore"):
            moved = compared - before
        moved = moved[np.isfinite(moved)]
        if moved.size:
            low, high = np.percentile(moved, (10, 90))
            change = (float(low), float(high))
    return (
        _Slice(
            float(finite.mean(dtype=np.float64)),
            float(finite.std(dtype=np.float64)),
            float(finite.min()),
            float(finite.max()),
            finite.size / inside.size,
            _rows_constant(values, first, last),
            change,
        ),
        compared,
    )


def _rows_constant(
    values: NDArray[np.float32], first: NDArray[np.int32], last: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Tell which rows hold one value within the circle."""
    constant = np.zeros(len(values), bool)
    wide = np.flatnonzero(last - first >= LEAST_ROW)
    starts = values[wide, first[wide]]
    ends = starts == values[wide, last[wide] - 1]
    for y in wide[ends & (starts == values[wide, (first[wide] + last[wide]) // 2])]:
        constant[y] = bool((values[y, first[y] : last[y]] == values[y, first[y]]).all())
    return constant


def _value_faults(slices: list[_Slice], whole_numbers: bool) -> Iterator[Fault]:
    low, high, finite = (
        np.array([getattr(slice_, name) for slice_ in slices]) for name in ("low", "high", "finite")
    )
    depth = len(slices)
    for first, last in _runs(low == high):
        at_an_end = (first == 0) != (last == depth - 1)
        padding = at_an_end or whole_numbers
        yield Fault(
            "slab-empty",
            first,
            last,
            f"every voxel is {low[first]:g}" + (", at an end of the volume" if at_an_end else ""),
            "grey values that differ",
            severe=not padding,
        )
    for first, last in _runs(finite == 0):
        yield Fault("slab-not-finite", first, last, "no voxel is a finite number", "grey values")
    for first, last in _runs((finite > 0) & (finite < 1)):
        lost = 100 * (1 - float(finite[first : last + 1].mean()))
        yield Fault(
            "slab-not-finite",
            first,
            last,
            f"{lost:.3g} % of the voxels inside the circle are NaN or infinite",
            "finite numbers",
            severe=False,
        )
    if not whole_numbers:
        yield from _row_faults(slices, low == high)


def _row_faults(slices: list[_Slice], empty: NDArray[np.bool_]) -> Iterator[Fault]:
    """Name slices with rows of one value, where these rows hold several in most slices."""
    rows_constant = [slice_.rows_constant for slice_ in slices if slice_.rows_constant is not None]
    if not rows_constant:
        return
    seldom = np.mean(rows_constant, axis=0) <= SELDOM
    longest = np.zeros(len(slices), int)
    for z, slice_ in enumerate(slices):
        if slice_.rows_constant is not None and not empty[z]:
            runs = _runs(slice_.rows_constant & seldom)
            longest[z] = max((last - first + 1 for first, last in runs), default=0)
    for first, last in _runs(longest >= ROWS_EMPTY):
        yield Fault(
            "rows-empty",
            first,
            last,
            f"{longest[first : last + 1].max()} rows next to each other hold one value",
            f"values that differ, as in these rows of {100 * (1 - SELDOM):.0f} % of the slices or more",
        )


def _jump_faults(slices: list[_Slice], volume: Volume, whole_numbers: bool) -> Iterator[Fault]:
    mean, spread = (np.array([getattr(slice_, name) for slice_ in slices]) for name in ("mean", "spread"))
    empty = np.array([slice_.low == slice_.high or not slice_.finite > 0.5 for slice_ in slices])
    mean[empty], spread[empty] = np.nan, np.nan
    change = np.array([slice_.change for slice_ in slices[1:]], np.float64).reshape(-1, 2)
    change[empty[1:] | empty[:-1]] = np.nan
    first, last = counted_columns(*volume.shape[1:], disc=True)
    inside = int((last - first).sum())
    voxels = -(-inside // max(1, inside // COMPARED))
    jumps = slice_jumps(mean, spread, change, voxels, whole_numbers=whole_numbers)
    for start, stop, jump in _between(jumps, len(slices)):
        what_changed = "the mean leaves that of both neighbours" if jump.alone else "all grey values shift"
        yield Fault(
            "slab-jumps",
            start,
            stop,
            f"{what_changed} by {jump.size:+.3g} {volume.unit}".rstrip(),
            f"at most {jump.bound:.3g}, what neighbours and noise differ by",
            severe=False,
        )


def _between(jumps: tuple[Jump, ...], depth: int) -> Iterator[tuple[int, int, Jump]]:
    """Give the slices of each shifted slab: from a jump to the one that takes it back, else to the nearer end."""
    remaining = list(jumps)
    while remaining:
        jump = remaining.pop(0)
        if jump.alone:
            yield jump.place, jump.place, jump
        elif remaining and jump.size * remaining[0].size < 0 and 0.5 < abs(remaining[0].size / jump.size) < 2:
            yield jump.place, remaining.pop(0).place - 1, jump
        elif jump.place <= depth // 2:
            yield 0, jump.place - 1, jump
        else:
            yield jump.place, depth - 1, jump


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last place of each run of True."""
    runs = []
    for value, group in groupby(enumerate(flags.tolist()), key=lambda pair: pair[1]):
        places = [place for place, _ in group]
        if value:
            runs.append((places[0], places[-1]))
    return runs
