"""Paganin's phase retrieval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from tomarium.array import namespace
from tomarium.kernels.invalid import fill_invalid
from tomarium.kernels.paganin import halo_pixels, length_m
from tomarium.kernels.paganin import paganin as filtered
from tomarium.model import Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, KiloElectronVolts, Metres, Positive
from tomarium.steps.core.step import Cost, Example, Figure, Values, step


def _length_px(values: Values) -> float:
    return length_m(values["delta_beta"], values["energy_kev"], values["distance_m"]) / float(
        values["pixel_m"]
    )


def _halo(values: Values, layout: Layout) -> int:
    return halo_pixels(_length_px(values))


def _host(values: Values, layout: Layout) -> int:
    """Input, result, and one batch of padded frames with its spectrum; one frame where frames are large."""
    angles, rows, columns = layout.shape
    reach = halo_pixels(_length_px(values))
    frame = int(12.5 * (rows + 2 * reach) * (columns + 2 * reach) * 1.1)
    return layout.bytes + 4 * layout.values + max(frame, min(64 << 20, angles * frame)) + frame // 2


@step(
    accepts=("transmission",),
    cut="any",
    halo=_halo,
    cost=Cost(host=_host, nanoseconds=50.0),
    figures=(Figure("not_finite", 0.0, "{percent} % of the transmissions were no finite numbers"),),
    place=30,
    example=Example({"delta_beta": 20.0, "energy_kev": "20 keV", "distance_m": "1 cm", "pixel_m": "1 um"}),
    aliases=("paganin.py", "p", "phase_retrieval"),
)
def paganin(
    slab: Slab,
    *,
    context: Context,
    delta_beta: Positive = 100.0,
    energy_kev: KiloElectronVolts = FROM_SCAN,
    distance_m: Metres = FROM_SCAN,
    pixel_m: Metres = FROM_SCAN,
    pad: Literal["edge", "reflect"] = "edge",
) -> Slab:
    """Retrieve the phase of a homogeneous sample from one propagation distance.

    T' = F⁻¹{F(T) / (1 + L² f²)} with L² = π λ R δ/β: a low-pass filter on the transmission, before the logarithm,
    that undoes the edge fringes of free propagation. -ln T' is then the attenuation that the sample would show in
    contact, with far less noise. Weakly absorbing samples want a larger δ/β; too large a one blurs.

    Parameters
    ----------
    slab : Slab
        Transmission I/I₀, shape (angle, row, column): flat_field with log: false, and minus_log behind.
    context : Context
        Threads, and memory for the result.
    delta_beta : float
        Ratio δ/β of the sample's material at that energy.
    energy_kev : float
        Photon energy.
    distance_m : float
        Distance from sample to detector; of a diverging beam, divided by the magnification.
    pixel_m : float
        Pixel size at the sample.
    pad : str
        How frames go on beyond the detector: "edge", with their edge values; "reflect", mirrored.

    Returns
    -------
    Slab
        Filtered transmission, float32.

    References
    ----------
    D. Paganin et al., Journal of Microscopy 206, 33 (2002), equation 10, doi 10.1046/j.1365-2818.2002.01010.x.
    """
    values = {
        "delta_beta": delta_beta,
        "energy_kev": energy_kev,
        "distance_m": distance_m,
        "pixel_m": pixel_m,
    }
    # A slab of rows has real neighbours in its halo, but at the detector's first and last row.
    edges = (True, True) if slab.frames is not None else (slab.halo[0] == 0, slab.halo[1] == 0)
    if context.whole is not None and slab.frames is None:
        edges = slab.rows.start == 0, slab.rows.stop == context.whole.rows
    is_numpy = namespace(slab.data) is np
    taken, replaced = _finite(slab.data)
    data = filtered(
        taken,
        _length_px(values),
        pad=pad,
        pad_rows=edges,
        threads=context.threads,
        out=context.result(slab.data.shape) if is_numpy else None,
    )
    return replace(slab, data=data, report={**slab.report, "paganin.not_finite": replaced})


def _finite(data: Any) -> tuple[Any, int]:
    """Replace what is not finite by the median of its neighbours, for the filter would spread it over the frame."""
    xp = namespace(data)
    bad = int(xp.count_nonzero(xp.logical_not(xp.isfinite(data))))
    if not bad:
        return data, 0
    filled = np.array(data, np.float32)
    filled[~np.isfinite(filled)] = np.nan
    fill_invalid(filled, 1.0)
    return xp.asarray(filled), bad
