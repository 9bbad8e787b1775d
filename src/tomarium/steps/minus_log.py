"""From transmission to attenuation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tomarium.model import Slab
from tomarium.steps.parameter import Positive
from tomarium.steps.step import step


@step(accepts=("transmission", "counts"), gives="attenuation", peak=3.0)
def minus_log(slab: Slab, *, lowest_transmission: Positive = 1e-6) -> Slab:
    """Turn transmission into attenuation, the line integral of the attenuation coefficient.

    For data that were corrected by the flat field before: their file calls them counts.

    Parameters
    ----------
    slab : Slab
        Transmission I/I0, shape (angle, row, column); values above 1 are kept, for fringes are physical.
    lowest_transmission : float
        Lower values, NaN and infinity are set to it before the logarithm.

    Returns
    -------
    Slab
        Attenuation -ln(I/I0), dimensionless, float32.

    References
    ----------
    A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging (1988), chapter 4.1.
    """
    values = np.asarray(slab.data, np.float32)
    low = ~(values >= lowest_transmission) | ~np.isfinite(values)
    clipped = np.where(low, np.float32(lowest_transmission), values)
    report = {**slab.report, "minus_log.clipped": int(np.count_nonzero(low))}
    return replace(slab, data=-np.log(clipped, out=clipped), domain="attenuation", unit="1", report=report)
