"""Moments and a fine histogram of the grey values of a volume, slab by slab."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.image_statistics import counted_columns, counted_values, moments
from tomarium.model.image import Sliceable

BINS: Final = 65536
"""Bins of the histogram."""

_CANCELS: Final = 1e-6
SLAB_BYTES: Final = 64 << 20
"""Voxels as float32 that are in memory at a time, but for single slices that are larger."""

DRAWN: Final = 1_000_000
"""Values that are drawn in the first pass, to choose the range of the histogram."""


@dataclass(frozen=True)
class GreyValues:
    """The grey values of a volume.

    Attributes
    ----------
    count, not_finite : int
        Voxels that are finite, and that are not.
    minimum, maximum, mean, standard_deviation : float
        Of the finite ones, exact.
    low, high : float
        Range of the histogram.
    below, above : int
        Finite voxels outside of it.
    counts : array of int64, shape (bin,)
        Histogram.
    """

    count: int
    not_finite: int
    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    low: float
    high: float
    below: int
    above: int
    counts: NDArray[np.int64]

    @property
    def bin_width(self) -> float:
        """Width of a bin: what a percentile may be wrong by."""
        return (self.high - self.low) / len(self.counts)

    def percentile(self, percent: float) -> float:
        """Return the value below which that many percent of the voxels lie.

        Parameters
        ----------
        percent : float
            0 to 100.

        Returns
        -------
        float
            Right to a bin; interpolated between the extremes and the histogram for the few voxels outside of it.
        """
        edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        passed = self.below + np.concatenate([[0], np.cumsum(self.counts)])
        values = np.concatenate([[self.minimum], edges, [self.maximum]])
        parts = np.concatenate([[0], passed, [self.count]]) / self.count
        return float(np.clip(np.interp(percent / 100, parts, values), self.minimum, self.maximum))


def grey_values(
    volume: Sliceable,
    *,
    planes: Sequence[int] | None = None,
    circle: bool = True,
    tell: Callable[[int, int], None] | None = None,
) -> GreyValues:
    """Count the grey values of a volume in two passes.

    Parameters
    ----------
    volume : array, shape (z, y, x)
        Read twice, 64 MiB (or one slice) at a time. NaN and infinity do not count.
    planes : sequence of int, optional
        Slices that count, in ascending order; all of them by default.
    circle : bool
        Whether only the inscribed circle of each slice counts, where slices are square.
    tell : callable, optional
        Told of progress: slices read, of both passes together, and slices in all.

    Returns
    -------
    GreyValues
        The histogram holds 99.998 % of a million values that are drawn evenly, with a tenth of their range on either
        side, so that single outliers do not widen its bins.

    Raises
    ------
    InputError
        No voxel is finite.
    """
    _, rows, columns = volume.shape
    first, last = counted_columns(rows, columns, disc=circle)
    chosen = range(volume.shape[0]) if planes is None else planes
    inside = int((last - first).sum())
    stride = max(1, len(chosen) * inside // DRAWN)
    parts, drawn = [], []
    for planes_read, plane in enumerate(_planes(volume, chosen), 1):
        parts.append(moments(plane, first, last))
        # A view would keep all of them.
        drawn.append(_inside(plane, first, last)[(planes_read * 7919) % stride :: stride].copy())
        if tell is not None:
            tell(planes_read, 2 * len(chosen))
    count = sum(part.count for part in parts)
    if not count:
        raise InputError("no voxel of the volume is finite: there is nothing to measure")
    minimum, maximum = min(part.minimum for part in parts), max(part.maximum for part in parts)
    mean = math.fsum(part.sum for part in parts) / count
    low, high = _range(np.concatenate(drawn), minimum, maximum)
    variance = max(math.fsum(part.sum_squares for part in parts) / count - mean**2, 0.0)
    exactly = variance < _CANCELS * mean**2  # the difference of two large numbers tells nothing
    counts, below, above, squares = np.zeros(BINS, np.int64), 0, 0, 0.0
    scale = np.float32(BINS / (high - low))
    for planes_read, plane in enumerate(_planes(volume, chosen), 1):
        values = _inside(plane, first, last)
        below += int(np.count_nonzero(values < low))
        above += int(np.count_nonzero(values > high))
        if exactly:
            squares += float(np.square(values.astype(np.float64) - mean).sum())
        if below or above:
            values = values[(values >= low) & (values <= high)]
        # Single precision rounds to 1/256 of a bin.
        place = ((values - np.float32(low)) * scale).astype(np.int32)
        counts += np.bincount(np.clip(place, 0, BINS - 1), minlength=BINS)
        if tell is not None:
            tell(len(chosen) + planes_read, 2 * len(chosen))
    variance = squares / count if exactly else variance
    not_finite = sum(part.not_finite for part in parts)
    return GreyValues(
        count, not_finite, minimum, maximum, mean, math.sqrt(variance), low, high, below, above, counts
    )


def _range(drawn: NDArray[np.float32], minimum: float, maximum: float) -> tuple[float, float]:
    low, high = minimum, maximum
    if drawn.size:
        least, most = (float(edge) for edge in np.quantile(drawn.astype(np.float64), [1e-5, 1 - 1e-5]))
        low, high = max(minimum, least - 0.1 * (most - least)), min(maximum, most + 0.1 * (most - least))
    return (low, high) if low < high else (low, low + max(abs(low), 1.0) * 1e-6)


def _inside(
    plane: NDArray[np.float32], first: NDArray[np.int32], last: NDArray[np.int32]
) -> NDArray[np.float32]:
    values: NDArray[np.float32] = counted_values(plane, first, last)
    return values[np.isfinite(values)]


def _planes(volume: Sliceable, chosen: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    """Read slices in runs that follow each other, so that chunks are unpacked once."""
    most = max(1, SLAB_BYTES // (4 * volume.shape[1] * volume.shape[2]))
    start = 0
    while start < len(chosen):
        stop = start + 1
        while stop < len(chosen) and stop - start < most and chosen[stop] == chosen[stop - 1] + 1:
            stop += 1
        block: Any = np.asarray(volume[chosen[start] : chosen[stop - 1] + 1])
        for plane in block:
            yield np.ascontiguousarray(plane, np.float32)
        start = stop
