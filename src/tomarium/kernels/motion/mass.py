"""How the centre of mass of the views moves beside the path of a sample that turns and else stands still."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.motion.smooth import smooth_curve

EDGE: Final = 0.03
"""Columns at each side that are taken for air, of all."""
MOST_VARIATION: Final = 0.05
"""Standard deviation of the mass over the views above which some of the sample comes and goes."""

MOST_AT_EDGE: Final = 0.2
"""Attenuation at an edge above which the sample reaches beyond it, of the highest mean over the views."""

Array = NDArray[np.float64]


def mass_path(views: NDArray[np.float32], angles_deg: Array) -> Array | None:
    """Return the path along columns of a sample that moves smoothly, by its centre of mass.

    Parameters
    ----------
    views : array of float32, shape (view, row, column)
        Attenuation.
    angles_deg : array of float64, shape (view,)
        Degrees, in the order the views were taken.

    Returns
    -------
    array of float64, shape (view,), or None
        `mass_shifts`, smoothed as far as their noise asks for.
    """
    shifts = mass_shifts(views, angles_deg)
    return None if shifts is None else smooth_curve(shifts)[0]


def mass_shifts(views: NDArray[np.float32], angles_deg: Array) -> Array | None:
    """Return how far the sample is moved along columns in each view, by its centre of mass.

    The centre of mass of a sample that stands still lies at c + x cos + y sin in the views (Helgason and Ludwig's
    condition of first order), whatever the sample is; what it deviates from that is motion.

    Parameters
    ----------
    views : array of float32, shape (view, row, column)
        Attenuation.
    angles_deg : array of float64, shape (view,)
        Degrees.

    Returns
    -------
    array of float64, shape (view,), or None
        Pixels towards higher columns; a constant, cos and sin are left out. None where the sample is not
        in view, but for its rim: its mass changes by more than 5 % over the views, or an edge sees much of it.

    References
    ----------
    F. Natterer, The Mathematics of Computerized Tomography (Wiley, 1986), section II.4.
    """
    count, _, columns = views.shape
    profile = views.mean(axis=1, dtype=np.float64)
    edge = max(2, round(EDGE * columns))
    if count < 5 or columns < 4 * edge:
        return None
    # Air that is not zero would weigh as much as a sample; it is taken for linear between the two edges.
    left, right = profile[:, :edge].mean(axis=1), profile[:, -edge:].mean(axis=1)
    if max(np.abs(left).max(), np.abs(right).max()) > MOST_AT_EDGE * float(profile.mean(axis=0).max()):
        return None
    profile -= left[:, None] + (right - left)[:, None] * np.linspace(0, 1, columns)
    mass = profile.sum(axis=1)
    if not (mass > 0).all() or float(mass.std()) > MOST_VARIATION * float(mass.mean()):
        return None
    centre = profile @ np.arange(columns) / mass
    turns = np.deg2rad(angles_deg)
    still = np.stack([np.ones(count), np.cos(turns), np.sin(turns)]).T
    return np.asarray(centre - still @ np.linalg.lstsq(still, centre, rcond=None)[0])
