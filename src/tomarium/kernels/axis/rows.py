"""Which rows to read to find the axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sampled_rows(
    rows: int, *, groups: int = 5, rows_per_group: int = 8, margin: float = 0.1
) -> NDArray[np.intp]:
    """Choose groups of neighbouring rows, spread over the height of the detector.

    Parameters
    ----------
    rows : int
        Rows of the detector.
    groups : int
        Most groups.
    rows_per_group : int
        Rows of each; a detector with fewer gives one group of all of them.
    margin : float
        Share of the height left out at the top and at the bottom, where the beam is weak.

    Returns
    -------
    array of intp, shape (row,)
        0-based, ascending; each `rows_per_group` of them are neighbours.
    """
    size = min(rows_per_group, rows)
    count = max(1, min(groups, rows // size))
    first, last = round(margin * (rows - size)), round((1 - margin) * (rows - size))
    if last - first < (count - 1) * size:
        first, last = 0, rows - size
    starts = np.linspace(first, last, count) if count > 1 else np.array([(rows - size) / 2])
    return np.asarray(np.floor(starts)[:, None] + np.arange(size), np.intp).ravel()
