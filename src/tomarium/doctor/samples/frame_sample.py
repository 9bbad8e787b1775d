"""A few frames that stand for a scan: read once, within a budget, for all checks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.reference_fields import reduce_references
from tomarium.model import Frames, Scan
from tomarium.model.scan import Reference

MOST_PIXELS: Final = 1_000_000
"""Pixels of a frame that are looked at: rows about the middle; the detector's width is always whole."""

MOST_BYTES: Final = 600_000_000
"""Bytes read or decompressed for the sample, at most; fewer frames are taken of larger ones."""

REFERENCES: Final = 8
"""Flats of a group, and darks, that are looked at."""

PROJECTIONS: Final = 8
"""Projections that are looked at, apart from their neighbours and opposites."""

WATCHED: Final = 64
"""Projections of which a few rows are looked at, to see whether the beam stayed."""

WATCHED_ROWS: Final = 8
WATCHED_BYTES: Final = 200_000_000

PAIRS: Final = 3
"""Pairs of projections half a turn apart, and of neighbours."""


@dataclass(frozen=True, eq=False)
class FrameSample:
    """Frames of a scan, some rows about the middle.

    Attributes
    ----------
    rows : slice
        Detector rows that were read.
    before, after : array, shape (frame, row, column)
        Flats of the first and of the last group; `after` has no frames where there is one group only.
    darks : array, shape (frame, row, column)
        Darks; no frames where there are none.
    numbers : array of intp, shape (frame,)
        Which projections were read, ascending.
    projections : array, shape (frame, row, column)
        Those projections, in the stored type.
    opposites : tuple of (int, int)
        Places in `projections` of pairs half a turn apart.
    landmarks : tuple of int, three of them
        Places in `projections` of the first one, the one in the middle and the last.
    watched : array of intp, shape (frame,)
        Projections of which a few rows about the middle were read, ascending.
    watched_rows : array, shape (frame, row, column)
        Those rows; the same as `watched_band` of `rows`.
    watched_band : slice
        Rows of the frames above that they correspond to.
    """

    rows: slice
    before: NDArray[Any]
    after: NDArray[Any]
    darks: NDArray[Any]
    numbers: NDArray[np.intp]
    projections: NDArray[Any]
    opposites: tuple[tuple[int, int], ...]
    landmarks: tuple[int, ...]
    watched: NDArray[np.intp]
    watched_rows: NDArray[Any]
    watched_band: slice

    @cached_property
    def flats(self) -> NDArray[Any]:
        """All flats that were read, shape (frame, row, column)."""
        return np.concatenate([self.before, self.after])

    @cached_property
    def dark(self) -> NDArray[np.float32]:
        """The average dark, shape (row, column); zero where there are none."""
        if len(self.darks):
            return np.nan_to_num(reduce_references(self.darks, "dark"))
        return np.zeros(self.projections.shape[1:], np.float32)

    @cached_property
    def open_beam(self) -> NDArray[np.float32]:
        """The average flat less the dark, shape (row, column); needs flats."""
        return np.asarray(reduce_references(self.flats, "flat") - self.dark, np.float32)

    @cached_property
    def hot(self) -> NDArray[np.bool_]:
        """Pixels that count without beam, shape (row, column).

        10 standard deviations above the others, and by more than a twentieth of the open beam where it is known.
        """
        if not len(self.darks):
            return np.zeros(self.projections.shape[1:], np.bool_)
        middle = float(np.median(self.dark))
        spread = 1.4826 * float(np.median(np.abs(self.dark - middle)))
        signal = float(np.median(self.flats)) - middle if len(self.flats) else 0.0
        return np.asarray(self.dark > middle + max(10 * max(spread, 1.0), signal / 20))

    @cached_property
    def dead(self) -> NDArray[np.bool_]:
        """Pixels that see less than a hundredth of the usual beam and are not hot, shape (row, column)."""
        usual = max(float(np.nanmedian(self.open_beam)), 0.0)
        return np.asarray(~(self.open_beam > 0.01 * usual) & ~self.hot)

    @cached_property
    def good(self) -> NDArray[np.bool_]:
        """Pixels that see the beam and are not hot, shape (row, column); needs flats."""
        return np.asarray(~self.dead & ~self.hot & (self.open_beam > 0))

    @cached_property
    def blank(self) -> NDArray[np.bool_]:
        """Projections that hold one value only, shape (frame,)."""
        flat = self.projections.reshape(len(self.projections), -1)
        return np.asarray((flat == flat[:, :1]).all(axis=1) & (flat.shape[1] > 1))

    @cached_property
    def transmission(self) -> NDArray[np.float32]:
        """Transmission of projections that are not blank, in blocks of 4 × 4 px, shape (frame, row, column)."""
        good = self.good
        weight = np.where(good, self.open_beam, 0.0)
        beam = blocks(weight[None])
        signal = blocks(np.where(good, self.projections[~self.blank].astype(np.float32) - self.dark, 0.0))
        return np.asarray(np.divide(signal, beam, out=np.ones_like(signal), where=beam > 0), np.float32)


def blocks(frames: NDArray[Any], size: int = 4) -> NDArray[np.float32]:
    """Average frames in square blocks.

    Parameters
    ----------
    frames : array, shape (frame, row, column)
        Any numbers.
    size : int
        Edge of a block in px; less along an axis that is shorter.

    Returns
    -------
    array of float32, shape (frame, row, column)
        A block's mean for each block that is whole.
    """
    tall, wide = min(size, frames.shape[1]), min(size, frames.shape[2])
    rows, columns = frames.shape[1] // tall * tall, frames.shape[2] // wide * wide
    whole = frames[:, :rows, :columns].reshape(len(frames), rows // tall, tall, columns // wide, wide)
    return np.asarray(whole.mean(axis=(2, 4), dtype=np.float64), np.float32)


def sample_frames(scan: Scan) -> FrameSample:
    """Read a few frames of a scan.

    Parameters
    ----------
    scan : Scan
        Its frames must be there.

    Returns
    -------
    FrameSample
        Frames spread over the scan.

    Raises
    ------
    FormatError
        The file is damaged there.
    """
    views, rows, columns = scan.shape
    height = max(1, min(rows, MOST_PIXELS // columns))
    band = slice((rows - height) // 2, (rows - height) // 2 + height)
    share = _share(scan.projections, band)
    numbers, opposites = _projections(scan, max(2, round(PROJECTIONS * share)), max(1, round(PAIRS * share)))
    landmarks = tuple(int(np.searchsorted(numbers, value)) for value in (0, views // 2, views - 1))
    watched, few = _watched(scan, band)
    most = max(2, round(REFERENCES * share))
    before, after = _groups(scan.flats, views, most)
    everything = np.arange(scan.darks.frames.shape[0]) if scan.darks is not None else np.arange(0)
    empty = np.empty((0, height, columns), scan.projections.dtype)
    return FrameSample(
        rows=band,
        before=_read(scan.flats, before, band, empty),
        after=_read(scan.flats, after, band, empty),
        darks=_read(scan.darks, _spread(everything, most), band, empty),
        numbers=numbers,
        projections=scan.projections.read(numbers, band),
        opposites=opposites,
        landmarks=landmarks,
        watched=watched,
        watched_rows=scan.projections.read(watched, few),
        watched_band=slice(few.start - band.start, few.stop - band.start),
    )


def _watched(scan: Scan, band: slice) -> tuple[NDArray[np.intp], slice]:
    """Choose many projections, and few of their rows about the middle."""
    height = min(WATCHED_ROWS, band.stop - band.start)
    start = (band.start + band.stop - height) // 2
    few = slice(start, start + height)
    bytes_read = max(scan.projections.cost(WATCHED, few))
    share = min(1.0, WATCHED_BYTES / bytes_read) if bytes_read else 1.0
    return _spread(np.arange(scan.shape[0]), max(2, round(WATCHED * share))), few


def _share(frames: Frames, band: slice) -> float:
    """Return which part of the usual sample fits in the budget."""
    usual = 3 * REFERENCES + PROJECTIONS + 2 * PAIRS
    bytes_read = max(frames.cost(usual, band))
    return min(1.0, MOST_BYTES / bytes_read) if bytes_read else 1.0


def _groups(flats: Reference | None, views: int, most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose flats of the first and of the last group."""
    none = np.arange(0)
    if flats is None or not flats.frames.shape[0]:
        return none, none
    place = np.ceil(np.clip(flats.position, -1, views))
    first, last = np.flatnonzero(place == place.min()), np.flatnonzero(place == place.max())
    return _spread(first, most), _spread(last, most) if place.min() < place.max() else none


def _projections(scan: Scan, count: int, pairs: int) -> tuple[NDArray[np.intp], tuple[tuple[int, int], ...]]:
    views, angles = scan.shape[0], scan.angles_deg.value
    chosen = [*_spread(np.arange(views), count).tolist(), 0, views // 2, views - 1]
    chosen += [min(number + 1, views - 1) for number in chosen[:: max(1, count // pairs)][:pairs]]
    close = max(1.0, 1.5 * float(np.median(np.abs(np.diff(angles))))) if views > 1 else 1.0
    halves: list[tuple[int, int]] = []
    for number in _spread(np.arange(views), 4 * pairs):
        apart = np.abs(angles - angles[number] - 180.0)
        other = int(np.argmin(apart))
        if apart[other] < close and len(halves) < pairs:
            halves.append((int(number), other))
    numbers = np.unique(np.array([*chosen, *(number for pair in halves for number in pair)], np.intp))
    places = {int(number): place for place, number in enumerate(numbers)}
    return numbers, tuple((places[value], places[other]) for value, other in halves)


def _spread(numbers: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    if len(numbers) <= most:
        return np.asarray(numbers, np.intp)
    return np.asarray(numbers[np.unique(np.linspace(0, len(numbers) - 1, most).round().astype(int))], np.intp)


def _read(
    reference: Reference | None, numbers: NDArray[np.intp], band: slice, empty: NDArray[Any]
) -> NDArray[Any]:
    if reference is None or not len(numbers):
        return empty
    return reference.frames.read(numbers, band)
