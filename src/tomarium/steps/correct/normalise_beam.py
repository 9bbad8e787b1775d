"""The step that divides each view by the intensity of the beam, as the current of the ring or a monitor tells it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tomarium.array import lies_elsewhere, like
from tomarium.errors import MissingData
from tomarium.model import Geometry, Layout, Scan, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.step import Cost, Values, step


def _demand_intensity(scan: Scan, layout: Layout) -> None:
    if layout.geometry.beam_intensity is None:
        raise MissingData(
            f"{scan.path} does not tell how bright the beam was in each view, which step normalise_beam needs; give it "
            f"as --beam-intensity FILE, over that in the flats, or level the views by air with --step normalise_air"
        )


def _after(layout: Layout, _: Values) -> Layout:
    return replace(layout, geometry=replace(layout.geometry, beam_intensity=None))


@step(
    accepts=("attenuation", "transmission"),
    cut="any",
    anywhere=True,
    after=_after,
    demand=_demand_intensity,
    cost=Cost(host=2.0, device=4.0, nanoseconds=1.0),
    place=22,
    aliases=("machine_current", "normalize_srcurrent", "srcurrent"),
)
def normalise_beam(slab: Slab, *, geometry: Geometry, context: Context) -> Slab:
    """Divide each view by the intensity of the beam over that in the flats.

    Flats before and after a scan do not tell how bright the beam was between: the current of the ring decays, and is
    filled up again. With s of the view and of the flats, T = [(P - D) / s_P] / [(F - D) / s_F]: the transmission is
    multiplied by s_F / s_P. The intensity comes from the file (of NXtomo from `control/data`, the monitor or the
    current of the ring) or from --beam-intensity; where it is not told, normalise_air takes it from air beside the
    sample.

    Parameters
    ----------
    slab : Slab
        Attenuation, or transmission; shape (angle, row, column).
    geometry : Geometry
        Tells the intensity of each view over that in the flats, s_P / s_F.
    context : Context
        Memory for the result.

    Returns
    -------
    Slab
        Of the same domain, float32; steps behind it know of no intensity.

    Raises
    ------
    MissingData
        The scan does not tell the intensity.

    References
    ----------
    The normalisation by the machine current of nabu, P. Paleo et al.,
    https://tomotools.gitlab-pages.esrf.fr/nabu/features.html
    """
    value = geometry.beam_intensity
    assert value is not None
    data = slab.data
    ratio = np.asarray(value.value, np.float64)[:, None, None]
    factor = (1 / ratio if slab.domain == "transmission" else np.log(ratio)).astype(np.float32)
    if lies_elsewhere(data):
        there = like(factor, data)
        return replace(slab, data=data * there if slab.domain == "transmission" else data + there)
    operation = np.multiply if slab.domain == "transmission" else np.add
    return replace(slab, data=operation(data, factor, out=context.result(data.shape)))
