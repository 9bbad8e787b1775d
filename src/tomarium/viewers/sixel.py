"""Grey pictures as sixels, the graphics of DEC's terminals, which xterm, foot, mlterm and others show."""

from __future__ import annotations

from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

GREYS: Final = 64
"""Levels of grey; xterm has 256 colours, the VT340 had 16."""

_HIGH: Final = 6
_LEAST_RUN: Final = 4
"""From so many equal marks on a count is shorter."""


def sixels(grey: NDArray[np.uint8]) -> str:
    """Write a grey picture as sixels.

    Parameters
    ----------
    grey : array of uint8, shape (y, x)
        The picture, 0 black.

    Returns
    -------
    str
        The control string of a terminal, with square pixels.

    References
    ----------
    Digital Equipment Corporation, VT330/VT340 Programmer Reference Manual, volume 2, chapter 14.
    """
    height, width = grey.shape
    levels = grey.astype(np.intp) * (GREYS - 1) // 255
    padded = np.full((-(-height // _HIGH) * _HIGH, width), -1)
    padded[:height] = levels
    percents = [round(100 * level / (GREYS - 1)) for level in range(GREYS)]
    palette = "".join(f"#{level};2;{grey};{grey};{grey}" for level, grey in enumerate(percents))
    bands = [_band(padded[top : top + _HIGH]) for top in range(0, len(padded), _HIGH)]
    return f'\x1bPq"1;1;{width};{height}{palette}{"-".join(bands)}\x1b\\'


def _band(rows: NDArray[np.intp]) -> str:
    """Write six rows: for each level the marks of all columns, of which bit k is row k."""
    weights = 1 << np.arange(_HIGH)[:, np.newaxis]
    lines = []
    for level in np.unique(rows[rows >= 0]):
        marks = ((rows == level) * weights).sum(axis=0) + 63
        lines.append(f"#{level}" + "".join(_run(chr(mark), len(list(same))) for mark, same in groupby(marks)))
    return "$".join(lines)


def _run(mark: str, count: int) -> str:
    return f"!{count}{mark}" if count >= _LEAST_RUN else mark * count
