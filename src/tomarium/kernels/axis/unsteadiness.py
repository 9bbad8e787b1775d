"""How far single views lie aside of their neighbours: half a turn has one pair of opposites, and two such views."""

from __future__ import annotations

import numpy as np

from tomarium.kernels.axis.opposite import band
from tomarium.kernels.axis.prepare import Prepared

_FINEST, _COARSEST = 1.0, 8.0  # px
_MOST_VIEWS = 200


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
    is fitted to all columns and row groups of a view, and its own variance by noise is that of the residue over
    the sum of the squared gradients. The turn itself moves places before and behind the axis to opposite sides.
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
    squares = np.maximum(np.sum(slope**2, axis=(0, 2)), 1e-300)
    shift = -np.sum(slope * apart, axis=(0, 2)) / squares
    residue = apart + shift[None, :, None] * slope
    # Smoothing leaves about one independent value in so many columns.
    noise = residue.var(axis=(0, 2)) * (3.5 * _FINEST) / squares
    excess = 1.4826**2 * np.median(np.abs(shift - np.median(shift))) ** 2 - np.median(noise)
    return float(np.sqrt(max(excess, 0.0) / 1.5))
