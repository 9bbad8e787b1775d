"""Total variation of a slice: the step of an algorithm that lowers it."""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

INNER: Final = 8
"""Steps on the dual; what is left the next call takes up."""


def shrink_variation(
    wanted: NDArray[np.float32],
    weight: float,
    dual: NDArray[np.float32],
    inside: NDArray[np.bool_],
    non_negative: bool,
    steps: int = INNER,
) -> NDArray[np.float32]:
    """Find the x that is near an image and varies little: ½ ‖x - wanted‖² + weight TV(x), by its dual.

    Parameters
    ----------
    wanted : array of float32, shape (y, x)
        The image.
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
    if weight <= 0:
        return _image(wanted, np.zeros_like(dual), 0.0, inside, non_negative)
    ahead, last, t = dual.copy(), dual.copy(), 1.0
    rate = np.float32(1 / (8 * weight))
    length = np.empty_like(wanted)
    for _ in range(steps):
        image = _image(wanted, ahead, weight, inside, non_negative)
        made = ahead
        made[0, :-1] += rate * (image[:-1] - image[1:])
        made[1, :, :-1] += rate * (image[:, :-1] - image[:, 1:])
        np.hypot(made[0], made[1], out=length)
        np.maximum(length, 1, out=length)
        made /= length
        t, before = (1 + sqrt(1 + 4 * t * t)) / 2, t
        ahead = made + np.float32((before - 1) / t) * (made - last)
        last = made
    dual[:] = last
    return _image(wanted, last, weight, inside, non_negative)


def _image(
    wanted: NDArray[np.float32],
    dual: NDArray[np.float32],
    weight: float,
    inside: NDArray[np.bool_],
    non_negative: bool,
) -> NDArray[np.float32]:
    """Return the image that belongs to a dual: wanted - weight · divergence, held in its bounds."""
    rows, columns = dual
    image: NDArray[np.float32] = rows + columns
    image[1:] -= rows[:-1]
    image[:, 1:] -= columns[:, :-1]
    image *= np.float32(-weight)
    image += wanted
    image *= inside
    if non_negative:
        np.maximum(image, 0, out=image)
    return image


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
