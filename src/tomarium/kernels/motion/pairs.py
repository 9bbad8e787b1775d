"""Views that see the same along the beam: half a turn apart, where one mirrors the other, or a whole turn apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST: Final = 96
"""Pairs of each kind; more add little."""


@dataclass(frozen=True)
class ViewPairs:
    """Pairs of views.

    Attributes
    ----------
    first, second : array of intp, shape (pair,)
        Indices of the views.
    mirrored : array of bool, shape (pair,)
        Whether they are half a turn apart.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    mirrored: NDArray[np.bool_]


def view_pairs(angles_deg: NDArray[np.float64], times: NDArray[np.float64]) -> ViewPairs:
    """Find pairs of views of the same direction, or of opposite ones, that are apart in time.

    Parameters
    ----------
    angles_deg : array of float64, shape (view,)
        In any order.
    times : array of float64, shape (view,)
        When each was taken; the scan lasts from -0.5 to 0.5.

    Returns
    -------
    ViewPairs
        At most 96 of each kind, spread over the views. A partner lies within half a step between views.
    """
    steps = np.abs(np.diff(angles_deg))
    tolerance = 0.5 * float(np.median(steps[steps > 0], axis=0)) + 1e-3 if (steps > 0).any() else 1e-3
    pairs: list[tuple[int, int, bool]] = []
    for mirrored, apart in ((True, 180.0), (False, 0.0)):
        of_direction = []
        for k in range(len(angles_deg)):
            lack = np.abs((angles_deg - angles_deg[k] - apart + 180.0) % 360.0 - 180.0)
            lack[(times - times[k]) < 0.05] = np.inf  # each pair once, and no neighbours
            best = lack.min()
            if best <= tolerance:
                near = np.flatnonzero(lack <= best + 0.01 * tolerance)
                of_direction += [(k, int(near[-1]), mirrored)]
        chosen = np.linspace(0, len(of_direction) - 1, min(MOST, len(of_direction))).round().astype(int)
        pairs += [of_direction[at] for at in chosen]
    first, second, kind = (np.array(column) for column in zip(*pairs, strict=True)) if pairs else ([], [], [])
    return ViewPairs(np.asarray(first, np.intp), np.asarray(second, np.intp), np.asarray(kind, np.bool_))
