"""How far single views lie aside of their neighbours: half a turn has one pair of opposites, and two such views."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.opposite import band
from tomarium.kernels.axis.prepare import Prepared

_FINEST, _COARSEST = 1.0, 8.0  # px
_MOST_VIEWS = 200
_ALIKE_VIEWS = 9
_BLOCK = 16  # columns: smoothing leaves what lies in two of them all but independent


def unsteadiness(prepared: Prepared) -> float:
    """Measure the shift of each view against the mean of the two beside it.

    Parameters
    ----------
    prepared : Prepared
        Attenuation without its static pattern.

    Returns
    -------
    float
        Standard deviation in px of what each view is shifted by at random, less what noise explains.

    Notes
    -----
    To first order d = p_k - (p_(k-1) + p_(k+1)) / 2 is -s ∂p/∂u for a shift s of 3/2 the variance of one view's; s
    is fitted to all columns and row groups of a view. The squared gradient it is divided by is the product of that
    of the view and of that of its neighbours: noise, which the two do not share, would shrink the shift
    (an instrumental variable). The variance of s by noise is that of sums over blocks of columns (the sandwich
    estimate, Huber 1967). The turn itself moves places before and behind the axis to opposite sides.
    """
    sinograms = prepared.sinograms()
    count = len(prepared.angles_deg)
    index = np.unique(np.linspace(1, count - 2, min(count - 2, _MOST_VIEWS)).round().astype(np.intp))
    before, at, after = (
        band(sinograms[:, index + k], _FINEST, _COARSEST).astype(np.float64) for k in (-1, 0, 1)
    )
    mean = (before + after) / 2
    slope = np.gradient(mean, axis=2)
    apart = at - mean
    # What there is to see changes slowly with the angle; a single view may show nothing.
    squares = _smooth(np.sum(slope * np.gradient(at, axis=2), axis=(0, 2)))
    shown = squares > 0
    if not shown.any():
        return 0.0
    slope, apart, squares = slope[:, shown], apart[:, shown], squares[shown]
    shift = -np.sum(slope * apart, axis=(0, 2)) / squares
    residue = slope * (apart + shift[None, :, None] * slope)
    blocks = np.add.reduceat(residue, np.arange(0, residue.shape[2], _BLOCK), axis=2)
    noise = np.sum(blocks**2, axis=(0, 2)) / squares**2
    excess = 1.4826**2 * np.median(np.abs(shift - np.median(shift))) ** 2 - np.median(noise)
    return float(np.sqrt(max(excess, 0.0) / 1.5))


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    half = min(_ALIKE_VIEWS // 2, len(values) - 1)
    padded = np.pad(values, half, mode="reflect")
    return np.convolve(padded, np.full(2 * half + 1, 1 / (2 * half + 1)), "valid")
