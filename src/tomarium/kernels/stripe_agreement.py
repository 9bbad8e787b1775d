"""Stripes that all parts of a scan agree on.

What a pixel does wrong it does at every angle; what the sample does to a column it does at some.
"""

from __future__ import annotations

from threading import local
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import InputError
from tomarium.kernels.columns import block_means, median_over_columns, mirrored_places
from tomarium.kernels.stripe_steps import background_below, bands
from tomarium.kernels.stripes import bridge, each_sinogram, removed_by_sorting

BLOCKS: Final = 8
"""Parts of the scan that are asked whether they agree."""

FAINT_BLOCKS: Final = 16
"""Parts of the scan that are asked about faint stripes, whose means are compared."""

FAINT_AGREEMENT: Final = 2.0
"""Student's t of a faint stripe below which nothing is removed."""

LEAST_AGREEMENT: Final = 3.0
"""Student's t of a stripe over the parts below which nothing is removed."""

NARROW: Final = 9
"""Columns of the median that a stripe must stand out of; edges of the sample that hardly move do not."""

_TOGETHER: Final = 64
"""Columns that are laid one behind the other to be sorted: as many as stay in a second-level cache."""

SPARE: Final = 16
"""Numbers of memory between the angles of a sinogram at work."""

ANGLE_BLOCKS: Final = 32
"""Parts of the scan in whose means a column is compared with its neighbours."""


def remove_stripes_by_agreement(
    sinograms: Any,
    size: int = 21,
    *,
    engine: Engine = "auto",
    threads: int | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Remove stripes by sorting where all parts of the scan agree that there is one.

    1. Dead columns are interpolated linearly between their neighbours. A column is dead if its second differences
       over the angles have three times the median of its neighbours', or if it follows neither side: its slope in
       the regression on the columns 3 and 4 to the left is below 0.3, and so it is to the right, where both sides
       vary by more than five times their noise.
    2. Sorting (Vo et al., algorithm 3) with `size` tells what g to remove at each angle and column.
    3. The mean of g in each of 8 blocks of angles gives its mean m over them and Student's t. The part
       max(0, 1 - (3 / t)²) of g is removed: nothing where the blocks disagree on the sign, as they do about the
       sample, which moves on from block to block.
    4. Nothing is removed where m is shared by its surroundings, |m - median of m in 9 columns| < |m| / 2: edges of
       the sample near the axis do not move either, but they do not begin and end within a few columns.
    5. Faint stripes are below what sorting does to the sample. So the mean of a column in each of 16 blocks of angles
       is compared with the median of 9 columns of such means, or within a band of up to 8 columns that begins and ends
       at once (`bands`) with a parabola through those beside it; their mean over the blocks is removed by
       max(0, 1 - (2 / t)²), where it is not shared by its surroundings.

    Simulated for sinograms of 721 x 256 values with gains of 1 %, two steps, a partial, a dead and a four columns wide
    stripe, at 0.5 % noise: the error of the slice falls to a fifth, as by the published chain. To a sinogram without
    stripes it does 0.001 of the matrix's attenuation at most, where sorting alone does 0.03 to 0.07 and the chain
    0.06 to 0.10. Stripes over part of the angles only are left.

    Parameters
    ----------
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, finite.
    size : int
        Columns of the median, odd, at most 101; wider than twice the widest stripe.
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
        `size` is even, or not within 1 and 101.
    InputError
        The sinograms have not three axes, there are fewer angles than 32, or a value is not finite.
    EngineUnavailable
        The compiled kernel was asked for and is not there.

    References
    ----------
    N. T. Vo, R. C. Atwood and M. Drakopoulos, Optics Express 26, 28396 (2018), algorithm 3, doi 10.1364/OE.26.028396;
    the shrinkage is that of W. James and C. Stein (1961), the agreement our own.
    """
    demand_angles(sinograms)
    room = local()

    def correct(sinogram: NDArray[np.float32]) -> NDArray[np.float32]:
        dead = dead_columns(sinogram, engine)
        bridged = bridge(sinogram, dead)
        if not hasattr(room, "removed"):
            room.removed = np.empty(sinogram.shape, np.float32)
        removed, means = removed_by_sorting(bridged, size, BLOCKS, engine=engine, out=room.removed)
        share = _agreed(means, LEAST_AGREEMENT)
        means = _take_share(bridged, removed, share, engine)
        bridged -= constant_stripes(bridged, dead, means)[0]
        return bridged

    return each_sinogram(sinograms, correct, threads, out, spare=SPARE)


def _take_share(
    sinogram: NDArray[np.float32], removed: NDArray[np.float32], share: NDArray[np.float32], engine: Engine
) -> NDArray[np.float64]:
    """Subtract a share of what was found from the columns of a sinogram; return the means of 16 blocks of angles."""
    if takes_compiled(engine, "remove_stripes"):
        means = np.empty((FAINT_BLOCKS, sinogram.shape[1]))
        extension().block_means(sinogram, removed, share, means, level())
        return means
    removed *= share
    sinogram -= removed
    return block_means(sinogram, FAINT_BLOCKS)


def constant_stripes(
    sinogram: NDArray[np.float32], dead: NDArray[np.bool_], means: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what columns add to their neighbours at all angles, as far as blocks of angles agree on it.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, column)
        Attenuation.
    dead : array of bool, shape (column,)
        Columns interpolated between their neighbours: they are left out, for they would hide where bands begin, and
        what is told of their neighbours is interpolated too.
    means : array of float64, shape (16, column), optional
        `block_means` of the sinogram in 16 blocks, where they are known.

    Returns
    -------
    stripes : array of float32, shape (column,)
        What is to be subtracted from each column; 0 where the blocks do not agree.
    standing : array of float64, shape (16, column that is not dead)
        What the means of 16 blocks of angles are above the median of 9 columns, before it is subtracted.
    """
    alive = np.flatnonzero(~dead)
    if not len(alive):
        return np.zeros(len(dead), np.float32), np.zeros((FAINT_BLOCKS, 0))
    means = (block_means(sinogram, FAINT_BLOCKS) if means is None else means)[:, alive]
    in_band = bands(means)
    below = background_below(means, in_band)
    standing = standing_out(below) + (means - below)
    agreed = _agreed(standing, FAINT_AGREEMENT, in_band) * standing.mean(axis=0)
    return np.interp(np.arange(len(dead)), alive, agreed).astype(np.float32), standing


def standing_out(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what means of blocks of angles are above the median of 9 columns.

    Parameters
    ----------
    means : array of float64, shape (block, column)
        Mean attenuation.

    Returns
    -------
    array of float64, shape (block, column)
        0 for a column like its neighbours.
    """
    return np.asarray(means - median_over_columns(means, NARROW))


def demand_angles(sinograms: Any) -> None:
    """Refuse sinograms of too few angles for their parts to be compared.

    Parameters
    ----------
    sinograms : array, shape (angle, row, column)
        Attenuation.

    Raises
    ------
    InputError
        There are fewer angles than 32.
    """
    if np.ndim(sinograms) == 3 and len(sinograms) < ANGLE_BLOCKS:
        raise InputError(
            f"remove_stripes: {len(sinograms)} angles are too few to ask their parts for agreement; at least "
            f"{ANGLE_BLOCKS} are needed, use remove_stripes_by_sorting"
        )


def bridge_dead_columns(
    sinograms: Any, *, threads: int | None = None, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Interpolate dead columns between their neighbours, and leave all others as they are.

    Parameters
    ----------
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, finite.
    threads : int, optional
        Sinograms in work at a time; by default as many as processors.
    out : array of float32, shape (angle, row, column), optional
        Where the result goes.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Corrected sinograms; which columns are dead is told by `dead_columns`.

    Raises
    ------
    InputError
        The sinograms have not three axes, or there are fewer angles than 32.
    """
    demand_angles(sinograms)
    return each_sinogram(sinograms, lambda sinogram: bridge(sinogram, dead_columns(sinogram)), threads, out)


def dead_columns(sinogram: NDArray[np.float32], engine: Engine = "auto") -> NDArray[np.bool_]:
    """Return which columns fluctuate more than their neighbours or follow none of them.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, column)
        Attenuation of at least 32 angles.
    engine : {"auto", "native", "reference"}
        Compiled kernel for the medians, or NumPy.

    Returns
    -------
    array of bool, shape (column,)
        True for dead columns.
    """
    rough = difference_medians(sinogram, engine)
    least = 1e-4 * float(np.ptp(sinogram))  # below it there is no noise to compare
    usual = np.maximum(median_over_columns(rough, 51), least)
    # Second differences of white noise have sqrt(6) times its deviation, whose median is 0.6745 of it.
    noise = usual / (0.6745 * 6**0.5) / (len(sinogram) / ANGLE_BLOCKS) ** 0.5
    means = block_means(sinogram, ANGLE_BLOCKS)
    means -= means.mean(axis=0)
    reach, columns = 4, sinogram.shape[1]
    mirrored, at = means[:, mirrored_places(columns, reach)], np.arange(columns) + reach
    lonely = np.ones(columns, np.bool_)
    for side in (-1, 1):
        beside = 0.5 * (mirrored[:, at + side * reach] + mirrored[:, at + side * (reach - 1)])
        variance = np.mean(beside**2, axis=0)
        follows = np.mean(beside * means, axis=0) >= 0.3 * variance
        lonely &= ~follows & (variance > 25 * noise**2)
    return np.asarray((rough > 3 * usual) | lonely)


def difference_medians(sinogram: NDArray[np.float32], engine: Engine = "auto") -> NDArray[np.float32]:
    """Return the median of the second differences of each column over the angles, without their signs.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, column)
        Attenuation of at least 3 angles.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; both give the same bits.

    Returns
    -------
    array of float32, shape (column,)
        Medians.
    """
    if not takes_compiled(engine, "remove_stripes"):
        return _median_over_angles(np.abs(np.diff(sinogram, 2, axis=0)))
    medians = np.empty(sinogram.shape[1], np.float32)
    aligned = sinogram if sinogram.strides[1] == sinogram.itemsize else np.ascontiguousarray(sinogram)
    extension().difference_medians(aligned, medians, level())
    return medians


def _median_over_angles(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of each column, shape (column,), in half of the time that NumPy takes along the first axis."""
    half, odd = divmod(len(values), 2)
    medians = np.empty(values.shape[1], np.float32)
    for start in range(0, len(medians), _TOGETHER):
        columns = np.ascontiguousarray(values[:, start : start + _TOGETHER].T)
        columns.partition(half, axis=1)
        above = columns[:, half]
        medians[start : start + _TOGETHER] = above if odd else 0.5 * (columns[:, :half].max(axis=1) + above)
    return medians


def _agreed(
    means: NDArray[np.float64], least: float, in_band: NDArray[np.bool_] | bool = False
) -> NDArray[np.float32]:
    """Return which part of a stripe blocks agree on, shape (column,), from its mean in each, shape (block, column)."""
    mean = means.mean(axis=0)
    error = np.maximum(means.std(axis=0, ddof=1) / len(means) ** 0.5, 1e-12)
    share = np.maximum(0, 1 - (least * error / np.maximum(np.abs(mean), 1e-12)) ** 2)
    alone = np.abs(mean - median_over_columns(mean, NARROW)) > 0.5 * np.abs(mean)
    return np.where(alone | in_band, share, 0).astype(np.float32)
