"""How far the fine structure of the beam changed between two groups of flats."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WINDOW: Final = 9


def fine_change(before: NDArray[np.floating], after: NDArray[np.floating]) -> tuple[float, float]:
    """Compare the fine structure of two groups of flats with what differs within a group.

    1. The logarithm of the mean after over that before, less its running mean over 9 blocks, has the rms r.
    2. The same of the even over the odd frames of a group has the rms h; the noise of a group's mean is h / 2.

    Parameters
    ----------
    before, after : array, shape (frame, row, column)
        Logarithms of at least two flats each, less the dark, averaged in blocks, each frame's median taken away.

    Returns
    -------
    float
        r, without the thousandth of the blocks that is largest: dust, stray hits.
    float
        Noise of both groups.
    """
    change = _rms(after.mean(axis=0) - before.mean(axis=0))
    noise = 0.5 * math.hypot(
        *(_rms(group[::2].mean(axis=0) - group[1::2].mean(axis=0)) for group in (before, after))
    )
    return change, noise


def _rms(image: NDArray[np.floating]) -> float:
    fine = np.abs(image - _running_mean(_running_mean(image, 0), 1)).ravel()
    smallest = np.sort(fine)[: max(1, int(0.999 * fine.size))]
    return float(np.sqrt(np.mean(smallest**2)))


def _running_mean(image: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    width = min(_WINDOW, image.shape[axis] // 2 * 2 - 1)
    if width < 3:
        return image if axis == 0 else image.mean(axis=axis, keepdims=True) * np.ones_like(image)
    half = width // 2
    padded = np.pad(image, [(half, half) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
    total = np.cumsum(np.insert(padded, 0, 0.0, axis=axis), axis=axis)
    count = image.shape[axis]
    upper = np.take(total, np.arange(width, width + count), axis=axis)
    lower = np.take(total, np.arange(count), axis=axis)
    return np.asarray((upper - lower) / width)
