"""The step that removes stripes from sinograms."""

from __future__ import annotations

from dataclasses import replace

from tomarium.kernels.stripes import remove_stripes_by_sorting
from tomarium.model import Layout, Slab
from tomarium.steps.context import Context
from tomarium.steps.parameter import NotNegative, OddCount
from tomarium.steps.step import Cost, Example, Values, step


def _host(values: Values, layout: Layout) -> int:
    """Input, result, and one sinogram sorted with its order for each thread."""
    angles, _, columns = layout.shape
    return layout.bytes + 4 * layout.values + 8 * 4 * (angles + 16) * (2 * columns + 24)


@step(
    accepts=("attenuation",),
    cost=Cost(host=_host, nanoseconds=35.0),
    place=40,
    example=Example({"size": 9}),
    aliases=("ring_removal", "remove_rings", "remove_stripe_based_sorting"),
)
def remove_stripes(slab: Slab, *, context: Context, size: OddCount = 21, strength: NotNegative = 1.0) -> Slab:
    """Remove stripes from sinograms by sorting, so that slices have no rings.

    Each column of a sinogram is sorted over the angles, smoothed by a median over neighbouring columns at each
    rank, and put back. It removes partial and full stripes of pixels that answer differently, and leaves the centre
    of the slice alone. Blobs wider than half of `size` and dead columns want other methods.

    Parameters
    ----------
    slab : Slab
        Attenuation, shape (angle, row, column).
    context : Context
        Threads, and memory for the result.
    size : int
        Columns of the median, odd; wider than the widest stripe. Larger is stronger, and blurs more.
    strength : float
        How much of what was found is removed; 1 is all.

    Returns
    -------
    Slab
        Attenuation, float32.

    References
    ----------
    N. T. Vo, R. C. Atwood and M. Drakopoulos, Optics Express 26, 28396 (2018), algorithm 3, doi 10.1364/OE.26.028396.
    """
    data = remove_stripes_by_sorting(
        slab.data, size, strength=strength, threads=context.threads, out=context.result(slab.data.shape)
    )
    return replace(slab, data=data)
