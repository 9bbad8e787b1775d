"""What every method of finding the axis starts from: finite, sorted, and without what does not turn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.axis.threads import at_once, shares
from tomarium.kernels.running_median import running_median

_MEDIAN_COLUMNS: Final = 15
_FEWEST_VIEWS: Final = 8
_MEDIAN_VIEWS: Final = 15
_FAR_OFF: Final = 10
_LEVEL_COLUMNS: Final = 256
_SPREAD_VIEWS: Final = 64
_FEWEST_COLUMNS: Final = 16


@dataclass(frozen=True)
class Prepared:
    """Attenuation ready to be searched.

    Attributes
    ----------
    attenuation : array of float32, shape (angle, row, column)
        Sorted by angle, finite, the static pattern subtracted.
    angles_deg : array of float64, shape (angle,)
        Ascending.
    groups : tuple of slice
        Rows that lie together.
    static_ratio : float
        Standard deviation of the static pattern over that of the turning sample's own fine structure.
    notes : tuple of str
        What was mended.
    """

    attenuation: NDArray[np.float32]
    angles_deg: NDArray[np.float64]
    groups: tuple[slice, ...]
    static_ratio: float
    notes: tuple[str, ...]

    def sinograms(self) -> NDArray[np.float32]:
        """Return the mean over each group's rows, shape (group, angle, column); not to be written to."""
        return self._sinograms

    @cached_property
    def _sinograms(self) -> NDArray[np.float32]:
        means = np.empty((len(self.groups), *self.attenuation.shape[::2]), np.float32)

        def average(group: int) -> None:
            np.mean(self.attenuation[:, self.groups[group]], axis=1, out=means[group])

        at_once(average, range(len(self.groups)))
        means.flags.writeable = False
        return means


def prepare(
    attenuation: NDArray[np.floating],
    angles_deg: NDArray[np.floating],
    *,
    rows_per_group: int,
    overwrite: bool = False,
) -> Prepared:
    """Sort by angle, mend what is not finite, drop empty rows and subtract the pattern that does not turn.

    Parameters
    ----------
    attenuation : array, shape (angle, row, column)
        -ln(I/I0), dimensionless.
    angles_deg : array, shape (angle,)
        Rotation angles in degrees, in any order.
    rows_per_group : int
        Consecutive rows that were read together.
    overwrite : bool
        Whether the input may be changed.

    Returns
    -------
    Prepared
        A copy; the input is not changed, unless that is allowed.

    Raises
    ------
    InputError
        The shapes do not fit together, or there is too little to search in.

    Notes
    -----
    The static pattern is mean_θ p - median₁₅(mean_θ p): what is sharp in the mean over all angles cannot have
    turned, save at the axis itself.
    """
    if attenuation.ndim != 3 or len(attenuation) != len(angles_deg):
        raise InputError(
            f"find axis: attenuation has the shape {attenuation.shape} and there are {len(angles_deg)} "
            f"angles; give (angle, row, column) with one angle for each projection"
        )
    views, _, columns = attenuation.shape
    if views < _FEWEST_VIEWS or columns < _FEWEST_COLUMNS:
        raise InputError(
            f"find axis: {views} projections of {columns} columns are too few; "
            f"at least {_FEWEST_VIEWS} projections and {_FEWEST_COLUMNS} columns are needed; give the column of the "
            "axis yourself (--axis, axis_column)"
        )
    notes: list[str] = []
    angles = np.asarray(angles_deg, np.float64)
    usable = np.isfinite(angles)
    order = np.argsort(np.where(usable, angles, np.inf), kind="stable")[: np.count_nonzero(usable)]
    if not usable.all():
        notes.append(f"{views - len(order)} projections have no angle and were left out")
    p = _taken(attenuation, order, overwrite)
    total = _total(p)
    if not np.isfinite(total).all():
        bad = ~np.isfinite(p)
        p[bad] = 0.0
        # The mean over angles of the pixel's own finite values; 0 where it has none.
        mean = p.sum(axis=0) / np.maximum((~bad).sum(axis=0), 1)
        p[bad] = np.broadcast_to(mean, p.shape)[bad]
        notes.append(f"{np.count_nonzero(bad)} values were not finite and were replaced")
        total = _total(p)

    lit = _lit(p)
    if not lit.all():
        notes.append(
            f"{np.count_nonzero(~lit)} projections are black or far off their neighbours and were left out"
        )
        p, order = p[lit], order[lit]
        total = _total(p)
    mean = total / len(p)
    static = (mean - running_median(mean, _MEDIAN_COLUMNS)).astype(np.float32)
    at_once(lambda part: np.subtract(p[part], static, out=p[part]), shares(len(p)))
    spread = np.std(p[:: max(1, len(p) // _SPREAD_VIEWS)], axis=(0, 2))
    alive = spread > 1e-3 * np.median(spread)
    if not alive.any():
        raise InputError("find axis: nothing varies in these rows; choose rows that show the sample")
    if not alive.all():
        notes.append(f"{np.count_nonzero(~alive)} empty rows were left out")
    groups, start = [], 0
    for lower in range(0, len(alive), rows_per_group):
        count = int(np.count_nonzero(alive[lower : lower + rows_per_group]))
        if count:
            groups.append(slice(start, start + count))
        start += count
    return Prepared(
        attenuation=p if alive.all() else np.ascontiguousarray(p[:, alive]),
        angles_deg=angles[order],
        groups=tuple(groups),
        static_ratio=_static_ratio(p, static, alive),
        notes=tuple(notes),
    )


def _taken(values: NDArray[np.floating], order: NDArray[np.intp], overwrite: bool) -> NDArray[np.float32]:
    """Copy projections in an order; where they may be overwritten and stand in it, take them as they are."""
    sorted_already = len(order) == len(values) and bool(np.all(np.diff(order) == 1))
    if overwrite and sorted_already and values.dtype == np.float32 and values.flags.writeable:
        return np.asarray(values, np.float32)
    p = np.empty((len(order), *values.shape[1:]), np.float32)

    def copy(part: slice) -> None:
        p[part] = values[part] if sorted_already else values[order[part]]

    at_once(copy, shares(len(p)))
    return p


def _total(p: NDArray[np.float32]) -> NDArray[np.float64]:
    """Add all projections up, shape (row, column): finite only where all values are."""
    total = np.empty(p.shape[1:])
    at_once(lambda rows: np.sum(p[:, rows], axis=0, dtype=np.float64, out=total[rows]), shares(p.shape[1]))
    return total


def _lit(p: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell the projections whose mean is near that of their neighbours: a black frame stands out by far."""
    sampled = p[:, :, :: max(1, p.shape[2] // _LEVEL_COLUMNS)]
    level = sampled.mean(axis=(1, 2), dtype=np.float64)
    apart = np.abs(level - running_median(level[None], _MEDIAN_VIEWS)[0])
    allowed = _FAR_OFF * max(
        1.4826 * float(np.median(apart)), 0.25 * float(np.std(sampled[:: max(1, len(p) // 16)]))
    )
    lit = apart <= allowed
    return lit if np.count_nonzero(lit) >= max(_FEWEST_VIEWS, len(lit) // 2) else np.ones_like(lit)


def _static_ratio(p: NDArray[np.float32], static: NDArray[np.float32], alive: NDArray[np.bool_]) -> float:
    """Compare the static pattern with the fine structure of a few projections, both over the live rows."""
    sampled = p[:: max(1, len(p) // 16), alive][:, :: max(1, np.count_nonzero(alive) // 10)].astype(
        np.float64
    )
    fine = sampled - running_median(sampled, _MEDIAN_COLUMNS)
    return float(np.std(static[alive]) / max(float(np.std(fine)), 1e-30))
