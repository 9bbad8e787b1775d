"""Views in which something that is not the sample stands in the beam, such as the columns of a press."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

DARKEST = 1e-3
"""Transmission below which the attenuation is not told any more."""

UNLIT = 0.1
"""Part of the median of the open beam up to which a pixel is not lit."""

SPREAD = 8.0
"""Standard deviations of the views' mean attenuation that a blocked view exceeds."""

GAP = 3
"""Fewer views than this between blocked ones are blocked, too."""


def transmission_where_lit(signal: NDArray[np.floating], beam: NDArray[np.float64]) -> NDArray[np.floating]:
    """Divide views by the open beam where there is one.

    Parameters
    ----------
    signal : array, shape (angle, row, column)
        Counts less darks.
    beam : array of float64, shape (row, column)
        Flats less darks.

    Returns
    -------
    array, shape (angle, row, column)
        I/I0 in the precision of the signal; NaN for pixels whose beam is a tenth of the median or less.
    """
    lit = beam > UNLIT * np.nanmedian(beam)
    return signal / np.where(lit, beam, np.nan).astype(signal.dtype)


def blocked_views(
    transmission: NDArray[np.floating], angles_deg: NDArray[np.float64], excess: float = 0.3
) -> NDArray[np.bool_]:
    """Tell which views are partly blocked.

    Parameters
    ----------
    transmission : array, shape (angle, row, column)
        I/I0 of a few rows; NaN where nothing is known.
    angles_deg : array of float64, shape (angle,)
        Degrees; neighbours in angle belong together.
    excess : float
        Mean attenuation above that of the usual view from which a view counts as blocked.

    Returns
    -------
    array of bool, shape (angle,)
        True for views whose mean attenuation exceeds the median of all by `excess`, and by eight standard deviations
        (from the median absolute deviation); for their neighbours, while they exceed it by a fifth of `excess` and by
        four; and for fewer than three views between blocked ones.

    Notes
    -----
    A sample within the field of view attenuates as much in sum from every side (the first of the Helgason-Ludwig
    conditions, 10.1007/BF02391776), so that what exceeds it is not the sample. Of a sample that is wider the sum
    varies with the angle, and so does the standard deviation that is to be exceeded.
    """
    clipped = np.nan_to_num(transmission, nan=1.0)
    np.log(np.clip(clipped, DARKEST, None, out=clipped), out=clipped)
    attenuation = -clipped.mean(axis=(1, 2), dtype=np.float64)
    usual = float(np.median(attenuation))
    above = attenuation - usual
    deviation = 1.4826 * float(np.median(np.abs(above)))
    order = np.argsort(angles_deg, kind="stable")
    surely = above[order] > max(excess, SPREAD * deviation)
    perhaps = above[order] > max(excess / 5, SPREAD / 2 * deviation)
    blocked = np.zeros(len(above), np.bool_)
    blocked[order] = _filled(_grown(surely, perhaps))
    return blocked


def _grown(surely: NDArray[np.bool_], perhaps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add to the sure ones the runs of likely ones that they lie in."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], perhaps, [False]]).astype(np.int8)))
    grown = surely.copy()
    for start, stop in edges.reshape(-1, 2):
        grown[start:stop] |= surely[start:stop].any()
    return grown


def _filled(blocked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    places = np.flatnonzero(blocked)
    filled = blocked.copy()
    for before, after in itertools.pairwise(places):
        if after - before <= GAP:
            filled[before:after] = True
    return filled
