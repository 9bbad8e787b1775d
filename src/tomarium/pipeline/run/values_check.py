"""What the numbers of a scan tell besides its frames: another domain than was told, rows that hold nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.flat_change import fine_change
from tomarium.model import Frames, Scan

MOST_ATTENUATION: Final = 30.0
"""-ln(I/I0) that no detector tells: counts of 32 bits go to 22."""

MOST_TRANSMISSION: Final = 3.0
"""I/I0 that no fringe reaches over a part of the frame."""

MOST_CHANGE: Final = 0.02
"""Change of the beam's intensity since the flats that may stay in the attenuation."""

_LEVELLING: Final = frozenset({"normalise_beam", "normalise_air"})
_EDGE: Final = 3
_NEAR: Final = 0.1
_BLACK: Final = 1e-3
_VIEWS: Final = 2
_FLATS: Final = 8
_ROWS: Final = 512

MOVED: Final = 5.0
"""How many times their noise flats may differ in their fine structure."""

LEAST_MOVED: Final = 5e-3
"""Change that is less than the noise of most views."""

_MANY: Final = 4_000_000


def of_domain(scan: Scan, numbers: NDArray[np.floating], levelled: bool) -> Iterator[str]:
    """Say where the numbers look like those of another domain.

    `numbers`, shape (angle, row, column): some rows of all projections. `levelled`: whether the protocol takes the open
    beam from columns of air.
    """
    if scan.domain == "counts" or numbers.size == 0:
        return
    seen = numbers[:: -(-numbers.size // _MANY)]
    high = float(np.nan_to_num(np.nanpercentile(seen, 95)))
    edges, middle = _profile(seen)
    if scan.domain == "transmission":
        if np.all(np.abs(edges) < _NEAR) and middle > 2 * _NEAR:
            yield (
                f"the numbers are 0 at both edges of the detector and {middle:.2g} in its middle, as attenuations "
                f"-ln(I/I0) are: if so, say --domain attenuation"
            )
        if high > MOST_TRANSMISSION and not levelled:
            yield (
                f"5 % of the transmissions I/I0 are above {high:.4g}, and none but fringes is above 1: they are not "
                f"divided by the open beam; --step normalise_air takes it from the air beside the sample"
            )
        return
    if high > MOST_ATTENUATION:
        yield (
            f"5 % of the numbers are above {high:.4g}, and no detector tells an attenuation -ln(I/I0) above 22: they "
            f"are counts, or scaled, and grey values are no attenuation"
        )
        return
    if np.all(np.abs(edges - 1) < _NEAR) and middle < 1 - 2 * _NEAR and high < 1 + 2 * _NEAR:
        yield (
            f"the numbers are 1 at both edges of the detector and {middle:.2g} in its middle, as transmissions I/I0 "
            f"are: if so, say --domain transmission"
        )


def of_beam(scan: Scan, steps: Collection[str]) -> Iterator[str]:
    """Say that the beam was not as bright in the views as in the flats, where no step of the protocol levels it."""
    value = scan.geometry.beam_intensity
    if value is None or scan.domain != "counts" or not _LEVELLING.isdisjoint(steps):
        return
    low, high = float(value.value.min()), float(value.value.max())
    if max(abs(low - 1), abs(high - 1)) > MOST_CHANGE:
        yield (
            f"the beam in the views is {low:.3f} to {high:.3f} times as bright as in the flats ({value.source}): "
            f"attenuations are wrong by up to {max(abs(np.log([low, high]))):.2g}; --step normalise_beam corrects them"
        )


def _profile(numbers: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Return the means of the outermost columns and the median of those in the middle; NaN where it cannot be told."""
    columns = numbers.shape[2]
    finite = np.isfinite(numbers)
    counted = finite.sum(axis=(0, 1))
    if columns < 8 * _EDGE or not counted.all():
        return np.full(1, np.nan), np.nan
    mean = np.where(finite, numbers, 0).sum(axis=(0, 1), dtype=np.float64) / counted
    edges = np.concatenate((mean[:_EDGE], mean[-_EDGE:]))
    return edges, float(np.median(mean[columns // 4 : -columns // 4]))


def of_rows(scan: Scan) -> Iterator[str]:
    """Name the rows that hold nothing in two projections: they are black, or not finite.

    Two projections, one flat and one dark are read whole.
    """
    if scan.domain == "attenuation" or (scan.domain == "counts" and scan.flats is None):
        return
    signal = _rows_of(scan.projections, _VIEWS)
    full = np.float64(1.0)
    if scan.domain == "counts":
        assert scan.flats is not None
        dark = 0.0 if scan.darks is None else np.nan_to_num(_rows_of(scan.darks.frames, 1)[0])
        signal = signal - dark
        full = np.nanmedian(_rows_of(scan.flats.frames, 1)[0] - dark)
    black = np.all(np.nan_to_num(signal, nan=-np.inf) <= _BLACK * full, axis=0)
    if not full > 0 or not black.any() or black.mean() > 0.5:  # then it is no matter of rows
        return
    yield (
        f"{_row_names(np.flatnonzero(black))} nothing, black or not finite, and slices there show nothing of the "
        f"sample; leave them out with --rows, or with --step crop where other rows are filtered with them"
    )


def of_flats(scan: Scan) -> Iterator[str]:
    """Say where the beam moved between the flats before and after, by more than dividing by them mends.

    Sixteen flats are read at most, of the middle rows of a large detector.
    """
    if scan.domain != "counts" or scan.flats is None:
        return
    place, height = scan.flats.position, scan.shape[1]
    groups = [np.flatnonzero(place <= 0)[-_FLATS:], np.flatnonzero(place >= scan.shape[0] - 1)[:_FLATS]]
    if min(map(len, groups)) < 2 or height < _ROWS // 16:
        return
    first = max(0, (height - _ROWS) // 2)
    rows = slice(first, min(height, first + _ROWS))
    dark = 0.0 if scan.darks is None else scan.darks.frames.read(slice(0, 1), rows)[0].astype(np.float64)
    before, after = (_logarithms(scan.flats.frames.read(group, rows) - dark) for group in groups)
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        return
    change, noise = fine_change(before, after)
    if change > max(MOVED * noise, LEAST_MOVED):
        yield (
            f"the beam moved between the flats before and after: their fine structure changed by {100 * change:.2g} %, "
            f"{change / max(noise, 1e-12):.2g} times the noise; --step dynamic_flat_field follows it from view to view"
        )


def _logarithms(signal: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the logarithm of frames in blocks of 4 × 4, less the median of each; of dead blocks too."""
    rows, columns = (length // 4 * 4 for length in signal.shape[1:])
    whole = signal[:, :rows, :columns].reshape(len(signal), rows // 4, 4, columns // 4, 4).mean(axis=(2, 4))
    usual = np.median(whole, axis=(1, 2), keepdims=True)
    logarithm = np.log(np.maximum(whole, 0.05 * usual)) if (usual > 0).all() else np.full(whole.shape, np.nan)
    return np.asarray(logarithm - np.median(logarithm, axis=(1, 2), keepdims=True))


def _rows_of(frames: Frames, count: int) -> NDArray[np.float64]:
    """Return the mean of each row of some frames, shape (frame, row); NaN where nothing is finite."""
    total, rows, _ = frames.shape
    chosen = np.unique(np.linspace(0, total - 1, 2 * count + 1).round().astype(np.intp)[1::2])
    numbers: NDArray[Any] = frames.read(chosen, slice(0, rows)).astype(np.float64)
    good = np.isfinite(numbers)
    sums = np.where(good, numbers, 0).sum(axis=2)
    counted = good.sum(axis=2)
    return np.asarray(np.where(counted > 0, sums / np.maximum(counted, 1), np.nan))


def _row_names(numbers: NDArray[np.intp]) -> str:
    """Write "rows 10 to 13 and 20 hold", "row 3 holds"."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    words = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:5]]
    if len(runs) > 5:
        words.append(f"{sum(map(len, runs[5:]))} more")
    if len(numbers) == 1:
        return f"row {words[0]} holds"
    return f"rows {', '.join(words[:-1])}{' and ' if len(words) > 1 else ''}{words[-1]} hold"
