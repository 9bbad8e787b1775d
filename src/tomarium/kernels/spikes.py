"""Spikes (zingers): single pixels of a frame that stray radiation made far too bright."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import extension, level, takes_compiled
from tomarium.errors import EngineUnavailable, InputError, ParameterError

MOST_BRIGHT: Final = 4
"""Pixels of a spike; what is as bright and larger was seen, as an edge or a crack is."""

HALO: Final = MOST_BRIGHT + 1
"""Rows a pixel's verdict depends on, above and below: it may be beside a spike, whose size is seen from there on."""

SKIRT: Final = 3.0
"""Standard deviations above which a pixel beside a spike is part of it."""

_BLOCK_ROWS: Final = 48
_LEVELS: Final = 24


@dataclass(frozen=True)
class NoiseModel:
    """How far a pixel lies from the median of its neighbourhood by chance, at each brightness.

    Attributes
    ----------
    brightness : array of float64, shape (level,)
        Ascending.
    sigma : array of float64, shape (level,)
        Standard deviation of the difference there, from the median absolute deviation; above 0.
    """

    brightness: NDArray[np.float64]
    sigma: NDArray[np.float64]

    def at(self, brightness: NDArray[Any]) -> NDArray[np.float64]:
        """Return the standard deviation at a brightness."""
        return np.asarray(np.interp(brightness, self.brightness, self.sigma))


def measure_noise(frames: Any) -> NoiseModel:
    """Measure how noise grows with brightness.

    Pixels are put into groups of equal number by the median of their 3 x 3 neighbourhood; in each the median
    absolute difference from it, over 0.6745, is the noise. Spikes are too few to move a median.

    Parameters
    ----------
    frames : array, shape (frame, row, column)
        A few frames.

    Returns
    -------
    NoiseModel
        Where all pixels are equal, as noise the precision of single floats.
    """
    middles, differences = [], []
    for frame in np.asarray(frames, np.float32):
        middle = local_median(frame)
        good = np.isfinite(middle) & np.isfinite(frame)
        middles.append(middle[good])
        differences.append(np.abs(frame[good] - middle[good]))
    middle, difference = np.concatenate(middles), np.concatenate(differences)
    if not len(middle):
        return NoiseModel(np.zeros(1), np.ones(1))
    order = np.argsort(middle, kind="stable")
    groups = np.array_split(order, min(_LEVELS, max(1, len(order) // 64)))
    brightness = np.array([float(np.median(middle[group])) for group in groups])
    # Half of the pixels are often equal to the median of whole counts: the mean of the middle half is finer.
    sigma = np.array([_spread(difference[group]) for group in groups])
    least = max(1e-6 * float(np.abs(brightness).max()), 1e-12)
    return NoiseModel(brightness, np.maximum(sigma, least))


def _spread(differences: NDArray[np.float32]) -> float:
    """Return the standard deviation of normal noise whose absolute values have this trimmed mean."""
    ordered = np.sort(differences)
    kept = ordered[: max(1, round(0.9 * len(ordered)))]
    # The mean of |x| of a normal x below its 90 % quantile q = 1.6449 is 2 (φ(0) - φ(q)) / 0.9 = 0.6574.
    return float(kept.mean()) / 0.6574


@cache
def median_network(size: int) -> NDArray[np.int32]:
    """Return the comparators of Batcher's odd-even merge sort that the median of so many numbers needs."""
    pairs: list[tuple[int, int]] = []
    p = 1
    while p < size:
        k = p
        while k >= 1:
            for j in range(k % p, size - k, 2 * k):
                pairs += [
                    (i + j, i + j + k)
                    for i in range(min(k, size - j - k))
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p)
                ]
            k //= 2
        p *= 2
    needed, kept = {size // 2}, []
    for low, high in reversed(pairs):  # what does not lead to the middle is left out
        if low in needed or high in needed:
            needed |= {low, high}
            kept.append((low, high))
    return np.ascontiguousarray(kept[::-1], np.int32).reshape(-1, 2)


def local_median(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of the 3 x 3 neighbourhood of each pixel; edges are repeated.

    Parameters
    ----------
    frame : array of float32, shape (row, column)
        One frame.

    Returns
    -------
    array of float32, shape (row, column)
        Medians.
    """
    rows, columns = frame.shape
    padded = np.pad(frame, 1, mode="edge")
    result = np.empty((rows, columns), np.float32)
    for start in range(0, rows, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, rows)
        views = [padded[start + i : stop + i, j : j + columns].copy() for i in range(3) for j in range(3)]
        low = np.empty_like(views[0])
        for a, b in median_network(9):
            np.minimum(views[a], views[b], out=low)
            np.maximum(views[a], views[b], out=views[b])
            views[a], low = low, views[a]
        result[start:stop] = views[4]
    return result


def remove_spikes(
    frames: Any,
    noise: NoiseModel,
    *,
    threshold: float = 8.0,
    engine: Literal["auto", "native", "reference"] = "auto",
    threads: int = 1,
    out: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], int]:
    """Replace pixels far brighter than their neighbourhood by its median.

    1. A pixel more than `threshold` standard deviations above the median of its 3 x 3 neighbourhood is a spike, if
       it hangs together with at most 3 others that rise by half as much above that median: a thin line, the fringe
       of an edge and the corner of a bright field are larger, and are left.
    2. So is a pixel beside one, more than 3 standard deviations above.
    3. Both take the median of their neighbourhood.

    At the frame's edges the median repeats the outermost pixels; no frame looks at another. What is not finite is
    no spike and counts as brighter than all: the flat field replaces it.

    Parameters
    ----------
    frames : array, shape (angle, row, column)
        Counts or transmission; each frame stands for itself.
    noise : NoiseModel
        As `measure_noise` returns it.
    threshold : float
        Standard deviations, above 0.
    engine : {"auto", "native", "reference"}
        Compiled kernel, for uint16 and float32, or NumPy; "auto" takes the compiled one where it can.
    threads : int
        Frames in work at a time.
    out : array, shape (angle, row, column), optional
        Where the result goes, of the frames' type; another array than the frames, and C-contiguous.

    Returns
    -------
    array, shape (angle, row, column)
        Of the frames' type.
    int
        Pixels that were replaced.

    Raises
    ------
    InputError
        The frames have not three axes, or `out` does not fit them.
    ParameterError
        `threshold` is not above 0, or there is no such engine.
    EngineUnavailable
        The compiled kernel was asked for and is not there, or does not know the frames' type.

    References
    ----------
    The noise model is that of photon counting, J. R. Janesick, Photon Transfer (2007), chapter 2, measured here
    instead of assumed; the gate by the median follows TomoPy's `remove_outlier` (D. Gürsoy et al., J. Synchrotron
    Rad. 21, 1188 (2014), doi 10.1107/S1600577514013939).
    """
    if not threshold > 0:
        raise ParameterError(f"remove_spikes: threshold is {threshold}; give standard deviations, above 0")
    data = np.asarray(frames)
    result = _checked(np.empty(data.shape, data.dtype) if out is None else out, data)
    least = threshold * float(noise.sigma.min())
    if _compiled(engine, data.dtype) and data.size:
        replaced = np.zeros(len(data), np.int64)
        below = np.nextafter(np.float32(least), np.float32(0))
        extension().mend_spikes(
            np.ascontiguousarray(data), np.ascontiguousarray(noise.brightness, np.float64),
            np.ascontiguousarray(noise.sigma, np.float64), threshold, float(below), result, replaced,
            max(1, threads), level(),
        )  # fmt: skip
        return result, int(replaced.sum())

    def one(number: int) -> int:
        result[number] = data[number]
        return _one_frame(data[number], result[number], noise, threshold, least)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return result, sum(pool.map(one, range(len(data))))


def _checked(out: NDArray[Any], data: NDArray[Any]) -> NDArray[Any]:
    if data.ndim != 3:
        raise InputError(f"remove_spikes: the frames have shape {data.shape}; give (angle, row, column)")
    fits = out.shape == data.shape and out.dtype == data.dtype and out.flags.c_contiguous
    if not fits or np.may_share_memory(out, data):
        raise InputError(
            f"remove_spikes: out is {out.dtype} of shape {out.shape}; give another array than the frames, "
            f"C-contiguous {data.dtype} of shape {data.shape}"
        )
    return out


def _compiled(engine: str, dtype: np.dtype[Any]) -> bool:
    known = dtype in (np.uint16, np.float32)
    if engine == "native" and not known:
        raise EngineUnavailable(f"remove_spikes: the compiled kernel takes uint16 and float32, not {dtype}")
    return takes_compiled(engine, "remove_spikes") and known


def _one_frame(
    frame: NDArray[Any], result: NDArray[Any], noise: NoiseModel, threshold: float, least: float
) -> int:
    pixels = np.array(frame, np.float32)
    pixels[~np.isfinite(pixels)] = np.inf
    middle = local_median(pixels)
    with np.errstate(invalid="ignore"):
        excess = pixels - middle
    excess[~np.isfinite(excess)] = 0  # what is not finite is no spike
    rows, columns = np.nonzero(excess > least)
    sure = excess[rows, columns] > threshold * noise.at(middle[rows, columns])
    rows, columns = rows[sure], columns[sure]
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    spikes = [(r, c) for r, c in pairs if _is_small(pixels, middle[r, c], r, c)]
    if not spikes:
        return 0
    height, width = frame.shape
    r, c = (np.array(spikes)[:, :, None] + _SQUARE).transpose(1, 0, 2)
    there = (r >= 0) & (r < height) & (c >= 0) & (c < width)
    places = np.unique(r[there] * width + c[there])
    r, c = places // width, places % width
    high = excess[r, c] > SKIRT * noise.at(middle[r, c])
    r, c = r[high], c[high]
    result[r, c] = np.rint(middle[r, c]) if result.dtype.kind in "iu" else middle[r, c]
    return len(r)


_SQUARE: Final = np.mgrid[-1:2, -1:2].reshape(2, 9)


def _is_small(pixels: NDArray[np.float32], middle: np.float32, row: int, column: int) -> bool:
    """Grow from the pixel over neighbours that rise half as high, until there are too many."""
    half = middle + np.float32(0.5) * (pixels[row, column] - middle)
    found = [(row, column)]
    for r, c in found:  # grows below
        top, left = max(r - 1, 0), max(c - 1, 0)
        for y, x in np.argwhere(pixels[top : r + 2, left : c + 2] > half) + np.array([top, left]):
            if (y, x) not in found:
                found.append((int(y), int(x)))
        if len(found) > MOST_BRIGHT:
            return False
    return True
