"""The step that takes the halos of Zernike phase contrast away."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Annotated, Literal

from annotated_types import Interval

from tomarium.kernels.ramp import good_length
from tomarium.kernels.zernike import without_halo
from tomarium.model import Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import Fraction, Positive
from tomarium.steps.core.square_pixels import demand_square
from tomarium.steps.core.step import Cost, Example, Values, step

Regularisation = Annotated[float, Interval(gt=0, lt=1)]


def _host(values: Values, layout: Layout) -> int:
    """Input, result, and a padded frame with its spectrum, its factors and copies."""
    rows, columns = (good_length(n + 2 * ceil(4 * values["sigma_px"])) for n in layout.shape[1:])
    return layout.bytes + 4 * layout.values + 32 * rows * columns


@step(
    accepts=("attenuation",),
    cut="angle",
    cost=Cost(host=_host, nanoseconds=900.0),
    demand=demand_square("correct_zernike_halo"),
    place=36,
    example=Example({"sigma_px": 6.0}),
    aliases=("zernike", "halo_correction"),
)
def correct_zernike_halo(
    slab: Slab,
    *,
    context: Context,
    sigma_px: Positive = 20.0,
    strength: Fraction = 1.0,
    contrast: Literal["positive", "negative"] = "positive",
    regularisation: Regularisation = 3e-5,
) -> Slab:
    """Take the halo and the shade-off of Zernike phase contrast away.

    The phase ring of a microscope is wider than the spot of the undiffracted beam, and shifts the low frequencies of
    the sample as it shifts the beam: they show no contrast. What is left is the phase less its blur, p - s G * p with a
    Gaussian G: bright halos around things, and shades within wide ones. The blur is undone by the regularised inverse,
    and the mean that is lost is told by the air at the left and the right of the frame.

    Parameters
    ----------
    slab : Slab
        Attenuation, to first order the phase of a weak sample; shape (angle, row, column).
    context : Context
        Threads, and memory for the result.
    sigma_px : float
        Standard deviation of the halo in pixels: about λ f / (√2 π b p) with the focal length f, the half width b of
        the ring, and the pixel size p; or by eye, until wide things are level.
    strength : float
        s, how much of the low frequencies is lost: 1 for a ring that shifts all of the beam.
    contrast : {"positive", "negative"}
        "negative" where the sample is brighter than the air: it is turned round.
    regularisation : float
        Frequencies of which less than its root is left are not given back. Raise it where clouds drown the sample.

    Returns
    -------
    Slab
        Attenuation without halo, float32.

    Raises
    ------
    InputError
        A value is not finite.

    References
    ----------
    F. Zernike, Physica 9, 686 (1942), doi 10.1016/S0031-8914(42)80035-X; S. Otaki, Optical Review 7, 119 (2000),
    doi 10.1007/s10043-000-0119-5.
    """
    result = without_halo(
        slab.data,
        sigma_px,
        strength=strength,
        regularisation=regularisation,
        threads=context.threads,
        out=context.result(slab.data.shape),
    )
    if contrast == "negative":
        result *= -1
    return replace(slab, data=result)
