"""The view that leaves out projections in which something stands before the sample."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.blocked_views import blocked_views, transmission_where_lit
from tomarium.model import Scan
from tomarium.steps.core.parameter import Positive
from tomarium.steps.core.step import Example, view
from tomarium.steps.views.select_views import chosen

ROWS: Final = 8
"""Rows in the middle of the detector that are looked at."""

_SEEN: Final[WeakKeyDictionary[object, tuple[float, NDArray[np.bool_]]]] = WeakKeyDictionary()


@view(
    place=1,
    example=Example({"excess": 0.5}),
    aliases=("utopec", "y", "utopec.py"),
    column_before=lambda values, before, column: column,
)
def remove_blocked_views(scan: Scan, *, excess: Positive = 0.3) -> Scan:
    """Leave out projections that are partly blocked, by the columns of a press or a holder, with their angles.

    The others are weighted anew. What stands beside the sample blocks two views half a turn apart, so that a wedge of
    angles is missing, which a run says. A few rows of all projections are read to find them.

    Parameters
    ----------
    scan : Scan
        Counts with flats, transmission or attenuation.
    excess : float
        Mean attenuation above that of the usual view from which a view counts as blocked. A column that lets nothing
        through and covers a tenth of the view adds about 0.5.

    Returns
    -------
    Scan
        A lazy view, with a warning that tells how many were left out, and which.

    Raises
    ------
    InputError
        Counts without flats.

    References
    ----------
    The program utopec of tomodata, which replaces them by darks; the sum of the attenuation is that of S. Helgason,
    Acta Mathematica 113, 153 (1965), doi 10.1007/BF02391776.
    """
    blocked = _blocked(scan, excess)
    count = int(blocked.sum())
    if not count:
        return scan
    unblocked = chosen(scan, np.flatnonzero(~blocked))
    runs = np.split(np.flatnonzero(blocked), np.flatnonzero(np.diff(np.flatnonzero(blocked)) > 1) + 1)
    numbers = ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:8])
    ellipsis = ", …" if len(runs) > 8 else ""
    warning = (
        f"{count} of {len(blocked)} projections are partly blocked and were left out: {numbers}{ellipsis}"
    )
    return replace(unblocked, warnings=(*unblocked.warnings, warning))


def _blocked(scan: Scan, excess: float) -> NDArray[np.bool_]:
    """Find them once for a scan, which a plan and a run ask again."""
    entry = _SEEN.get(scan.projections)
    if entry is None or entry[0] != excess:
        entry = excess, blocked_views(_transmission(scan), scan.angles_deg.value, excess)
        _SEEN[scan.projections] = entry
    return entry[1]


def _transmission(scan: Scan) -> NDArray[np.floating]:
    """Read the transmission of a few rows, shape (angle, row, column); NaN where pixels see no beam."""
    views, height, _ = scan.shape
    first = max(0, height // 2 - ROWS // 2)
    rows = slice(first, min(height, first + ROWS))
    values: NDArray[np.floating] = scan.projections.read(slice(0, views), rows).astype(np.float64)
    if scan.domain == "attenuation":
        return np.asarray(np.exp(-values))
    if scan.domain == "transmission":
        return values
    if scan.flats is None:
        raise InputError(
            f"{scan.path}: step remove_blocked_views compares projections with flats, and there are none; give "
            f"--flats, or drop projections by number with select_views"
        )
    flat = scan.flats.frames.read(slice(0, scan.flats.frames.shape[0]), rows).mean(axis=0, dtype=np.float64)
    if scan.darks is not None:
        dark = scan.darks.frames.read(slice(0, scan.darks.frames.shape[0]), rows).mean(
            axis=0, dtype=np.float64
        )
        values -= dark
        flat -= dark
    return transmission_where_lit(values, flat)
