"""Mutual information of two images, and how it changes with the values of one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = 192
"""Levels to which the values of the image that is interpolated are rounded."""

CLASSES: Final = 24
"""Levels of the image that is not."""

_BLUR: Final = 6.0
"""σ of the window of the first image's values, levels."""

_BLUR_CLASSES: Final = 0.7
_LEAST: Final = 1e-9
_ENDS: Final = (0.1, 99.9)
"""Percentiles between which the levels lie."""

Array = NDArray[np.float64]
Block = NDArray[np.float32]


@dataclass(frozen=True)
class Range:
    """The values that are spread over levels.

    Attributes
    ----------
    low, high : float
        Values of the first and of the last level; what lies beyond counts as they do.
    """

    low: float
    high: float

    def levels(self, values: Block, count: int) -> NDArray[np.intp]:
        """Return the level of each value, 0 to count - 1."""
        scaled = (values - self.low) * ((count - 1) / max(self.high - self.low, 1e-30))
        return np.asarray(np.clip(np.rint(scaled), 0, count - 1), np.intp)


def range_of(values: Block) -> Range:
    """Return the range between the percentiles 0.1 and 99.9.

    Parameters
    ----------
    values : array of float32
        Any shape; finite.

    Returns
    -------
    Range
        Of all of them, or of every so-manyth where there are more than a million.
    """
    flat = values.ravel()[:: max(1, values.size // 1_000_000)]
    low, high = np.percentile(flat, _ENDS)
    if not high > low:
        low, high = float(flat.min()), float(flat.max())
    return Range(float(low), float(high))


@dataclass(frozen=True, eq=False)
class Likeness:
    """How much one image tells of the other.

    Attributes
    ----------
    information : float
        Mutual information, nats.
    slopes : array of float32, shape (value,)
        Its derivative with each value of the first image, times their number.
    """

    information: float
    slopes: Block


def mutual_information(values: Block, classes: NDArray[np.intp], spread: Range) -> Likeness:
    """Return the mutual information of two images from values at the same places.

    1. The joint histogram is blurred by a Gaussian along both axes (Parzen windows, Viola and Wells 1997).
    2. I = Σ p(v, m) ln(p(v, m) / (p(v) p(m))).
    3. dI/dv of one value is the derivative of ln(p(v, m) / p(v)), blurred once more (Thévenaz and Unser 2000, eq. 19).

    Parameters
    ----------
    values : array of float32, shape (value,)
        Values of the image that is moved and interpolated.
    classes : array of int, shape (value,)
        Levels of the other one, below `CLASSES`.
    spread : Range
        Of the first image's values.

    Returns
    -------
    Likeness
        The information, and its slopes.

    References
    ----------
    P. Thévenaz, M. Unser, IEEE Transactions on Image Processing 9, 2083 (2000), doi 10.1109/83.887976.
    """
    if not len(values):
        return Likeness(0.0, np.zeros(0, np.float32))
    at = spread.levels(values, LEVELS)
    counts = np.bincount(at * CLASSES + classes, minlength=LEVELS * CLASSES).reshape(LEVELS, CLASSES)
    joint = _WINDOW @ (counts / len(values)) @ _WINDOW_CLASSES.T
    first, second = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    ratio = np.log((joint + _LEAST) / (first + _LEAST))
    information = float(np.sum(joint * (ratio - np.log(second + _LEAST))))
    table = np.gradient(_WINDOW.T @ ratio @ _WINDOW_CLASSES, axis=0)
    table *= (LEVELS - 1) / max(spread.high - spread.low, 1e-30)
    return Likeness(information, table.astype(np.float32)[at, classes])


def _window(count: int, sigma: float) -> Array:
    """Return the matrix that blurs a histogram; what would leave it at an end stays in it."""
    at = np.arange(count)
    window = np.exp(-0.5 * ((at[:, None] - at[None, :]) / sigma) ** 2)
    return np.asarray(window / window.sum(axis=0, keepdims=True))


_WINDOW: Final = _window(LEVELS, _BLUR)
_WINDOW_CLASSES: Final = _window(CLASSES, _BLUR_CLASSES)


def in_classes(values: Block, count: int, *, rounds: int = 25) -> NDArray[np.intp]:
    """Sort values into classes of like ones, the phases of a rock (Lloyd's algorithm along one line).

    Parameters
    ----------
    values : array of float32
        Any shape.
    count : int
        Most classes.
    rounds : int
        Most rounds.

    Returns
    -------
    array of int, same shape
        Class of each value, in their order.

    References
    ----------
    S. Lloyd, IEEE Transactions on Information Theory 28, 129 (1982), doi 10.1109/TIT.1982.1056489.
    """
    spread = range_of(values)
    at = spread.levels(values, LEVELS)
    counts = np.bincount(at.ravel(), minlength=LEVELS).astype(np.float64)
    places = np.arange(LEVELS)
    centres = np.linspace(0, LEVELS - 1, 2 * count + 1)[1::2]
    for _ in range(rounds):
        ends = np.searchsorted(places, 0.5 * (centres[1:] + centres[:-1]))
        parts = list(zip([0, *ends], [*ends, LEVELS], strict=True))
        moved = np.array(
            [
                np.average(places[a:b], weights=counts[a:b]) if counts[a:b].sum() > 0 else centre
                for (a, b), centre in zip(parts, centres, strict=True)
            ]
        )
        if np.abs(moved - centres).max() < 0.01:
            break
        centres = moved
    return np.searchsorted(0.5 * (centres[1:] + centres[:-1]), at).astype(np.intp)
