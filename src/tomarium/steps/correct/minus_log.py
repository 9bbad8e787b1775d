"""From transmission to attenuation."""

from __future__ import annotations

from dataclasses import replace

from tomarium.array import namespace
from tomarium.model import Slab
from tomarium.steps.core.parameter import Positive
from tomarium.steps.core.step import Cost, Figure, step


@step(
    accepts=("transmission", "counts"),
    gives="attenuation",
    cut="any",
    anywhere=True,
    cost=Cost(host=4.5, nanoseconds=4.0),
    figures=(Figure("clipped", 1e-3, "{percent} % of the transmissions were raised to lowest_transmission"),),
    place=35,
    aliases=("zero_clip", "zero_clip.py", "z"),
)
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
    xp = namespace(slab.data)
    values = xp.astype(slab.data, xp.float32)
    low = xp.logical_not(xp.logical_and(values >= lowest_transmission, xp.isfinite(values)))
    lowest = xp.asarray(lowest_transmission, dtype=xp.float32, device=values.device)
    clipped = xp.where(low, lowest, values)
    report = {**slab.report, "minus_log.clipped": int(xp.count_nonzero(low))}
    return replace(slab, data=-xp.log(clipped), domain="attenuation", unit="1", report=report)
