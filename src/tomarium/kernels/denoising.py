"""Filters against noise in slices, and the choice of their strength from parts of the views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.total_variation import shrink_variation

Filter = Literal["gaussian", "tv"]
FILTERS: Final[tuple[Filter, ...]] = ("gaussian", "tv")

STEPS: Final = 40
"""Steps on the dual of the total variation."""

_POWERS: Final = {"gaussian": 0.25, "tv": 0.5}
"""How the best strength grows with the variance of the noise, see `strength_of_whole`."""


def denoise_slice(image: NDArray[np.floating], kind: Filter, strength: float) -> NDArray[np.float32]:
    """Take noise from a slice.

    Parameters
    ----------
    image : array, shape (y, x)
        Values in any unit; finite.
    kind : {"gaussian", "tv"}
        gaussian: convolution with a Gaussian cut off at 4 σ. tv: the x with the least ½ ‖x - image‖² + strength TV(x),
        which keeps edges and takes away what is smaller than the noise.
    strength : float
        σ in px; or the weight of the total variation, in the unit of the values. 0 leaves the image.

    Returns
    -------
    array of float32, shape (y, x)
        In the unit of the image.

    References
    ----------
    Rudin, Osher & Fatemi, Physica D 60 (1992) 259-268, for "tv".
    """
    pixels = np.asarray(image, np.float32)
    if strength <= 0:
        return pixels
    if kind == "gaussian":
        return _gaussian(pixels, strength)
    scale = np.float32(max(float(np.abs(pixels).max()), 1e-30))  # weights far from 1 lose digits
    dual = np.zeros((2, *pixels.shape), np.float32)
    everywhere = np.ones(pixels.shape, bool)
    return shrink_variation(pixels / scale, strength / float(scale), dual, everywhere, False, STEPS) * scale


def _gaussian(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    reach = ceil(4 * sigma_px)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in range(2):
        ends = [(reach, reach) if axis == value else (0, 0) for value in range(2)]
        padded = np.pad(image, ends, mode="edge")
        length = image.shape[axis]
        parts = [np.take(padded, range(k, k + length), axis) * w for k, w in enumerate(weights)]
        image = np.sum(parts, axis=0, dtype=np.float32)
    return image


def strengths(kind: Filter, noise: float) -> NDArray[np.float64]:
    """Return the strengths that are tried, the first of them 0.

    Parameters
    ----------
    kind : {"gaussian", "tv"}
        Filter.
    noise : float
        Standard deviation of the noise, in the unit of the values.

    Returns
    -------
    array of float64
        σ from 0.3 to 3 px; or weights from a twentieth to eight times the noise.
    """
    tried = np.geomspace(0.3, 3, 9) if kind == "gaussian" else noise * np.geomspace(0.05, 8, 11)
    return np.concatenate([[0.0], tried])


def cross_error(
    parts: Sequence[NDArray[np.floating]],
    mask: NDArray[np.bool_],
    kind: Filter,
    tried: NDArray[np.float64],
    *,
    alias: Sequence[NDArray[np.floating]] | None = None,
) -> NDArray[np.float64]:
    """Return by how much each part differs from what the filter makes of the others, ⟨(f(x̄₋ⱼ) - xⱼ)²⟩.

    The noise of a part is independent of that of the others, so this is the error of the filter against the truth, plus
    what the noise of the part adds, which is the same for every strength.

    Parameters
    ----------
    parts : sequence of array, shape (y, x)
        A slice from each S-th of the views; at least two.
    mask : array of bool, shape (y, x)
        Where the error counts.
    kind : {"gaussian", "tv"}
        Filter.
    tried : array, shape (strength,)
        Strengths.
    alias : sequence of array, optional
        What of each part comes from its few views; it is taken from the part and given back to the others, whose
        sum has it with the other sign.

    Returns
    -------
    array, shape (strength,)
        Mean square over the parts, in the square of the unit.

    References
    ----------
    Hendriksen, Pelt & Batenburg, IEEE Trans. Comput. Imaging 6 (2020) 1320-1335, eq. 9: their network is a filter here.
    """
    count = len(parts)
    targets = list(parts) if alias is None else [x - a for x, a in zip(parts, alias, strict=True)]
    total = np.sum(targets, axis=0)
    errors = np.zeros(len(tried))
    for target in targets:
        mean_of_others = (total - target) / (count - 1)
        for place, strength in enumerate(tried):
            denoised = denoise_slice(mean_of_others, kind, float(strength))
            errors[place] += float(np.mean((denoised - target)[mask].astype(np.float64) ** 2)) / count
    return errors


def alias_of(
    parts: Sequence[NDArray[np.floating]],
    kind: Filter,
    strength: float,
    again: Callable[[NDArray[np.float32], int | None], NDArray[np.floating]],
) -> list[NDArray[np.floating]]:
    """Estimate the streaks that each part has for its few views, from the denoised slice of the others.

    Parameters
    ----------
    parts : sequence of array, shape (y, x)
        As `cross_error` takes them.
    kind : {"gaussian", "tv"}
        Filter.
    strength : float
        Its strength.
    again : callable
        `again(image, part)`: projects an image and reconstructs it from the views of a part, or from all of them where
        that is None.

    Returns
    -------
    list of array, shape (y, x)
        One for each part; their sum is zero but for rounding.
    """
    total, count = np.sum(parts, axis=0), len(parts)
    aliases = []
    for number, part in enumerate(parts):
        clean = denoise_slice((total - part) / (count - 1), kind, strength)
        aliases.append(again(clean, number) - again(clean, None))
    return aliases


def best_strength(tried: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """Return the strength with the least error, between those that were tried by a parabola over its logarithm.

    Parameters
    ----------
    tried, errors : array, shape (strength,)
        Strengths, the first of them 0, and the error of each.

    Returns
    -------
    float
        0 where no filter is better.
    """
    place = int(np.argmin(errors))
    if place < 2 or place == len(tried) - 1:
        return float(tried[place])
    before, least, after = errors[place - 1 : place + 2]
    step = float(np.log(tried[place + 1] / tried[place]))
    return float(tried[place] * np.exp(step * (before - after) / (2 * (before - 2 * least + after))))


def strength_of_whole(strength: float, kind: Filter, splits: int) -> float:
    """Return the strength for all views, where it was tuned on all but one of the parts.

    Parameters
    ----------
    strength : float
        Best for S - 1 of S parts, whose noise has S / (S - 1) of the variance of all.
    kind : {"gaussian", "tv"}
        A weight of the total variation goes with the noise; σ with its root, where bias goes with σ, as at edges, and
        noise with σ⁻³.
    splits : int
        S.

    Returns
    -------
    float
        A little less.
    """
    return float(strength * ((splits - 1) / splits) ** _POWERS[kind])
