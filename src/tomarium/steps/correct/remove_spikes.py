"""The step that removes spikes from frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tomarium.kernels.spikes import HALO, NoiseModel, measure_noise
from tomarium.kernels.spikes import remove_spikes as without_spikes
from tomarium.model import Scan, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import Positive
from tomarium.steps.core.step import Cost, Figure, Values, step

MEASURED = 5
"""Projections, spread over the scan, in which noise is measured."""

MEASURED_ROWS = 256
"""Most rows of each that are looked at, about the middle."""


def _prepare(scan: Scan, values: Values, rows: slice) -> NoiseModel:
    """Measure the noise in a few projections, the same wherever slabs are cut."""
    angles, height, _ = scan.shape
    chosen = np.unique(np.linspace(0, angles - 1, min(angles, MEASURED)).round().astype(np.intp))
    first = max(0, (height - MEASURED_ROWS) // 2)
    return measure_noise(scan.projections.read(chosen, slice(first, min(height, first + MEASURED_ROWS))))


@step(
    accepts=("counts",),
    after=lambda layout, _: layout,
    cut="any",
    halo=HALO,
    cost=Cost(host=5.0, nanoseconds=40.0),
    prepare=_prepare,
    figures=(
        Figure(
            "replaced",
            1e-2,
            "{percent} % of the pixels were taken for spikes: too many to be stray radiation",
        ),
    ),
    place=10,
    aliases=("dezinger", "rs", "remove_zingers", "remove_outlier"),
)
def remove_spikes(slab: Slab, *, context: Context, prepared: NoiseModel, threshold: Positive = 8.0) -> Slab:
    """Remove spikes (zingers), pixels that stray radiation made far too bright.

    A pixel far above the median of its 3 x 3 neighbourhood, in units of the noise that was measured at its
    brightness, takes that median. Flats and darks are mended alike.

    Parameters
    ----------
    slab : Slab
        Detector counts, shape (angle, row, column).
    context : Context
        Threads, and memory for the result.
    prepared : NoiseModel
        How noise grows with brightness in this scan.
    threshold : float
        Standard deviations above which a pixel is a spike.

    Returns
    -------
    Slab
        Counts, of the detector's own type.

    References
    ----------
    D. Gürsoy et al., Journal of Synchrotron Radiation 21, 1188 (2014), doi 10.1107/S1600577514013939.
    """
    out = context.result(slab.data.shape, slab.data.dtype)
    data, replaced = without_spikes(
        slab.data, prepared, threshold=threshold, threads=context.threads, out=out
    )
    own = 1 - sum(slab.halo) / slab.data.shape[slab.along]
    return replace(slab, data=data, report={**slab.report, "remove_spikes.replaced": round(replaced * own)})
