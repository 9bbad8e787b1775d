"""Total variation of a slice: the step of an algorithm that lowers it."""

from __future__ import annotations

from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import namespace, not_negative

INNER: Final = 8
"""Steps on the dual; what is left the next call takes up."""


def shrink_variation(
    wanted: Any,
    weight: float,
    dual: Any,
    inside: Any,
    non_negative: bool,
    steps: int = INNER,
) -> NDArray[np.float32]:
    """Find the x that is near an image and varies little: ½ ‖x - wanted‖² + weight TV(x), by its dual.

    Parameters
    ----------
    wanted : array of float32, shape (y, x)
        The image, wherever it lies; the others there, too.
    weight : float
        Weight of the total variation.
    dual : array of float32, shape (2, y, x)
        Where the dual begins, along rows and columns; left where it ends, for the next call.
    inside : array of bool, shape (y, x)
        Where x may differ from 0.
    non_negative : bool
        Whether x is held at or above 0.
    steps : int
        Steps on the dual.

    Returns
    -------
    array of float32, shape (y, x)
        The image.

    References
    ----------
    A. Beck and M. Teboulle, IEEE Transactions on Image Processing 18, 2419 (2009), doi 10.1109/TIP.2009.2028250,
    algorithm FGP.
    """
    xp = namespace(wanted)
    if weight <= 0:
        return _image(wanted, xp.zeros_like(dual), 0.0, inside, non_negative)
    ahead, last, t = xp.asarray(dual, copy=True), xp.asarray(dual, copy=True), 1.0
    rate = 1 / (8 * weight)
    length = xp.empty_like(wanted)
    for _ in range(steps):
        image = _image(wanted, ahead, weight, inside, non_negative)
        next_dual = ahead
        next_dual[0, :-1, :] += rate * (image[:-1, :] - image[1:, :])
        next_dual[1, :, :-1] += rate * (image[:, :-1] - image[:, 1:])
        if xp is np:
            np.hypot(next_dual[0], next_dual[1], out=length)
            np.maximum(length, 1, out=length)
        else:
            length = xp.maximum(xp.hypot(next_dual[0, ...], next_dual[1, ...]), 1.0)
        next_dual /= length
        t, before = (1 + sqrt(1 + 4 * t * t)) / 2, t
        ahead = next_dual + ((before - 1) / t) * (next_dual - last)
        last = next_dual
    dual[...] = last
    return _image(wanted, last, weight, inside, non_negative)


def _image(
    wanted: NDArray[np.float32],
    dual: NDArray[np.float32],
    weight: float,
    inside: NDArray[np.bool_],
    non_negative: bool,
) -> NDArray[np.float32]:
    """Return the image that belongs to a dual: wanted - weight · divergence, held in its bounds."""
    rows, columns = dual[0, ...], dual[1, ...]
    image = rows + columns
    image[1:, :] -= rows[:-1, :]
    image[:, 1:] -= columns[:, :-1]
    image *= -weight
    image += wanted
    image *= inside
    result: NDArray[np.float32] = not_negative(image) if non_negative else image
    return result


def total_variation(image: NDArray[np.float32]) -> float:
    """Return the sum of the lengths of an image's differences to its next row and column.

    Parameters
    ----------
    image : array of float32, shape (y, x)
        A slice.

    Returns
    -------
    float
        In units of the image.
    """
    rows, columns = np.zeros_like(image), np.zeros_like(image)
    rows[:-1] = image[1:] - image[:-1]
    columns[:, :-1] = image[:, 1:] - image[:, :-1]
    return float(np.hypot(rows, columns).sum(dtype=np.float64))
