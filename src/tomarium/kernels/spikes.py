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

MOST_NEW: Final = 6
"""Pixels of a spike that is told in the excess over the frames beside: two hits of three pixels that touch."""

HALO: Final = MOST_NEW + 1
"""Rows a pixel's verdict depends on, above and below: it may be beside a spike, whose size is seen from there on."""

BOTH: Final = 6 / 7
"""Part of the threshold that a pixel has to be above the brighter of two frames; above their mean it is the whole."""

MOVING: Final = 0.5
"""Part of the largest loss within two pixels that a spike is to rise, and twice the loss where it has over 4 pixels."""

SKIRT: Final = 4.0
"""Standard deviations above which a pixel beside a spike is part of it."""

FARTHEST: Final = 4.0
"""Times the response of those about it, or part of it, beyond which a pixel's own is not believed."""

ABOVE_LINE: Final = 1.05
"""Times the noise of photons that noise in time may be."""

_BLOCK_ROWS: Final = 48
_LEVELS: Final = 24


@dataclass(frozen=True)
class NoiseModel:
    """How far a pixel lies from the median of its neighbourhood by chance, at each brightness, and how far in time.

    Attributes
    ----------
    brightness : array of float64, shape (level,)
        Ascending.
    sigma : array of float64, shape (level,)
        Standard deviation of the difference there, from the median absolute deviation; above 0.
    in_time : array of float64, shape (level,), optional
        Standard deviation of a pixel from one frame to the next; by default `sigma`.
    """

    brightness: NDArray[np.float64]
    sigma: NDArray[np.float64]
    in_time: NDArray[np.float64] | None = None

    def at(self, brightness: NDArray[Any]) -> NDArray[np.float64]:
        """Return the standard deviation at a brightness."""
        return np.asarray(np.interp(brightness, self.brightness, self.sigma))

    def in_time_at(self, brightness: NDArray[Any]) -> NDArray[np.float64]:
        """Return the standard deviation in time at a brightness."""
        return np.asarray(np.interp(brightness, self.brightness, self.steady))

    @property
    def steady(self) -> NDArray[np.float64]:
        """Standard deviation in time at each level."""
        return self.sigma if self.in_time is None else self.in_time


@dataclass(frozen=True)
class Pattern:
    """What the detector draws into every frame: a pixel's signal is (count - dark) × relative.

    Attributes
    ----------
    dark : array of float32, shape (row, column)
        Counts without beam.
    relative : array of float32, shape (row, column)
        Response of the pixels about each over its own; above 0.
    """

    dark: NDArray[np.float32]
    relative: NDArray[np.float32]

    def of(self, rows: slice) -> Pattern:
        """Return that of some rows."""
        return Pattern(self.dark[rows], self.relative[rows])

    def signal(self, frames: Any) -> NDArray[np.float32]:
        """Return what frames show of light, shape (…, row, column)."""
        return (np.asarray(frames, np.float32) - self.dark) * self.relative


def pattern_of(flat: NDArray[np.float32], dark: NDArray[np.float32]) -> Pattern:
    """Return the pattern that a flat shows: each pixel beside the median of its 3 x 3 neighbourhood.

    Parameters
    ----------
    flat, dark : array of float32, shape (row, column)
        Averages, in counts.

    Returns
    -------
    Pattern
        With 1 for pixels whose response is not between a quarter and four times that of those about them.
    """
    signal = np.asarray(flat - dark, np.float32)
    relative = np.ones(signal.shape, np.float32)
    np.divide(local_median(signal), signal, out=relative, where=signal > 0)
    relative[~((relative > 1 / FARTHEST) & (relative < FARTHEST))] = 1
    return Pattern(np.ascontiguousarray(dark, np.float32), relative)


def measure_noise(frames: Any, following: Any = None) -> NoiseModel:
    """Measure how noise grows with brightness.

    Pixels are put into groups of equal number by the median of their 3 x 3 neighbourhood; in each the median
    absolute difference from it, over 0.6745, is the noise. Spikes are too few to move a median. The noise in time is
    that of the differences between frames, less the median of the differences about each pixel, over √2: the pattern
    of the detector and most of the sample are in both. Of it no more is taken than the line that photons draw.

    Parameters
    ----------
    frames : array, shape (frame, row, column)
        A few frames.
    following : array, shape (frame, row, column), optional
        The frame after each, for the noise in time.

    Returns
    -------
    NoiseModel
        Where all pixels are equal, as noise the precision of single floats.
    """
    middles, differences, changes = [], [], []
    for number, frame in enumerate(np.asarray(frames, np.float32)):
        middle = local_median(frame)
        change = middle if following is None else np.asarray(following[number], np.float32) - frame
        with np.errstate(invalid="ignore"):
            change = change if following is None else np.abs(change - local_median(change))
        good = np.isfinite(middle) & np.isfinite(frame) & np.isfinite(change)
        middles.append(middle[good])
        differences.append(np.abs(frame[good] - middle[good]))
        changes.append(change[good])
    middle, difference, change = (np.concatenate(parts) for parts in (middles, differences, changes))
    if not len(middle):
        return NoiseModel(np.zeros(1), np.ones(1))
    order = np.argsort(middle, kind="stable")
    groups = np.array_split(order, min(_LEVELS, max(1, len(order) // 64)))
    brightness = np.array([float(np.median(middle[group])) for group in groups])
    # Half of the pixels are often equal to the median of whole counts: the mean of the middle half is finer.
    sigma = np.array([_spread(difference[group]) for group in groups])
    least = max(1e-6 * float(np.abs(brightness).max()), 1e-12)
    if following is None:
        return NoiseModel(brightness, np.maximum(sigma, least))
    in_time = np.array([_spread(change[group]) for group in groups]) / np.sqrt(2)
    in_time = np.minimum(in_time, _of_photons(brightness, in_time))
    return NoiseModel(brightness, np.maximum(sigma, least), np.maximum(in_time, least))


def _of_photons(brightness: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the noise of photons at each level: what is more there is a sample that moved between the frames.

    The variance of photons and of the read-out is a straight line over the brightness. Motion adds to it, above all at
    a brightness that edges alone have. So the line is the highest that no level lies below; `ABOVE_LINE` times its root
    allows for the chance in the levels that it touches.
    """
    variance = sigma**2
    first, second = np.triu_indices(len(sigma), 1)
    apart = brightness[second] - brightness[first]
    is_wider = apart > 0
    first, second, apart = first[is_wider], second[is_wider], apart[is_wider]
    slope = np.append(np.maximum((variance[second] - variance[first]) / apart, 0), 0)
    start = np.append(first, np.argmin(variance))
    lines = variance[start, None] + slope[:, None] * (brightness - brightness[start, None])
    lines = lines[(lines <= variance * (1 + 1e-9)).all(axis=1)]
    highest = lines[np.argmax((lines / np.maximum(variance, 1e-30)).sum(axis=1))]
    return np.asarray(ABOVE_LINE * np.sqrt(np.maximum(highest, variance / 4)))


def _spread(differences: NDArray[np.float32]) -> float:
    """Return the standard deviation of normal noise whose absolute values have this trimmed mean."""
    ordered = np.sort(differences)
    lower_part = ordered[: max(1, round(0.9 * len(ordered)))]
    # The mean of |x| of a normal x below its 90 % quantile q = 1.6449 is 2 (φ(0) - φ(q)) / 0.9 = 0.6574.
    return float(lower_part.mean()) / 0.6574


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
    needed, comparators = {size // 2}, []
    for low, high in reversed(pairs):  # what does not lead to the middle is left out
        if low in needed or high in needed:
            needed |= {low, high}
            comparators.append((low, high))
    return np.ascontiguousarray(comparators[::-1], np.int32).reshape(-1, 2)


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
    pattern: Pattern | None = None,
    beside: NDArray[np.integer] | None = None,
    more: NDArray[Any] | None = None,
    engine: Literal["auto", "native", "reference"] = "auto",
    threads: int = 1,
    out: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], int]:
    """Replace pixels far brighter than their neighbourhood by its median.

    1. A pixel more than `threshold` standard deviations above the median of its 3 x 3 neighbourhood is a spike, if
       it is new, and if it hangs together with at most 3 others that rise by half as much: a thin line, the fringe of
       an edge and the corner of a bright field are larger, and are left.
    2. New is what is `threshold` standard deviations in time above the mean of the same pixel in the frames `beside`,
       six sevenths of it above the brighter one, and half of it above the pixels over and under that one; then what
       rises by half as much is told in the excess over the brighter frame, in which the sample is about where it was.
       Of it there may be 5, where no pixel within two loses half as much; a pixel is no spike where one loses twice as
       much, for there an edge moves. A frame without others beside it is judged by itself.
    3. So is a pixel beside one or of what hangs together with it, more than 4 standard deviations above both, or above
       two frames beside by half as much as that one is.
    4. All take the median of their neighbourhood, or the median of it and of the same pixel in the two frames beside.

    At the frame's edges the median repeats the outermost pixels. What is not finite is no spike and counts as brighter
    than all, in a frame beside as absent: the flat field replaces it.

    Parameters
    ----------
    frames : array, shape (angle, row, column)
        Counts or transmission.
    noise : NoiseModel
        As `measure_noise` returns it, of signals if there is a pattern.
    threshold : float
        Standard deviations, above 0.
    pattern : Pattern, optional
        Of the detector, by which frames are judged as signals; by default none.
    beside : array of int, shape (angle, 2), optional
        Numbers of two frames near each; those from the number of frames on are of `more`, and -1 is none.
    more : array, shape (frame, row, column), optional
        Further frames to look at, of the frames' type.
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
        The frames have not three axes, or another array does not fit them.
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
    near = np.full((len(data), 2), -1, np.int32) if beside is None else np.asarray(beside, np.int32)
    further = np.empty((0, *data.shape[1:]), data.dtype) if more is None else np.asarray(more, data.dtype)
    drawn = pattern or Pattern(np.zeros(data.shape[1:], np.float32), np.ones(data.shape[1:], np.float32))
    _demand_fit(near, further, drawn, data)
    least = threshold * float(noise.sigma.min())
    if _compiled(engine, data.dtype) and data.size:
        replaced = np.zeros(len(data), np.int64)
        below = np.nextafter(np.float32(least), np.float32(0))
        tables = [
            np.ascontiguousarray(one, np.float64) for one in (noise.brightness, noise.sigma, noise.steady)
        ]
        extension().mend_spikes(
            np.ascontiguousarray(data), np.ascontiguousarray(further), np.ascontiguousarray(near),
            np.ascontiguousarray(drawn.dark, np.float32), np.ascontiguousarray(drawn.relative, np.float32),
            *tables, threshold, float(below), result, replaced, max(1, threads), level(),
        )  # fmt: skip
        return result, int(replaced.sum())

    def signal(number: int) -> NDArray[np.float32] | None:
        if number < 0:
            return None
        frame_signal = drawn.signal(data[number] if number < len(data) else further[number - len(data)])
        frame_signal[~np.isfinite(frame_signal)] = -np.inf
        return frame_signal

    def one(number: int) -> int:
        result[number] = data[number]
        neighbours = [neighbour for neighbour in map(signal, near[number].tolist()) if neighbour is not None]
        return _one_frame(data[number], neighbours, result[number], drawn, noise, threshold)

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


def _demand_fit(near: NDArray[Any], more: NDArray[Any], pattern: Pattern, data: NDArray[Any]) -> None:
    shape = data.shape[1:]
    if more.shape[1:] != shape or pattern.dark.shape != shape or pattern.relative.shape != shape:
        raise InputError(
            f"remove_spikes: the frames are of {shape} rows and columns, further ones of {more.shape[1:]}, the dark "
            f"of {pattern.dark.shape} and the response of {pattern.relative.shape}; all must be alike"
        )
    count = len(data) + len(more)
    if near.shape != (len(data), 2) or ((near < -1) | (near >= count)).any():
        raise InputError(
            f"remove_spikes: beside has shape {near.shape}; give ({len(data)}, 2) numbers of the {count} frames, or -1"
        )


def _compiled(engine: str, dtype: np.dtype[Any]) -> bool:
    supported = dtype in (np.uint16, np.float32)
    if engine == "native" and not supported:
        raise EngineUnavailable(f"remove_spikes: the compiled kernel takes uint16 and float32, not {dtype}")
    return takes_compiled(engine, "remove_spikes") and supported


def _one_frame(
    frame: NDArray[Any],
    neighbours: list[NDArray[np.float32]],
    result: NDArray[Any],
    pattern: Pattern,
    noise: NoiseModel,
    threshold: float,
) -> int:
    before = np.maximum.reduce(neighbours) if neighbours else None
    pixels = pattern.signal(frame)
    pixels[~np.isfinite(pixels)] = np.inf
    middle = local_median(pixels)
    with np.errstate(invalid="ignore"):
        excess = pixels - middle
    excess[~np.isfinite(excess)] = 0  # what is not finite is no spike
    rows, columns = np.nonzero(excess > threshold * float(noise.sigma.min()))
    sure = excess[rows, columns] > threshold * noise.at(middle[rows, columns])
    fresh = None if before is None else pixels - before
    if before is not None:
        about = np.pad(before, ((1, 1), (0, 0)), constant_values=-np.inf)
        tallest = np.maximum(np.maximum(about[:-2], about[2:]), before)
        allowed = threshold * noise.in_time_at(before[rows, columns])
        sure &= pixels[rows, columns] - before[rows, columns] > BOTH * allowed
        sure &= pixels[rows, columns] - _mean(neighbours, before)[rows, columns] > allowed
        sure &= pixels[rows, columns] - tallest[rows, columns] > 0.5 * allowed
    rows, columns = rows[sure], columns[sure]
    height, width = frame.shape
    looked_at: set[tuple[int, int, int, int]] = set()
    for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
        if fresh is None:
            parts = _parts(pixels, middle[y, x], y, x, MOST_BRIGHT)
        else:
            parts = _parts(fresh, np.float32(0), y, x, MOST_NEW)
            lowest = fresh[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].min()
            if not fresh[y, x] > -lowest * np.float32(MOVING if len(parts) <= MOST_BRIGHT else 1 / MOVING):
                parts = []
        square = [(y + i, x + j) for i, j in _SQUARE] if parts else []
        looked_at |= {(y, x, r, c) for r, c in parts + square if 0 <= r < height and 0 <= c < width}
    if not looked_at:
        return 0
    y, x, r, c = np.array(sorted(looked_at)).T
    high = excess[r, c] > SKIRT * noise.at(middle[r, c])
    if before is not None and fresh is not None:
        high &= fresh[r, c] > SKIRT * noise.in_time_at(before[r, c])
        if len(neighbours) == 2:
            high |= np.isfinite(fresh[r, c]) & (fresh[r, c] > np.float32(0.5) * fresh[y, x])
    places = np.unique(r[high] * width + c[high])
    r, c = places // width, places % width
    mended = middle[r, c]
    if len(neighbours) == 2:
        three = np.stack([mended, neighbours[0][r, c], neighbours[1][r, c]])
        mended = np.where(np.isfinite(three).all(axis=0), np.sort(three, axis=0)[1], mended)
    mended = mended / pattern.relative[r, c] + pattern.dark[r, c]
    if result.dtype.kind in "iu":
        mended = np.clip(np.rint(mended), 0, np.iinfo(result.dtype).max)
    result[r, c] = mended
    return int(np.count_nonzero(result[r, c] != frame[r, c]))


def _mean(neighbours: list[NDArray[np.float32]], before: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of two frames where both have a value, else what there is."""
    if len(neighbours) < 2:
        return before
    with np.errstate(invalid="ignore"):
        mean = np.float32(0.5) * (neighbours[0] + neighbours[1])
    return np.where(np.isfinite(mean), mean, before)


_SQUARE: Final = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]


def _parts(
    pixels: NDArray[np.float32], middle: np.float32, row: int, column: int, most: int
) -> list[tuple[int, int]]:
    """Grow from the pixel over neighbours that rise half as high; return none where there are too many."""
    half = middle + np.float32(0.5) * (pixels[row, column] - middle)
    spike_pixels = [(row, column)]
    for r, c in spike_pixels:  # grows below
        top, left = max(r - 1, 0), max(c - 1, 0)
        for y, x in np.argwhere(pixels[top : r + 2, left : c + 2] > half) + np.array([top, left]):
            if (y, x) not in spike_pixels:
                spike_pixels.append((int(y), int(x)))
        if len(spike_pixels) > most:
            return []
    return spike_pixels
