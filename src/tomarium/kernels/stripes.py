"""Stripes of sinograms, which become rings in slices."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.column_groups import columns_of, empty_groups, removed_of_groups, to_groups
from tomarium.kernels.columns import block_means, columns_beside, median_over_columns, mirrored_places

LARGEST: Final = 101
"""Columns of the widest median."""

SMOOTH: Final = 10
"""Angles of the running mean against which a column's fluctuation is told, as published."""

_ANGLES: Final = 32
"""Angles whose fluctuation is told at a time."""

LEAST_SPREAD: Final = 1e-5
"""Where columns differ by less, as in data without noise, none stands out."""


def remove_stripes_by_sorting(
    sinograms: Any,
    size: int = 21,
    *,
    strength: float = 1.0,
    engine: Engine = "auto",
    threads: int | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Remove stripes by sorting.

    1. Each column of a sinogram is sorted over the angles; of equal values the earlier one comes first.
    2. At each rank the median over `size` neighbouring columns is taken; columns are mirrored at the edges.
    3. The values are put back where they were before sorting.

    A pixel that answers differently from its neighbours at all brightnesses is so brought to what they say, while
    what moves through a column as the sample turns is left: it is at the ranks where its neighbours have it too.

    Parameters
    ----------
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, finite; each row is a sinogram of its own.
    size : int
        Columns of the median, odd, at most 101; wider than the widest stripe.
    strength : float
        How much of what was found is removed; 1 is all.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; "auto" takes the compiled one where it is there.
    threads : int, optional
        Threads; by default every processor of this process.
    out : array of float32, optional
        Where the result goes; C-contiguous, another array than the sinograms.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Corrected sinograms.

    Raises
    ------
    ParameterError
        `size` is even, or not within 1 and 101.
    InputError
        The sinograms have not three axes, or a value is not finite.
    EngineUnavailable
        The compiled kernel was asked for and is not there.

    References
    ----------
    N. T. Vo, R. C. Atwood and M. Drakopoulos, Optics Express 26, 28396 (2018), algorithm 3, doi 10.1364/OE.26.028396.
    """
    demand_size(size)
    data = np.asarray(sinograms, np.float32)
    if data.ndim != 3:
        raise InputError(f"remove_stripes: sinograms have shape {data.shape}; give (angle, row, column)")
    result = np.empty(data.shape, np.float32) if out is None else out
    _sort(data, size, strength, engine, threads, result)
    return result


def _sort(
    data: NDArray[np.float32],
    size: int,
    strength: float,
    engine: Engine,
    threads: int | None,
    result: NDArray[np.float32],
    kept: slice | None = None,
) -> NDArray[np.float64]:
    """Sort sinograms; return the means of the ranks that are kept before and after it, shape (2, row, column)."""
    means = np.empty((0, 0, 0) if kept is None else (2, *data.shape[1:]))
    if takes_compiled(engine, "remove_stripes"):
        if data.strides[2] != data.itemsize or data.strides[0] < 0 or data.strides[1] < 0:
            data = np.ascontiguousarray(data)
        first, last = (0, 0) if kept is None else (kept.start, kept.stop)
        count = threads or processors()
        broken = extension().sort_stripes(data, size, strength, result, means, first, last, count, level())
    else:
        broken = not np.isfinite(data).all()
        for row in range(0 if broken else data.shape[1]):
            result[:, row] = _reference(data[:, row], size, strength)
            if kept is not None:
                # A median over columns leaves the ranks in order, so that sorting again gives them back.
                for mean, part in zip(means, (data, result), strict=True):
                    mean[row] = np.sort(part[:, row], axis=0)[kept].mean(axis=0, dtype=np.float64)
    if broken:
        raise not_finite(data)
    return means


def not_finite(sinograms: NDArray[np.float32]) -> InputError:
    """Make the error that says where sinograms are not finite.

    Parameters
    ----------
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, some of it not finite.

    Returns
    -------
    InputError
        To be raised.
    """
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(sinograms))[0])
    return InputError(
        f"remove_stripes: the sinograms are {sinograms[where]} at (angle, row, column) = {where}; every value must "
        f"be finite: normalise with flat and dark fields first"
    )


def _reference(sinogram: NDArray[np.float32], size: int, strength: float) -> NDArray[np.float32]:
    order = np.argsort(sinogram, axis=0, kind="stable")
    ranked = np.take_along_axis(sinogram, order, axis=0)
    mirrored = ranked[:, mirrored_places(sinogram.shape[1], size // 2)]
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, size, axis=1)
    smooth = np.median(windows, axis=2).astype(np.float32)
    back = np.empty_like(sinogram)
    np.put_along_axis(back, order, smooth, axis=0)
    return back if strength == 1 else sinogram + np.float32(strength) * (back - sinogram)


def removed_by_sorting(
    sinogram: NDArray[np.float32], size: int, blocks: int, *, engine: Engine = "auto"
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what sorting removes of one sinogram, and its means in blocks of neighbouring angles.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, column)
        Attenuation, finite.
    size : int
        Columns of the median, odd, at most 101.
    blocks : int
        Blocks, as equal as can be, not more than angles.
    engine : {"auto", "native", "reference"}
        See `remove_stripes_by_sorting`.

    Returns
    -------
    removed : array of float32, shape (angle, column)
        The sinogram less what `remove_stripes_by_sorting` makes of it.
    means : array of float64, shape (block, column)
        Mean of each.

    Raises
    ------
    ParameterError
        `size` is even, or not within 1 and 101.
    InputError
        A value is not finite.
    EngineUnavailable
        The compiled kernel was asked for and is not there.
    """
    demand_size(size)
    if not takes_compiled(engine, "remove_stripes"):
        removed = sinogram - remove_stripes_by_sorting(sinogram[:, None], size, engine=engine)[:, 0]
        return removed, block_means(removed, blocks)
    if not np.isfinite(sinogram).all():
        raise not_finite(sinogram[:, None])
    groups, found = empty_groups(*sinogram.shape), empty_groups(*sinogram.shape)
    to_groups(sinogram, groups)
    means = removed_of_groups(groups, size, found, sinogram.shape[1], (blocks, 0))[0]
    return columns_of(found, np.arange(sinogram.shape[1])), means


def remove_all_stripes(
    sinograms: Any,
    *,
    snr: float = 3.0,
    large_size: int = 51,
    small_size: int = 21,
    drop: float = 0.1,
    engine: Engine = "auto",
    threads: int | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Remove stripes of every kind by the published chain: dead columns, large stripes, then sorting.

    1. Algorithm 6: the sum over the angles of how far a column lies from its own running mean of 10 angles, over its
       median in `large_size` columns. Columns that stand out by algorithm 4, and one beside each, are interpolated
       linearly between the columns that do not, unless they are a third of all.
    2. Algorithm 5: the mean of a sorted column, without `drop` of its ranks, over that of its smoothed ranks. The
       column is divided by it; where it stands out by algorithm 4, smoothed ranks are taken instead.
    3. Algorithm 3: `remove_stripes_by_sorting` with `small_size`.

    It is thorough, and changes what is no stripe too: `tomarium.kernels.stripe_agreement` spares it.

    Parameters
    ----------
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, finite.
    snr : float
        How far a column must stand out, in units of how far the middle half of the columns spread; above 1.
    large_size, small_size : int
        Columns of the medians for large and for small stripes, odd, at most 101.
    drop : float
        Part of the ranks left out of the means, half at either end, 0 to 0.8.
    engine : {"auto", "native", "reference"}
        Of sorting, see `remove_stripes_by_sorting`.
    threads : int, optional
        Sinograms in work at a time; by default as many as processors.
    out : array of float32, shape (angle, row, column), optional
        Where the result goes; C-contiguous.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Corrected sinograms.

    Raises
    ------
    ParameterError
        A parameter is out of its range.
    InputError
        The sinograms have not three axes, or a value is not finite.
    EngineUnavailable
        The compiled kernel was asked for and is not there.

    References
    ----------
    N. T. Vo, R. C. Atwood and M. Drakopoulos, Optics Express 26, 28396 (2018), doi 10.1364/OE.26.028396.
    """
    _demand(snr, drop)

    def chain(sinogram: NDArray[np.float32]) -> NDArray[np.float32]:
        bridged = _bridge_dead(sinogram, snr, large_size)
        levelled = _level_large(bridged, large_size, snr, drop, engine)
        _sort(levelled[:, None], small_size, 1.0, engine, 1, sinogram[:, None])
        return sinogram

    return each_sinogram(sinograms, chain, threads, out)


def remove_large_stripes(
    sinograms: Any,
    size: int = 51,
    *,
    snr: float = 3.0,
    drop: float = 0.1,
    engine: Engine = "auto",
    threads: int | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Remove wide stripes alone, algorithm 5 of Vo et al.

    The mean of the ranks of each column is brought to the level of its neighbours; where a column stands out, smoothed
    ranks take its place. Simulated for stripes 8 and 16 columns wide, the error of a slice falls to a half; a sinogram
    without stripes is changed by 0.04 to 0.10 of the matrix's attenuation.

    Parameters
    ----------
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, finite.
    size : int
        Columns of the median, odd, at most 101; wider than twice the widest stripe.
    snr, drop, engine, threads, out
        As for `remove_all_stripes`.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Corrected sinograms.

    Raises
    ------
    ParameterError
        A parameter is out of its range.
    InputError
        The sinograms have not three axes, or a value is not finite.
    EngineUnavailable
        The compiled kernel was asked for and is not there.

    References
    ----------
    N. T. Vo, R. C. Atwood and M. Drakopoulos, Optics Express 26, 28396 (2018), algorithm 5, doi 10.1364/OE.26.028396.
    """
    _demand(snr, drop)

    def level(sinogram: NDArray[np.float32]) -> NDArray[np.float32]:
        return _level_large(sinogram, size, snr, drop, engine)

    return each_sinogram(sinograms, level, threads, out)


def each_sinogram(
    sinograms: Any,
    correct: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    threads: int | None,
    out: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Correct the sinogram of each row, several at a time.

    Parameters
    ----------
    sinograms : array of float32, shape (angle, row, column)
        Attenuation.
    correct : function
        Makes of one sinogram, shape (angle, column), another, or changes it: its memory is used again for the next.
    threads : int or None
        Sinograms in work at a time; by default as many as processors.
    out : array of float32, shape (angle, row, column) or None
        Where the result goes.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Corrected sinograms.

    Raises
    ------
    InputError
        The sinograms have not three axes.
    """
    data = np.asarray(sinograms, np.float32)
    if data.ndim != 3:
        raise InputError(f"remove_stripes: sinograms have shape {data.shape}; give (angle, row, column)")
    result = np.empty(data.shape, np.float32) if out is None else out

    room = local()

    def one(row: int) -> None:
        if not hasattr(room, "sinogram"):
            room.sinogram = np.empty(data[:, row].shape, np.float32)
        room.sinogram[...] = data[:, row]
        result[:, row] = correct(room.sinogram)

    with ThreadPoolExecutor(threads or processors()) as pool:
        list(pool.map(one, range(data.shape[1])))
    return result


def bridge(sinogram: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Interpolate columns linearly between their neighbours, unless they are a third of all.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, column)
        Attenuation.
    mask : array of bool, shape (column,)
        Columns to replace.

    Returns
    -------
    array of float32, shape (angle, column)
        A new sinogram, or the same one where there is nothing to do.
    """
    beside = columns_beside(mask)
    if beside is None:
        return sinogram
    bad, left, right, part = beside
    bridged = sinogram.copy()
    bridged[:, bad] = sinogram[:, left] + part * (sinogram[:, right] - sinogram[:, left])
    return bridged


def demand_size(size: int) -> None:
    """Refuse a size that no median has.

    Parameters
    ----------
    size : int
        Columns of the median.

    Raises
    ------
    ParameterError
        It is even, or not within 1 and 101.
    """
    if size % 2 == 0 or not 1 <= size <= LARGEST:
        raise ParameterError(
            f"remove_stripes: size is {size}; give an odd number of columns from 1 to {LARGEST}"
        )


def _demand(snr: float, drop: float) -> None:
    if not snr > 1:
        raise ParameterError(f"remove_stripes: snr is {snr}; give a number above 1")
    if not 0 <= drop <= 0.8:
        raise ParameterError(f"remove_stripes: drop is {drop}; give a part from 0 to 0.8")


def _bridge_dead(sinogram: NDArray[np.float32], snr: float, size: int) -> NDArray[np.float32]:
    """Algorithm 6 of Vo et al. (2018): columns that do not follow the object, or follow too much."""
    rough = _roughness(sinogram)
    usual = median_over_columns(rough, size)
    usual[usual == 0] = max(float(usual.mean()), 1e-30)
    mask = _widened(_stands_out(rough / usual, snr))
    mask[:2] = mask[-2:] = False
    return bridge(sinogram, mask)


def _roughness(sinogram: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum over the angles of how far a column lies from its own mean of ten: of angle k, those of k - 5 to k + 4."""
    angles = len(sinogram)
    places = mirrored_places(angles, SMOOTH)[SMOOTH - SMOOTH // 2 :]
    rough = np.zeros(sinogram.shape[1])
    for first in range(0, angles, _ANGLES):  # few at a time, which lie in the processor's cache
        count = min(_ANGLES, angles - first)
        window = sinogram[places[first : first + count + SMOOTH - 1]].astype(np.float64)
        two = window[:-1] + window[1:]
        four = two[:-2] + two[2:]
        mean = (four[:count] + four[4 : 4 + count] + two[8 : 8 + count]) / SMOOTH
        rough += np.abs(sinogram[first : first + count] - mean).sum(axis=0)
    return rough


def _level_large(
    sinogram: NDArray[np.float32], size: int, snr: float, drop: float, engine: Engine
) -> NDArray[np.float32]:
    """Algorithm 5: every column to the level of its neighbours, and outright where it stands out."""
    left_out = int(0.5 * drop * len(sinogram))
    inner_views = slice(left_out, len(sinogram) - left_out)
    levelled = np.empty_like(sinogram)
    level, usual = _sort(sinogram[:, None], size, 1.0, engine, 1, levelled[:, None], inner_views)[:, 0]
    factor = np.divide(level, usual, out=np.ones_like(level), where=usual != 0)
    mask = _widened(_stands_out(factor, snr))
    smoothed = levelled[:, mask]
    np.divide(sinogram, np.where(factor != 0, factor, 1).astype(np.float32), out=levelled)
    levelled[:, mask] = smoothed
    return levelled


def _stands_out(values: NDArray[Any], snr: float) -> NDArray[np.bool_]:
    """Algorithm 4: values beyond a line through the middle half of the sorted ones, by their spread along it."""
    ordered, count = np.sort(values), len(values)
    quarter = int(0.25 * count)
    places = np.arange(count, dtype=np.float64)[quarter : -quarter - 1]
    if len(places) < 2:
        return np.zeros(count, np.bool_)
    slope, low = np.polyfit(places, ordered[quarter : -quarter - 1], 1)
    high = low + slope * (count - 1)
    spread = abs(high - low)
    mask = np.zeros(count, np.bool_)
    if spread < LEAST_SPREAD:
        return mask
    if abs(ordered[-1] - high) >= snr * spread:
        mask |= values > high + 0.5 * snr * spread
    if abs(low - ordered[0]) >= snr * spread:
        mask |= values <= low - 0.5 * snr * spread
    return mask


def _widened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    return wide
