"""Find the order of a camera's ring buffer and the period of a rotation that goes on and on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Frames
from tomarium.model.scan import IndexedFrames

# Rows in the middle of a frame, and means along them, that stand for the frame.
_ROWS: Final = 8
_COLUMNS: Final = 64
_BLOCK_BYTES: Final = 64 << 20
# The seam of the ring must stand out from the steps between other frames by this factor.
_SEAM: Final = 3.0
# Correlation of frames a whole turn apart that is believed.
_LEAST_CORRELATION: Final = 0.5
_SHORTEST: Final = 8


@dataclass(frozen=True, eq=False)
class ChosenFrames(IndexedFrames):
    """Frames of a stack in another order."""

    frames: Frames
    order: NDArray[np.intp]  # shape (frame,): number in the stack of each frame

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (len(self.order), *self.frames.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a stored pixel."""
        return np.dtype(self.frames.dtype)

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read detector rows of some frames."""
        return self.frames.read(self.order[frames], rows)

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return what `read` costs for that many frames and these rows, as the stack says."""
        return self.frames.cost(frames, rows)


def signatures(frames: Frames) -> NDArray[np.float32]:
    """Reduce each frame to a few numbers.

    `frames`: the stack; eight rows in the middle are read. Result, shape (frame, number): means along those
    rows, less their mean over all frames.
    """
    count, rows, columns = frames.shape
    first = max(0, rows // 2 - _ROWS // 2)
    band = slice(first, min(rows, first + _ROWS))
    columns_averaged = max(1, columns // _COLUMNS)
    columns_used = columns // columns_averaged * columns_averaged
    step = max(1, _BLOCK_BYTES // ((band.stop - band.start) * columns * 4))
    parts = []
    for start in range(0, count, step):
        block = frames.read(slice(start, min(count, start + step)), band)[..., :columns_used].astype(
            np.float32
        )
        parts.append(
            block.reshape(len(block), band.stop - band.start, -1, columns_averaged)
            .mean(axis=3)
            .reshape(len(block), -1)
        )
    sums: NDArray[np.float32] = np.concatenate(parts)
    sums -= sums.mean(axis=0)
    return sums


def ring_start(sums: NDArray[np.float32]) -> tuple[int, float]:
    """Find the oldest frame of a ring buffer by the largest step between neighbours.

    `sums`: what `signatures` returned, in the file's order. Result: its number; 0 where the step from the
    last frame to the first is the largest. Result: how many times the median step the largest is; below 3 it
    says little.
    """
    steps = np.sqrt(np.mean((sums - np.roll(sums, 1, axis=0)) ** 2, axis=1))
    start = int(np.argmax(steps))
    middle = float(np.median(steps))
    return start, float(steps[start]) / middle if middle > 0 else np.inf if steps[start] > 0 else 1.0


def seam_is_clear(ratio: float) -> bool:
    """Tell whether the step `ring_start` found stands out."""
    return ratio >= _SEAM


def rotation_period(sums: NDArray[np.float32]) -> tuple[float, float] | None:
    """Estimate after how many frames the same view comes again.

    `sums`: what `signatures` returned, in the order they were taken; two turns at least. Result:
    the period in frames and the correlation of frames that far apart, 1 at most; None where no two views are alike.

    Notes
    -----
    1. Correlate all frames with those k later, for every k (by the Fourier transform along time).
    2. The shortest k whose correlation is a maximum and nearly the greatest is the period.
    3. Its highest multiple that half of the frames still overlap is found likewise and divided by its number,
       each time with the vertex of the parabola through three neighbours: the error is divided too.
    """
    count = len(sums)
    if count < 2 * _SHORTEST:
        return None
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(sums.astype(np.float64), size, axis=0)
    products = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=1), size)[:count]
    energy = np.concatenate([[0.0], np.cumsum((sums.astype(np.float64) ** 2).sum(axis=1))])
    lags = np.arange(count)
    # The energy of the frames that overlap at each lag, at the beginning and at the end.
    norm = np.sqrt((energy[count - lags] - energy[0]) * (energy[count] - energy[lags]))
    correlation = np.divide(products, norm, out=np.zeros(count), where=norm > 0)
    first, last = _SHORTEST, max(_SHORTEST + 1, 2 * count // 3)
    peaks = [lag for lag in range(first, min(last, count - 1)) if _is_peak(correlation, lag)]
    if not peaks:
        return None
    best = max(correlation[lag] for lag in peaks)
    if best < _LEAST_CORRELATION:
        return None
    lag = next(lag for lag in peaks if correlation[lag] >= 0.9 * best)
    period, quality = _vertex(correlation, lag), float(correlation[lag])
    turns = 2
    while turns * period < count / 2:
        guess = round(turns * period)
        window = range(max(1, guess - 2), min(count - 2, guess + 3))
        top = max(window, key=lambda lag: float(correlation[lag]))
        if not _is_peak(correlation, top) or correlation[top] < 0.5 * quality:
            break
        period = _vertex(correlation, top) / turns
        turns += 1
    return period, quality


def _is_peak(correlation: NDArray[np.float64], lag: int) -> bool:
    return bool(correlation[lag] > correlation[lag - 1] and correlation[lag] >= correlation[lag + 1])


def _vertex(correlation: NDArray[np.float64], lag: int) -> float:
    before, at, after = correlation[lag - 1 : lag + 2]
    bend = before - 2 * at + after
    return lag + float(0.5 * (before - after) / bend) if bend else float(lag)
