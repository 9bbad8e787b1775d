"""Paganin's phase retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isclose
from typing import Annotated, Any, Final, Literal

import numpy as np
from annotated_types import Ge

from tomarium.array import like, namespace, on_host
from tomarium.errors import EngineUnavailable, MissingData, ParameterError
from tomarium.kernels.invalid import fill_invalid
from tomarium.kernels.paganin import Form, Pad, halo_pixels, length_m
from tomarium.kernels.paganin import delta_beta as ratio_of
from tomarium.kernels.paganin import paganin as filtered
from tomarium.kernels.refractive_index import (
    interface_delta_beta,
    parse_material,
    refractive_index,
)
from tomarium.kernels.unsharp import Kind, Unsharp
from tomarium.model import Geometry, Layout, Slab, Value
from tomarium.model.geometry import BY_NAME
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, KiloElectronVolts, Metres, NotNegative, Positive
from tomarium.steps.core.step import Cost, Example, Figure, Values, step

RATIO: Final = 100.0
"""δ/β where neither it nor a material is given."""

PLANNED_PX: Final = 25.0
"""Length that a plan takes until a probe has told it."""

Sigma = Annotated[float, Ge(0.2)]


def settle(values: Mapping[str, Value[Any]]) -> dict[str, Value[Any]]:
    """Take the ratio δ/β of the material, or of the length of the filter, where one of them is given.

    Parameters
    ----------
    values : mapping of str to Value
        Of the parameters of `paganin`.

    Returns
    -------
    dict of str to Value
        `delta_beta` with its source, where it was not given.

    Raises
    ------
    ParameterError
        The material is none, or a ratio was given that is not that of the material or of the length.
    MissingData
        Energy or distance are not known, and no length of the filter is given.
    EngineUnavailable
        A material was given alone, and xraylib is not installed.
    """
    if values["length_px"].value is not None:
        return _of_length(values)
    if values["length_px"].origin == "derived":  # a probe will tell it
        return _none_beside(values)
    for name in ("energy_kev", "distance_m", "pixel_m"):
        if values[name].value is None:
            option = BY_NAME[name].option
            raise MissingData(
                f"step paganin needs {name}, and {values[name].source}; give it with --{option}, --set "
                f"paganin.{name}=… or in the protocol, or give the length of the filter, paganin.length_px"
            )
    stated, material, within = (values["delta_beta"], values["material"].value, values["within"].value)
    if material is None and within is not None:
        raise ParameterError(
            f"paganin.within is {within!r}, which encloses paganin.material, and that is not given; give both"
        )
    if material is None:
        return (
            {}
            if stated.value is not None
            else {"delta_beta": Value(RATIO, "default", "default of step paganin")}
        )
    try:
        ratio, source = _ratio(material, within, values["energy_kev"].value)
    except EngineUnavailable:
        if stated.value is None:
            raise
        return {}  # a protocol that was run before states both
    if stated.value is None:
        return {"delta_beta": Value(ratio, "derived", source)}
    if not isclose(stated.value, ratio, rel_tol=1e-3):
        spelled = repr(material) + ("" if within is None else f" within {within!r}")
        raise ParameterError(
            f"paganin.delta_beta is {stated.value:g}, but paganin.material is {spelled}, whose ratio is {ratio:.4g}; "
            f"give one of them"
        )
    return {}


def _none_beside(values: Mapping[str, Value[Any]]) -> dict[str, Value[Any]]:
    """Refuse a ratio or a material beside a length that is looked for."""
    for name in ("delta_beta", "material"):
        if values[name].value is not None:
            raise ParameterError(
                f"paganin.length_px is auto and paganin.{name} is given too; give one of them"
            )
    return {}


def _of_length(values: Mapping[str, Value[Any]]) -> dict[str, Value[Any]]:
    """State the ratio that a length stands for, where energy, distance and pixel are known."""
    length, stated = values["length_px"].value, values["delta_beta"].value
    if values["material"].value is not None:
        raise ParameterError(
            f"paganin.length_px is {length:g} and paganin.material {values['material'].value!r}; give one of them"
        )
    energy, distance, pixel = (values[name].value for name in ("energy_kev", "distance_m", "pixel_m"))
    if None in (energy, distance, pixel):
        if stated is not None:
            raise ParameterError(
                f"paganin.length_px is {length:g} and paganin.delta_beta {stated:g}; give one of them"
            )
        return {}
    ratio = ratio_of(length * pixel, energy, distance)
    if stated is None:
        return {"delta_beta": Value(ratio, "derived", f"L = {length:g} px, L² / (π λ R)")}
    if not isclose(stated, ratio, rel_tol=1e-3):
        raise ParameterError(
            f"paganin.delta_beta is {stated:g}, but paganin.length_px is {length:g}, which is a ratio of {ratio:.4g}; "
            f"give one of them"
        )
    return {}


def _ratio(material: str, within: str | None, energy_kev: float) -> tuple[float, str]:
    """Return δ/β of a material, or of its interface with one that encloses it, and where it comes from."""
    index = refractive_index(parse_material(material), energy_kev)
    if within is None:
        return index.delta_beta, index.source
    around = refractive_index(parse_material(within), energy_kev)
    ratio = interface_delta_beta(index, around)
    return ratio, f"(δ₁ - δ₂) / (β₁ - β₂) of {index.material} within {around.source}"


def _length_px(values: Values) -> float:
    if values.get("length_px") == "auto":
        raise ParameterError("paganin.length_px is auto, which a run finds; give a number to the step alone")
    if values.get("length_px") is not None:
        return float(values["length_px"])
    if None in (values["energy_kev"], values["distance_m"], values["pixel_m"]):
        return PLANNED_PX
    ratio, material = values.get("delta_beta"), values.get("material")
    if ratio is None:  # of a step that is called by itself; a run settles it before
        ratio = RATIO if material is None else _ratio(material, values.get("within"), values["energy_kev"])[0]
    return length_m(ratio, values["energy_kev"], values["distance_m"]) / float(values["pixel_m"])


def _unsharp(values: Values) -> Unsharp | None:
    coefficient = values.get("unsharp_coefficient", 0.0)
    if not coefficient:
        return None
    return Unsharp(values["unsharp_sigma_px"], coefficient, values["unsharp_form"])


def _halo(values: Values, layout: Layout) -> int:
    length = _length_px(values)
    # Along rows, which are lower or higher than columns are wide, the filter is longer or shorter.
    lengths = {length, length / layout.geometry.aspect}
    return max(halo_pixels(length, values["form"], _unsharp(values)) for length in lengths)


def _host(values: Values, layout: Layout) -> int:
    """Input, result, and one batch of padded frames with its spectrum; one frame where frames are large."""
    angles, rows, columns = layout.shape
    reach = _halo(values, layout)
    frame = int(12.5 * (rows + 2 * reach) * (columns + 2 * reach) * 1.1)
    return layout.bytes + 4 * layout.values + max(frame, min(64 << 20, angles * frame)) + frame // 2


def _device(values: Values, layout: Layout) -> int:
    """Input and result, and for one batch of padded frames its spectrum four times, with room for its transform."""
    angles, rows, columns = layout.shape
    reach = _halo(values, layout)
    frame = int(12.5 * (rows + 2 * reach) * (columns + 2 * reach) * 1.1)
    return layout.bytes + 4 * layout.values + 4 * max(frame, min(64 << 20, angles * frame))


@step(
    accepts=("transmission",),
    cut="any",
    halo=_halo,
    anywhere=True,
    cost=Cost(host=_host, device=_device, nanoseconds=50.0),
    settle=settle,
    asks={"length_px": "find_filter_length"},
    figures=(Figure("not_finite", 0.0, "{percent} % of the transmissions were no finite numbers"),),
    place=30,
    example=Example({"delta_beta": 20.0, "energy_kev": "20 keV", "distance_m": "1 cm", "pixel_m": "1 um"}),
    aliases=("paganin.py", "p", "phase_retrieval", "DO_PAGANIN"),
)
def paganin(
    slab: Slab,
    *,
    geometry: Geometry,
    context: Context,
    delta_beta: Positive | None = None,
    material: str | None = None,
    within: str | None = None,
    length_px: NotNegative | Literal["auto"] | None = None,
    form: Form = "continuous",
    unsharp_coefficient: NotNegative = 0.0,
    unsharp_sigma_px: Sigma = 2.0,
    unsharp_form: Kind = "gaussian",
    energy_kev: KiloElectronVolts | None = FROM_SCAN,
    distance_m: Metres | None = FROM_SCAN,
    pixel_m: Metres | None = FROM_SCAN,
    pad: Pad = "edge",
) -> Slab:
    """Retrieve the phase of a homogeneous sample from one propagation distance.

    T' = F⁻¹{F(T) / (1 + L² f²)} with L² = π λ R δ/β: a low-pass filter on the transmission, before the logarithm,
    that undoes the edge fringes of free propagation. -ln T' is then the attenuation that the sample would show in
    contact, with far less noise. Weakly absorbing samples want a larger δ/β; too large a one blurs. The unsharp mask
    (1 + c) T' - c G * T', as PyHST2 has it, gives edges back some of their sharpness, and noise with it.

    Parameters
    ----------
    slab : Slab
        Transmission I/I₀, shape (angle, row, column): flat_field with log: false, and minus_log behind.
    geometry : Geometry
        Tells whether pixels are squares.
    context : Context
        Threads, and memory for the result.
    delta_beta : float or None
        Ratio δ/β of the sample's material at that energy; that of `material` where it is not given, 100 without one.
    material : str or None
        Formula and density in g/cm³ of the sample, such as "SiO2 2.65", looked up in the tables of xraylib; of a
        mixture by weight "0.7 H2O + 0.3 C5H8O2 1.05".
    within : str or None
        A second material that encloses the first, such as "H2O 1.0" about "Ca5(PO4)3OH 3.1": the ratio is then that of
        their interface, (δ₁ - δ₂) / (β₁ - β₂), which is right there and not at the surface towards air.
    length_px : float, "auto" or None
        Length L of the filter in pixels (their widths) in place of a ratio; energy and distance are then not needed.
        "auto" asks find_filter_length, which refuses where the views do not tell it.
    form : {"continuous", "discrete"}
        "discrete" is the generalised filter, which blurs the finest detail less; it matters where L is below some
        pixels.
    unsharp_coefficient : float
        Coefficient c of the unsharp mask, PyHST2's PUC; 0 is none, 0.5 a usual one.
    unsharp_sigma_px : float
        Standard deviation of its Gaussian G in pixels, PyHST2's PUS.
    unsharp_form : {"gaussian", "log"}
        "log" subtracts c times the Laplacian of that Gaussian, T' - c ∇²G * T', PyHST2's UNSHARP_LOG; its c is in px²,
        2 where 1 would do of a Gaussian of 2 px.
    energy_kev : float or None
        Photon energy.
    distance_m : float or None
        Distance from sample to detector; of a diverging beam, divided by the magnification.
    pixel_m : float or None
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
    Generalised: D. M. Paganin et al., Journal of Optics 22, 115607 (2020), doi 10.1088/2040-8986/abbab9.
    Two materials: M. A. Beltran et al., Optics Express 18, 6423 (2010), doi 10.1364/OE.18.006423, equation 8 where the
    enclosing material changes slowly.
    Unsharp mask: A. Mirone et al., Nucl. Instrum. Methods B 324, 41 (2014), doi 10.1016/j.nimb.2013.09.030.
    """
    values = {
        "delta_beta": delta_beta,
        "material": material,
        "within": within,
        "length_px": length_px,
        "unsharp_coefficient": unsharp_coefficient,
        "unsharp_sigma_px": unsharp_sigma_px,
        "unsharp_form": unsharp_form,
        "energy_kev": energy_kev,
        "distance_m": distance_m,
        "pixel_m": pixel_m,
    }
    # A slab of rows has real neighbours in its halo, but at the detector's first and last row.
    edges = (True, True) if slab.frames is not None else (slab.halo[0] == 0, slab.halo[1] == 0)
    if context.whole is not None and slab.frames is None:
        edges = slab.rows.start == 0, slab.rows.stop == context.whole.rows
    is_numpy = namespace(slab.data) is np
    finite_data, replaced = finite(slab.data)
    data = filtered(
        finite_data,
        _length_px(values),
        form=form,
        aspect=geometry.aspect,
        unsharp=_unsharp(values),
        pad=pad,
        pad_rows=edges,
        threads=context.threads,
        out=context.result(slab.data.shape) if is_numpy else None,
    )
    return replace(slab, data=data, report={**slab.report, "paganin.not_finite": replaced})


def finite(data: Any) -> tuple[Any, int]:
    """Replace what is not finite by the median of its neighbours, for a filter would spread it over the frame.

    Parameters
    ----------
    data : array, shape (angle, row, column)
        Transmission.

    Returns
    -------
    array, int
        The same array where all of it is finite, and how many values were replaced.
    """
    xp = namespace(data)
    bad = int(xp.count_nonzero(xp.logical_not(xp.isfinite(data))))
    if not bad:
        return data, 0
    filled = np.array(on_host(data), np.float32)
    filled[~np.isfinite(filled)] = np.nan
    fill_invalid(filled, 1.0)
    return filled if xp is np else like(filled, data), bad
